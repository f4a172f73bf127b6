//! One reader of a terminal: whether it is there, and what it is for.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::ReaderAttached;
use yomitori_proto::id::StatementId;
use yomitori_proto::vocabulary::ReaderRole;

use crate::bounds::ASSIGNED;
use crate::history::{History, State};
use crate::seen::SeqPosition;
use crate::stamp::{Stamp, Step};
use crate::statements::Statements;

/// What is known of one reader.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reader {
    /// The observation that the three below are from.
    described: SeqPosition,
    pub(crate) model: Option<String>,
    pub(crate) vid: Option<u16>,
    pub(crate) pid: Option<u16>,
    /// It came, with the role that is configured on the terminal, or went.
    changes: History<Option<ReaderRole>>,
    /// What a person says overrides the configuration from that instant on.
    assigned: Statements<ReaderRole>,
    pub(crate) flapped: Option<Stamp>,
}

/// Whether the reader is there.
impl State for Option<ReaderRole> {
    fn holds(self) -> bool {
        self.is_some()
    }
}

impl Reader {
    pub(crate) fn attached(&mut self, stamp: Stamp, event: &ReaderAttached) {
        if self.described <= stamp.place {
            self.described = stamp.place;
            if self.model != event.model {
                self.model.clone_from(&event.model);
            }
            (self.vid, self.pid) = (event.vid, event.pid);
        }
        self.changes.observe(stamp, Some(event.role));
    }

    pub(crate) fn detached(&mut self, stamp: Stamp) {
        self.changes.observe(stamp, None);
    }

    pub(crate) fn flapped(&mut self, stamp: Stamp) {
        if self.flapped.is_none_or(|known| known.place < stamp.place) {
            self.flapped = Some(stamp);
        }
    }

    /// The clock was set.
    pub(crate) fn stepped(&mut self, step: &Step) {
        self.changes.stepped(step);
        self.flapped.iter_mut().for_each(|stamp| stamp.stepped(step));
    }

    pub(crate) fn assign(&mut self, at: DateTime<Utc>, role: ReaderRole, id: Option<StatementId>) {
        self.assigned.state(at, role, id, ASSIGNED);
    }

    /// Takes back a role that a person gave it.
    pub(crate) fn withdraw(&mut self, id: StatementId) -> Option<(DateTime<Utc>, ReaderRole)> {
        self.assigned.withdraw(id)
    }

    /// The role that a person had given it, and from when on; `said` tells whether an instant had come.
    pub(crate) fn assigned(&self, said: impl Fn(DateTime<Utc>) -> bool) -> Option<(DateTime<Utc>, ReaderRole)> {
        self.assigned.iter().rev().find(|(from, _)| said(*from)).map(|(from, role)| (from, *role))
    }

    /// The role that was configured on the terminal before `place`, and where it says so.
    pub(crate) fn configured(&self, place: Option<SeqPosition>) -> Option<(SeqPosition, ReaderRole)> {
        self.changes.before(place).find_map(|(place, role)| Some((place, role?)))
    }

    /// What it is for; `said` tells whether an instant has come.
    pub(crate) fn role(&self, said: impl Fn(DateTime<Utc>) -> bool) -> ReaderRole {
        let assigned = self.assigned(said).map(|(_, role)| role);
        assigned.or_else(|| self.configured(None).map(|(_, role)| role)).unwrap_or_default()
    }

    /// From when on a person has said that it is for phones, where its terminal doesn't say so.
    pub(crate) fn phone_since(&self, said: impl Fn(DateTime<Utc>) -> bool) -> Option<DateTime<Utc>> {
        let configured = self.configured(None).is_some_and(|(_, role)| role == ReaderRole::Phone);
        let said = self.assigned.iter().rev().filter(|(from, _)| said(*from));
        said.take_while(|(_, role)| **role == ReaderRole::Phone).map(|(from, _)| from).last().filter(|_| !configured)
    }

    /// Where the reader was last heard of.
    pub(crate) fn last(&self) -> SeqPosition {
        self.changes.last()
    }

    /// Whether it was there when it was last heard of, and since when that was so; `None` when it was never heard of.
    pub(crate) fn presence(&self) -> Option<(bool, &Stamp)> {
        self.changes.current()
    }

    /// How much it would be missed: what is there before what is gone, readers for phones before others, and the one that
    /// was heard of last before others.
    pub(crate) fn importance(&self) -> (bool, bool, SeqPosition) {
        let there = self.presence().is_some_and(|(there, _)| there);
        (self.role(|_| true) == ReaderRole::Phone, there, self.last())
    }
}
