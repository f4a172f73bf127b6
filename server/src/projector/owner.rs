//! Which partitions this instance projects, and how far it has come in each.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tokio_postgres::{Client, NoTls};

use crate::log::Position;
use crate::projector::ProjectionError;
use crate::store::generation::Number;
use crate::store::{Store, progress};

/// The first half of the lock's number, so that it collides with nobody else's.
const LOCKS: i32 = 0x596f_6d69;

/// The partitions that this instance holds. The locks go with the connection: whatever ends it, frees them.
pub(super) struct Owner {
    locks: Client,
    generation: Number,
    partitions: i32,
    places: BTreeMap<i32, Place>,
}

struct Place {
    next_offset: i64,
    /// Of the last record folded, by the clock of whoever took it in.
    received_at: Option<DateTime<Utc>>,
}

impl Owner {
    pub(super) async fn connect(store: &Store, generation: Number, partitions: i32) -> Result<Self, ProjectionError> {
        let (locks, connection) = store.address().connect(NoTls).await.map_err(ProjectionError::Locks)?;
        // Its end shows at the next use of `locks`.
        tokio::spawn(connection);
        Ok(Self { locks, generation, partitions, places: BTreeMap::new() })
    }

    /// Takes the partitions that nobody holds; says whether there were any.
    pub(super) async fn claim(&mut self, store: &Store) -> Result<bool, ProjectionError> {
        let mut claimed = false;
        for partition in 0..self.partitions {
            if self.places.contains_key(&partition) {
                continue;
            }
            let lock = "SELECT pg_try_advisory_lock($1, $2)";
            let row = self.locks.query_one(lock, &[&LOCKS, &partition]).await.map_err(ProjectionError::Locks)?;
            if row.get(0) {
                let start = progress::start(store, partition).await?;
                self.places.insert(partition, Place { next_offset: start.offset, received_at: None });
                claimed = true;
            }
        }
        if self.locks.is_closed() {
            // Somebody else may hold the partitions by now: start again from nothing.
            return Err(ProjectionError::Fenced { partition: -1 });
        }
        Ok(claimed)
    }

    /// The generation that is folded into: another one may be live by the time that it is written.
    pub(super) const fn generation(&self) -> Number {
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

    /// How old the oldest of the last folded records is.
    pub(super) fn seconds_behind(&self, now: DateTime<Utc>) -> f64 {
        let oldest = self.places.values().filter_map(|place| place.received_at).min();
        oldest.map_or(0.0, |at| (now - at).as_seconds_f64().max(0.0))
    }
}
