//! One batch: decoded, deduplicated, folded, and written in one transaction while the next one is being folded.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use yomitori_facility::{Facility, Rules, fold, takes_back, valid_from};
use yomitori_proto::decode;
use yomitori_proto::event::{Event, Origin, Recorded};
use yomitori_proto::id::{FacilityId, Life, Seq, TerminalId};

use super::history_builder;
use super::owner::Owner;
use super::state::States;
use super::{ProjectionError, row};
use crate::log::Position;
use crate::log::identity::RecordDigest;
use crate::store::connection::ConnectionChanges;
use crate::store::fact::StoredFact;
use crate::store::generation::GenerationNumber;
use crate::store::parked::ParkedRecord;
use crate::store::policy::Policy;
use crate::store::received::{self, LifeGap, ReceivedLife};
use crate::store::status_row::FacilityRow;
use crate::store::{QueryContext as _, Store, StoreError, facility, fact, parked, progress, status_history};
use crate::{clock, telemetry};
use yomitori_base::crash;
use yomitori_base::error::chain;

/// Why a record waits although it could be folded.
const BEHIND: &str = "waits behind an earlier record of this facility";

/// A record as read from the log.
pub(super) struct RawRecord {
    pub(super) position: Position,
    pub(super) key: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

/// The records that were decoded, and those that could not be.
pub(super) struct Batch {
    records: Vec<DecodedRecord>,
    ends: BTreeMap<i32, BatchEnd>,
}

/// The last record of a partition in a batch.
#[derive(Clone, Copy)]
struct BatchEnd {
    next: i64,
    /// Its place in the batch.
    last: usize,
    /// When it was received; `None` if it could not be decoded.
    received_at: Option<DateTime<Utc>>,
}

struct DecodedRecord {
    taken: RawRecord,
    facility: FacilityId,
    facts: Result<Vec<Recorded>, String>,
}

/// A batch that is folded and not yet written.
pub(super) struct FoldedBatch {
    generation: GenerationNumber,
    /// The expected offset of each partition, its next offset afterwards, and the record before that.
    moves: Vec<(Position, i64, RecordDigest)>,
    facts: Vec<StoredFact>,
    duplicates: usize,
    rows: Vec<FacilityRow>,
    lives: BTreeMap<(TerminalId, Life), ReceivedLife>,
    gaps: Vec<LifeGap>,
    parked: Vec<ParkedRecord>,
    /// The facilities of which something became known late, and the instant since which it was so.
    late: BTreeMap<FacilityId, DateTime<Utc>>,
    /// Facilities of which people skipped records.
    pub(super) skipped: BTreeSet<FacilityId>,
    size: BatchSize,
    now: DateTime<Utc>,
    took: Duration,
}

/// Which records a batch has, to find the one that PostgreSQL refuses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BatchSize {
    pub(super) records: usize,
    pub(super) first: Position,
}

impl FoldedBatch {
    /// Writes the batch in one transaction.
    pub(super) async fn write(self, store: &Store) -> Result<(), ProjectionError> {
        let size = self.size;
        self.commit(store).await.map_err(|error| size.refused(error))
    }

    async fn commit(self, store: &Store) -> Result<(), ProjectionError> {
        let began = tokio::time::Instant::now();
        let mut client = store.client().await?;
        let transaction = client.transaction().await.context("begin a batch")?;
        for (expected, next, last) in self.moves {
            if !progress::advance(&transaction, self.generation, expected, next, Some(last), self.now).await? {
                return Err(ProjectionError::Fenced { partition: expected.partition });
            }
        }
        fact::copy(&transaction, &self.facts).await?;
        let mut connections = ConnectionChanges::default();
        self.facts.iter().for_each(|stored| connections.take(&stored.recorded));
        connections.write(&transaction).await?;
        facility::show(&transaction, &self.rows).await?;
        received::write(&transaction, &self.lives, &self.gaps).await?;
        status_history::late(&transaction, &self.late).await?;
        parked::park(&transaction, &self.parked, self.now).await?;
        parked::ask_for(&transaction, &self.skipped).await?;
        crash::point("before-commit");
        transaction.commit().await.context("commit a batch")?;
        crash::point("after-commit");
        let took = self.took + began.elapsed();
        telemetry::batch_folded(self.facts.len(), self.duplicates, self.rows.len(), took);
        Ok(())
    }
}

impl BatchSize {
    /// Adds to a refusal by PostgreSQL which records were to be written.
    pub(super) fn refused(self, error: ProjectionError) -> ProjectionError {
        match error {
            ProjectionError::Store(source) if source.is_refusal() => {
                ProjectionError::Refused { records: self.records, first: self.first, source }
            }
            other => other,
        }
    }
}

/// The result of folding a batch.
#[derive(Default)]
pub(super) struct Outcome {
    pub(super) facts: Vec<StoredFact>,
    pub(super) duplicates: usize,
    pub(super) facilities: BTreeMap<FacilityId, Facility>,
    pub(super) partitions: BTreeMap<FacilityId, i32>,
    pub(super) lives: BTreeMap<(TerminalId, Life), ReceivedLife>,
    pub(super) gaps: Vec<LifeGap>,
    pub(super) parked: Vec<ParkedRecord>,
    pub(super) newly_parked: BTreeSet<FacilityId>,
}

