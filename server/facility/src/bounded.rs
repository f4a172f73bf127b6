//! Lists with a limit: they bound the state of a facility for any input.

use std::collections::BTreeSet;

/// Inserts `item` after all items that are not greater by `key`. If the list then exceeds `most`, returns its first
/// item.
pub(crate) fn insert<T, K: Ord>(list: &mut Vec<T>, item: T, key: impl Fn(&T) -> K, most: usize) -> Option<T> {
    let place = key(&item);
    let index = list.partition_point(|other| key(other) <= place);
    list.insert(index, item);
    overflow(list, most)
}

/// Appends `item`. If the list then exceeds `most`, returns its oldest item.
pub(crate) fn push<T>(list: &mut Vec<T>, item: T, most: usize) -> Option<T> {
    list.push(item);
    overflow(list, most)
}

fn overflow<T>(list: &mut Vec<T>, most: usize) -> Option<T> {
    (list.len() > most).then(|| list.remove(0))
}

/// Inserts `item` and removes the least one if the set then exceeds `most`. Returns whether `item` is new.
pub(crate) fn insert_once<T: Ord>(set: &mut BTreeSet<T>, item: T, most: usize) -> bool {
    let new = set.insert(item);
    if set.len() > most {
        set.pop_first();
    }
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_inserted_after_its_equals() {
        let mut list = Vec::new();
        let gone: Vec<_> = [(2, 'a'), (1, 'b'), (2, 'c'), (3, 'd'), (0, 'e')]
            .map(|item| insert(&mut list, item, |(key, _)| *key, 4))
            .into();
        assert_eq!(list, [(1, 'b'), (2, 'a'), (2, 'c'), (3, 'd')]);
        assert_eq!(gone, [None, None, None, None, Some((0, 'e'))]);
    }

    #[test]
    fn the_oldest_item_is_removed() {
        let mut list = Vec::new();
        assert_eq!([5, 4, 3].map(|item| push(&mut list, item, 2)), [None, None, Some(5)]);
        assert_eq!(list, [4, 3]);
    }

    #[test]
    fn a_set_removes_the_least_item() {
        let mut set = BTreeSet::new();
        assert_eq!([5, 4, 5, 6].map(|item| insert_once(&mut set, item, 2)), [true, true, false, true]);
        assert_eq!(set, BTreeSet::from([5, 6]));
    }
}
