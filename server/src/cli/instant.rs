//! Instants as options.

use chrono::{DateTime, Utc};

use crate::clock;
use crate::statement::written;

/// Parses an instant that has come: of a later one nothing is known.
pub(super) fn parse_past(text: &str) -> Result<DateTime<Utc>, String> {
    let at = parse(text)?;
    if at > clock::now() { Err("this is in the future, of which nothing is known yet".to_owned()) } else { Ok(at) }
}

/// Parses an instant with an offset or in Japan's time; a day alone is its beginning in Japan.
pub(super) fn parse(text: &str) -> Result<DateTime<Utc>, String> {
    written(text).ok_or_else(|| {
        "write an instant such as 2026-04-01T10:30:00+09:00, or 2026-04-01T10:30 in Japan's time, or a day".to_owned()
    })
}
