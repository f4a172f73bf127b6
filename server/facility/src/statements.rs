//! Statements of people about one thing, ordered by the instant from which they count and not by the time of entry.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::StatementId;

/// The statements about one thing. Usually the newest one holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Statements<T> {
    list: Vec<(DateTime<Utc>, T, Option<StatementId>)>,
}

impl<T> Default for Statements<T> {
    fn default() -> Self {
        Self { list: Vec::new() }
    }
}

impl<T: Ord> Statements<T> {
    /// Adds a statement that counts from `at` on. Above the limit of `most`, the second oldest is forgotten: the first
    /// one may show the start, and the newest ones the current state.
    pub(crate) fn state(&mut self, at: DateTime<Utc>, value: T, id: Option<StatementId>, most: usize) {
        let statement = (at, value, id);
        if let Err(index) = self.list.binary_search(&statement) {
            self.list.insert(index, statement);
            if self.list.len() > most {
                self.list.remove(1);
            }
        }
    }

    /// Removes a statement as if it had never been made; returns it if it is known.
    pub(crate) fn withdraw(&mut self, id: StatementId) -> Option<(DateTime<Utc>, T)> {
        let index = self.list.iter().position(|(_, _, known)| *known == Some(id))?;
        let (at, value, _) = self.list.remove(index);
        Some((at, value))
    }
}

impl<T> Statements<T> {
    pub(crate) fn first(&self) -> Option<(DateTime<Utc>, &T)> {
        self.iter().next()
    }

    pub(crate) fn last(&self) -> Option<(DateTime<Utc>, &T)> {
        self.iter().next_back()
    }

    /// Ascending.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (DateTime<Utc>, &T)> {
        self.list.iter().map(|(at, value, _)| (*at, value))
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::Duration::days(day)
    }

    fn id(number: u128) -> StatementId {
        StatementId(Uuid::from_u128(number))
    }

    #[test]
    fn the_order_of_entry_has_no_influence_and_a_repeated_statement_counts_once() {
        let (mut one, mut other) = (Statements::default(), Statements::default());
        let said = [(3, 'c', None), (1, 'a', Some(id(1))), (2, 'b', None), (3, 'c', None)];
        for (day, value, id) in said {
            one.state(at(day), value, id, 8);
        }
        for (day, value, id) in said.into_iter().rev() {
            other.state(at(day), value, id, 8);
        }
        assert_eq!(one, other);
        assert_eq!(one.iter().map(|(_, value)| *value).collect::<String>(), "abc");
    }

    #[test]
    fn a_statement_that_is_withdrawn_was_never_made() {
        let mut statements = Statements::default();
        statements.state(at(1), 'a', Some(id(1)), 8);
        statements.state(at(2), 'b', Some(id(2)), 8);
        assert_eq!(statements.withdraw(id(3)), None);
        assert_eq!(statements.withdraw(id(2)), Some((at(2), 'b')));
        assert_eq!(statements.last(), Some((at(1), &'a')));
        assert_eq!(statements.withdraw(id(1)), Some((at(1), 'a')));
        assert!(statements.is_empty());
    }

    #[test]
    fn the_first_and_the_newest_are_kept() {
        let mut statements = Statements::default();
        for day in 0..9 {
            statements.state(at(day), day, None, 3);
        }
        assert_eq!(statements.iter().map(|(_, day)| *day).collect::<Vec<_>>(), [0, 7, 8]);
        assert_eq!(statements.first(), Some((at(0), &0)));
    }
}
