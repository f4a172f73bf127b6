//! The entries of people at the desk: attested reads, failed reads, fallbacks, notices, restarts.
//!
//! An entry of a terminal's desk page can be withdrawn, even if the withdrawal arrives first. Each list is bounded and
//! sorted by the time of the event; an entry is counted before it leaves.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::Event;
use yomitori_proto::id::{Life, Seq, StatementId};
use yomitori_proto::vocabulary::{Notice, PhoneOs};

use crate::bounded;
use crate::bounds::{ENTRIES, KINDS, NOTICES, PENDING};
use crate::cause::Cause;
use crate::instant::later;
use crate::rules::Rules;
use crate::stamp::{ClockStep, Stamp};

/// The entries of one terminal's desk page, or of signed-in people.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Desk {
    /// Attested reads, failures and fallbacks, ascending by instant, then by position.
    entries: Vec<DeskEntry>,
    /// Notices and restarts, in the same order.
    notices: Vec<DeskEntry>,
    /// Withdrawals that arrived before their entries.
    pending: BTreeSet<(Life, Seq)>,
    settled_fallbacks: BTreeMap<String, u32>,
    settled_causes: BTreeMap<String, u32>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct DeskEntry {
    pub(crate) stamp: Stamp,
    /// Identifies an entry of a terminal's desk page for its withdrawal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<(Life, Seq)>,
    /// Identifies a signed-in person's entry for its withdrawal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<StatementId>,
    pub(crate) kind: DeskEntryKind,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeskEntryKind {
    Read { os: PhoneOs, test: bool },
    Failed { cause: String },
    Fallback { fallback: String },
    Notice { notice: Notice },
    Restarted,
}

/// An entry, and the event's time.
pub(crate) type DeskStatement = (DateTime<Utc>, DeskEntryKind);

/// The desk entry in an event, if it has one.
pub(crate) fn desk_statement(event: &Event) -> Option<DeskStatement> {
    Some(match event {
        Event::SmartphoneReadAttested(event) => (event.read_at, DeskEntryKind::Read { os: event.os, test: event.test }),
        Event::SmartphoneReadFailed(event) => (event.read_at, DeskEntryKind::Failed { cause: event.cause.clone() }),
        Event::FallbackUsed(event) => (event.used_at, DeskEntryKind::Fallback { fallback: event.fallback.clone() }),
        Event::NoticeHung(event) => (event.hung_at, DeskEntryKind::Notice { notice: event.notice }),
        Event::FaceReaderRestarted(event) => (event.restarted_at, DeskEntryKind::Restarted),
        _ => return None,
    })
}

const OTHER: &str = "Other";

impl Desk {
    /// Adds an entry, unless its withdrawal arrived first.
    pub(crate) fn enter(&mut self, entry: DeskEntry) {
        if entry.key.is_some_and(|key| self.pending.remove(&key)) {
            return;
        }
        let (list, most) = match entry.kind {
            // Above the limit: the facility counts the oldest entries and removes them.
            DeskEntryKind::Read { .. } | DeskEntryKind::Failed { .. } | DeskEntryKind::Fallback { .. } => {
                (&mut self.entries, usize::MAX)
            }
            DeskEntryKind::Notice { .. } | DeskEntryKind::Restarted => (&mut self.notices, NOTICES),
        };
        bounded::insert(list, entry, |entry| (entry.stamp.at, entry.key, entry.id), most);
    }

    pub(crate) const fn too_many(&self) -> bool {
        self.entries.len() > ENTRIES
    }

    /// Removes an entry that has been counted.
    pub(crate) fn settle(&mut self, index: usize) {
        let entry = self.entries.remove(index);
        match &entry.kind {
            DeskEntryKind::Fallback { fallback } => one_more(&mut self.settled_fallbacks, fallback),
            DeskEntryKind::Failed { cause } => one_more(&mut self.settled_causes, cause),
            DeskEntryKind::Read { .. } | DeskEntryKind::Notice { .. } | DeskEntryKind::Restarted => {}
        }
    }

    /// Withdraws an entry and returns it if it is still kept.
    pub(crate) fn withdraw(&mut self, key: (Life, Seq)) -> Option<DeskEntry> {
        for list in [&mut self.entries, &mut self.notices] {
            if let Some(index) = list.iter().position(|entry| entry.key == Some(key)) {
                return Some(list.remove(index));
            }
        }
        bounded::insert_once(&mut self.pending, key, PENDING);
        None
    }

    /// Withdraws a signed-in person's entry.
    pub(crate) fn withdraw_statement(&mut self, id: StatementId) {
        self.entries.retain(|entry| entry.id != Some(id));
        self.notices.retain(|entry| entry.id != Some(id));
    }

    /// The attested reads, failures and fallbacks, oldest first.
    pub(crate) fn entries(&self) -> &[DeskEntry] {
        &self.entries
    }

    /// Whether there is an entry that may belong to a tap at `at`.
    pub(crate) fn has_entry_near(&self, at: DateTime<Utc>, rules: &Rules) -> bool {
        let set = rules.at(at);
        let (from, to) = (later(at, -set.entry_before), later(at, set.entry_after));
        self.entries.iter().any(|entry| {
            let said = entry.stamp.true_at(rules.at(entry.stamp.at));
            from <= said && said <= to
        })
    }

    /// The notices and restarts, oldest first.
    pub(crate) fn notices(&self) -> &[DeskEntry] {
        &self.notices
    }

    /// Applies a step of the terminal's clock.
    pub(crate) fn stepped(&mut self, step: &ClockStep) {
        let entries = self.entries.iter_mut().chain(&mut self.notices);
        entries.for_each(|entry| entry.stamp.stepped(step));
    }

    /// Adds the number of uses of each fallback and of mentions of each cause.
    pub(crate) fn counts(&self, fallbacks: &mut BTreeMap<String, u32>, causes: &mut BTreeMap<String, u32>) {
        for (id, count) in &self.settled_fallbacks {
            add(fallbacks, id, *count);
        }
        for (id, count) in &self.settled_causes {
            add(causes, id, *count);
        }
        for entry in &self.entries {
            match &entry.kind {
                DeskEntryKind::Fallback { fallback } => add(fallbacks, fallback, 1),
                DeskEntryKind::Failed { cause } => add(causes, cause, 1),
                DeskEntryKind::Read { .. } | DeskEntryKind::Notice { .. } | DeskEntryKind::Restarted => {}
            }
        }
    }
}

impl DeskEntry {
    /// Whether the entry claims that a phone was read, including a read that found an invalid insurance.
    pub(crate) fn says_read(&self) -> bool {
        match &self.kind {
            DeskEntryKind::Read { .. } => true,
            DeskEntryKind::Failed { cause } => Cause::of(cause).is_some_and(|cause| cause.read_succeeds),
            DeskEntryKind::Fallback { .. } | DeskEntryKind::Notice { .. } | DeskEntryKind::Restarted => false,
        }
    }

    pub(crate) const fn is_test(&self) -> bool {
        matches!(self.kind, DeskEntryKind::Read { test: true, .. })
    }
}

fn one_more(counts: &mut BTreeMap<String, u32>, id: &str) {
    let known = counts.contains_key(id) || counts.len() < KINDS;
    add(counts, if known { id } else { OTHER }, 1);
}

fn add(counts: &mut BTreeMap<String, u32>, id: &str, more: u32) {
    match counts.get_mut(id) {
        Some(count) => *count = count.saturating_add(more),
        None => drop(counts.insert(id.to_owned(), more)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(seq: u64, kind: DeskEntryKind) -> DeskEntry {
        let at = DateTime::UNIX_EPOCH + chrono::Duration::days(21_000);
        let stamp = Stamp { place: (1, seq).into(), at, received_at: at, offset_ms: 0, measured: false };
        DeskEntry { stamp, key: Some((Life(uuid::Uuid::nil()), Seq(seq))), id: None, kind }
    }

    #[test]
    fn more_kinds_than_the_tables_have_are_counted_together() {
        let mut counts = BTreeMap::new();
        for number in 0..KINDS + 3 {
            one_more(&mut counts, &format!("kind{number}"));
        }
        one_more(&mut counts, "kind0");
        assert_eq!(counts.len(), KINDS + 1);
        assert_eq!((counts[OTHER], counts["kind0"]), (3, 2));
    }

    #[test]
    fn an_entry_is_withdrawn_before_or_after_its_arrival() {
        let key = |seq| (Life(uuid::Uuid::nil()), Seq(seq));
        let mut desk = Desk::default();
        assert!(desk.withdraw(key(1)).is_none());
        for seq in [1, 2] {
            desk.enter(entry(seq, DeskEntryKind::Read { os: PhoneOs::Ios, test: seq == 2 }));
        }
        assert_eq!(desk.entries().iter().map(DeskEntry::is_test).collect::<Vec<_>>(), [true]);
        assert!(desk.withdraw(key(2)).is_some());
        assert!(desk.withdraw(key(2)).is_none());
        assert!(desk.entries().is_empty());
    }

    #[test]
    fn settled_entries_stay_counted_and_new_notices_replace_old_ones() {
        let mut desk = Desk::default();
        for seq in 0..2 * NOTICES as u64 {
            desk.enter(entry(seq, DeskEntryKind::Notice { notice: Notice::SupportedSticker }));
            desk.enter(entry(1000 + seq, DeskEntryKind::Failed { cause: "PatientDevice.PinWrong".to_owned() }));
        }
        assert_eq!((desk.notices().len(), desk.entries().len()), (NOTICES, 2 * NOTICES));
        desk.settle(0);
        let (mut fallbacks, mut causes) = (BTreeMap::new(), BTreeMap::new());
        desk.counts(&mut fallbacks, &mut causes);
        assert_eq!(causes["PatientDevice.PinWrong"] as usize, 2 * NOTICES);
        assert!(fallbacks.is_empty());
    }
}
