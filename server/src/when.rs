//! Instants as people in Japan write them, on pages and in the output of commands.

use chrono::{DateTime, Utc};
use yomitori_proto::time::JAPAN;

/// The day, such as `2026-04-01`.
#[must_use]
pub fn day(at: DateTime<Utc>) -> String {
    at.with_timezone(&JAPAN).format("%Y-%m-%d").to_string()
}

/// The minute, such as `2026-04-01 09:00`.
#[must_use]
pub fn minute(at: DateTime<Utc>) -> String {
    at.with_timezone(&JAPAN).format("%Y-%m-%d %H:%M").to_string()
}

/// The second, such as `2026-04-01 09:00:00`.
#[must_use]
pub fn second(at: DateTime<Utc>) -> String {
    at.with_timezone(&JAPAN).format("%Y-%m-%d %H:%M:%S").to_string()
}
