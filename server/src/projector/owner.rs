//! The partitions that this instance projects, and its position in each.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::Transaction;
use yomitori_proto::id::FacilityId;

use crate::log::Position;
use crate::projector::ProjectionError;
use crate::store::facility;
use crate::store::generation::GenerationNumber;
use crate::store::lock::{Instances, PartitionLocks};
use crate::store::status_row::FacilityRow;
use crate::store::{QueryContext as _, Store, StoreError, progress};
use crate::telemetry;

/// How long a facility whose row was refused waits for the next attempt.
const REFUSED_FOR: TimeDelta = TimeDelta::hours(1);

/// The partitions that this instance holds.
pub(super) struct Owner {
    locks: PartitionLocks,
    generation: GenerationNumber,
    partitions: i32,
    places: BTreeMap<i32, PartitionState>,
}

struct PartitionState {
    next_offset: i64,
    /// When the last folded record was received, by the clock of the instance that received it.
    received_at: Option<DateTime<Utc>>,
}

impl Owner {
    pub(super) async fn connect(
        store: &Store,
        generation: GenerationNumber,
        partitions: i32,
    ) -> Result<Self, ProjectionError> {
        let locks = PartitionLocks::join(store).await.map_err(ProjectionError::Locks)?;
        Ok(Self { locks, generation, partitions, places: BTreeMap::new() })
    }

    /// Acquires free partitions up to a fair share, and releases those beyond it; returns whether anything changed. No
    /// folded batch may be unwritten.
    pub(super) async fn claim(&mut self, store: &Store) -> Result<bool, ProjectionError> {
        let share = self.share().await?;
        let mut changed = false;
        while self.places.len() > share
            && let Some((partition, _)) = self.places.pop_last()
        {
            self.locks.release(partition).await.map_err(ProjectionError::Locks)?;
            telemetry::partition_released(partition);
            changed = true;
        }
        for partition in 0..self.partitions {
            if self.places.len() >= share || self.places.contains_key(&partition) {
                continue;
            }
            if self.locks.take(partition).await.map_err(ProjectionError::Locks)? {
                let start = progress::start(store, partition, self.partitions).await?;
                self.places.insert(partition, PartitionState { next_offset: start.offset, received_at: None });
                changed = true;
            }
        }
        if self.locks.is_closed() {
            // Another instance may hold the partitions by now: start over.
            return Err(ProjectionError::Fenced { partition: -1 });
        }
        Ok(changed)
    }

    /// Checks, for a `transaction` that writes without moving a position, that this instance still owns these
    /// partitions: their positions are unchanged and it holds their locks. Another instance that acquires one waits for
    /// the transaction.
    pub(super) async fn fence(
        &self,
        transaction: &Transaction<'_>,
        partitions: impl IntoIterator<Item = i32>,
    ) -> Result<(), ProjectionError> {
        let partitions: BTreeSet<i32> = partitions.into_iter().collect();
        for partition in partitions {
            let fenced = ProjectionError::Fenced { partition };
            let Some(expected) = self.position(partition) else { return Err(fenced) };
            if !progress::stands(transaction, self.generation, expected).await?
                || !self.locks.holds(transaction, partition).await.map_err(ProjectionError::Locks)?
            {
                return Err(fenced);
            }
        }
        Ok(())
    }

    /// Writes rows that changed without a new fact, unless another instance has taken over the partition. A facility
    /// whose row cannot be computed or is refused keeps its previous row, and is due again after an hour.
    pub(super) async fn show(
        &self,
        store: &Store,
        rows: impl IntoIterator<Item = (FacilityId, Result<FacilityRow, StoreError>)>,
        now: DateTime<Utc>,
    ) -> Result<(), ProjectionError> {
        let (mut good, mut refused) = (Vec::new(), Vec::new());
        for (facility, row) in rows {
            match row {
                Ok(row) => good.push(row),
                Err(error) => refused.push((facility, error)),
            }
        }
        match self.write(store, &good).await {
            Err(ProjectionError::Store(error)) if error.is_refusal() => {
                for row in &good {
                    match self.write(store, std::slice::from_ref(row)).await {
                        Err(ProjectionError::Store(error)) if error.is_refusal() => {
                            refused.push((row.facility_id, error));
                        }
                        written => written?,
                    }
                }
            }
            written => written?,
        }
        for (facility, error) in refused {
            telemetry::row_refused(facility, &error);
            facility::defer(store, facility, now + REFUSED_FOR).await?;
        }
        Ok(())
    }

    async fn write(&self, store: &Store, rows: &[FacilityRow]) -> Result<(), ProjectionError> {
        if rows.is_empty() {
            return Ok(());
        }
        let mut client = store.client().await?;
        let transaction = client.transaction().await.context("begin to write facilities")?;
        self.fence(&transaction, rows.iter().map(|row| row.partition)).await?;
        facility::show(&transaction, rows).await?;
        transaction.commit().await.context("commit facilities")?;
        Ok(())
    }

    /// How many partitions this instance may hold for a fair share: if they do not divide evenly, the instances that
    /// came first hold one more.
    async fn share(&self) -> Result<usize, ProjectionError> {
        let Instances { all, before } = self.locks.instances().await.map_err(ProjectionError::Locks)?;
        Ok(share(self.partitions, all, before))
    }

    /// The generation that is folded into; another one may be live by the time of the write.
    pub(super) const fn generation(&self) -> GenerationNumber {
        self.generation
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = Position> {
        self.places.iter().map(|(&partition, place)| Position { partition, offset: place.next_offset })
    }

    pub(super) fn owns(&self, partition: i32) -> bool {
        self.places.contains_key(&partition)
    }

    /// The position of `partition`.
    pub(super) fn position(&self, partition: i32) -> Option<Position> {
        self.places.get(&partition).map(|place| Position { partition, offset: place.next_offset })
    }

    /// Advances `partition` after a batch is folded; returns its previous position, which the store must confirm when
    /// the batch is written. `None` if this instance does not hold it.
    pub(super) fn advance(
        &mut self,
        partition: i32,
        next_offset: i64,
        received_at: Option<DateTime<Utc>>,
    ) -> Option<Position> {
        let place = self.places.get_mut(&partition)?;
        let stood = Position { partition, offset: place.next_offset };
        place.next_offset = next_offset;
        place.received_at = received_at.or(place.received_at);
        Some(stood)
    }

    /// The age of the last folded record of `partition`, in seconds.
    pub(super) fn seconds_behind(&self, partition: i32, now: DateTime<Utc>) -> f64 {
        let received_at = self.places.get(&partition).and_then(|place| place.received_at);
        received_at.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0))
    }
}

/// The share of one of `instances` instances, of which `before` came earlier.
fn share(partitions: i32, instances: i64, before: i64) -> usize {
    let (partitions, instances) = (i64::from(partitions), instances.max(1));
    let part = partitions / instances + i64::from(before < partitions % instances);
    usize::try_from(part).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_partitions_are_shared_and_no_part_is_more_than_one_larger_than_another() {
        for partitions in 1..=24 {
            for instances in 1..=30 {
                let parts: Vec<usize> = (0..instances).map(|before| share(partitions, instances, before)).collect();
                assert_eq!(parts.iter().sum::<usize>(), usize::try_from(partitions).unwrap(), "{parts:?}");
                let (least, most) = (parts.iter().min().unwrap(), parts.iter().max().unwrap());
                assert!(most - least <= 1, "{parts:?}");
            }
        }
    }
}
