//! The opt-out process: how far a call to the call centre has got.
//!
//! * `Needed` at once when the group does not want to be listed and a read counts or may have succeeded, or the list names
//!   the facility.
//! * Acts count by when they were done, and lists by their date, whenever somebody types them in.
//! * `Reflected` only by a snapshot that is later than the call and its confirmation, covers the facility and does not
//!   list it. Listed again after that, a new call is needed.
//! * `Withdrawn` ends the process; a new "do not want" or a new call begins another.

mod axis;
mod process;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::Stated;
use yomitori_proto::id::StatementId;
use yomitori_proto::vocabulary::Intent;

use crate::bounded;
use crate::bounds::ACTS;
use crate::listing::SnapshotSighting;

pub use axis::OptOutStatus;
pub(crate) use process::Process;

/// What was done, and what followed from what is forgotten.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct OptOut {
    /// Ascending by when they were done.
    acts: Vec<OptOutAct>,
    before: Process,
    /// Until when acts and lists are in `before`.
    forgotten_until: Option<DateTime<Utc>>,
}

/// Something that people did.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct OptOutAct {
    pub(crate) at: DateTime<Utc>,
    pub(crate) what: OptOutActKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<StatementId>,
}

/// What they did; of several at one instant the process takes them in this order.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum OptOutActKind {
    /// A wish not to be listed.
    Unwanted,
    Planned {
        for_at: DateTime<Utc>,
    },
    Called {
        by: String,
        reference: Option<String>,
    },
    Acknowledged,
    Withdrawn,
}

impl OptOut {
    pub(crate) fn planned(&mut self, for_at: DateTime<Utc>, stated: &Stated) {
        self.did(stated.stated_at, OptOutActKind::Planned { for_at }, stated);
    }

    pub(crate) fn called(&mut self, at: DateTime<Utc>, reference: Option<String>, stated: &Stated) {
        self.did(at, OptOutActKind::Called { by: stated.by.clone(), reference }, stated);
    }

    pub(crate) fn acknowledged(&mut self, at: DateTime<Utc>, stated: &Stated) {
        self.did(at, OptOutActKind::Acknowledged, stated);
    }

    pub(crate) fn withdrawn(&mut self, at: DateTime<Utc>, stated: &Stated) {
        self.did(at, OptOutActKind::Withdrawn, stated);
    }

    /// A new "do not want" after a withdrawal begins anew.
    pub(crate) fn intent_set(&mut self, intent: Intent, stated: &Stated) {
        if matches!(intent, Intent::DoNotWant) {
            self.did(stated.stated_at, OptOutActKind::Unwanted, stated);
        }
    }

    /// Makes an act one that was never done. What followed from acts that are forgotten stays.
    pub(crate) fn withdraw(&mut self, id: StatementId) {
        self.acts.retain(|act| act.id != Some(id));
    }

    fn did(&mut self, at: DateTime<Utc>, what: OptOutActKind, stated: &Stated) {
        let act = OptOutAct { at, what, id: stated.id };
        if self.acts.contains(&act) || self.forgotten_until.is_some_and(|until| at <= until) {
            return;
        }
        if let Some(oldest) = bounded::insert(&mut self.acts, act, Clone::clone, ACTS) {
            self.forgotten_until = self.forgotten_until.max(Some(oldest.at));
            self.before.act(&oldest);
        }
    }

    /// A snapshot is forgotten: what followed from it, and from all that was done before it, is kept. `covers` tells
    /// whether its absence means something.
    pub(crate) fn forget(&mut self, sight: &SnapshotSighting, covers: bool) {
        if self.forgotten_until.is_some_and(|until| sight.as_of <= until) {
            return;
        }
        let later = self.acts.partition_point(|act| act.at <= sight.as_of);
        for act in self.acts.drain(..later) {
            self.before.act(&act);
        }
        self.before.list(&[(sight, covers)]);
        self.forgotten_until = self.forgotten_until.max(Some(sight.as_of));
    }

    /// How far it has got by acts and lists together. `sights` ascend by date.
    pub(crate) fn process<'a>(&self, sights: impl Iterator<Item = (&'a SnapshotSighting, bool)>) -> Process {
        let mut process = self.before.clone();
        let known = |at| self.forgotten_until.is_none_or(|until| until < at);
        let sights: Vec<_> = sights.filter(|(sight, _)| known(sight.as_of)).collect();
        let mut acts = self.acts.iter().peekable();
        for of_one_date in sights.chunk_by(|(one, _), (other, _)| one.as_of == other.as_of) {
            let as_of = of_one_date[0].0.as_of;
            while let Some(act) = acts.next_if(|act| act.at <= as_of) {
                process.act(act);
            }
            process.list(of_one_date);
        }
        acts.for_each(|act| process.act(act));
        process
    }
}
