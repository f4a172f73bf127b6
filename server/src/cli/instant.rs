//! Instants as options.

use chrono::{DateTime, Utc};

use crate::statement::written;

/// Parses an instant with an offset or in Japan's time; a day alone is its beginning in Japan.
pub(super) fn parse(text: &str) -> Result<DateTime<Utc>, String> {
    written(text).ok_or_else(|| {
        "write an instant such as 2026-04-01T10:30:00+09:00, or 2026-04-01T10:30 in Japan's time, or a day".to_owned()
    })
}
