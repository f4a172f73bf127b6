//! One opt-out, step by step in chronological order.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::SnapshotId;

use super::{OptOutAct, OptOutActKind};
use crate::listing::Sight;

/// The progress of an opt-out.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Process {
    pub(crate) planned_at: Option<DateTime<Utc>>,
    pub(crate) call: Option<Call>,
    pub(crate) acknowledged_at: Option<DateTime<Utc>>,
    pub(crate) reflected: Option<(SnapshotId, DateTime<Utc>)>,
    pub(crate) withdrawn_at: Option<DateTime<Utc>>,
    /// How often the facility was listed again after its removal, and the last time.
    pub(crate) listed_again: u32,
    pub(crate) listed_again_at: Option<DateTime<Utc>>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Call {
    pub(crate) called_at: DateTime<Utc>,
    pub(crate) by: String,
    pub(crate) reference: Option<String>,
}

impl Process {
    /// Applies the next act.
    pub(super) fn act(&mut self, act: &OptOutAct) {
        let at = act.at;
        match &act.what {
            OptOutActKind::Unwanted => self.withdrawn_at = None,
            OptOutActKind::Planned { for_at } => self.planned_at = Some(*for_at),
            OptOutActKind::Called { by, reference } => {
                // A call after the correction of the list, or after a withdrawal, begins another process.
                if self.reflected.is_some() || self.withdrawn_at.is_some() {
                    *self = self.begun_again();
                }
                self.call = Some(Call { called_at: at, by: by.clone(), reference: reference.clone() });
            }
            OptOutActKind::Acknowledged => {
                if self.withdrawn_at.is_some() {
                    *self = Self::default();
                }
                self.acknowledged_at = Some(at);
            }
            OptOutActKind::Withdrawn => *self = Self { withdrawn_at: Some(at), ..Self::default() },
        }
    }

    /// Applies the lists of the next date. Lists that contradict each other have no effect.
    pub(super) fn list(&mut self, sights: &[Sight]) {
        let named = sights.iter().any(|sight| sight.listed);
        let absent = sights.iter().find(|sight| !sight.listed && sight.covers);
        match (named, absent, self.reflected) {
            (true, None, Some(_)) => {
                let as_of = sights.first().map(|sight| sight.as_of);
                let listed_again = self.listed_again.saturating_add(1);
                *self = Self { listed_again, listed_again_at: as_of, ..Self::default() };
            }
            (false, Some(sight), None) if self.asked_at().is_some_and(|asked_at| asked_at < sight.as_of) => {
                self.reflected = Some((sight.snapshot, sight.as_of));
            }
            _ => {}
        }
    }

    fn begun_again(&self) -> Self {
        let Self { listed_again, listed_again_at, .. } = *self;
        Self { listed_again, listed_again_at, ..Self::default() }
    }

    fn asked_at(&self) -> Option<DateTime<Utc>> {
        self.call.as_ref().map(|call| call.called_at).max(self.acknowledged_at)
    }
}

#[cfg(test)]
mod tests {
    use super::super::OptOut;
    use super::*;
    use yomitori_proto::event::Stated;
    use yomitori_proto::vocabulary::Intent;

    fn day(day: u32) -> DateTime<Utc> {
        format!("2026-04-{day:02}T00:00:00Z").parse().unwrap()
    }

    /// One word each: `c2` called on the second, `a` acknowledged, `w` withdrawn, `n` not wanted, `p` planned.
    fn acts(words: &[&str]) -> OptOut {
        let mut opt_out = OptOut::default();
        for word in words {
            let (what, on) = word.split_at(1);
            let at = day(on.parse().unwrap());
            let stated = Stated { by: "Sato".to_owned(), why: None, stated_at: day(28), id: None };
            let then = Stated { stated_at: at, ..stated.clone() };
            match what {
                "c" => opt_out.called(at, None, &stated),
                "a" => opt_out.acknowledged(at, &stated),
                "w" => opt_out.withdrawn(at, &stated),
                "n" => opt_out.intent_set(Intent::DoNotWant, &then),
                "p" => opt_out.planned(at, &then),
                _ => panic!("{word}"),
            }
        }
        opt_out
    }

