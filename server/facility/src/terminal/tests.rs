//! What a terminal keeps is bounded, and what goes beyond the bounds still counts.

use chrono::TimeDelta;
use yomitori_proto::event::{Event, Origin, Recorded};
use yomitori_proto::id::{ReaderKey, Seq};

use super::*;
use crate::{EXAMPLE, Facility};

/// The example's fact of this kind, as observation `seq`, so many seconds later.
fn observed(kind: &str, seq: u64, seconds: i64) -> Recorded {
    let mut facts = EXAMPLE.lines().filter_map(|line| serde_json::from_str::<Recorded>(line).ok());
    let mut recorded = facts.find(|recorded| recorded.event.kind() == kind).unwrap();
    let after = TimeDelta::seconds(seconds);
    recorded.received_at += after;
    if let Origin::Terminal(observed) = &mut recorded.origin {
        observed.seq = Seq(seq);
        for at in [&mut observed.occurred_at, &mut observed.observed_at, &mut observed.sent_at] {
            *at += after;
        }
    }
    if let Event::LinkageResultObserved(file) = &mut recorded.event {
        file.file_at = file.file_at.map(|at| at + after);
    }
    recorded
}

fn terminal(facts: impl IntoIterator<Item = Recorded>) -> Terminal {
    let mut facts = facts.into_iter().peekable();
    let mut facility = Facility::new(facts.peek().unwrap().facility);
    facts.for_each(|recorded| facility.apply(&recorded, &Rules::bundled()));
    *facility.terminals.into_values().next().unwrap()
}

#[test]
fn what_leaves_the_window_still_counts() {
    let reads = (0..200).flat_map(|n| {
        let (seq, seconds) = (u64::try_from(n).unwrap() * 2 + 2, n * 600);
        [observed("tap_observed", seq, seconds), observed("linkage_result_observed", seq + 1, seconds)]
    });
    let terminal = terminal([observed("reader_attached", 1, 0)].into_iter().chain(reads));
    let count = |tally: &Tally| tally.level(Level::Correlated).map(|count| count.count);
    assert_eq!(count(&terminal.tally(&Rules::bundled())), Some(200));
    assert!(count(&terminal.settled).is_some_and(|count| count > 100), "{:?}", terminal.settled);
    assert!(terminal.verdicts(&Rules::bundled()).len() < 100);
}

#[test]
fn the_reader_that_was_silent_for_longest_is_given_up_for_a_new_one_alone() {
    let attached = |seq: u64, reader: u64| {
        let mut recorded = observed("reader_attached", seq, i64::try_from(seq).unwrap());
        if let Event::ReaderAttached(event) = &mut recorded.event {
            event.reader = ReaderKey(reader);
        }
        recorded
    };
    let all = u64::try_from(READERS).unwrap();
    let full = (1..=all).map(|n| attached(n, n));
    let again = terminal(full.clone().chain([attached(all + 1, 5)]));
    assert_eq!(again.readers.len(), READERS);
    assert!(again.readers.contains_key(&ReaderKey(1)));
    let another = terminal(full.chain([attached(all + 1, all + 1)]));
    assert_eq!(another.readers.len(), READERS);
    assert!(!another.readers.contains_key(&ReaderKey(1)) && another.readers.contains_key(&ReaderKey(all + 1)));
}
