//! Retries parked facilities: their waiting records are folded in order, several in one transaction, and a record that
//! cannot be folded stays parked with its new reason.
//!
//! A retry happens at the start, because a newer program may fold what an older one could not; on request; and after a
//! person has skipped a record. A skipped record has no effect from then on, even if a newer program could fold it or
//! has done so: the store is then the same after every rebuild, by any version of the program.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::DateTime;
use tokio_postgres::Transaction;
use yomitori_facility::{Facility, Rules};
use yomitori_proto::id::FacilityId;

use super::batch::{Batch, FoldedBatch, Outcome, RawRecord};
use super::intake::refusal;
use super::owner::Owner;
use super::state::States;
use super::{ProjectionError, row};
use crate::log::Position;
use crate::store::connection::ConnectionChanges;
use crate::store::parked::{self, RetryOutcome, WaitingRecord};
use crate::store::policy::Policy;
use crate::store::status_row::FacilityRow;
use crate::store::{QueryContext as _, Store, StoreError, facility, fact, received, status_history};
use crate::{clock, telemetry};
use yomitori_base::crash;

/// At most this many records are folded at once.
const AT_ONCE: i64 = 1000;
const BYTES_AT_ONCE: i64 = 8 << 20;

/// The facilities that are still to be retried.
#[derive(Default)]
pub(super) struct Retry {
    wanted: BTreeSet<FacilityId>,
    /// Of these, PostgreSQL refused several records at once.
    one_by_one: BTreeSet<FacilityId>,
}

impl Retry {
    /// Retries every facility once: at the start, and for new partitions.
    pub(super) fn begin(&mut self, states: &States) {
        self.wanted.extend(&states.parked);
        self.wanted.extend(states.skipped.iter().map(|(facility, _)| *facility));
    }

    /// Retries what was requested, here or at another instance. No folded batch may be unwritten meanwhile.
    pub(super) async fn look(&mut self, store: &Store, states: &mut States, owner: &Owner) -> Result<(), StoreError> {
        let parked = parked::facilities(store).await?;
        // Another instance parked them, or they came with a generation that was swapped in.
        self.wanted.extend(parked.difference(&states.parked));
        states.parked = parked;
        self.wanted.extend(parked::take_asked(store, &partitions(owner)).await?);
        Ok(())
    }

    /// Retries the facilities of which a batch skips a record, after that batch is written.
    pub(super) fn after(&mut self, folded: Option<&FoldedBatch>) {
        self.wanted.extend(folded.into_iter().flat_map(|folded| &folded.skipped));
    }

