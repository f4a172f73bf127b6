//! What people saw at the desk: attested reads, failed reads, fallbacks, notices, restarts.
//!
//! The entries of a terminal's desk page can be taken back, also when the withdrawal arrives first. Each list is sorted by
//! when it happened and bounded; what leaves it is counted.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::{
    FaceReaderRestarted, FallbackUsed, NoticeHung, SmartphoneReadAttested, SmartphoneReadFailed,
};
use yomitori_proto::id::{Life, Seq};
use yomitori_proto::vocabulary::{Notice, PhoneOs};

use crate::bounded;
use crate::cause::Cause;
use crate::evidence::{Level, Tally};
use crate::rules::Rules;

/// The entries of one terminal's desk page, or those of people who are signed in.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Desk {
    /// Ascending by instant, then by place.
    entries: Vec<Entry>,
    withdrawn: BTreeSet<(Life, Seq)>,
    settled: Tally,
    settled_fallbacks: BTreeMap<String, u32>,
    settled_causes: BTreeMap<String, u32>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) at: DateTime<Utc>,
    /// Where it can be taken back; a signed-in person's entry can't.
    pub(crate) key: Option<(Life, Seq)>,
    pub(crate) kind: Kind,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    Read { os: PhoneOs, test: bool },
    Failed { cause: String },
    Fallback { fallback: String },
    Notice { notice: Notice },
    Restarted,
}

/// What was said of the desk, and when it happened.
pub(crate) type Said = (DateTime<Utc>, Kind);

pub(crate) fn attested(event: &SmartphoneReadAttested) -> Said {
    (event.read_at, Kind::Read { os: event.os, test: event.test })
}

pub(crate) fn failed(event: &SmartphoneReadFailed) -> Said {
    (event.read_at, Kind::Failed { cause: event.cause.clone() })
}

pub(crate) fn fallback(event: &FallbackUsed) -> Said {
    (event.used_at, Kind::Fallback { fallback: event.fallback.clone() })
}

pub(crate) fn notice(event: &NoticeHung) -> Said {
    (event.hung_at, Kind::Notice { notice: event.notice })
}

pub(crate) const fn restarted(event: &FaceReaderRestarted) -> Said {
    (event.restarted_at, Kind::Restarted)
}

const ENTRIES: usize = 48;
const WITHDRAWN: usize = 48;
/// More kinds than the tables have are counted together.
const KINDS: usize = 48;
const OTHER: &str = "Other";

impl Desk {
    /// Takes in what was said. Nothing can have happened after the server heard of it.
    pub(crate) fn enter(&mut self, said: Said, key: Option<(Life, Seq)>, received_at: DateTime<Utc>, rules: &Rules) {
        let (at, kind) = said;
        let entry = Entry { at: at.min(received_at), key, kind };
        if let Some(oldest) = bounded::insert(&mut self.entries, entry, |entry| (entry.at, entry.key), ENTRIES) {
            self.settle(&oldest, rules);
        }
    }

    fn settle(&mut self, entry: &Entry, rules: &Rules) {
        if self.taken_back(entry) {
            return;
        }
        count(entry, &mut self.settled, rules);
        match &entry.kind {
            Kind::Fallback { fallback } => one_more(&mut self.settled_fallbacks, fallback),
            Kind::Failed { cause } => one_more(&mut self.settled_causes, cause),
            Kind::Read { .. } | Kind::Notice { .. } | Kind::Restarted => {}
        }
    }

    /// Takes an entry back; gives it where it stood.
    pub(crate) fn withdraw(&mut self, key: (Life, Seq)) -> Option<&Entry> {
        if !bounded::insert_once(&mut self.withdrawn, key, WITHDRAWN) {
            return None;
        }
        self.entries.iter().find(|entry| entry.key == Some(key))
    }

    fn taken_back(&self, entry: &Entry) -> bool {
        entry.key.is_some_and(|key| self.withdrawn.contains(&key))
    }

    /// The entries that stand, oldest first.
    pub(crate) fn standing(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(|entry| !self.taken_back(entry))
    }

    /// The attested reads.
    pub(crate) fn tally(&self, rules: &Rules) -> Tally {
        let mut tally = self.settled.clone();
        for entry in self.standing() {
            count(entry, &mut tally, rules);
        }
        tally
    }

    /// How often each fallback was used, and each cause named.
    pub(crate) fn counts(&self, fallbacks: &mut BTreeMap<String, u32>, causes: &mut BTreeMap<String, u32>) {
        for (id, count) in &self.settled_fallbacks {
            add(fallbacks, id, *count);
        }
        for (id, count) in &self.settled_causes {
            add(causes, id, *count);
        }
        for entry in self.standing() {
            match &entry.kind {
                Kind::Fallback { fallback } => add(fallbacks, fallback, 1),
                Kind::Failed { cause } => add(causes, cause, 1),
                Kind::Read { .. } | Kind::Notice { .. } | Kind::Restarted => {}
            }
        }
    }
}

impl Entry {
    /// Whether this says that a phone was read: also where the insurance turned out not to be valid.
    pub(crate) fn says_read(&self) -> bool {
        match &self.kind {
            Kind::Read { .. } => true,
            Kind::Failed { cause } => Cause::of(cause).is_some_and(|cause| cause.read_succeeds),
            Kind::Fallback { .. } | Kind::Notice { .. } | Kind::Restarted => false,
        }
    }
}

fn count(entry: &Entry, tally: &mut Tally, rules: &Rules) {
    if entry.says_read() {
        tally.add(Level::Attested, entry.at, rules);
        let test = matches!(entry.kind, Kind::Read { test: true, .. });
        tally.tests = tally.tests.saturating_add(test.into());
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
    fn what_was_taken_back_before_it_came_does_not_count_and_twice_is_once() {
        let (rules, now) = (Rules::bundled(), DateTime::UNIX_EPOCH + chrono::Duration::days(21_000));
        let key = |seq| (Life(uuid::Uuid::nil()), Seq(seq));
        let mut desk = Desk::default();
        assert!(desk.withdraw(key(1)).is_none());
        for seq in [1, 2] {
            let said = (now, Kind::Read { os: PhoneOs::Ios, test: seq == 2 });
            desk.enter(said, Some(key(seq)), now, &rules);
        }
        let tally = desk.tally(&rules);
        assert_eq!((desk.standing().count(), tally.tests), (1, 1));
        assert!(desk.withdraw(key(2)).is_some());
        assert!(desk.withdraw(key(2)).is_none());
        assert_eq!(desk.standing().count(), 0);
    }
}
