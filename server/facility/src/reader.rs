//! One reader of a terminal: whether it is there, and what it was for at any time.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::ReaderAttached;
use yomitori_proto::vocabulary::ReaderRole;

use crate::seen::Place;

/// What is known of one reader.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reader {
    pub(crate) model: Option<String>,
    pub(crate) vid: Option<u16>,
    pub(crate) pid: Option<u16>,
    /// Ascending by place.
    changes: Vec<Change>,
    /// Ascending by instant; what a person says overrides the configuration from that instant on.
    assigned: Vec<(DateTime<Utc>, ReaderRole)>,
    pub(crate) flapped_at: Option<DateTime<Utc>>,
}

/// The reader came, with the role that is configured on the terminal, or went.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Change {
    place: Place,
    at: DateTime<Utc>,
    attached: Option<ReaderRole>,
}

const CHANGES: usize = 8;
const ASSIGNED: usize = 8;

impl Reader {
    pub(crate) fn attached(&mut self, place: Place, at: DateTime<Utc>, event: &ReaderAttached) {
        if self.changes.iter().all(|change| change.place < place) {
            if self.model != event.model {
                self.model.clone_from(&event.model);
            }
            (self.vid, self.pid) = (event.vid, event.pid);
        }
        self.change(Change { place, at, attached: Some(event.role) });
    }

    pub(crate) fn detached(&mut self, place: Place, at: DateTime<Utc>) {
        self.change(Change { place, at, attached: None });
    }

    fn change(&mut self, change: Change) {
        let index = self.changes.partition_point(|other| other.place < change.place);
        self.changes.insert(index, change);
        if self.changes.len() > CHANGES {
            let oldest = self.changes.remove(0);
            // Said again, not changed: it has been so since then.
            if self.changes[0].attached == oldest.attached {
                self.changes[0].at = oldest.at;
            }
        }
    }

    pub(crate) fn assign(&mut self, at: DateTime<Utc>, role: ReaderRole) {
        let index = self.assigned.partition_point(|(other, _)| *other <= at);
        self.assigned.insert(index, (at, role));
        if self.assigned.len() > ASSIGNED {
            self.assigned.remove(0);
        }
    }

    /// What the reader was for at a place, or is for where no place is given.
    pub(crate) fn role(&self, at: DateTime<Utc>, place: Option<Place>) -> ReaderRole {
        let assigned = self.assigned.iter().rev().find(|(from, _)| *from <= at).map(|(_, role)| *role);
        let configured = || {
            let before = |change: &&Change| place.is_none_or(|place| change.place < place);
            self.changes.iter().rev().filter(before).find_map(|change| change.attached)
        };
        assigned.or_else(configured).unwrap_or_default()
    }

    /// Where the reader was last heard of.
    pub(crate) fn last(&self) -> Place {
        self.changes.last().map(|change| change.place).unwrap_or_default()
    }

    /// Whether it was there when it was last heard of, and since when that was so; `None` when it was never heard of.
    pub(crate) fn presence(&self) -> Option<(bool, DateTime<Utc>)> {
        let present = self.changes.last()?.attached.is_some();
        let run = self.changes.iter().rev().take_while(|change| change.attached.is_some() == present);
        run.last().map(|change| (present, change.at))
    }
}
