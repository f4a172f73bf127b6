//! The only module of the agent that reads the clocks.

use std::time::Instant;

use chrono::{DateTime, Utc};
use yomitori_observation::Moment;

/// The present instant by both clocks.
#[must_use]
pub fn moment() -> Moment {
    Moment { wall: now(), steady: Instant::now() }
}

/// The present time by the wall clock, with the precision that is stored and sent.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> DateTime<Utc> {
    yomitori_proto::time::truncate(Utc::now())
}
