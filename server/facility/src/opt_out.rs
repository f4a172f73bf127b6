//! The opt-out process: the progress of a call to the ministry's call centre.
//!
//! * `Needed` as soon as the group does not want to be listed and a read counts or may have succeeded, or the list
//!   names the facility.
//! * Acts are ordered by the time of the act, and lists by their date, independent of the time of entry.
//! * `Reflected` only by a snapshot that is later than the call and its confirmation, covers the facility and does not
//!   list it. If the facility is listed again after that, a new call is needed.
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
use crate::listing::Sight;

pub use axis::OptOutStatus;
pub(crate) use process::Process;

/// Acts, and the result of the forgotten ones.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct OptOut {
    /// Ascending by the time of the act.
    acts: Vec<OptOutAct>,
    before: Process,
    /// Acts and lists up to this instant are merged into `before`.
    forgotten_until: Option<DateTime<Utc>>,
}

/// An act of a person.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub(crate) struct OptOutAct {
    pub(crate) at: DateTime<Utc>,
    pub(crate) what: OptOutActKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<StatementId>,
}

/// The kind of an act. Acts at the same instant are processed in this order.
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

    /// Adds the group's intent. A new "do not want" after a withdrawal begins another process.
    pub(crate) fn intent_set(&mut self, intent: Intent, stated: &Stated) {
        if matches!(intent, Intent::DoNotWant) {
            self.did(stated.stated_at, OptOutActKind::Unwanted, stated);
        }
    }

    /// Removes an act as if it had never been done. The effect of forgotten acts remains.
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

    /// Merges a snapshot that is forgotten, and all acts before it, into the stored result.
    pub(crate) fn forget(&mut self, sight: &Sight) {
        if self.forgotten_until.is_some_and(|until| sight.as_of <= until) {
            return;
        }
        let later = self.acts.partition_point(|act| act.at <= sight.as_of);
        for act in self.acts.drain(..later) {
            self.before.act(&act);
        }
        self.before.list(&[*sight]);
        self.forgotten_until = self.forgotten_until.max(Some(sight.as_of));
    }

    /// The progress by acts and lists together. `sights` ascend by date.
    pub(crate) fn process(&self, sights: impl Iterator<Item = Sight>) -> Process {
        let mut process = self.before.clone();
        let known = |at| self.forgotten_until.is_none_or(|until| until < at);
        let sights: Vec<_> = sights.filter(|sight| known(sight.as_of)).collect();
        let mut acts = self.acts.iter().peekable();
        for of_one_date in sights.chunk_by(|one, other| one.as_of == other.as_of) {
            let as_of = of_one_date[0].as_of;
            while let Some(act) = acts.next_if(|act| act.at <= as_of) {
                process.act(act);
            }
            process.list(of_one_date);
        }
        acts.for_each(|act| process.act(act));
        process
    }
}
