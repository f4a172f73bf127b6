//! Which partitions this instance projects, and how far it has come in each.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use tokio_postgres::{Client, NoTls, Transaction};

use crate::log::Position;
use crate::projector::ProjectionError;
use crate::store::generation::GenerationNumber;
use crate::store::{Store, progress};
use crate::telemetry;

/// The first half of the lock's number, so that it collides with nobody else's.
const LOCKS: i32 = 0x596f_6d69;
/// The second half of the lock that every instance holds together with the others: by it they know how many they are.
const PRESENT: i32 = -1;

/// The partitions that this instance holds. The locks go with the connection: whatever ends it, frees them.
pub(super) struct Owner {
    locks: Client,
    /// The number by which the database knows the connection of the locks.
    session: i32,
    generation: GenerationNumber,
    partitions: i32,
    places: BTreeMap<i32, PartitionState>,
}

struct PartitionState {
    next_offset: i64,
    /// Of the last record folded, by the clock of whoever took it in.
    received_at: Option<DateTime<Utc>>,
}

impl Owner {
    pub(super) async fn connect(
        store: &Store,
        generation: GenerationNumber,
        partitions: i32,
    ) -> Result<Self, ProjectionError> {
        let (locks, connection) = store.address().connect(NoTls).await.map_err(ProjectionError::Locks)?;
        // Its end shows at the next use of `locks`.
        tokio::spawn(connection);
        let present = "SELECT pg_advisory_lock_shared($1, $2)";
        locks.execute(present, &[&LOCKS, &PRESENT]).await.map_err(ProjectionError::Locks)?;
        let row = locks.query_one("SELECT pg_backend_pid()", &[]).await.map_err(ProjectionError::Locks)?;
        Ok(Self { locks, session: row.get(0), generation, partitions, places: BTreeMap::new() })
    }

    /// Takes the partitions that nobody holds, up to a fair share, and lets go of those beyond it; says whether anything
    /// changed. Nothing that was folded may wait to be written.
    pub(super) async fn claim(&mut self, store: &Store) -> Result<bool, ProjectionError> {
        let share = self.share().await?;
        let mut changed = false;
        while self.places.len() > share
            && let Some((partition, _)) = self.places.pop_last()
        {
            let unlock = "SELECT pg_advisory_unlock($1, $2)";
            self.locks.execute(unlock, &[&LOCKS, &partition]).await.map_err(ProjectionError::Locks)?;
            telemetry::partition_left(partition);
            changed = true;
        }
        for partition in 0..self.partitions {
            if self.places.len() >= share || self.places.contains_key(&partition) {
                continue;
            }
            let lock = "SELECT pg_try_advisory_lock($1, $2)";
            let row = self.locks.query_one(lock, &[&LOCKS, &partition]).await.map_err(ProjectionError::Locks)?;
            if row.get(0) {
                let start = progress::start(store, partition).await?;
                self.places.insert(partition, PartitionState { next_offset: start.offset, received_at: None });
                changed = true;
            }
        }
        if self.locks.is_closed() {
            // Somebody else may hold the partitions by now: start again from nothing.
            return Err(ProjectionError::Fenced { partition: -1 });
        }
        Ok(changed)
    }

    /// Makes sure, for what `transaction` writes without moving a place, that these partitions are still this instance's:
    /// they stand where it left them, and it holds their locks. Whoever takes one over waits for the transaction's end.
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
                || !self.holds(transaction, partition).await?
            {
                return Err(fenced);
            }
        }
        Ok(())
    }

    /// Whether the lock of `partition` is this instance's, as the database sees it.
    async fn holds(&self, transaction: &Transaction<'_>, partition: i32) -> Result<bool, ProjectionError> {
        let query = "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = $1 \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                     AND classid::int8 = $2 AND objid::int8 = $3)";
        let (class, object) = (i64::from(LOCKS.cast_unsigned()), i64::from(partition));
        let row = transaction.query_one(query, &[&self.session, &class, &object]).await;
        Ok(row.map_err(ProjectionError::Locks)?.get(0))
    }

    /// How many partitions this instance may hold, so that each has its part: where they don't divide, those that came
    /// first hold one more.
    async fn share(&self) -> Result<usize, ProjectionError> {
        let query = "SELECT count(DISTINCT pid), count(DISTINCT pid) FILTER (WHERE pid < $3) FROM pg_locks \
                     WHERE locktype = 'advisory' AND granted \
                     AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
                     AND classid::int8 = $1 AND objid::int8 = $2";
        let (class, object) = (i64::from(LOCKS.cast_unsigned()), i64::from(PRESENT.cast_unsigned()));
        let row =
            self.locks.query_one(query, &[&class, &object, &self.session]).await.map_err(ProjectionError::Locks)?;
        let (instances, before) = (row.get(0), row.get(1));
        Ok(share(self.partitions, instances, before))
    }

    /// The generation that is folded into: another one may be live by the time that it is written.
    pub(super) const fn generation(&self) -> GenerationNumber {
        self.generation
    }

    pub(super) fn positions(&self) -> impl Iterator<Item = Position> {
        self.places.iter().map(|(&partition, place)| Position { partition, offset: place.next_offset })
    }

    pub(super) fn owns(&self, partition: i32) -> bool {
        self.places.contains_key(&partition)
    }

    /// The place of `partition`.
    pub(super) fn position(&self, partition: i32) -> Option<Position> {
        self.places.get(&partition).map(|place| Position { partition, offset: place.next_offset })
    }

    /// Moves `partition` on, once a batch is folded; gives where it stood, which the store has to agree with when the
    /// batch is written. `None` where it isn't held.
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

    /// How old the last folded record of `partition` is, in seconds.
    pub(super) fn seconds_behind(&self, partition: i32, now: DateTime<Utc>) -> f64 {
        let received_at = self.places.get(&partition).and_then(|place| place.received_at);
        received_at.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0))
    }
}

/// The part of one of so many instances, of which so many stand before it.
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
