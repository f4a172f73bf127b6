//! Turns the raw signals of a terminal into observations: readers, taps, result files.
//!
//! Nothing here does input or output or reads a clock: signals and times are arguments, and a state that waits has a
//! deadline. Raw signals end here: reader names, ATR bytes and file names come in and do not go out.

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

/// One instant by both clocks: the wall clock gives its time, the steady clock measures durations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    pub wall: DateTime<Utc>,
    pub steady: Instant,
}

/// Something that a source noticed, before it is stored in the spool.
#[derive(Clone, PartialEq, Debug)]
pub struct Sighting {
    pub occurred_at: DateTime<Utc>,
    pub observed_at: DateTime<Utc>,
    pub event: Event,
}

impl Sighting {
    /// A sighting of something that was noticed as it happened.
    #[must_use]
    pub fn now(at: DateTime<Utc>, event: impl Into<Event>) -> Self {
        Self { occurred_at: at, observed_at: at, event: event.into() }
    }
}
