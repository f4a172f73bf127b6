//! Cadence and lag of the snapshots that were applied, by what the store holds.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;
use yomitori_proto::id::{FacilityId, SnapshotId};

use super as snapshots;
use crate::store::{Store, StoreError};
use yomitori_listing::cadence::{AppliedSnapshot, Cadence, measure};

/// Measures all that was imported so far.
///
/// # Errors
/// Where the database is away.
pub async fn measured(store: &Store) -> Result<Cadence, StoreError> {
    let (successes, acknowledgements) = snapshots::instants(store).await?;
    let asked: BTreeSet<FacilityId> =
        successes.iter().chain(&acknowledgements).map(|(facility, _)| *facility).collect();
    let asked: Vec<Uuid> = asked.into_iter().map(|facility| facility.0).collect();
    let mut listed: BTreeMap<SnapshotId, BTreeSet<FacilityId>> = BTreeMap::new();
    for (snapshot, facility) in snapshots::listed(store, &asked).await? {
        listed.entry(snapshot).or_default().insert(facility);
    }
    let applied = snapshots::all(store).await?.into_iter().filter(|snapshot| snapshot.applied_at.is_some());
    let seen: Vec<AppliedSnapshot> = applied
        .map(|snapshot| AppliedSnapshot {
            listed: listed.remove(&snapshot.snapshot).unwrap_or_default(),
            source: snapshot.source,
            coverage: snapshot.coverage,
            as_of: snapshot.as_of,
            imported_at: snapshot.imported_at,
        })
        .collect();
    Ok(measure(&seen, &successes, &acknowledgements))
}