    pub(super) fn pending(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Continues with one facility. No folded batch may be unwritten meanwhile.
    pub(super) async fn step(
        &mut self,
        store: &Store,
        policy: &Policy,
        states: &mut States,
        owner: &Owner,
    ) -> Result<(), ProjectionError> {
        let Some(&id) = self.wanted.first() else { return Ok(()) };
        // Another instance may have folded the skip of a record.
        states.skipped.extend(parked::skipped(store).await?);
        let skipped: Vec<Position> = states.skipped_of(id).filter(|place| owner.owns(place.partition)).collect();
        let there = parked::there(store, id, &skipped).await?;
        if !there.is_empty() {
            return take_back(store, policy, states, owner, id, &there).await;
        }
        let at_once = if self.one_by_one.contains(&id) { 1 } else { AT_ONCE };
        let waiting = parked::first(store, id, &partitions(owner), at_once, BYTES_AT_ONCE).await?;
        let Some(first) = waiting.first().map(|waiting| waiting.position) else {
            if !parked::waits(store, id).await? {
                states.parked.remove(&id);
            }
            self.done(id);
            return Ok(());
        };
        let single = waiting.len() == 1;
        match fold(store, policy, states, owner, id, waiting).await {
            Ok(false) => {}
            Ok(true) => self.done(id),
            Err(ProjectionError::Store(error)) if error.is_refusal() => {
                states.reload(id);
                if single {
                    still_refused(store, owner, id, first, &error).await?;
                    self.done(id);
                } else {
                    self.one_by_one.insert(id);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn done(&mut self, id: FacilityId) {
        self.wanted.remove(&id);
        self.one_by_one.remove(&id);
    }
}

fn partitions(owner: &Owner) -> Vec<i32> {
    owner.positions().map(|position| position.partition).collect()
}

/// Folds these waiting records and writes the result in one transaction. Returns whether the facility is blocked again.
async fn fold(
    store: &Store,
    policy: &Policy,
    states: &mut States,
    owner: &Owner,
    id: FacilityId,
    waiting: Vec<WaitingRecord>,
) -> Result<bool, ProjectionError> {
    let tried: BTreeSet<Position> = waiting.iter().map(|waiting| waiting.position).collect();
    let skipped = states.skipped_of(id).filter(|place| tried.contains(place)).count();
    let taken = waiting.into_iter().map(|WaitingRecord { position, record }| RawRecord {
        position,
        key: id.0.as_bytes().to_vec(),
        payload: record,
    });
    let batch = Batch::decode(taken.collect(), &BTreeMap::new());
    let (facilities, lives) = batch.touched();
    states.load(store, policy, &facilities, &lives).await?;
    states.parked.remove(&id);
    let Outcome { facts, facilities, partitions, lives, gaps, parked, newly_parked, .. } = batch.fold(policy, states);
    // Until the next step has seen that no more records wait.
    states.parked.insert(id);

    let now = clock::now();
    let row = |(id, facility)| row::row(facility, partitions[id], policy, now);
    let rows: Vec<FacilityRow> = facilities.iter().map(row).collect::<Result<_, StoreError>>()?;
    let reasons: Vec<(Position, String)> = parked.into_iter().map(|parked| (parked.position, parked.reason)).collect();
    let waits: BTreeSet<Position> = reasons.iter().map(|(position, _)| *position).collect();
    let gone: Vec<Position> = tried.difference(&waits).copied().collect();

    let mut client = store.client().await?;
    let transaction = client.transaction().await.context("begin a retry")?;
    owner.fence(&transaction, tried.iter().map(|place| place.partition)).await?;
    // A generation that was swapped in may still contain these facts.
    parked::take_back(&transaction, id, &tried).await?;
    fact::copy(&transaction, &facts).await?;
    let mut connections = ConnectionChanges::default();
    facts.iter().for_each(|stored| connections.take(&stored.recorded));
    connections.write(&transaction).await?;
    facility::show(&transaction, &rows).await?;
    tell_anew(&transaction, id).await?;
    received::write(&transaction, &lives, &gaps).await?;
    let tried = RetryOutcome { gone, reasons };
    parked::tried(&transaction, &tried).await?;
    crash::point("before-retry");
    transaction.commit().await.context("commit a retry")?;
    crash::point("after-retry");

    telemetry::facility_retried(id, tried.gone.len() - skipped, skipped);
    states.keep(facilities, lives, newly_parked);
    let stuck = tried.reasons.first();
    if let Some((position, reason)) = stuck {
        telemetry::facility_still_parked(id, *position, reason);
    }
    Ok(stuck.is_some())
}

/// Records why a record waits that could be folded but not written.
async fn still_refused(
    store: &Store,
    owner: &Owner,
    id: FacilityId,
    position: Position,
    error: &StoreError,
) -> Result<(), ProjectionError> {
    let reason = refusal(error);
    let mut client = store.client().await?;
    let transaction = client.transaction().await.context("begin a retry")?;
    owner.fence(&transaction, [position.partition]).await?;
    let tried = RetryOutcome { gone: Vec::new(), reasons: vec![(position, reason.clone())] };
    parked::tried(&transaction, &tried).await?;
    transaction.commit().await.context("commit a retry")?;
    telemetry::facility_still_parked(id, position, &reason);
    Ok(())
}

/// Removes the facts of these records, and folds the facility without them.
async fn take_back(
    store: &Store,
    policy: &Policy,
    states: &mut States,
    owner: &Owner,
    id: FacilityId,
    records: &BTreeSet<Position>,
) -> Result<(), ProjectionError> {
    let Some(partition) = records.first().map(|place| place.partition) else { return Ok(()) };
    let facility = without(store, id, records, &policy.rules).await?;
    let rows =
        if id == FacilityId::FLEET { Vec::new() } else { vec![row::row(&facility, partition, policy, clock::now())?] };
    let mut client = store.client().await?;
    let transaction = client.transaction().await.context("begin to remove facts")?;
    owner.fence(&transaction, records.iter().map(|place| place.partition)).await?;
    parked::take_back(&transaction, id, records).await?;
    facility::show(&transaction, &rows).await?;
    tell_anew(&transaction, id).await?;
    transaction.commit().await.context("commit the removal of facts")?;
    telemetry::facility_retried(id, 0, records.len());
    states.replace(facility);
    Ok(())
}

/// The facility without these records.
async fn without(
    store: &Store,
    id: FacilityId,
    records: &BTreeSet<Position>,
    rules: &Rules,
) -> Result<Facility, StoreError> {
    let mut facility = Some(Facility::new(id));
    fact::each(store, &[id], |stored| {
        if records.contains(&stored.position) {
            return;
        }
        let Some(mut so_far) = facility.take() else { return };
        // The fold cannot panic; if it does, the facility is logged and starts empty.
        let applied = catch_unwind(AssertUnwindSafe(|| {
            so_far.apply(&stored.recorded, rules);
            so_far
        }));
        match applied {
            Ok(next) => facility = Some(next),
            Err(_) => telemetry::refold_failed(id, stored.position),
        }
    })
    .await?;
    Ok(facility.unwrap_or_else(|| Facility::new(id)))
}

/// Facts of any age were added or removed, so the status history is recomputed from the beginning.
async fn tell_anew(transaction: &Transaction<'_>, id: FacilityId) -> Result<(), StoreError> {
    let late = BTreeMap::from_iter((id != FacilityId::FLEET).then_some((id, DateTime::UNIX_EPOCH)));
    status_history::late(transaction, &late).await
}