    fn sight(on: u32, listed: bool) -> Sight {
        let snapshot = SnapshotId(uuid::Uuid::from_u128(u128::from(on) * 2 + u128::from(listed)));
        Sight { as_of: day(on), snapshot, listed, covers: true }
    }

    fn after(words: &[&str], lists: &[(u32, bool)]) -> String {
        let mut sights: Vec<_> = lists.iter().map(|(on, listed)| sight(*on, *listed)).collect();
        sights.sort_by_key(|sight| sight.as_of);
        let process = acts(words).process(sights.into_iter());
        let on = |at: DateTime<Utc>| at.format("%-d").to_string();
        match process {
            Process { reflected: Some((_, as_of)), .. } => format!("reflected {}", on(as_of)),
            Process { acknowledged_at: Some(at), .. } => format!("acknowledged {}", on(at)),
            Process { call: Some(call), .. } => format!("called {}", on(call.called_at)),
            Process { withdrawn_at: Some(at), .. } => format!("withdrawn {}", on(at)),
            Process { planned_at: Some(at), .. } => format!("planned {}", on(at)),
            Process { listed_again, .. } => format!("again {listed_again}"),
        }
    }

    #[test]
    fn acts_and_lists_count_by_their_dates() {
        type Row = (&'static [&'static str], &'static [(u32, bool)], &'static str);
        let table: [Row; 16] = [
            (&[], &[], "again 0"),
            (&["p3"], &[], "planned 3"),
            (&["c2", "w10", "c17", "a3"], &[], "called 17"),
            (&["c2", "c17", "w10"], &[], "called 17"),
            (&["w10", "c2"], &[], "withdrawn 10"),
            (&["c2"], &[(9, false), (19, true)], "again 1"),
            (&["c2"], &[(9, false)], "reflected 9"),
            (&["c10"], &[(9, false)], "called 10"),
            (&["c10"], &[(10, false)], "called 10"),
            (&["c2", "a12"], &[(9, false), (13, false)], "reflected 9"),
            (&["c2", "c10"], &[(9, false)], "called 10"),
            (&["c2", "c10"], &[(9, false), (11, false)], "reflected 11"),
            (&["c2"], &[(9, false), (9, true)], "called 2"),
            (&["c2", "w4", "n6"], &[], "again 0"),
            (&["c2", "w4", "a6"], &[], "acknowledged 6"),
            (&["c2", "c20"], &[(9, false), (19, true), (21, false)], "reflected 21"),
        ];
        for (words, lists, expected) in table {
            assert_eq!(after(words, lists), expected, "{words:?} {lists:?}");
            let reversed: Vec<_> = words.iter().rev().copied().collect();
            assert_eq!(after(&reversed, lists), expected, "entered in reverse: {words:?} {lists:?}");
        }
    }

    #[test]
    fn forgotten_items_still_count() {
        let mut words: Vec<String> = (1..=20).map(|day| format!("c{day}")).collect();
        words.extend((1..=20).map(|day| format!("n{day}")));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let mut opt_out = acts(&words);
        assert_eq!(opt_out.acts.len(), crate::bounds::ACTS);
        opt_out.forget(&sight(25, false));
        assert!(opt_out.acts.is_empty());
        assert_eq!(opt_out.process(std::iter::empty()).reflected.map(|(_, as_of)| as_of), Some(day(25)));
        let known = opt_out.clone();
        let stated = Stated { by: "Sato".to_owned(), why: None, stated_at: day(24), id: None };
        opt_out.withdrawn(day(24), &stated);
        assert_eq!(opt_out, known, "older than the forgotten acts");
    }
}
