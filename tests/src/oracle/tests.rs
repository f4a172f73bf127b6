//! The oracle finds every fault: sound remains are damaged in one way each, and each damage must be reported as its
//! kind.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use uuid::Uuid;
use yomitori_facility::{Facility, Rules, StoredJson as _, fold};
use yomitori_proto::encode;
use yomitori_proto::event::{
    CollectionGap, Event, LinkageResultObserved, LogBody, LogRecord, Observation, Origin, TerminalConnected,
};
use yomitori_proto::id::{FacilityId, Instance, Life, Seq, Session, TerminalId};
use yomitori_proto::vocabulary::{GapSource, LinkageFolder, LinkageKind, ReadOutcome, Way};

use super::{Fact, Fault, Kept, Remains, Stored, judge};
use crate::world::kafka::Record;

const FACILITY: FacilityId = FacilityId(Uuid::from_u128(1));
const TERMINAL: TerminalId = TerminalId(Uuid::from_u128(2));
const LIFE: Life = Life(Uuid::from_u128(3));

fn at(seconds: u64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_600) + TimeDelta::seconds(i64::try_from(seconds).unwrap())
}

fn result(seq: u64) -> Event {
    LinkageResultObserved {
        folder: LinkageFolder::Face,
        kind: LinkageKind::FaceResult,
        file_at: Some(at(seq)),
        seen_for_ms: 0,
        outcome: ReadOutcome::NotRead,
        error_code: None,
        name_tag: None,
    }
    .into()
}

fn batch(observations: impl IntoIterator<Item = (u64, Event)>) -> LogRecord {
    let observations = observations
        .into_iter()
        .map(|(seq, event)| Observation { seq: Seq(seq), occurred_at: at(seq), observed_at: at(seq), event })
        .collect();
    let body = LogBody::Terminal { terminal: TERMINAL, life: LIFE, sent_at: at(100), observations };
    LogRecord { facility: FACILITY, received_at: at(101), body }
}

fn results(numbers: impl IntoIterator<Item = u64>) -> LogRecord {
    batch(numbers.into_iter().map(|seq| (seq, result(seq))))
}

fn connected() -> LogRecord {
    let event = TerminalConnected {
        terminal: TERMINAL,
        session: Session(Uuid::from_u128(4)),
        agent_version: "0.1.0".to_owned(),
        clock_offset_ms: 0,
        way: Way::Direct,
    };
    let origin = Origin::Server { instance: Instance(Uuid::from_u128(5)), stated_at: at(0) };
    LogRecord { facility: FACILITY, received_at: at(0), body: LogBody::Statement { origin, event: event.into() } }
}

/// Remains of a log with `records`; the store has the facts at the `(offset, place)` pairs in `fresh`.
fn remains(records: &[LogRecord], fresh: &[(i64, i32)], last: u64) -> Remains {
    let mut remains = Remains::default();
    let mut facility = Facility::new(FACILITY);
    for (offset, record) in (0..).zip(records) {
        let (key, value) = (FACILITY.to_bytes(), encode::log_record_bytes(record));
        remains.records.push(Record { partition: 7, offset, key, value });
        for (place, recorded) in (0..).zip(record.clone().into_facts()) {
            if fresh.contains(&(offset, place)) {
                remains.stored.facts.push(Fact::expected((7, offset, place), &recorded));
                facility = fold(facility, &recorded, &Rules::bundled());
            }
        }
    }
    let end = i64::try_from(records.len()).unwrap();
    let state = serde_json::from_str(&facility.to_json().unwrap()).unwrap();
    remains.stored = Stored {
        states: BTreeMap::from([(FACILITY, state)]),
        progress: BTreeMap::from([(7, end), (8, 0)]),
        ..remains.stored
    };
    remains.kept = vec![Kept { terminal: TERMINAL, life: LIFE, journal: (1..=last).collect(), last }];
    remains
}

/// Numbers 1 to 5, of which 2 and 3 were sent twice.
fn sound() -> Remains {
    let records = [connected(), results(1..=3), results(2..=5)];
    remains(&records, &[(0, 0), (1, 0), (1, 1), (1, 2), (2, 2), (2, 3)], 5)
}

/// The kinds of faults after `doctor` has changed sound remains.
fn found(doctor: impl FnOnce(&mut Remains)) -> BTreeSet<String> {
    let mut remains = sound();
    doctor(&mut remains);
    kinds(&remains)
}

fn kinds(remains: &Remains) -> BTreeSet<String> {
    let kind = |fault: &Fault| fault.to_string().split(':').next().unwrap().to_owned();
    judge(remains).faults.all().iter().map(kind).collect()
}

fn set<const N: usize>(kinds: [&str; N]) -> BTreeSet<String> {
    kinds.map(str::to_owned).into()
}

#[test]
fn sound_remains_have_no_fault_and_are_counted() {
    let verdict = judge(&sound());
    verdict.faults.none().unwrap();
    assert_eq!((verdict.kept, verdict.appended, verdict.repeated), (5, 7, 2));
    assert_eq!((verdict.folded, verdict.statements), (5, 1));
}

#[test]
fn a_fact_that_the_store_lost_is_reported() {
    let kinds = found(|remains| {
        remains.stored.facts.remove(2);
    });
    assert_eq!(kinds, set(["lost", "not folded"]));
}

#[test]
fn a_fact_that_never_reached_the_log_is_reported() {
    let records = [connected(), results([1, 2, 4])];
    let remains = remains(&records, &[(0, 0), (1, 0), (1, 1), (1, 2)], 4);
    assert_eq!(kinds(&remains), set(["lost"]));
}

