//! The states of one thing, observation by observation, independent of the order of arrival.

use serde::{Deserialize, Serialize};

use crate::bounded;
use crate::bounds::HISTORY;
use crate::seen::SeqPosition;
use crate::stamp::{ClockStep, Stamp};

/// A state that a history tracks.
pub(crate) trait State: Copy {
    /// The condition whose duration the history reports.
    fn holds(self) -> bool;
}

/// The newest observations of one thing, ascending by position.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct History<T> {
    entries: Vec<(Stamp, T)>,
    /// Start of the forgotten observations that agree with the oldest one that is kept.
    began: Option<Stamp>,
    /// Position of the last forgotten observation that disagrees.
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

    /// Drops an observation. The start is inexact only if a disagreeing observation, already forgotten, arrives after
    /// all others of the run; the start is then that of the oldest observation that is kept.
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

    /// Applies a step of the terminal's clock.
    pub(crate) fn stepped(&mut self, step: &ClockStep) {
        self.entries.iter_mut().for_each(|(stamp, _)| stamp.stepped(step));
        self.began.iter_mut().for_each(|stamp| stamp.stepped(step));
    }

    /// The position of the newest observation.
    pub(crate) fn last(&self) -> SeqPosition {
        self.entries.last().map(|(stamp, _)| stamp.place).unwrap_or_default()
    }

    /// Whether the newest observation holds, and the start of that run.
    pub(crate) fn current(&self) -> Option<(bool, &Stamp)> {
        let holds = self.entries.last()?.1.holds();
        let run = self.entries.iter().rev().take_while(|(_, other)| other.holds() == holds);
        let (kept, first) = run.enumerate().last().map(|(index, (stamp, _))| (index + 1, stamp))?;
        let whole = kept == self.entries.len();
        Some((holds, self.began.as_ref().filter(|_| whole).unwrap_or(first)))
    }

    /// When and where each kept observation was made, ascending.
    pub(crate) fn stamps(&self) -> impl DoubleEndedIterator<Item = &Stamp> {
        self.entries.iter().map(|(stamp, _)| stamp)
    }

    /// Observations before `place` with their positions, newest first; all of them without a `place`.
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
    fn a_state_holds_since_the_start_of_its_run() {
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
    fn a_forgotten_observation_keeps_the_start() {
        let observed: Vec<(u64, bool)> = (1..50).map(|seq| (seq, true)).collect();
        let history = history(&observed);
        assert_eq!(history.entries.len(), HISTORY);
        assert_eq!(current(&history), Some((true, at(1))));
        assert_eq!(history.last().seq, Seq(49));
    }

    #[test]
    fn a_late_forgotten_observation_has_no_influence_either() {
        let mut observed = vec![(1, true), (2, false), (3, true), (4, true)];
        observed.extend((5..14).map(|seq| (seq, true)));
        let (late, mut on_time) = (observed.clone(), observed);
        on_time.rotate_left(1);
        assert_eq!(current(&history(&on_time)), Some((true, at(3))));
        on_time.swap(0, 1);
        assert_eq!(history(&on_time), history(&late));
    }

    #[test]
    fn a_clock_step_corrects_a_forgotten_start() {
        let observed: Vec<(u64, bool)> = (1..20).map(|seq| (seq, true)).collect();
        let mut history = history(&observed);
        history.stepped(&ClockStep { place: SeqPosition { life: 0, seq: Seq(3) }, delta_ms: 5, live: false });
        assert_eq!(history.current().unwrap().1.offset_ms, -5);
    }

    #[test]
    fn only_observations_before_a_position_count_before_it() {
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
