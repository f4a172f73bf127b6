//! The oracle of the crash tests: every kept observation is in the log and exactly once in the store, and the store is
//! the fold of the log.
//!
//! The oracle is independent of the code that it checks. It detects a repeated observation by the set of all
//! observations, not by high-water marks; it reads the log itself, from offset 0; and it takes the kept observations
//! from journals that the agents write next to their spools. It shares only the contract (decoding) and the fold (the
//! meaning of facts) with the product.
//!
//! The oracle is pure: [`gather`] collects the [`Remains`], and [`judge`] depends on nothing else, so tests can show
//! that it finds every fault.

mod crowd;
mod fault;
pub mod gather;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use yomitori_facility::{Facility, Rules, StoredJson as _, fold};
use yomitori_proto::decode;
use yomitori_proto::event::{CollectionGap, Event, Recorded};
use yomitori_proto::id::{FacilityId, Life, TerminalId};
use yomitori_proto::vocabulary::GapSource;

pub use crowd::Crowd;
pub use fault::{Fault, Faults};
pub use gather::{Fact, Kept, Stored};

use crate::world::kafka::Record;

/// Everything that remains once all programs are at rest.
#[derive(Debug, Clone, Default)]
pub struct Remains {
    /// The observations that every terminal has kept.
    pub kept: Vec<Kept>,
    /// The whole log, by partition and offset.
    pub records: Vec<Record>,
    pub stored: Stored,
    /// Log lines of the programs that call for a person.
    pub complaints: Vec<String>,
}

/// Partition, offset, and index within the record.
pub type Place = (i32, i64, i32);
type Number = (TerminalId, Life, u64);

/// The counts and the faults.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Observations that the agents have kept.
    pub kept: usize,
    /// Observations in the log, including repeated ones.
    pub appended: usize,
    /// The repeated ones among them.
    pub repeated: usize,
    /// Statements of people and servers.
    pub statements: usize,
    /// Observations in the store.
    pub folded: usize,
    /// The result files among them.
    pub results: usize,
    pub faults: Faults,
}

/// Checks everything.
///
/// # Panics
/// If a fact can't be written as JSON, which the contract's own tests rule out.
#[must_use]
pub fn judge(remains: &Remains) -> Verdict {
    let mut verdict = Verdict::default();
    let log = Log::read(&remains.records, &mut verdict);
    progress(remains, &mut verdict.faults);
    kept(&remains.kept, &log, &remains.stored, &mut verdict);
    same_facts(&log, &remains.stored, &mut verdict.faults);
    same_order(&remains.stored, &mut verdict.faults);
    same_states(&log, &remains.stored, &mut verdict.faults);
    if remains.stored.parked > 0 {
        verdict.faults.add(Fault::Parked { records: remains.stored.parked });
    }
    verdict.faults.extend(remains.complaints.iter().map(|line| Fault::Complaint { line: line.clone() }));
    verdict
}

/// The log without repetitions.
#[derive(Default)]
struct Log {
    facts: BTreeMap<Place, Recorded>,
    numbers: BTreeSet<Number>,
}

impl Log {
    fn read(records: &[Record], verdict: &mut Verdict) -> Self {
        let mut log = Self::default();
        for Record { partition, offset, key, value } in records {
            let record = match decode::log_record(value) {
                Ok(record) if record.facility.to_bytes() == *key => record,
                Ok(_) | Err(_) => {
                    verdict.faults.add(Fault::Unreadable { partition: *partition, offset: *offset });
                    continue;
                }
            };
            for (index, recorded) in (0..).zip(record.into_facts()) {
                if let Some(number) = number(&recorded) {
                    verdict.appended += 1;
                    if !log.numbers.insert(number) {
                        verdict.repeated += 1;
                        continue;
                    }
                } else {
                    verdict.statements += 1;
                }
                log.facts.insert((*partition, *offset, index), recorded);
            }
        }
        log
    }
}

fn number(recorded: &Recorded) -> Option<Number> {
    recorded.observed().map(|observed| (observed.terminal, observed.life, observed.seq.0))
}

/// The log has every offset from 0, and the projection has reached its end.
fn progress(remains: &Remains, faults: &mut Faults) {
    let mut ends: BTreeMap<i32, i64> = BTreeMap::new();
    for record in &remains.records {
        let end = ends.entry(record.partition).or_default();
        if record.offset != *end {
            faults.add(Fault::LogHole { partition: record.partition, offset: *end });
        }
        *end = record.offset + 1;
    }
    let partitions: BTreeSet<i32> = ends.keys().chain(remains.stored.progress.keys()).copied().collect();
    for partition in partitions {
        let end = ends.get(&partition).copied().unwrap_or_default();
        let next = remains.stored.progress.get(&partition).copied().unwrap_or_default();
        if next != end {
            faults.add(Fault::Behind { partition, next, end });
        }
    }
}

