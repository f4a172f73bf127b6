//! One reader of a terminal: whether it is there, and what it was for at any time.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::ReaderAttached;
use yomitori_proto::vocabulary::ReaderRole;

use crate::bounded;
use crate::history::History;
use crate::seen::Place;

/// What is known of one reader.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reader {
    /// The observation that the three below are from.
    described: Place,
    pub(crate) model: Option<String>,
    pub(crate) vid: Option<u16>,
    pub(crate) pid: Option<u16>,
    /// It came, with the role that is configured on the terminal, or went.
    changes: History<Option<ReaderRole>>,
    /// Ascending by instant; what a person says overrides the configuration from that instant on.
    assigned: Vec<(DateTime<Utc>, ReaderRole)>,
    pub(crate) flapped_at: Option<DateTime<Utc>>,
}

const ASSIGNED: usize = 8;

impl Reader {
    pub(crate) fn attached(&mut self, place: Place, at: DateTime<Utc>, event: &ReaderAttached) {
        if self.described <= place {
            self.described = place;
            if self.model != event.model {
                self.model.clone_from(&event.model);
            }
            (self.vid, self.pid) = (event.vid, event.pid);
        }
        self.changes.observe(place, at, Some(event.role));
    }

    pub(crate) fn detached(&mut self, place: Place, at: DateTime<Utc>) {
        self.changes.observe(place, at, None);
    }

    pub(crate) fn assign(&mut self, at: DateTime<Utc>, role: ReaderRole) {
        bounded::insert(&mut self.assigned, (at, role), |(at, _)| *at, ASSIGNED);
    }

    /// What the reader was for, as far as what is known before `place` and what a person said by then; `said` tells
    /// whether an instant had come.
    pub(crate) fn role(&self, place: Option<Place>, said: impl Fn(DateTime<Utc>) -> bool) -> ReaderRole {
        let assigned = self.assigned.iter().rev().find(|(from, _)| said(*from)).map(|(_, role)| *role);
        let configured = || self.changes.before(place).flatten().next();
        assigned.or_else(configured).unwrap_or_default()
    }

    /// Where the reader was last heard of.
    pub(crate) fn last(&self) -> Place {
        self.changes.last()
    }

    /// Whether it was there when it was last heard of, and since when that was so; `None` when it was never heard of.
    pub(crate) fn presence(&self) -> Option<(bool, DateTime<Utc>)> {
        self.changes.current(|role| role.is_some())
    }
}
