//! The rules for single fields: one function for each rule, which gets the field's name for its error.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::DecodeError;
use crate::id::{Boot, FacilityId, Instance, Life, Session, SnapshotId, StatementId, TerminalId};
use crate::time;

macro_rules! identifiers {
    ($($function:ident: $name:ident),* $(,)?) => {$(
        pub(crate) fn $function(field: &'static str, bytes: &[u8]) -> Result<$name, DecodeError> {
            Uuid::from_slice(bytes).map($name).map_err(|_| DecodeError::Identifier { field })
        }
    )*};
}

identifiers! {
    boot: Boot, facility: FacilityId, instance: Instance, life: Life, session: Session, snapshot: SnapshotId,
    statement: StatementId, terminal: TerminalId,
}

pub(crate) fn instant(field: &'static str, micros: i64) -> Result<DateTime<Utc>, DecodeError> {
    time::from_micros(micros).ok_or(DecodeError::Instant { field })
}

/// A partition of the log, or an offset in one.
pub(crate) fn place<T: PartialOrd + Default>(field: &'static str, number: T) -> Result<T, DecodeError> {
    if number < T::default() { Err(DecodeError::Number { field, range: "from 0" }) } else { Ok(number) }
}

/// A USB vendor or product number.
pub(crate) fn usb(field: &'static str, number: u32) -> Result<u16, DecodeError> {
    u16::try_from(number).map_err(|_| DecodeError::Number { field, range: "0 to 65535" })
}

/// Applies `check` to a text that is not empty; an empty text is absent.
pub(crate) fn optional(
    text: Option<String>,
    check: impl FnOnce(String) -> Result<String, DecodeError>,
) -> Result<Option<String>, DecodeError> {
    text.filter(|text| !text.is_empty()).map(check).transpose()
}

pub(crate) fn version(field: &'static str, text: String) -> Result<String, DecodeError> {
    let holds =
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b));
    keep(holds, text, field, "a version: 1 to 64 of 0-9, A-Z, a-z and ._+-")
}

/// An identifier of a table: reader models, causes, fallbacks, flags.
pub(crate) fn word(field: &'static str, text: String) -> Result<String, DecodeError> {
    let holds =
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    keep(holds, text, field, "an identifier of a table: 1 to 64 of 0-9, A-Z, a-z and ._-")
}

pub(crate) fn error_code(field: &'static str, text: String) -> Result<String, DecodeError> {
    let holds = (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    keep(holds, text, field, "an error code: 1 to 16 of 0-9, A-Z and a-z")
}

pub(crate) fn institution_code(field: &'static str, text: String) -> Result<String, DecodeError> {
    let holds = text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit());
    keep(holds, text, field, "an institution code of ten digits")
}

pub(crate) fn prefecture(field: &'static str, text: String) -> Result<String, DecodeError> {
    let two_digits = text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
    let holds = two_digits && ("01"..="47").contains(&text.as_str());
    keep(holds, text, field, "a prefecture: 01 to 47")
}

/// A text from a person or a list: a name, a reason or a reference.
pub(crate) fn line(field: &'static str, text: String) -> Result<String, DecodeError> {
    let holds = (1..=LINE_CHARS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    keep(holds, text, field, "one line of 1 to 2000 characters")
}

/// A document of many lines.
pub(crate) fn document(field: &'static str, text: String) -> Result<String, DecodeError> {
    let holds =
        text.len() <= DOCUMENT_BYTES && !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    keep(holds, text, field, "a text of at most 256 KiB without control characters")
}

const LINE_CHARS: usize = 2000;
const DOCUMENT_BYTES: usize = 256 * 1024;

fn keep(holds: bool, text: String, field: &'static str, rule: &'static str) -> Result<String, DecodeError> {
    if holds { Ok(text) } else { Err(DecodeError::Text { field, rule }) }
}
