//! Facilities that are blocked by an invalid record, and unblocked by a person who skips it: repeatedly, so that every
//! start of a projector finds records to retry.

use std::convert::Infallible;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::MissedTickBehavior;
use tokio_postgres::Client;
use yomitori_proto::id::FacilityId;
use yomitori_tests::world::{World, wait};

use super::feed::{Feed, GARBAGE};

/// The processes that would notice are killed all the time.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);
/// The records stay blocked for a while, so that some starts meet them.
const PACE: Duration = Duration::from_millis(700);

/// Never ends.
pub(crate) async fn again_and_again(world: &World, feed: &Feed) -> Result<Infallible> {
    let store = world.store().await?;
    let query =
        "SELECT DISTINCT ON (partition) facility_id FROM projection.facility_row ORDER BY partition, facility_id";
    let rows = store.query(query, &[]).await.context("choose one of each partition")?;
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rows.iter().try_for_each(|row| feed.stumble(FacilityId(row.get(0))))?;
        wait::until("a facility is blocked", NOTICED_WITHIN, async || {
            ensure!(waiting(&store).await? > 0, "nothing is set aside");
            Ok(())
        })
        .await?;
        pace.tick().await;
        wait::until("everybody is up again", NOTICED_WITHIN, async || {
            help(&store, feed).await?;
            let waiting = waiting(&store).await?;
            ensure!(waiting == 0, "{waiting} records are set aside");
            Ok(())
        })
        .await?;
        pace.tick().await;
    }
}

/// Skips the invalid records that the projection has met.
pub(crate) async fn help(store: &Client, feed: &Feed) -> Result<()> {
    let query = "SELECT facility_id, partition, log_offset FROM projection.parked WHERE record = $1";
    for row in store.query(query, &[&GARBAGE]).await.context("look who stumbled")? {
        feed.leave_out(FacilityId(row.get(0)), (row.get(1), row.get(2)))?;
    }
    Ok(())
}

async fn waiting(store: &Client) -> Result<i64> {
    Ok(store.query_one("SELECT count(*) FROM projection.parked", &[]).await?.get(0))
}
