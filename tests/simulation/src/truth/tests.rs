//! The ledger and the facts agree.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use yomitori_facility::lines;
use yomitori_proto::event::{Event, Recorded};
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::Medium;

use super::*;

fn history(seed: u64) -> History {
    let stretch = Stretch { first: NaiveDate::from_ymd_opt(2026, 4, 27).unwrap(), days: 30 };
    // Smaller sites only, because this runs in every build.
    let assumptions = Assumptions::default().with("kinds=[3.0,1.0,0.2,3.0]").unwrap();
    History::new(&assumptions, seed, stretch, |_| {})
}

/// The observations by terminal and correct time.
fn seen(history: &History, of: impl Fn(&Event) -> bool) -> BTreeMap<(TerminalId, DateTime<Utc>), &Recorded> {
    let offset: BTreeMap<_, _> = history.site.stations.iter().map(|one| (one.terminal, one.clock_offset)).collect();
    let facts = history.facts.iter().filter(|recorded| of(&recorded.event));
    let by_time = facts.filter_map(|recorded| {
        let observed = recorded.observed()?;
        Some(((observed.terminal, observed.occurred_at - offset[&observed.terminal]), recorded))
    });
    by_time.collect()
}

#[test]
fn the_ledger_and_the_facts_agree() {
    let mut worked = (0, 0);
    for seed in 0..12 {
        let history = history(seed);
        let ledger = &history.ledger;
        let least = Assumptions::default().present_ms.0;
        let phones = seen(
            &history,
            |event| matches!(event, Event::TapObserved(tap) if tap.present_ms >= least && tap.medium == Medium::OtherTypeB),
        );
        let files = seen(&history, |event| matches!(event, Event::LinkageResultObserved(_)));
        assert_eq!(phones.len(), ledger.reads.len() + ledger.failures.len(), "{seed}");
        for read in &ledger.reads {
            assert!(phones.contains_key(&(read.terminal, read.at)), "{seed}: {read:?}");
            let file = files[&(read.terminal, read.result_at)];
            assert_eq!(read.heard_at, Some(file.received_at), "{seed}");
            assert_eq!(read.attested_at.is_some(), read.attestation_heard_at.is_some(), "{seed}");
        }
        for failure in &ledger.failures {
            assert!(phones.contains_key(&(failure.terminal, failure.at)), "{seed}: {failure:?}");
            assert!(failure.card_at.is_none_or(|at| files.contains_key(&(failure.terminal, at))), "{seed}");
        }
        let attested = seen(&history, |event| matches!(event, Event::SmartphoneReadAttested(_)));
        assert_eq!(attested.len(), ledger.reads.iter().filter(|read| read.attested_at.is_some()).count(), "{seed}");
        assert!(ledger.phones_work || ledger.reads.is_empty(), "{seed}");
        let taken = phones.values().any(|tap| matches!(&tap.event, Event::TapObserved(tap) if tap.in_use));
        assert!(ledger.phones_work || !taken, "{seed}");
        worked.0 += usize::from(ledger.phones_work);
        worked.1 += usize::from(!ledger.phones_work);
    }
    assert!(worked.0 > 0 && worked.1 > 0, "{worked:?}");
}

#[test]
fn facts_arrive_in_order_without_a_hole_and_not_before_they_happened() {
    for seed in 0..12 {
        let history = history(seed);
        assert!(history.facts.is_sorted_by_key(|recorded| recorded.received_at), "{seed}");
        let mut last: BTreeMap<TerminalId, u64> = BTreeMap::new();
        let offset: BTreeMap<_, _> = history.site.stations.iter().map(|one| (one.terminal, one.clock_offset)).collect();
        for recorded in &history.facts {
            assert!(recorded.received_at <= history.ends);
            let Some(observed) = recorded.observed() else { continue };
            let last = last.entry(observed.terminal).or_default();
            *last += 1;
            assert_eq!(observed.seq.0, *last, "{seed}: {recorded:?}");
            assert!(observed.occurred_at <= observed.observed_at && observed.observed_at <= observed.sent_at);
            assert!(observed.sent_at - offset[&observed.terminal] <= recorded.received_at, "{seed}: {recorded:?}");
        }
        assert_eq!(last.len(), history.site.stations.len());
    }
}

#[test]
fn one_seed_has_one_history_and_it_survives_a_round_trip() {
    let (one, other) = (history(5), history(6));
    assert_eq!(one, history(5));
    assert_ne!(one.facts, other.facts);
    let mut text = Vec::new();
    one.write(&mut text).unwrap();
    let read = lines::read(&text).unwrap();
    assert_eq!(read.len(), one.facts.len());
    for (line, recorded) in read.iter().zip(&one.facts) {
        assert_eq!(line.recorded, *recorded, "line {}", line.number);
    }
}

#[test]
fn desks_are_closed_on_sundays_and_holidays_and_alone_means_alone() {
    let history = history(2);
    for recorded in history.facts.iter().filter(|recorded| recorded.observed().is_some()) {
        let date = calendar::date(recorded.received_at);
        let tap = matches!(recorded.event, Event::TapObserved(_));
        assert!(!tap || calendar::is_open(date) || history.site.bad_line, "{recorded:?}");
    }
    let stretch = Stretch { first: NaiveDate::from_ymd_opt(2026, 6, 1).unwrap(), days: 12 };
    let alone = Assumptions::default().with("one_at_a_time=true").unwrap().with("two_at_once=0.0").unwrap();
    let crowd = |assumptions: &Assumptions| {
        let busy = |site: &mut Site| (site.phones_a_day, site.phones_work, site.fails) = (8.0, true, 0.0);
        let history = History::new(&assumptions.with("kinds=[0.0,1.0,0.0,0.0]").unwrap(), 9, stretch, busy);
        let files = seen(&history, |event| matches!(event, Event::LinkageResultObserved(_)));
        let within = |read: &Read| files.range((read.terminal, read.at)..(read.terminal, read.result_at)).count();
        history.ledger.reads.iter().map(within).sum::<usize>()
    };
    // Two patients with phones may still overlap.
    assert!(crowd(&alone) * 3 < crowd(&Assumptions::default()));
}

#[test]
fn only_the_judge_knows_the_fold() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/truth");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 10);
    for file in files.iter().filter(|file| file.is_file()) {
        let knows = std::fs::read_to_string(file).unwrap().contains("yomitori_facility");
        let may = ["judge.rs", "cli.rs", "tests.rs"].iter().any(|name| file.ends_with(name));
        assert!(may || !knows, "{}", file.display());
    }
}