#[test]
fn the_last_fact_is_missed_although_nothing_comes_after_it() {
    let kinds = found(|remains| {
        remains.kept[0].journal.push(6);
        remains.kept[0].last = 6;
    });
    assert_eq!(kinds, set(["lost"]));
}

#[test]
fn a_whole_life_that_never_arrived_is_reported() {
    let life = Life(Uuid::from_u128(9));
    let kinds = found(|remains| remains.kept.push(Kept { terminal: TERMINAL, life, journal: vec![1], last: 1 }));
    assert_eq!(kinds, set(["lost"]));
}

#[test]
fn a_number_that_is_in_no_journal_and_nowhere_else_is_a_hole() {
    let kinds = found(|remains| remains.kept[0].last = 6);
    assert_eq!(kinds, set(["hole"]));
}

#[test]
fn a_number_missing_from_the_journal_is_accepted_if_it_arrived() {
    let kinds = found(|remains| remains.kept[0].journal.retain(|seq| *seq != 3));
    assert_eq!(kinds, set([]));
}

#[test]
fn a_counted_gap_excuses_exactly_its_count() {
    let gap = |lost| CollectionGap { source: GapSource::Spool, from: at(2), to: at(3), lost: Some(lost) }.into();
    let shed = |lost| {
        let records = [batch([(1, result(1)), (4, gap(lost))])];
        kinds(&remains(&records, &[(0, 0), (0, 1)], 4))
    };
    assert_eq!(shed(2), set([]));
    assert_eq!(shed(1), set(["lost"]));
}

#[test]
fn a_doubled_fact_is_reported() {
    let kinds = found(|remains| {
        let mut twice = remains.stored.facts[2].clone();
        twice.place = (7, 2, 0);
        remains.stored.facts.push(twice);
    });
    // It is out of order too.
    assert_eq!(kinds, set(["doubled", "not in the log", "out of order"]));
}

#[test]
fn a_fact_that_is_in_no_log_is_reported() {
    let kinds = found(|remains| {
        let mut invented = remains.stored.facts[0].clone();
        invented.place = (7, 99, 0);
        remains.stored.facts.push(invented);
    });
    assert_eq!(kinds, set(["not in the log"]));
}

#[test]
fn a_changed_fact_is_reported() {
    let kinds = found(|remains| remains.stored.facts[1].event = json!({ "agent_stopped": {} }));
    assert_eq!(kinds, set(["different"]));
    // Of two facts that differ only in their time of sending, the store must have the first.
    let kinds = found(|remains| remains.stored.facts[2].received_at = at(102));
    assert_eq!(kinds, set(["different"]));
}

#[test]
fn an_observation_that_no_agent_kept_is_reported() {
    let kinds =
        found(|remains| remains.kept[0] = Kept { journal: (1..=4).collect(), last: 4, ..remains.kept[0].clone() });
    assert_eq!(kinds, set(["not kept"]));
    assert_eq!(found(|remains| remains.kept.clear()), set(["not kept"]));
}

#[test]
fn a_spool_that_forgot_or_counts_twice_is_reported() {
    assert_eq!(found(|remains| remains.kept[0].last = 4), set(["forgotten"]));
    assert_eq!(found(|remains| remains.kept[0].journal.push(5)), set(["numbered twice"]));
}

#[test]
fn a_life_out_of_order_is_reported() {
    let records = [connected(), results([3]), results([1, 2])];
    let remains = remains(&records, &[(0, 0), (1, 0), (2, 0), (2, 1)], 3);
    assert_eq!(kinds(&remains), set(["out of order"]));
}

#[test]
fn a_wrong_state_is_reported_with_the_place_where_it_differs() {
    let mut remains = sound();
    let state = remains.stored.states.get_mut(&FACILITY).unwrap();
    state["received_at"] = json!("2026-01-01T00:00:00Z");
    let faults = judge(&remains).faults;
    assert!(matches!(faults.all(), [Fault::WrongState { field, .. }] if field.starts_with("state.received_at")));

    assert_eq!(found(|remains| remains.stored.states.clear()), set(["wrong state"]));
    let invented = FacilityId(Uuid::from_u128(8));
    assert_eq!(found(|remains| drop(remains.stored.states.insert(invented, json!({})))), set(["wrong state"]));
}

#[test]
fn a_projection_that_is_behind_and_a_log_with_a_hole_are_reported() {
    assert_eq!(found(|remains| _ = remains.stored.progress.insert(7, 2)), set(["behind"]));
    assert_eq!(found(|remains| _ = remains.stored.progress.insert(8, 1)), set(["behind"]));
    let kinds = found(|remains| drop(remains.records.remove(0)));
    assert_eq!(kinds, set(["a hole in the log", "not in the log", "wrong state"]));
}

#[test]
fn a_record_that_cannot_be_read_a_parked_one_and_a_call_for_help_are_reported() {
    assert_eq!(found(|remains| remains.stored.parked = 1), set(["parked"]));
    assert_eq!(found(|remains| remains.complaints.push("agent: ERROR".to_owned())), set(["complaint"]));
    let kinds = found(|remains| remains.records[0].value = vec![0xFF]);
    assert_eq!(kinds, set(["not in the log", "unreadable", "wrong state"]));
    let kinds = found(|remains| remains.records[0].key = vec![1]);
    assert_eq!(kinds, set(["not in the log", "unreadable", "wrong state"]));
}
