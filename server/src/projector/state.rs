//! What the projector remembers between batches: a cache of the store.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use yomitori_facility::Facility;
use yomitori_proto::id::{FacilityId, Life, TerminalId};

use super::owner::Owner;
use super::{ProjectionError, refold, row};
use crate::clock;
use crate::log::Position;
use crate::store::policy::Policy;
use crate::store::received::{self, ReceivedLife};
use crate::store::{Store, StoreError, facility, parked};

/// Above this many facilities the whole cache is dropped, which is simple and rarely happens.
const REMEMBERED: usize = 60_000;
/// Facilities recomputed in one transaction because time has passed.
const SWEPT_AT_ONCE: i64 = 2_000;
/// A sweep ends after this time; the next one continues.
const SWEEP_LIMIT: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(super) struct States {
    facilities: BTreeMap<FacilityId, Facility>,
    lives: BTreeMap<(TerminalId, Life), Option<ReceivedLife>>,
    pub(super) parked: BTreeSet<FacilityId>,
    /// The records that people skipped.
    pub(super) skipped: BTreeSet<(FacilityId, Position)>,
}

impl States {
    pub(super) async fn open(store: &Store) -> Result<Self, StoreError> {
        let (parked, skipped) = (parked::facilities(store).await?, parked::skipped(store).await?);
        Ok(Self { parked, skipped, ..Self::default() })
    }

    /// An empty cache that knows only the skipped records.
    pub(super) fn without(skipped: BTreeSet<(FacilityId, Position)>) -> Self {
        Self { skipped, ..Self::default() }
    }

    pub(super) fn too_many(&self) -> bool {
        self.facilities.len() > REMEMBERED
    }

    /// Keeps the memory bounded. Not while a folded batch is unwritten, because the store does not have it yet.
    pub(super) fn trim(&mut self) {
        if self.too_many() {
            self.facilities.clear();
            self.lives.clear();
        }
    }

    /// Changes the policy; states that were folded by the previous one are dropped.
    pub(super) fn forget(&mut self) {
        self.facilities.clear();
    }

    /// Loads these facilities, folded by `policy`.
    pub(super) async fn load(
        &mut self,
        store: &Store,
        policy: &Policy,
        facilities: &BTreeSet<FacilityId>,
        lives: &BTreeSet<(TerminalId, Life)>,
    ) -> Result<(), StoreError> {
        let unknown: Vec<FacilityId> =
            facilities.iter().filter(|id| !self.facilities.contains_key(id)).copied().collect();
        if !unknown.is_empty() {
            let found = facility::states(store, &unknown).await?;
            let behind: Vec<FacilityId> =
                found.iter().filter(|(_, _, number)| *number != policy.hash).map(|(id, _, _)| *id).collect();
            self.facilities.extend(unknown.into_iter().map(|id| (id, Facility::new(id))));
            self.facilities.extend(found.into_iter().map(|(id, facility, _)| (id, facility)));
            if !behind.is_empty() {
                self.facilities.extend(refold::anew(store, &behind, &policy.rules).await?);
            }
        }
        let unknown: Vec<(TerminalId, Life)> =
            lives.iter().filter(|life| !self.lives.contains_key(life)).copied().collect();
        if !unknown.is_empty() {
            let found = received::lives(&*store.client().await?, &unknown).await?;
            self.lives.extend(unknown.into_iter().map(|life| (life, None)));
            self.lives.extend(found.into_iter().map(|(life, received)| (life, Some(received))));
        }
        Ok(())
    }

    /// What has arrived of a life; `None` if nothing has.
    pub(super) fn received(&self, life: &(TerminalId, Life)) -> Option<&ReceivedLife> {
        self.lives.get(life)?.as_ref()
    }

    pub(super) fn known(&self, id: FacilityId) -> Option<&Facility> {
        self.facilities.get(&id)
    }

    pub(super) fn facility(&self, id: FacilityId) -> Facility {
        self.facilities.get(&id).cloned().unwrap_or_else(|| Facility::new(id))
    }

    /// Every facility in memory.
    pub(super) const fn facilities(&self) -> &BTreeMap<FacilityId, Facility> {
        &self.facilities
    }

    /// Every life in memory of which something has arrived.
    pub(super) fn lives(&self) -> impl Iterator<Item = (&(TerminalId, Life), &ReceivedLife)> {
        self.lives.iter().filter_map(|(life, received)| Some((life, received.as_ref()?)))
    }

    /// Replaces the state of a facility, and reads again what has arrived of each life: it may be less after a skip.
    pub(super) fn replace(&mut self, facility: Facility) {
        self.facilities.insert(facility.id, facility);
        self.lives.clear();
    }

    /// Reads a facility and all lives again when they are needed next: what was folded of it could not be written.
    pub(super) fn reload(&mut self, id: FacilityId) {
        self.facilities.remove(&id);
        self.lives.clear();
    }

    /// The records of a facility that people skipped.
    pub(super) fn skipped_of(&self, facility: FacilityId) -> impl Iterator<Item = Position> {
        self.skipped.iter().filter(move |(of, _)| *of == facility).map(|(_, position)| *position)
    }

    /// Called after the fold and before the commit.
    pub(super) fn keep(
        &mut self,
        facilities: BTreeMap<FacilityId, Facility>,
        lives: BTreeMap<(TerminalId, Life), ReceivedLife>,
        parked: BTreeSet<FacilityId>,
    ) {
        self.facilities.extend(facilities);
        self.lives.extend(lives.into_iter().map(|(life, received)| (life, Some(received))));
        self.parked.extend(parked);
    }
}

/// Recomputes the rows of facilities that time alone has changed: all of this instance's partitions, or as many as the
/// time allows, so that new records don't wait for long.
pub(super) async fn sweep(
    store: &Store,
    policy: &Policy,
    states: &mut States,
    owner: &Owner,
) -> Result<(), ProjectionError> {
    let partitions: Vec<i32> = owner.positions().map(|position| position.partition).collect();
    let until = Instant::now() + SWEEP_LIMIT;
    loop {
        let now = clock::now();
        let due = facility::due(store, now, Some(&partitions), SWEPT_AT_ONCE).await?;
        let full = i64::try_from(due.len()).is_ok_and(|count| count == SWEPT_AT_ONCE);
        states.load(store, policy, &due.iter().map(|(id, _)| *id).collect(), &BTreeSet::new()).await?;
        let row = |(id, partition): (FacilityId, i32)| (id, row::row(&states.facility(id), partition, policy, now));
        owner.show(store, due.into_iter().map(row), now).await?;
        if !full || Instant::now() >= until {
            return Ok(());
        }
        states.trim();
    }
}
