//! The state of a terminal is bounded, and items above the limits still count.

use chrono::TimeDelta;
use yomitori_proto::event::{Event, Origin, Recorded};
use yomitori_proto::id::{ReaderKey, Seq};

use super::*;
use crate::bounds::READERS;
use crate::evidence::SupersededBy;
use crate::{EXAMPLE, Facility, Level};

/// The example's fact of this kind, as observation `seq`, `seconds` later.
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

fn facility(facts: impl IntoIterator<Item = Recorded>) -> Facility {
    let mut facts = facts.into_iter().peekable();
    let mut facility = Facility::new(facts.peek().unwrap().facility);
    facts.for_each(|recorded| facility.apply(&recorded, &Rules::bundled()));
    facility
}

fn terminal(facts: impl IntoIterator<Item = Recorded>) -> Terminal {
    *facility(facts).terminals.into_values().next().unwrap()
}

/// The levels of the reads that are claimed, kept and settled ones together.
fn levels(facility: &Facility) -> Vec<Level> {
    let levels = facility.attempts(&Rules::bundled(), |_| true).levels();
    levels.into_values().map(|graded| graded.level).collect()
}

#[test]
fn a_pair_that_leaves_the_window_still_counts() {
    let reads = (0..200).flat_map(|n| {
        let (seq, seconds) = (u64::try_from(n).unwrap() * 2 + 2, n * 7200);
        [observed("tap_observed", seq, seconds), observed("linkage_result_observed", seq + 1, seconds)]
    });
    let facility = facility([observed("reader_attached", 1, 0)].into_iter().chain(reads));
    let settled = facility.settled.levels(true)[&Level::Correlated].count;
    let kept = levels(&facility).into_iter().filter(|level| *level == Level::Correlated).count();
    assert_eq!(usize::try_from(settled).unwrap() + kept, 200);
    assert!(kept <= 48, "{kept}");
    assert!(facility.proof.is_some());
}