impl Batch {
    /// Decodes records; one of `refused` counts as one that cannot be folded, with the reason given there.
    pub(super) fn decode(taken: Vec<RawRecord>, refused: &BTreeMap<Position, String>) -> Self {
        let mut ends = BTreeMap::new();
        let decoded = |(index, taken): (usize, RawRecord)| {
            let record = decode::log_record(&taken.payload);
            let received_at = record.as_ref().ok().map(|record| record.received_at);
            let end = BatchEnd { next: taken.position.offset + 1, last: index, received_at };
            ends.insert(taken.position.partition, end);
            match record {
                Ok(record) => {
                    let facility = record.facility;
                    let facts = match refused.get(&taken.position) {
                        Some(reason) => Err(reason.clone()),
                        None => Ok(record.into_facts().collect()),
                    };
                    DecodedRecord { taken, facility, facts }
                }
                // Only the key identifies the facility of an undecodable record. One that is no facility's is parked by
                // itself: it must not block the facts about all facilities.
                Err(error) => {
                    let nobody = |_| Uuid::new_v5(&Uuid::NAMESPACE_OID, &taken.key);
                    let facility = FacilityId(Uuid::from_slice(&taken.key).unwrap_or_else(nobody));
                    DecodedRecord { taken, facility, facts: Err(format!("decode: {}", chain(&error))) }
                }
            }
        };
        let records = taken.into_iter().enumerate().map(decoded).collect();
        Self { records, ends }
    }

    /// Folds the batch. The states in memory and the owner's positions are then ahead of the store: if the batch is not
    /// written, both must be dropped.
    pub(super) async fn fold_ahead(
        self,
        store: &Store,
        policy: &Policy,
        states: &mut States,
        owner: &mut Owner,
    ) -> Result<Option<FoldedBatch>, ProjectionError> {
        let began = tokio::time::Instant::now();
        let Some(size) = self.size() else { return Ok(None) };
        let (facilities, lives) = self.touched();
        states.load(store, policy, &facilities, &lives).await?;
        let mut moves = Vec::with_capacity(self.ends.len());
        for (&partition, end) in &self.ends {
            let expected = owner.advance(partition, end.next, end.received_at);
            moves.push((expected.ok_or(ProjectionError::Fenced { partition })?, end.next, self.digest(end)));
        }
        let skipped = self.skipped();
        let Outcome { facts, duplicates, facilities, partitions, lives, gaps, parked, newly_parked } =
            self.fold(policy, states);
        // The first record of each facility is the one that blocks it.
        let mut stopped = BTreeSet::new();
        for ParkedRecord { facility, position, reason, .. } in &parked {
            if stopped.insert(*facility) && !states.parked.contains(facility) {
                telemetry::facility_parked(*facility, *position, reason);
            }
        }
        crash::point("after-fold");
        let now = clock::now();
        let row = |(id, facility)| row::row(facility, partitions[id], policy, now);
        let rows = facilities.iter().map(row).collect::<Result<_, StoreError>>();
        let rows = rows.map_err(|error| size.refused(error.into()))?;
        states.keep(facilities, lives.clone(), newly_parked);
        states.skipped.extend(&skipped);
        Ok(Some(FoldedBatch {
            generation: owner.generation(),
            late: late(&facts, now),
            moves,
            facts,
            duplicates,
            rows,
            lives,
            gaps,
            parked,
            skipped: skipped.into_iter().map(|(facility, _)| facility).collect(),
            size,
            now,
            took: began.elapsed(),
        }))
    }

    /// The last record of `partition`.
    pub(super) fn last(&self, partition: i32) -> Option<RecordDigest> {
        self.ends.get(&partition).map(|end| self.digest(end))
    }

    fn digest(&self, end: &BatchEnd) -> RecordDigest {
        RecordDigest::of(self.records.get(end.last).map_or(&[], |record| &record.taken.payload))
    }

    /// `None` for a batch without records.
    pub(super) fn size(&self) -> Option<BatchSize> {
        let first = self.records.first()?.taken.position;
        Some(BatchSize { records: self.records.len(), first })
    }

    /// The records that people skip, by the statements in this batch.
    fn skipped(&self) -> BTreeSet<(FacilityId, Position)> {
        let facts = self.records.iter().filter_map(|record| record.facts.as_ref().ok()).flatten();
        facts.filter_map(|fact| Some((fact.facility, skipped(fact)?))).collect()
    }

    /// The facilities and lives of these facts.
    pub(super) fn touched(&self) -> (BTreeSet<FacilityId>, BTreeSet<(TerminalId, Life)>) {
        let facts = || self.records.iter().filter_map(|record| record.facts.as_ref().ok()).flatten();
        let facilities = facts().map(|fact| fact.facility).filter(|id| *id != FacilityId::FLEET).collect();
        let lives = facts().filter_map(Recorded::observed).map(|o| (o.terminal, o.life)).collect();
        (facilities, lives)
    }

