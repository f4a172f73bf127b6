//! The only place of the server that reads the wall clock.

use chrono::{DateTime, Utc};

/// Now, to the microsecond that every store keeps.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> DateTime<Utc> {
    yomitori_proto::time::truncate(Utc::now())
}
