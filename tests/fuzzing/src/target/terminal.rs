//! What an agent meets on its terminal, and what a terminal shows when it connects.

use chrono::DateTime;
use uuid::Uuid;
use yomitori_agent::identity::token::Token;
use yomitori_observation::header::Reading;
use yomitori_observation::reader::{self, Name};
use yomitori_observation::{linkage, medium, version};
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::LinkageFolder;
use yomitori_server::identity::{self, CertificateRequest};

use super::ended;

/// A token, as a technician types it.
pub(super) fn token(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(token) = text.parse::<Token>() {
        assert_eq!(token.text(), text.trim());
    }
}

/// A terminal's certificate or its request for one.
pub(super) fn certificate(bytes: &[u8]) {
    ended(identity::terminal_certificate(bytes));
    CertificateRequest::read(bytes).ok();
}

/// A result file, read byte by byte: nothing is read once the header is decided.
pub(super) fn header(bytes: &[u8]) {
    let mut reading = Reading::default();
    let mut read = 0;
    for byte in bytes {
        read += 1;
        if reading.take(*byte).is_some() {
            break;
        }
    }
    assert!(read <= 64 << 10, "{read} bytes of a file were read");
    let header = reading.end();
    assert!(header.error_code.is_none_or(|code| code.len() <= 32), "an error code is short");
}

/// The name of a file in a linkage folder: no part of it may be carried further.
pub(super) fn file_name(bytes: &[u8]) {
    let name = String::from_utf8_lossy(bytes);
    for folder in [LinkageFolder::Face, LinkageFolder::Res] {
        ended(linkage::observe(folder, &name, 0, DateTime::UNIX_EPOCH));
    }
    ended(version::read(bytes));
}

/// What a reader calls itself, and what a card answers.
pub(super) fn reader(bytes: &[u8]) {
    let name = Name::parse(&String::from_utf8_lossy(bytes));
    assert_eq!(name.key(TerminalId(Uuid::nil())), name.key(TerminalId(Uuid::nil())));
    ended(reader::model(&name));
    ended(medium::classify(bytes));
}
