//! Folds facilities again after a change of the policy: from their facts, many at a time, beside new records.
//!
//! Every row contains the policy's hash, so a restart resumes where the last run stopped. A facility is never
//! folded by two policies: the states in memory are dropped when the policy changes, and a state that is loaded
//! afterwards is folded again if its row has another policy.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use yomitori_facility::{Facility, Rules};
use yomitori_proto::id::FacilityId;

use super::owner::Owner;
use super::{ProjectionError, row};
use crate::store::policy::Policy;
use crate::store::{Store, StoreError, facility, fact};
use crate::{clock, telemetry};

/// Facilities folded at once.
const AT_ONCE: i64 = 500;
const TELL_EVERY: usize = 20_000;

/// The progress.
#[derive(Default)]
pub(super) struct Refold {
    pending: bool,
    after: Option<FacilityId>,
    done: usize,
}

impl Refold {
    /// Starts over with all facilities: at the start, for new partitions, and after a change of the policy.
    pub(super) fn begin(&mut self) {
        *self = Self { pending: true, ..Self::default() };
    }

    pub(super) const fn pending(&self) -> bool {
        self.pending
    }

    /// Folds the next facilities.
    pub(super) async fn step(&mut self, store: &Store, policy: &Policy, owner: &Owner) -> Result<(), ProjectionError> {
        let partitions: Vec<i32> = owner.positions().map(|position| position.partition).collect();
        let behind = facility::behind(store, policy.hash, &partitions, self.after, AT_ONCE).await?;
        let Some((last, _)) = behind.last() else {
            self.pending = false;
            if self.done > 0 {
                telemetry::refolded(self.done, policy.rules.version());
            }
            return Ok(());
        };
        let last = *last;
        let ids: Vec<FacilityId> = behind.iter().map(|(id, _)| *id).collect();
        let folded = anew(store, &ids, &policy.rules).await?;
        let now = clock::now();
        let rows =
            behind.iter().filter_map(|(id, partition)| Some((*id, row::row(folded.get(id)?, *partition, policy, now))));
        owner.show(store, rows, now).await?;
        self.after = Some(last);
        let before = self.done;
        self.done += behind.len();
        if before / TELL_EVERY != self.done / TELL_EVERY {
            telemetry::refolding(self.done, policy.rules.version());
        }
        Ok(())
    }
}

/// Folds these facilities from all their facts. One whose fold panics is left out and logged.
pub(super) async fn anew(
    store: &Store,
    ids: &[FacilityId],
    rules: &Rules,
) -> Result<BTreeMap<FacilityId, Facility>, StoreError> {
    let mut folded: BTreeMap<FacilityId, Facility> = ids.iter().map(|id| (*id, Facility::new(*id))).collect();
    let mut broken = BTreeSet::new();
    fact::each(store, ids, |stored| {
        let recorded = stored.recorded;
        let Some(facility) = folded.get_mut(&recorded.facility) else { return };
        // The fold cannot panic; if it does, only this facility keeps its previous status.
        if catch_unwind(AssertUnwindSafe(|| facility.apply(&recorded, rules))).is_err() {
            folded.remove(&recorded.facility);
            broken.insert((recorded.facility, stored.position));
        }
    })
    .await?;
    for (facility, position) in broken {
        telemetry::refold_failed(facility, position);
    }
    Ok(folded)
}
