//! Raw signals of a terminal become observations: readers, taps, result files.
//!
//! Nothing here does input or output or reads a clock: what was seen and when comes in as an argument, and what waits
//! for time says so by a deadline. This is also where raw signals end: reader names, ATR bytes and file names come in
//! here and do not come out.

use std::time::Instant;

use chrono::{DateTime, Utc};
use yomitori_proto::event::Event;

pub mod blocked;
pub mod flap;
pub mod header;
pub mod linkage;
pub mod medium;
pub mod pattern;
pub mod reader;
pub mod shed;
pub mod step;
pub mod tap;
pub mod version;
pub mod windows;

/// One instant by both clocks: the wall clock says when it was, the steady one how long it took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    pub wall: DateTime<Utc>,
    pub steady: Instant,
}

/// Something that a source noticed, before it has its place in the spool.
#[derive(Clone, PartialEq, Debug)]
pub struct Sighting {
    pub occurred_at: DateTime<Utc>,
    pub observed_at: DateTime<Utc>,
    pub event: Event,
}

impl Sighting {
    /// Of something that was noticed as it happened.
    #[must_use]
    pub fn now(at: DateTime<Utc>, event: impl Into<Event>) -> Self {
        Self { occurred_at: at, observed_at: at, event: event.into() }
    }
}