#[test]
fn a_new_reader_replaces_only_the_reader_that_was_silent_for_longest() {
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

/// Like [`observed`], but received by the server `received` seconds after the example's.
fn received(kind: &str, seq: u64, seconds: i64, received: i64) -> Recorded {
    let mut recorded = observed(kind, seq, seconds);
    recorded.received_at += TimeDelta::seconds(received - seconds);
    recorded
}

/// The corrections after a tap at 0 s, a file that arrives 7 s later, and the other facts.
fn corrected(facts: impl IntoIterator<Item = Recorded>) -> Vec<(Option<Level>, Option<Level>, SupersededBy)> {
    let all = [observed("reader_attached", 1, -60)].into_iter().chain(facts);
    facility(all).superseded.iter().map(|entry| (entry.was, entry.now, entry.by)).collect()
}

#[test]
fn a_correction_of_evidence_that_was_shown_for_long_is_recorded() {
    let rose = (Some(Level::TapOnly), Some(Level::Correlated), SupersededBy::Late);
    // The late window is an hour, and a file may come two minutes after its tap. The example's file was received 7 s
    // later.
    for (seconds, expected) in [(3600, vec![]), (3713, vec![]), (3714, vec![rose])] {
        let facts = [observed("tap_observed", 2, 0), received("linkage_result_observed", 3, 0, seconds)];
        assert_eq!(corrected(facts), expected, "received {seconds} s later");
    }
    // Everything is received at once after hours offline: an event long before the newest one is late.
    let at_once = 10_000;
    for (newest, expected) in [(3600 + 7, vec![]), (3600 + 8, vec![rose])] {
        let facts = [
            received("tap_observed", 2, 0, at_once),
            received("tap_observed", 3, newest, at_once),
            received("linkage_result_observed", 4, 0, at_once),
        ];
        assert_eq!(corrected(facts), expected, "the newest is {newest} s later");
    }
}

#[test]
fn a_lost_read_is_recorded_and_a_moved_one_is_not() {
    let moves =
        [observed("tap_observed", 2, -30), observed("linkage_result_observed", 4, 0), observed("tap_observed", 3, 0)];
    // The first plausible read is a later one now, and that correction is recorded.
    assert_eq!(corrected(moves), [(Some(Level::Plausible), Some(Level::TapOnly), SupersededBy::Result)]);
    let step = observed("clock_stepped", 3, 0);
    let parts = [observed("tap_observed", 2, 0), observed("linkage_result_observed", 4, 0), step];
    assert_eq!(corrected(parts), [(Some(Level::Correlated), Some(Level::TapOnly), SupersededBy::ClockStep)]);
}

#[test]
fn an_observation_out_of_order_is_not_the_newest() {
    let blocked = |seq, seconds| observed("reader_blocked", seq, seconds);
    let versions = |seq, seconds, version: &str| {
        let mut recorded = observed("software_versions_observed", seq, seconds);
        if let Event::SoftwareVersionsObserved(event) = &mut recorded.event {
            event.com_app = Some(version.to_owned());
        }
        recorded
    };
    for swapped in [false, true] {
        let mut facts = vec![blocked(1, 0), blocked(3, 60)];
        let mut both = vec![versions(2, 0, "older"), versions(4, 60, "newer")];
        if swapped {
            facts.reverse();
            both.reverse();
        }
        let newest = observed("reader_blocked", 3, 60).occurred_at();
        let terminal = terminal(facts.into_iter().chain(both));
        assert_eq!(terminal.blocked.map(|blocked| blocked.at), Some(newest), "swapped: {swapped}");
        let version = terminal.versions.and_then(|(_, versions)| versions.com_app);
        assert_eq!(version.as_deref(), Some("newer"), "swapped: {swapped}");
    }
}

#[test]
fn a_clock_step_within_the_tolerance_separates_nothing() {
    let tolerance = Rules::bundled().at("2026-04-01T00:00:00Z".parse().unwrap()).clock_step_tolerance_ms;
    for (delta_ms, expected) in [(tolerance, Level::Correlated), (tolerance + 1, Level::TapOnly)] {
        let mut step = observed("clock_stepped", 3, 0);
        if let Event::ClockStepped(event) = &mut step.event {
            event.delta_ms = -i64::try_from(delta_ms).unwrap();
        }
        let tap = observed("tap_observed", 2, 0);
        let facts = [observed("reader_attached", 1, -60), tap, step, observed("linkage_result_observed", 4, 0)];
        assert_eq!(levels(&facility(facts)), [expected], "{delta_ms} ms");
    }
}

#[test]
fn an_implausible_clock_error_moves_nothing() {
    for extreme in [i64::MIN, i64::MAX] {
        let mut step = observed("clock_stepped", 2, 0);
        let Event::ClockStepped(event) = &mut step.event else { panic!("a step") };
        event.delta_ms = extreme;
        let mut connected = observed("terminal_connected", 1, -30);
        let Event::TerminalConnected(event) = &mut connected.event else { panic!("a connection") };
        event.clock_offset_ms = extreme;
        let attached = observed("reader_attached", 1, -60);
        let pair = [observed("tap_observed", 4, 0), observed("linkage_result_observed", 5, 0)];
        for steps in [vec![step.clone()], vec![step.clone(), observed("clock_stepped", 3, 0)]] {
            let facts = [attached.clone(), connected.clone()].into_iter().chain(steps).chain(pair.clone());
            assert_eq!(levels(&facility(facts)), [Level::Correlated], "{extreme}");
        }
    }
}

#[test]
fn a_fast_clock_dates_no_reader_later_than_its_arrival() {
    let mut attached = observed("reader_attached", 1, 0);
    let heard_at = attached.received_at;
    let Origin::Terminal(observed) = &mut attached.origin else { panic!("a terminal's") };
    observed.occurred_at += TimeDelta::days(3);
    let terminal = terminal([attached]);
    let reader = terminal.readers.values().next().unwrap();
    let rules = Rules::bundled();
    let since = reader.presence().map(|(there, since)| (there, since.true_at(rules.at(heard_at))));
    assert_eq!(since, Some((true, heard_at)));
}
