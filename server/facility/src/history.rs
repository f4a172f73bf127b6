//! What something was, observation by observation: the order in which the observations arrive has no influence.

use serde::{Deserialize, Serialize};

use crate::bounded;
use crate::bounds::HISTORY;
use crate::seen::SeqPosition;
use crate::stamp::{Stamp, Step};

/// A state of a thing that a history is kept of.
pub(crate) trait State: Copy {
    /// What its history answers since when it has been so.
    fn holds(self) -> bool;
}

/// The newest observations of one thing, ascending by place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct History<T> {
    entries: Vec<(Stamp, T)>,
    /// The first of the forgotten observations from which on all held as the oldest one that is kept.
    began: Option<Stamp>,
    /// The last of the forgotten observations that held otherwise.
    broken: Option<SeqPosition>,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { entries: Vec::new(), began: None, broken: None }
    }
}

impl<T: State> History<T> {
    pub(crate) fn observe(&mut self, stamp: Stamp, value: T) {
        if let Some(forgotten) = bounded::insert(&mut self.entries, (stamp, value), |(stamp, _)| stamp.place, HISTORY) {
            self.forget(forgotten);
        }
    }

    /// Only where a forgotten one had broken a row of the same and arrives after all of them is the beginning not exact: it is
    /// that of the oldest one that is kept.
    fn forget(&mut self, (stamp, value): (Stamp, T)) {
        let holds = self.entries[0].1.holds();
        if value.holds() == holds {
            if self.broken.is_none_or(|broken| broken < stamp.place)
                && self.began.is_none_or(|began| stamp.place < began.place)
            {
                self.began = Some(stamp);
            }
        } else {
            self.broken = self.broken.max(Some(stamp.place));
            self.began = self.began.filter(|began| stamp.place < began.place);
        }
    }

    /// The clock was set.
    pub(crate) fn stepped(&mut self, step: &Step) {
        self.entries.iter_mut().for_each(|(stamp, _)| stamp.stepped(step));
        self.began.iter_mut().for_each(|stamp| stamp.stepped(step));
    }

    /// The place of the newest observation.
    pub(crate) fn last(&self) -> SeqPosition {
        self.entries.last().map(|(stamp, _)| stamp.place).unwrap_or_default()
    }

    /// Whether the newest observation holds, and since when that was so without a break.
    pub(crate) fn current(&self) -> Option<(bool, &Stamp)> {
        let holds = self.entries.last()?.1.holds();
        let run = self.entries.iter().rev().take_while(|(_, other)| other.holds() == holds);
        let (kept, first) = run.enumerate().last().map(|(index, (stamp, _))| (index + 1, stamp))?;
        let whole = kept == self.entries.len();
        Some((holds, self.began.as_ref().filter(|_| whole).unwrap_or(first)))
    }

    /// What was observed before `place` and where, newest first; all of it where no place is given.
    pub(crate) fn before(&self, place: Option<SeqPosition>) -> impl Iterator<Item = (SeqPosition, T)> {
        let before = move |(stamp, _): &&(Stamp, T)| place.is_none_or(|place| stamp.place < place);
        self.entries.iter().rev().filter(before).map(|(stamp, value)| (stamp.place, *value))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use yomitori_proto::id::Seq;

    use super::*;

    impl State for bool {
        fn holds(self) -> bool {
            self
        }
    }

    fn history(observed: &[(u64, bool)]) -> History<bool> {
        let mut history = History::default();
        for (seq, value) in observed {
            let place = SeqPosition { life: 0, seq: Seq(*seq) };
            history
                .observe(Stamp { place, at: at(*seq), received_at: at(1000), offset_ms: 0, measured: false }, *value);
        }
        history
    }

    fn at(seq: u64) -> DateTime<Utc> {
        DateTime::from_timestamp(i64::try_from(seq).unwrap(), 0).unwrap()
    }

    fn current(history: &History<bool>) -> Option<(bool, DateTime<Utc>)> {
        history.current().map(|(value, since)| (value, since.at))
    }

    #[test]
    fn the_order_of_arrival_has_no_influence() {
        assert_eq!(history(&[(1, true), (2, false), (3, false)]), history(&[(3, false), (1, true), (2, false)]));
    }

    #[test]
    fn it_has_been_so_since_it_was_first_said_without_a_break() {
        let table: [(&[(u64, bool)], _); 4] = [
            (&[], None),
            (&[(1, true)], Some((true, at(1)))),
            (&[(1, true), (2, false), (3, true), (4, true)], Some((true, at(3)))),
            (&[(1, false), (2, true), (3, false)], Some((false, at(3)))),
        ];
        for (observed, expected) in table {
            assert_eq!(current(&history(observed)), expected, "{observed:?}");
        }
    }

    #[test]
    fn what_is_forgotten_keeps_its_beginning() {
        let observed: Vec<(u64, bool)> = (1..50).map(|seq| (seq, true)).collect();
        let history = history(&observed);
        assert_eq!(history.entries.len(), HISTORY);
        assert_eq!(current(&history), Some((true, at(1))));
        assert_eq!(history.last().seq, Seq(49));
    }

    #[test]
    fn what_is_forgotten_late_has_no_influence_either() {
        let mut observed = vec![(1, true), (2, false), (3, true), (4, true)];
        observed.extend((5..14).map(|seq| (seq, true)));
        let (late, mut on_time) = (observed.clone(), observed);
        on_time.rotate_left(1);
        assert_eq!(current(&history(&on_time)), Some((true, at(3))));
        on_time.swap(0, 1);
        assert_eq!(history(&on_time), history(&late));
    }

    #[test]
    fn a_step_reaches_the_beginning_that_was_forgotten() {
        let observed: Vec<(u64, bool)> = (1..20).map(|seq| (seq, true)).collect();
        let mut history = history(&observed);
        history.stepped(&Step { place: SeqPosition { life: 0, seq: Seq(3) }, delta_ms: 5, live: false });
        assert_eq!(history.current().unwrap().1.offset_ms, -5);
    }

    #[test]
    fn before_a_place_only_what_came_before_it_counts() {
        let history = history(&[(1, true), (3, false)]);
        let before = |seq| {
            history
                .before(Some(SeqPosition { life: 0, seq: Seq(seq) }))
                .next()
                .map(|(place, value)| (place.seq.0, value))
        };
        assert_eq!(
            [before(1), before(2), before(3), before(4)],
            [None, Some((1, true)), Some((1, true)), Some((3, false))]
        );
        assert_eq!(history.before(None).map(|(_, value)| value).collect::<Vec<_>>(), [false, true]);
    }
}
