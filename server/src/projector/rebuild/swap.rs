//! Swaps a built generation with the live one, and compares the two.

use std::collections::BTreeMap;

use yomitori_facility::Facility;
use yomitori_proto::id::FacilityId;

use super::super::row;
use super::{Rebuild, RebuildError, RebuildProgress};
use crate::clock;
use crate::store::generation::difference::{self, Difference};
use crate::store::progress::Progress;
use crate::store::{QueryContext as _, facility, generation, progress};
use yomitori_base::crash;

/// Rows brought up to date in one transaction.
const FRESHENED_AT_ONCE: i64 = 500;

impl Rebuild {
    /// Folds the missing records, locks the live generation, folds the rest, and swaps the two. The previous generation
    /// is kept beside the new one.
    ///
    /// # Errors
    /// If the log or the database is away, or a reader holds a lock for too long. Nothing has changed then.
    pub async fn swap(&self, progressed: &mut (dyn FnMut(RebuildProgress) + Send)) -> Result<(), RebuildError> {
        self.build(progressed).await?;
        let mut client = self.live.client().await?;
        let transaction = client.transaction().await.context("begin the swap")?;
        generation::hold(&transaction).await?;
        let spans = self.spans(&self.live).await?;
        self.fold(spans, None, &mut |_| ()).await?;
        let there = progress::all(&self.shadow).await?;
        let reached = |place: &Progress| there.iter().any(|there| there.next == place.next || self.ahead(there, place));
        if !progress::all(&self.live).await?.iter().all(reached) {
            return Err(RebuildError::Apart);
        }
        crash::point("swap-before-exchange");
        generation::exchange(&transaction, self.with_facts()).await?;
        crash::point("swap-before-commit");
        transaction.commit().await.context("commit the swap")?;
        crash::point("swap-after-commit");
        Ok(())
    }

    /// A generation with its own facts may be ahead of the live one.
    fn ahead(&self, there: &Progress, place: &Progress) -> bool {
        self.with_facts() && there.next.partition == place.next.partition && there.next.offset > place.next.offset
    }

    /// Folds the missing records and compares the two generations, facility by facility.
    ///
    /// # Errors
    /// If the log or the database is away.
    pub async fn difference(
        &self,
        progressed: &mut (dyn FnMut(RebuildProgress) + Send),
    ) -> Result<Difference, RebuildError> {
        self.build(progressed).await?;
        self.freshen().await?;
        Ok(difference::between(&self.live).await?)
    }

    /// Updates the rows that time alone has changed.
    async fn freshen(&self) -> Result<(), RebuildError> {
        loop {
            let now = clock::now();
            let due: BTreeMap<FacilityId, i32> =
                facility::due(&self.shadow, now, None, FRESHENED_AT_ONCE).await?.into_iter().collect();
            if due.is_empty() {
                return Ok(());
            }
            let ids: Vec<FacilityId> = due.keys().copied().collect();
            let states = facility::states(&self.shadow, &ids).await?;
            let row = |(id, state, _): &(FacilityId, Facility, i64)| row::row(state, due[id], &self.policy, now);
            let rows = states.iter().map(row).collect::<Result<Vec<_>, _>>()?;
            let mut client = self.shadow.client().await?;
            let transaction = client.transaction().await.context("bring a generation up to date")?;
            facility::write(&transaction, &rows).await?;
            transaction.commit().await.context("bring a generation up to date")?;
        }
    }
}
