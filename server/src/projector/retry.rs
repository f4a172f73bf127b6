//! Trying parked facilities again: their waiting records are folded in their order, some in one transaction, and what
//! cannot be followed stays where it is, with the reason of now.
//!
//! It is done at the start, as a newer program may follow what an older one could not; when somebody asks for it; and when
//! a person has left a record out. What was left out counts for nothing from then on, also where a newer program could
//! follow it and has: so the store is the same whichever program folds the log anew.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::DateTime;
use tokio_postgres::Transaction;
use yomitori_facility::{Facility, Rules};
use yomitori_proto::id::FacilityId;

use super::batch::{Batch, FoldedBatch, Outcome, RawRecord};
use super::owner::Owner;
use super::state::States;
use super::{ProjectionError, row};
use crate::log::Position;
use crate::store::connection::ConnectionChanges;
use crate::store::parked::{self, RetryOutcome, WaitingRecord};
use crate::store::policy::Policy;
use crate::store::status_row::FacilityRow;
use crate::store::{QueryContext as _, Store, StoreError, facility, fact, status_history};
use crate::{clock, telemetry};
use yomitori_base::crash;

/// Records folded in one go at most.
const AT_ONCE: i64 = 1000;
const BYTES_AT_ONCE: i64 = 8 << 20;

/// The facilities that are still to be tried.
#[derive(Default)]
pub(super) struct Retry {
    wanted: BTreeSet<FacilityId>,
}

impl Retry {
    /// Tries all once: at the start, and for partitions that are new here.
    pub(super) fn begin(&mut self, states: &States) {
        self.wanted.extend(&states.parked);
        self.wanted.extend(states.left_out.iter().map(|(facility, _)| *facility));
    }

    /// Tries what somebody asked for, here or at another instance. Nothing may be folded and not yet written meanwhile.
    pub(super) async fn look(&mut self, store: &Store, states: &mut States, owner: &Owner) -> Result<(), StoreError> {
        let parked = parked::facilities(store).await?;
        // Parked by somebody else: with a generation that is shown since, too.
        self.wanted.extend(parked.difference(&states.parked));
        states.parked = parked;
        self.wanted.extend(parked::take_asked(store, &partitions(owner)).await?);
        Ok(())
    }

    /// Tries the facilities of which a batch says that a record is left out, once that is written.
    pub(super) fn after(&mut self, folded: Option<&FoldedBatch>) {
        self.wanted.extend(folded.into_iter().flat_map(|folded| &folded.left_out));
    }