/// Every number of every life is in the log and exactly once in the store, and no others are.
fn kept(lives: &[Kept], log: &Log, stored: &Stored, verdict: &mut Verdict) {
    let mut times: BTreeMap<Number, usize> = BTreeMap::new();
    for number in stored.facts.iter().filter_map(|fact| fact.number) {
        *times.entry(number).or_default() += 1;
    }
    verdict.folded = times.values().sum();
    verdict.results = stored.facts.iter().filter(|fact| fact.kind == "linkage_result_observed").count();
    for (&(terminal, life, seq), &times) in times.iter().filter(|(_, times)| **times > 1) {
        verdict.faults.add(Fault::Doubled { terminal, life, seq, times });
    }

    let mut expected: BTreeSet<Number> = BTreeSet::new();
    for Kept { terminal, life, journal, last } in lives {
        let journaled: BTreeSet<u64> = journal.iter().copied().collect();
        if journaled.len() < journal.len() {
            verdict.faults.add(Fault::NumberedTwice { life: *life });
        }
        let highest = journaled.last().copied().unwrap_or_default();
        if highest > *last {
            verdict.faults.add(Fault::Forgotten { life: *life, journal: highest, spool: *last });
        }
        let all = (1..=highest.max(*last)).map(|seq| (*terminal, *life, seq));
        let in_log = |number: &Number| log.numbers.contains(number);
        let lost = |(terminal, life, seq): Number| match journaled.contains(&seq) {
            true => Fault::Lost { terminal, life, seq, in_log: in_log(&(terminal, life, seq)) },
            false => Fault::Hole { terminal, life, seq },
        };
        verdict.faults.extend(all.clone().filter(|number| in_log(number) && !times.contains_key(number)).map(lost));
        let missing: Vec<Number> = all.clone().filter(|number| !in_log(number)).collect();
        if missing.len() as u64 > shed(*terminal, *life, log) {
            verdict.faults.extend(missing.into_iter().map(lost));
        }
        expected.extend(all);
    }
    verdict.kept = expected.len();
    for &(terminal, life, seq) in log.numbers.difference(&expected) {
        verdict.faults.add(Fault::NotKept { terminal, life, seq });
    }
}

/// The number of observations that a full spool dropped, as it reported.
fn shed(terminal: TerminalId, life: Life, log: &Log) -> u64 {
    let of_life = |recorded: &&Recorded| number(recorded).is_some_and(|(t, l, _)| (t, l) == (terminal, life));
    let lost = |recorded: &Recorded| match recorded.event {
        Event::CollectionGap(CollectionGap { source: GapSource::Spool, lost, .. }) => lost.unwrap_or_default(),
        _ => 0,
    };
    log.facts.values().filter(of_life).map(lost).sum()
}

/// The store has exactly the first occurrence of every fact in the log, field by field.
fn same_facts(log: &Log, stored: &Stored, faults: &mut Faults) {
    let found: BTreeMap<Place, &Fact> = stored.facts.iter().map(|fact| (fact.place, fact)).collect();
    for (place, recorded) in &log.facts {
        match found.get(place) {
            None => faults.add(Fault::NotFolded { place: *place, kind: recorded.event.kind() }),
            Some(fact) if **fact != Fact::expected(*place, recorded) => {
                faults.add(Fault::Different { place: *place, kind: recorded.event.kind() });
            }
            Some(_) => {}
        }
    }
    for place in found.keys().filter(|place| !log.facts.contains_key(place)) {
        faults.add(Fault::NotInLog { place: *place });
    }
}

/// Within a life, later numbers come later.
fn same_order(stored: &Stored, faults: &mut Faults) {
    let mut places: Vec<(Place, Number)> =
        stored.facts.iter().filter_map(|fact| Some((fact.place, fact.number?))).collect();
    places.sort_unstable();
    let mut last: BTreeMap<(TerminalId, Life), u64> = BTreeMap::new();
    for (_, (terminal, life, seq)) in places {
        let before = last.insert((terminal, life), seq).unwrap_or_default();
        if before > seq {
            faults.add(Fault::OutOfOrder { terminal, life, seq, before });
        }
    }
}

/// The store's states are the fold of the log.
fn same_states(log: &Log, stored: &Stored, faults: &mut Faults) {
    let rules = Rules::bundled();
    let mut folded: BTreeMap<FacilityId, Facility> = BTreeMap::new();
    for recorded in log.facts.values().filter(|recorded| recorded.facility != FacilityId::FLEET) {
        let id = recorded.facility;
        let facility = folded.remove(&id).unwrap_or_else(|| Facility::new(id));
        folded.insert(id, fold(facility, recorded, &rules));
    }
    let folded: BTreeMap<FacilityId, Value> = folded
        .into_iter()
        .map(|(id, facility)| {
            let state = facility.to_json().and_then(|state| serde_json::from_str(&state));
            (id, state.expect("a facility is written as JSON everywhere"))
        })
        .collect();
    let facilities: BTreeSet<FacilityId> = folded.keys().chain(stored.states.keys()).copied().collect();
    for facility in facilities {
        let (log, store) = (folded.get(&facility), stored.states.get(&facility));
        if log != store {
            let field = fault::first_difference(log.unwrap_or(&Value::Null), store.unwrap_or(&Value::Null));
            faults.add(Fault::WrongState { facility, field });
        }
    }
}
