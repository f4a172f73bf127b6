//! What something was, observation by observation: the order in which the observations arrive has no influence.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::seen::Place;

/// The newest observations of one thing, ascending by place.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct History<T> {
    entries: Vec<(Place, DateTime<Utc>, T)>,
}

const ENTRIES: usize = 8;

impl<T> Default for History<T> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<T: Copy + PartialEq> History<T> {
    pub(crate) fn observe(&mut self, place: Place, at: DateTime<Utc>, value: T) {
        let index = self.entries.partition_point(|(other, _, _)| *other < place);
        self.entries.insert(index, (place, at, value));
        if self.entries.len() > ENTRIES {
            let (_, at, value) = self.entries.remove(0);
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

    /// What was observed before `place`, newest first; all of it where no place is given.
    pub(crate) fn before(&self, place: Option<Place>) -> impl Iterator<Item = T> {
        let before = move |(other, _, _): &&(Place, DateTime<Utc>, T)| place.is_none_or(|place| *other < place);
        self.entries.iter().rev().filter(before).map(|(_, _, value)| *value)
    }
}
