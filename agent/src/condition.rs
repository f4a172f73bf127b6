//! The present condition of the terminal. Each part of the agent records what it knows on the [`ConditionBoard`]; the
//! desk page shows it.
//!
//! It is for display only: everything that the server receives goes through the recorder.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use yomitori_observation::Sighting;
use yomitori_proto::event::Event;
use yomitori_proto::id::ReaderKey;
use yomitori_proto::vocabulary::{GapSource, ReaderRole};

use crate::clock_offset::ClockOffset;

/// The state of the connection to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerLink {
    Connected,
    /// `since` is when this terminal last sent something; `None` means that it never reached the server.
    Away {
        since: Option<DateTime<Utc>>,
    },
    /// The server lets this terminal send nothing since then: it is suspended, revoked or retired.
    Refused {
        since: DateTime<Utc>,
    },
}

/// An attached reader.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reader {
    /// The identifier in the reader catalogue.
    pub model: Option<String>,
    pub role: ReaderRole,
}

/// Everything that the board shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    pub server: ServerLink,
    /// When this terminal's certificate expires.
    pub certified_until: Option<DateTime<Utc>>,
    /// How wrong this terminal's clock was when the server was last reached or rejected.
    pub clock: Option<ClockOffset>,
    pub readers: BTreeMap<ReaderKey, Reader>,
    /// A reader is plugged in that PC/SC did not list at the last check.
    pub is_blocked: bool,
    /// When a reader last disconnected too often.
    pub flapped_at: Option<DateTime<Utc>>,
    /// Sources that see nothing, each with the time since when.
    pub blind: Vec<(GapSource, DateTime<Utc>)>,
}

/// See the head of this file.
#[derive(Debug)]
pub struct ConditionBoard(Mutex<Condition>);

impl Default for ConditionBoard {
    fn default() -> Self {
        Self(Mutex::new(Condition {
            server: ServerLink::Away { since: None },
            certified_until: None,
            clock: None,
            readers: BTreeMap::new(),
            is_blocked: false,
            flapped_at: None,
            blind: Vec::new(),
        }))
    }
}

impl ConditionBoard {
    /// A copy of the present condition.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.now().clone()
    }

    /// Records that the server answers.
    pub fn connected(&self) {
        self.now().server = ServerLink::Connected;
    }

    /// Records that the server does not answer. `since` is used only where no earlier time is known.
    pub fn disconnected(&self, since: Option<DateTime<Utc>>) {
        let mut now = self.now();
        if !matches!(now.server, ServerLink::Away { since: Some(_) }) {
            now.server = ServerLink::Away { since };
        }
    }

    /// Records that the server lets this terminal send nothing.
    pub fn refused(&self, at: DateTime<Utc>) {
        let mut now = self.now();
        if !matches!(now.server, ServerLink::Refused { .. }) {
            now.server = ServerLink::Refused { since: at };
        }
    }

    /// Records when this terminal's certificate expires.
    pub fn certificate_until(&self, until: DateTime<Utc>) {
        self.now().certified_until = Some(until);
    }

    /// Records how wrong this terminal's clock is; `None` if it is right.
    pub fn clock(&self, offset: Option<ClockOffset>) {
        self.now().clock = offset;
    }

    /// Updates the board with what a source saw.
    pub(crate) fn observe(&self, sighting: &Sighting) {
        match &sighting.event {
            Event::ReaderAttached(attached) => {
                let reader = Reader { model: attached.model.clone(), role: attached.role };
                let mut now = self.now();
                now.readers.insert(attached.reader, reader);
                now.is_blocked = false;
            }
            Event::ReaderDetached(detached) => drop(self.now().readers.remove(&detached.reader)),
            Event::ReaderBlocked(_) => self.now().is_blocked = true,
            Event::ReaderFlapping(_) => self.now().flapped_at = Some(sighting.observed_at),
            _ => {}
        }
    }

    /// Records that a source sees nothing.
    pub(crate) fn set_blind(&self, source: GapSource, since: DateTime<Utc>) {
        self.now().blind.push((source, since));
    }

    /// Records the end of the outage that began at `since`.
    pub(crate) fn clear_blind(&self, source: GapSource, since: DateTime<Utc>) {
        let mut now = self.now();
        if let Some(place) = now.blind.iter().position(|entry| *entry == (source, since)) {
            now.blind.remove(place);
        }
    }

    fn now(&self) -> MutexGuard<'_, Condition> {
        // Each change is one step, so a writer that panicked left a consistent value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
