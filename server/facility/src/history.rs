//! What something was, observation by observation: the order in which the observations arrive has no influence.

use serde::{Deserialize, Serialize};

use crate::bounded;
use crate::bounds::HISTORY;
use crate::seen::Place;
use crate::stamp::{Stamp, Step};

/// The newest observations of one thing, ascending by place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct History<T> {
    entries: Vec<(Stamp, T)>,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T: Copy + PartialEq> History<T> {
    pub(crate) fn observe(&mut self, stamp: Stamp, value: T) {
        let forgotten = bounded::insert(&mut self.entries, (stamp, value), |(stamp, _)| stamp.place, HISTORY);
        if let Some((stamp, value)) = forgotten {
            let (first, said) = &mut self.entries[0];
            // Said again, not changed: it has been so since then.
            if *said == value {
                *first = Stamp { place: first.place, ..stamp };
            }
        }
    }

    /// The clock was set.
    pub(crate) fn stepped(&mut self, step: &Step) {
        self.entries.iter_mut().for_each(|(stamp, _)| stamp.stepped(step));
    }

    /// The place of the newest observation.
    pub(crate) fn last(&self) -> Place {
        self.entries.last().map(|(stamp, _)| stamp.place).unwrap_or_default()
    }

    /// The newest observation, and since when what `part` it says has been said.
    pub(crate) fn current<P: PartialEq>(&self, part: impl Fn(T) -> P) -> Option<(P, &Stamp)> {
        let value = part(self.entries.last()?.1);
        let run = self.entries.iter().rev().take_while(|(_, other)| part(*other) == value);
        let since = run.last().map(|(stamp, _)| stamp)?;
        Some((value, since))
    }

    /// What was observed before `place` and where, newest first; all of it where no place is given.
    pub(crate) fn before(&self, place: Option<Place>) -> impl Iterator<Item = (Place, T)> {
        let before = move |(stamp, _): &&(Stamp, T)| place.is_none_or(|place| stamp.place < place);
        self.entries.iter().rev().filter(before).map(|(stamp, value)| (stamp.place, *value))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use yomitori_proto::id::Seq;

    use super::*;

    fn history(observed: &[(u64, bool)]) -> History<bool> {
        let mut history = History::default();
        for (seq, value) in observed {
            let place = Place { life: 0, seq: Seq(*seq) };
            history
                .observe(Stamp { place, at: at(*seq), received_at: at(1000), offset_ms: 0, measured: false }, *value);
        }
        history
    }

    fn at(seq: u64) -> DateTime<Utc> {
        DateTime::from_timestamp(i64::try_from(seq).unwrap(), 0).unwrap()
    }

    fn current(history: &History<bool>) -> Option<(bool, DateTime<Utc>)> {
        history.current(|value| value).map(|(value, since)| (value, since.at))
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
    fn before_a_place_only_what_came_before_it_counts() {
        let history = history(&[(1, true), (3, false)]);
        let before = |seq| {
            history.before(Some(Place { life: 0, seq: Seq(seq) })).next().map(|(place, value)| (place.seq.0, value))
        };
        assert_eq!(
            [before(1), before(2), before(3), before(4)],
            [None, Some((1, true)), Some((1, true)), Some((3, false))]
        );
        assert_eq!(history.before(None).map(|(_, value)| value).collect::<Vec<_>>(), [false, true]);
    }
}
