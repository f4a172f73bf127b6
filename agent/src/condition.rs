//! How the terminal is right now. Whoever knows a part of it writes that down on the [`Board`]; the desk page shows it.
//!
//! Nothing is decided by it: what the server is told goes through the recorder alone.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use yomitori_observation::Sighting;
use yomitori_proto::event::Event;
use yomitori_proto::id::ReaderKey;
use yomitori_proto::vocabulary::{GapSource, ReaderRole};

/// The connection to the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerLink {
    Connected,
    /// Since the last word to it; since ever, where it was never reached.
    Away {
        since: Option<DateTime<Utc>>,
    },
}

/// A reader that is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reader {
    /// The identifier in the reader catalogue.
    pub model: Option<String>,
    pub role: ReaderRole,
}

/// What the board shows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    pub server: ServerLink,
    /// When this terminal's certificate ends.
    pub certified_until: Option<DateTime<Utc>>,
    pub readers: BTreeMap<ReaderKey, Reader>,
    /// A reader is plugged in that PC/SC did not show when it was last looked for.
    pub is_blocked: bool,
    /// When a reader came and went too often.
    pub flapped_at: Option<DateTime<Utc>>,
    /// Sources that see nothing, each since when.
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
            readers: BTreeMap::new(),
            is_blocked: false,
            flapped_at: None,
            blind: Vec::new(),
        }))
    }
}

impl ConditionBoard {
    /// All of it, as it is at this moment.
    #[must_use]
    pub fn condition(&self) -> Condition {
        self.now().clone()
    }

    /// The server answers.
    pub fn connected(&self) {
        self.now().server = ServerLink::Connected;
    }

    /// The server does not answer; `since` counts where it was not known before.
    pub fn disconnected(&self, since: Option<DateTime<Utc>>) {
        let mut now = self.now();
        if !matches!(now.server, ServerLink::Away { since: Some(_) }) {
            now.server = ServerLink::Away { since };
        }
    }

    /// The certificate that this terminal has.
    pub fn certificate_until(&self, until: DateTime<Utc>) {
        self.now().certified_until = Some(until);
    }

    /// A source has told this.
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

    /// A source sees nothing.
    pub(crate) fn set_blind(&self, source: GapSource, since: DateTime<Utc>) {
        self.now().blind.push((source, since));
    }

    /// A source that saw nothing `since` then sees again.
    pub(crate) fn clear_blind(&self, source: GapSource, since: DateTime<Utc>) {
        let mut now = self.now();
        if let Some(place) = now.blind.iter().position(|entry| *entry == (source, since)) {
            now.blind.remove(place);
        }
    }

    fn now(&self) -> MutexGuard<'_, Condition> {
        // A writer that panicked has left a whole value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
