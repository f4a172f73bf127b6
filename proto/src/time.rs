//! Instants on the wire are microseconds since the epoch; out of range is an error, never a wrapped value.

use chrono::{DateTime, FixedOffset, Utc};

/// The time of Japan, which has had no daylight saving time since 1952.
pub const JAPAN: FixedOffset = FixedOffset::east_opt(9 * 3600).expect("nine hours are less than a day");

/// Microseconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn to_micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// The instant, if it is in the years 1970 to 9999, which every store and page can represent. A terminal whose clock
/// was reset to 1970 is therefore still accepted.
#[must_use]
pub fn from_micros(micros: i64) -> Option<DateTime<Utc>> {
    const LAST: i64 = 253_402_300_800_000_000;
    (0..LAST).contains(&micros).then(|| DateTime::from_timestamp_micros(micros)).flatten()
}

/// `at` truncated to microseconds, as it comes back from the wire.
#[must_use]
pub fn truncate(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(at.timestamp_micros()).unwrap_or(at)
}
