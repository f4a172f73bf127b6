//! What something was, observation by observation: the order in which the observations arrive has no influence.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::bounded;
use crate::bounds::HISTORY;
use crate::seen::Place;

/// The newest observations of one thing, ascending by place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct History<T> {
    entries: Vec<(Place, DateTime<Utc>, T)>,
}

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T: Copy + PartialEq> History<T> {
    pub(crate) fn observe(&mut self, place: Place, at: DateTime<Utc>, value: T) {
        let forgotten = bounded::insert(&mut self.entries, (place, at, value), |(place, _, _)| *place, HISTORY);
        if let Some((_, at, value)) = forgotten {
            // Said again, not changed: it has been so since then.
            if self.entries[0].2 == value {
                self.entries[0].1 = at;
            }
        }
    }

    /// The place of the newest observation.
    pub(crate) fn last(&self) -> Place {
        self.entries.last().map(|(place, _, _)| *place).unwrap_or_default()
    }

    /// The newest observation, and since when what `part` it says has been said.
    pub(crate) fn current<P: PartialEq>(&self, part: impl Fn(T) -> P) -> Option<(P, DateTime<Utc>)> {
        let value = part(self.entries.last()?.2);
        let run = self.entries.iter().rev().take_while(|(_, _, other)| part(*other) == value);
        let since = run.last().map(|(_, at, _)| *at)?;
        Some((value, since))
    }

    /// What was observed before `place` and where, newest first; all of it where no place is given.
    pub(crate) fn before(&self, place: Option<Place>) -> impl Iterator<Item = (Place, T)> {
        let before = move |(other, _, _): &&(Place, DateTime<Utc>, T)| place.is_none_or(|place| *other < place);
        self.entries.iter().rev().filter(before).map(|(place, _, value)| (*place, *value))
    }
}

#[cfg(test)]
mod tests {
    use yomitori_proto::id::Seq;

    use super::*;

    fn history(observed: &[(u64, bool)]) -> History<bool> {
        let mut history = History::default();
        for (seq, value) in observed {
            history.observe(Place { life: 0, seq: Seq(*seq) }, at(*seq), *value);
        }
        history
    }

    fn at(seq: u64) -> DateTime<Utc> {
        DateTime::from_timestamp(i64::try_from(seq).unwrap(), 0).unwrap()
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
            assert_eq!(history(observed).current(|value| value), expected, "{observed:?}");
        }
    }

    #[test]
    fn what_is_forgotten_keeps_its_beginning() {
        let observed: Vec<(u64, bool)> = (1..50).map(|seq| (seq, true)).collect();
        let history = history(&observed);
        assert_eq!(history.entries.len(), HISTORY);
        assert_eq!(history.current(|value| value), Some((true, at(1))));
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
