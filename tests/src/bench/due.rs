//! Time alone changes many facilities at once, as at midnight: how long until the rows of all of them are right.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;

use super::figures::{Bar, Figure, Report};
use super::listing;
use super::number::number;
use crate::world::server::{Plan, Server};
use crate::world::{World, wait};

/// How many are due at once first, and how long they may take in seconds.
const SOME: (usize, f64) = (20_000, 1.0);
/// How long the whole country may take, in seconds.
const ALL_WITHIN: f64 = 30.0;
const PATIENCE: Duration = Duration::from_secs(600);

/// Registers `facilities`, lets 20,000 and then all of them be due at once, and reports how long their rows take.
///
/// # Errors
/// If a part does not start, or the rows do not change.
pub async fn measure(facilities: usize, report: &Report) -> Result<()> {
    let world = World::new("bench-due").await?;
    let server = Server::start(&world, Plan::default()).await?;
    let master = world.folder().join("master.csv");
    std::fs::write(&master, listing::table(facilities, 1)?).context("write the master")?;
    server.run(&["facility", "import", master.to_str().context("a path that is text")?]).await?;
    listing::shown(&world, facilities).await?;
    for (count, within) in [SOME, (facilities, ALL_WITHIN)] {
        let took = due_at_once(&world, count.min(facilities)).await?;
        let what = format!("{} facilities due at once: until all rows are right", number(as_float(count)));
        report.add(Figure::new(what, took, "s").promised(Bar::AtMost(within)));
    }
    Ok(())
}

/// Makes the rows of this many facilities due and wrong in one transaction; returns how long they take to be right.
async fn due_at_once(world: &World, count: usize) -> Result<f64> {
    let store = world.store().await?;
    let make_due = "UPDATE projection.facility_row SET due_at = clock_timestamp(), freshness = 'silent' WHERE facility_id IN \
                    (SELECT facility_id FROM projection.facility_row ORDER BY facility_id LIMIT $1)";
    let changed = store.execute(make_due, &[&i64::try_from(count)?]).await.context("make rows due")?;
    ensure!(changed == count as u64, "{changed} of {count} rows are due");
    let began = Instant::now();
    wait::until("all rows to be right", PATIENCE, async || {
        let left = "SELECT count(*) FROM projection.facility_row WHERE freshness = 'silent'";
        let left: i64 = store.query_one(left, &[]).await?.get(0);
        ensure!(left == 0, "{left} are left");
        Ok(())
    })
    .await?;
    Ok(began.elapsed().as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "a count")]
const fn as_float(count: usize) -> f64 {
    count as f64
}