    pub(super) fn pending(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Goes on with one facility. Nothing may be folded and not yet written meanwhile.
    pub(super) async fn step(
        &mut self,
        store: &Store,
        policy: &Policy,
        states: &mut States,
        owner: &Owner,
    ) -> Result<(), ProjectionError> {
        let Some(&id) = self.wanted.first() else { return Ok(()) };
        // Another instance may have folded that a record was left out.
        states.left_out.extend(parked::left_out(store).await?);
        let left_out: Vec<Position> = states.left_out_of(id).filter(|place| owner.owns(place.partition)).collect();
        let there = parked::there(store, id, &left_out).await?;
        if !there.is_empty() {
            return take_back(store, policy, states, owner, id, &there).await;
        }
        let waiting = parked::first(store, id, &partitions(owner), AT_ONCE, BYTES_AT_ONCE).await?;
        if waiting.is_empty() {
            if !parked::waits(store, id).await? {
                states.parked.remove(&id);
            }
            self.wanted.remove(&id);
        } else if fold(store, policy, states, owner, id, waiting).await? {
            self.wanted.remove(&id);
        }
        Ok(())
    }
}

fn partitions(owner: &Owner) -> Vec<i32> {
    owner.positions().map(|position| position.partition).collect()
}

/// Folds these waiting records, and writes what came of it in one transaction, or nothing. Says whether the facility is
/// stuck again.
async fn fold(
    store: &Store,
    policy: &Policy,
    states: &mut States,
    owner: &Owner,
    id: FacilityId,
    waiting: Vec<WaitingRecord>,
) -> Result<bool, ProjectionError> {
    let tried: BTreeSet<Position> = waiting.iter().map(|waiting| waiting.position).collect();
    let left_out = states.left_out_of(id).filter(|place| tried.contains(place)).count();
    let taken = waiting.into_iter().map(|WaitingRecord { position, record }| RawRecord {
        position,
        key: id.0.as_bytes().to_vec(),
        payload: record,
    });
    let batch = Batch::decode(taken.collect());
    let (facilities, lives) = batch.touched();
    states.load(store, policy, &facilities, &lives).await?;
    states.parked.remove(&id);
    let Outcome { facts, facilities, partitions, marks, parked, newly_parked, .. } = batch.fold(policy, states);
    // Until the next step has seen that nothing more of it waits.
    states.parked.insert(id);

    let now = clock::now();
    let row = |(id, facility)| row::row(facility, partitions[id], policy, now);
    let rows: Vec<FacilityRow> = facilities.iter().map(row).collect::<Result<_, _>>()?;
    let reasons: Vec<(Position, String)> = parked.into_iter().map(|parked| (parked.position, parked.reason)).collect();
    let waits: BTreeSet<Position> = reasons.iter().map(|(position, _)| *position).collect();
    let gone: Vec<Position> = tried.difference(&waits).copied().collect();

    let mut client = store.client().await?;
    let transaction = client.transaction().await.context("begin a retry")?;
    owner.fence(&transaction, tried.iter().map(|place| place.partition)).await?;
    // A generation that was built beside may have come without these facts being taken out of it.
    parked::take_back(&transaction, id, &tried).await?;
    fact::copy(&transaction, &facts).await?;
    let mut comings = ConnectionChanges::default();
    facts.iter().for_each(|placed| comings.take(&placed.recorded));
    comings.write(&transaction).await?;
    facility::show(&transaction, &rows).await?;
    tell_anew(&transaction, id).await?;
    fact::raise_high_water(&transaction, &marks).await?;
    let tried = RetryOutcome { gone, reasons };
    parked::tried(&transaction, &tried).await?;
    crash::point("before-retry");
    transaction.commit().await.context("commit a retry")?;
    crash::point("after-retry");

    telemetry::facility_retried(id, tried.gone.len() - left_out, left_out);
    states.keep(facilities, marks, newly_parked);
    let stuck = tried.reasons.first();
    if let Some((position, reason)) = stuck {
        telemetry::facility_still_parked(id, *position, reason);
    }
    Ok(stuck.is_some())
}

/// Takes back what was folded of these records, and folds the facility as it is without them.
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
    let transaction = client.transaction().await.context("begin to take facts back")?;
    owner.fence(&transaction, records.iter().map(|place| place.partition)).await?;
    parked::take_back(&transaction, id, records).await?;
    facility::show(&transaction, &rows).await?;
    tell_anew(&transaction, id).await?;
    transaction.commit().await.context("commit what is taken back")?;
    telemetry::facility_retried(id, 0, records.len());
    states.replace(facility);
    Ok(())
}

/// The facility as it is without these records.
async fn without(
    store: &Store,
    id: FacilityId,
    records: &BTreeSet<Position>,
    rules: &Rules,
) -> Result<Facility, StoreError> {
    let mut facility = Some(Facility::new(id));
    fact::each(store, &[id], |placed| {
        if records.contains(&placed.position) {
            return;
        }
        let Some(mut so_far) = facility.take() else { return };
        // The fold can't panic; should it all the same, the facility is told of and begins anew.
        let applied = catch_unwind(AssertUnwindSafe(|| {
            so_far.apply(&placed.recorded, rules);
            so_far
        }));
        match applied {
            Ok(next) => facility = Some(next),
            Err(_) => telemetry::refold_failed(id, placed.position),
        }
    })
    .await?;
    Ok(facility.unwrap_or_else(|| Facility::new(id)))
}

/// Facts came or went that may have been so at any time: what was true is told from the beginning.
async fn tell_anew(transaction: &Transaction<'_>, id: FacilityId) -> Result<(), StoreError> {
    let late = BTreeMap::from_iter((id != FacilityId::FLEET).then_some((id, DateTime::UNIX_EPOCH)));
    status_history::late(transaction, &late).await
}
