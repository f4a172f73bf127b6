//! One reader of a terminal: its presence and its role.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::ReaderAttached;
use yomitori_proto::id::StatementId;
use yomitori_proto::vocabulary::ReaderRole;

use crate::bounds::ASSIGNED;
use crate::history::{History, State};
use crate::seen::SeqPosition;
use crate::stamp::{ClockStep, Stamp};
use crate::statements::Statements;

/// The state of one reader.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reader {
    /// The observation of the three fields below.
    described: SeqPosition,
    pub(crate) model: Option<String>,
    pub(crate) vid: Option<u16>,
    pub(crate) pid: Option<u16>,
    /// The first time that it was attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<SeqPosition>,
    /// Arrivals, with the role in the terminal's configuration, and departures.
    changes: History<Option<ReaderRole>>,
    /// A person's assignment overrides the configuration from its instant on.
    assigned: Statements<ReaderRole>,
    pub(crate) flapped: Option<Stamp>,
}

/// The history of a reader tracks its presence.
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
        self.first = Some(self.first.map_or(stamp.place, |first| first.min(stamp.place)));
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

    /// Applies a step of the terminal's clock.
    pub(crate) fn stepped(&mut self, step: &ClockStep) {
        self.changes.stepped(step);
        self.flapped.iter_mut().for_each(|stamp| stamp.stepped(step));
    }

    pub(crate) fn assign(&mut self, at: DateTime<Utc>, role: ReaderRole, id: Option<StatementId>) {
        self.assigned.state(at, role, id, ASSIGNED);
    }

    /// Withdraws a person's assignment of a role.
    pub(crate) fn withdraw(&mut self, id: StatementId) -> Option<(DateTime<Utc>, ReaderRole)> {
        self.assigned.withdraw(id)
    }

    /// The role assigned by a person, and its start; `passed` reports whether an instant had passed.
    pub(crate) fn assigned(&self, passed: impl Fn(DateTime<Utc>) -> bool) -> Option<(DateTime<Utc>, ReaderRole)> {
        self.assigned.iter().rev().find(|(from, _)| passed(*from)).map(|(from, role)| (from, *role))
    }

    /// The role in the terminal's configuration before `place`, and the position of that observation.
    pub(crate) fn configured(&self, place: Option<SeqPosition>) -> Option<(SeqPosition, ReaderRole)> {
        self.changes.before(place).find_map(|(place, role)| Some((place, role?)))
    }

    /// The role of the reader; `passed` reports whether an instant has passed.
    pub(crate) fn role(&self, passed: impl Fn(DateTime<Utc>) -> bool) -> ReaderRole {
        let assigned = self.assigned(passed).map(|(_, role)| role);
        assigned.or_else(|| self.configured(None).map(|(_, role)| role)).unwrap_or_default()
    }

    /// The last arrival or departure before `place`; of all of them without a `place`.
    pub(crate) fn changed(&self, place: Option<SeqPosition>) -> Option<&Stamp> {
        self.changes.stamps().rev().find(|stamp| place.is_none_or(|place| stamp.place < place))
    }

    /// Whether it can't be distinguished from `other`: the system numbers readers of one model again whenever it starts
    /// or one of them is plugged in, and they have no other name.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.model.is_some() && self.model == other.model
    }

    /// The start of a person's assignment to phones, if the configuration doesn't contain it.
    pub(crate) fn phone_since(&self, passed: impl Fn(DateTime<Utc>) -> bool) -> Option<DateTime<Utc>> {
        let configured = self.configured(None).is_some_and(|(_, role)| role == ReaderRole::Phone);
        let assigned = self.assigned.iter().rev().filter(|(from, _)| passed(*from));
        assigned
            .take_while(|(_, role)| **role == ReaderRole::Phone)
            .map(|(from, _)| from)
            .last()
            .filter(|_| !configured)
    }

    /// The position of the reader's newest observation.
    pub(crate) fn last(&self) -> SeqPosition {
        self.changes.last()
    }

    /// Whether the reader was present at its newest observation, and the start of that state; `None` if it was never
    /// observed.
    pub(crate) fn presence(&self) -> Option<(bool, &Stamp)> {
        self.changes.current()
    }

    /// Rank for keeping the reader: present before absent, readers for phones before others, recently observed before
    /// others.
    pub(crate) fn importance(&self) -> (bool, bool, SeqPosition) {
        let there = self.presence().is_some_and(|(there, _)| there);
        (self.role(|_| true) == ReaderRole::Phone, there, self.last())
    }
}
