//! Instants on the wire are microseconds since the epoch; out of range is an error, never a wrapped value.

use chrono::{DateTime, Utc};

/// Microseconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn to_micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// The instant, where it lies in the years 1970 to 9999, so that every store and every page can show it. A terminal whose
/// clock fell back to 1970 is still understood.
#[must_use]
pub fn from_micros(micros: i64) -> Option<DateTime<Utc>> {
    const LAST: i64 = 253_402_300_800_000_000;
    (0..LAST).contains(&micros).then(|| DateTime::from_timestamp_micros(micros)).flatten()
}

/// `at` without what is finer than a microsecond, as it comes back from the wire.
#[must_use]
pub fn truncate(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}
