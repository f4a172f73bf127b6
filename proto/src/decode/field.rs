//! The rules for single fields: one function for each rule, which gets the field's name for its error.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::DecodeError;
use crate::id::{Boot, FacilityId, Instance, Life, Session, SnapshotId, StatementId, TerminalId};
use crate::{table, time};

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

/// A number of 16 bits.
pub(crate) fn sixteen_bits(field: &'static str, number: u32) -> Result<u16, DecodeError> {
    u16::try_from(number).map_err(|_| DecodeError::Number { field, range: "0 to 65535" })
}

/// Applies `check` to a text that is not empty; an empty text is absent.
pub(crate) fn optional(
    text: Option<String>,
    check: impl FnOnce(String) -> Result<String, DecodeError>,
) -> Result<Option<String>, DecodeError> {
    text.filter(|text| !text.is_empty()).map(check).transpose()
}

/// A version: numbers with dots, which is all that an agent takes from a file of the official software.
pub(crate) fn version(field: &'static str, text: String) -> Result<String, DecodeError> {
    let number = |part: &str| (1..=6).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let holds = (2..=4).contains(&text.split('.').count()) && text.split('.').all(number);
    keep(holds, text, field, "a version: 2 to 4 numbers of 1 to 6 digits, with dots between them")
}

/// A word of `table`. One that could be a word of a newer version is read as `other`; see [`crate::table`].
fn word(field: &'static str, text: String, table: &[&str], other: &str) -> Result<String, DecodeError> {
    let holds =
        (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    let text = keep(holds, text, field, "an identifier of a table: 1 to 64 of 0-9, A-Z, a-z and ._-")?;
    Ok(if table.contains(&text.as_str()) { text } else { other.to_owned() })
}

pub(crate) fn cause(field: &'static str, text: String) -> Result<String, DecodeError> {
    word(field, text, table::CAUSES, table::OTHER_CAUSE)
}

pub(crate) fn fallback(field: &'static str, text: String) -> Result<String, DecodeError> {
    word(field, text, table::FALLBACKS, table::OTHER_FALLBACK)
}

/// The model of a reader that a person names.
pub(crate) fn named_model(field: &'static str, text: String) -> Result<String, DecodeError> {
    word(field, text, table::READER_MODELS, table::OTHER_MODEL)
}

/// The model of a reader that a terminal recognised; an empty text, or one that is not in the table, is no model.
pub(crate) fn model(field: &'static str, text: String) -> Result<Option<String>, DecodeError> {
    let model = optional(Some(text), |text| named_model(field, text))?;
    Ok(model.filter(|model| model != table::OTHER_MODEL))
}

/// The key of a flag. It has no digits, so that nothing that identifies somebody can be one.
pub(crate) fn flag(field: &'static str, text: String) -> Result<String, DecodeError> {
    let holds = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_');
    keep(holds, text, field, "the key of a flag: 1 to 64 of A-Z, a-z and _")
}

/// The error code of a result file. A text of another form is left out, and the observation is kept without it.
pub(crate) fn error_code(field: &'static str, text: String) -> Result<Option<String>, DecodeError> {
    let holds = (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let text = keep(holds, text, field, "an error code: 1 to 16 of 0-9, A-Z and a-z")?;
    Ok(table::is_error_code(&text).then_some(text))
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