    /// Folds the batch on top of `states`, which must be loaded.
    pub(super) fn fold(self, policy: &Policy, states: &States) -> Outcome {
        let mut outcome = Outcome::default();
        for DecodedRecord { taken, facility, facts } in self.records {
            if states.skipped.contains(&(facility, taken.position)) {
                continue;
            }
            let behind = states.parked.contains(&facility) || outcome.newly_parked.contains(&facility);
            let folded = match facts {
                // A skipped record must not block its own facility.
                Ok(facts) if behind && !facts.iter().all(|fact| skipped(fact).is_some()) => Err(BEHIND.to_owned()),
                Ok(facts) => outcome.take(taken.position, facility, facts, policy, states),
                Err(reason) => Err(reason),
            };
            if let Err(reason) = folded {
                outcome.newly_parked.insert(facility);
                outcome.parked.push(ParkedRecord { position: taken.position, facility, reason, record: taken.payload });
            }
        }
        outcome
    }
}

/// The facilities of which something became known late, and the instant since which it was so.
fn late(facts: &[StoredFact], now: DateTime<Utc>) -> BTreeMap<FacilityId, DateTime<Utc>> {
    let mut late: BTreeMap<FacilityId, DateTime<Utc>> = BTreeMap::new();
    for recorded in facts.iter().map(|stored| &stored.recorded) {
        // The instant of a withdrawn fact is part of another fact.
        let at = if takes_back(recorded) { DateTime::UNIX_EPOCH } else { valid_from(recorded) };
        if recorded.facility != FacilityId::FLEET && history_builder::is_late(at, now) {
            late.entry(recorded.facility).and_modify(|from| *from = at.min(*from)).or_insert(at);
        }
    }
    late
}

/// The record that a person skips by this fact, which says nothing about the facility itself.
fn skipped(recorded: &Recorded) -> Option<Position> {
    match (&recorded.event, &recorded.origin) {
        (Event::RecordSkipped(record), Origin::Person(_)) => {
            Some(Position { partition: record.partition, offset: record.offset })
        }
        _ => None,
    }
}

impl Outcome {
    /// Folds one record completely or not at all.
    fn take(
        &mut self,
        position: Position,
        id: FacilityId,
        facts: Vec<Recorded>,
        policy: &Policy,
        states: &States,
    ) -> Result<(), String> {
        let mut lives: BTreeMap<(TerminalId, Life), ReceivedLife> = BTreeMap::new();
        let mut gaps = Vec::new();
        let mut fresh = Vec::with_capacity(facts.len());
        for (place, recorded) in (0..).zip(facts) {
            if let Some(observed) = recorded.observed() {
                let life = (observed.terminal, observed.life);
                let known = self.facilities.get(&id).or_else(|| states.known(id));
                let before = lives.get(&life).or_else(|| self.lives.get(&life)).or_else(|| states.received(&life));
                let former = || known?.former_numbers(observed);
                let continued = if before.is_none() { former() } else { None };
                let continued = continued.map(|(seq, at)| ReceivedLife::continued(&recorded, Seq(seq), at));
                let before = before.or(continued.as_ref());
                if before.is_none_or(|before| observed.seq > before.seq) {
                    let (after, found) = ReceivedLife::after(before, &recorded, observed);
                    lives.insert(life, after);
                    gaps.extend(found);
                } else if !known.is_some_and(|it| it.reuses(observed)) {
                    self.duplicates += 1;
                    continue;
                }
            }
            fresh.push(StoredFact { position, index_in_record: place, recorded });
        }
        // Rules and closures are facts about the fleet; a skipped record is a fact about the log.
        if id != FacilityId::FLEET && !fresh.iter().all(|stored| skipped(&stored.recorded).is_some()) {
            let before = self.facilities.remove(&id).unwrap_or_else(|| states.facility(id));
            // The fold cannot panic; if it does, only this facility is blocked.
            let after = catch_unwind(AssertUnwindSafe(|| folded(before, &fresh, &policy.rules)));
            self.partitions.insert(id, position.partition);
            let Ok(after) = after else {
                // The panic consumed the state; the part of this batch that was folded is folded again from its facts.
                let mine = |stored: &&StoredFact| stored.recorded.facility == id;
                let again = folded(states.facility(id), self.facts.iter().filter(mine), &policy.rules);
                self.facilities.insert(id, again);
                return Err("fold: panicked".to_owned());
            };
            self.facilities.insert(id, after);
        }
        self.lives.extend(lives);
        self.gaps.extend(gaps);
        self.facts.extend(fresh);
        Ok(())
    }
}

fn folded<'a>(before: Facility, facts: impl IntoIterator<Item = &'a StoredFact>, rules: &Rules) -> Facility {
    facts.into_iter().fold(before, |facility, stored| fold(facility, &stored.recorded, rules))
}
