//! What the projector remembers between batches. The store has all of it; this only saves asking.

use std::collections::{BTreeMap, BTreeSet};

use yomitori_facility::Facility;
use yomitori_proto::id::{FacilityId, Life, Seq, TerminalId};

use super::owner::Owner;
use super::row;
use super::{Ground, ProjectionError};
use crate::clock;
use crate::store::{Store, StoreError, facility, fact, parked};

/// Above this many remembered facilities, all are forgotten: plain, and rare.
const REMEMBERED: usize = 60_000;
/// Facilities recomputed in one go because time passed.
const SWEPT_AT_ONCE: i64 = 500;

pub(super) struct States {
    facilities: BTreeMap<FacilityId, Facility>,
    marks: BTreeMap<(TerminalId, Life), Seq>,
    pub(super) parked: BTreeSet<FacilityId>,
}

impl States {
    pub(super) async fn open(store: &Store) -> Result<Self, StoreError> {
        let parked = parked::facilities(store).await?;
        Ok(Self { facilities: BTreeMap::new(), marks: BTreeMap::new(), parked })
    }

    /// Makes sure that these are remembered.
    pub(super) async fn load(
        &mut self,
        store: &Store,
        facilities: &BTreeSet<FacilityId>,
        lives: &BTreeSet<(TerminalId, Life)>,
    ) -> Result<(), StoreError> {
        if self.facilities.len() > REMEMBERED {
            self.facilities.clear();
            self.marks.clear();
        }
        let unknown: Vec<FacilityId> =
            facilities.iter().filter(|id| !self.facilities.contains_key(id)).copied().collect();
        if !unknown.is_empty() {
            let found = facility::states(store, &unknown).await?;
            self.facilities.extend(unknown.into_iter().map(|id| (id, Facility::new(id))));
            self.facilities.extend(found);
        }
        let unknown: Vec<(TerminalId, Life)> =
            lives.iter().filter(|life| !self.marks.contains_key(life)).copied().collect();
        if !unknown.is_empty() {
            let found = fact::high_water(store, &unknown).await?;
            self.marks.extend(unknown.into_iter().map(|life| (life, Seq::NONE)));
            self.marks.extend(found);
        }
        Ok(())
    }

    pub(super) fn mark(&self, life: &(TerminalId, Life)) -> Seq {
        self.marks.get(life).copied().unwrap_or(Seq::NONE)
    }

    pub(super) fn facility(&self, id: FacilityId) -> Facility {
        self.facilities.get(&id).cloned().unwrap_or_else(|| Facility::new(id))
    }

    /// After the commit.
    pub(super) fn keep(
        &mut self,
        facilities: BTreeMap<FacilityId, Facility>,
        marks: BTreeMap<(TerminalId, Life), Seq>,
        parked: BTreeSet<FacilityId>,
    ) {
        self.facilities.extend(facilities);
        self.marks.extend(marks);
        self.parked.extend(parked);
    }
}

/// Recomputes the rows of facilities that changed although nothing happened.
pub(super) async fn sweep(
    store: &Store,
    ground: &Ground,
    states: &mut States,
    owner: &Owner,
) -> Result<(), ProjectionError> {
    let now = clock::now();
    let due = facility::due(store, now, SWEPT_AT_ONCE).await?;
    let due: BTreeMap<FacilityId, i32> = due.into_iter().filter(|(_, partition)| owner.owns(*partition)).collect();
    if due.is_empty() {
        return Ok(());
    }
    states.load(store, &due.keys().copied().collect(), &BTreeSet::new()).await?;
    let rows: Vec<facility::Row> = due
        .iter()
        .map(|(&id, &partition)| row::row(&states.facility(id), partition, ground, now))
        .collect::<Result<_, _>>()?;
    let mut client = store.client().await?;
    facility::write_alone(&mut client, &rows).await?;
    Ok(())
}
