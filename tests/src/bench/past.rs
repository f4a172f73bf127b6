//! Queries of the status history at an instant, for the whole country and for one facility, after the history of every
//! facility has been computed.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Result, ensure};
use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use tokio::time::Instant;
use uuid::Uuid;

use super::figures::{Bar, Figure, Report};
use super::{stage, traffic};
use crate::world::server::{Plan, Server};
use crate::world::{World, wait};
use yomitori_simulation::log;

const PATIENCE: Duration = Duration::from_secs(3600);
/// Events in one record of the log.
const BATCH: usize = 10;
const WHOLE: usize = 5;
const ONE: usize = 200;

/// Folds `events` of each of `facilities`, waits until the status history is complete, and runs the queries.
///
/// # Errors
/// If a part does not start, or data are lost.
pub async fn measure(facilities: u64, events: u64, report: &Report) -> Result<()> {
    let world = World::new("bench-past").await?;
    let mut server = Server::prepare(&world, Plan { roles: "projector,web", ..Plan::default() }).await?;
    let day = traffic::day(&traffic::example()?, events)?;
    let (address, topic) = (world.kafka.address.clone(), world.topic.clone());
    let produce = move || log::append(&address, &topic, traffic::side_by_side(&day, facilities, BATCH));
    let records = tokio::task::spawn_blocking(produce).await??;
    let store = world.store().await?;
    stage::project(&mut server, &store, records).await?;

    let began = Instant::now();
    server.serve().await?;
    wait::until("all histories to be computed", PATIENCE, async || {
        server.process()?.alive()?;
        let due: i64 = store.query_one("SELECT facilities FROM analytics.status_as_of_lag", &[]).await?.get(0);
        ensure!(due == 0, "{due} facilities are due");
        Ok(())
    })
    .await?;
    report.add(Figure::new(
        format!("{facilities} facilities with a computed history"),
        began.elapsed().as_secs_f64(),
        "s",
    ));
    server.kill()?;
    for table in ["registry.status_history", "projection.facility_row"] {
        store.batch_execute(&format!("VACUUM ANALYZE {table}")).await?;
    }
    let entries: i64 = store.query_one("SELECT count(*) FROM registry.status_history", &[]).await?.get(0);
    report.say(&format!("  {entries} entries"));

    // The middle of the history, so that half of the entries are later than the query.
    let middle = "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY valid_from) FROM registry.status_history";
    let at: DateTime<Utc> = store.query_one(middle, &[]).await?.get(0);
    let mut longest = Duration::ZERO;
    for _ in 0..WHOLE {
        let began = Instant::now();
        let rows = store.query_raw("SELECT * FROM analytics.status_as_of($1)", [at]).await?;
        let mut rows = pin!(rows);
        let mut count: u64 = 0;
        while rows.try_next().await?.is_some() {
            count += 1;
        }
        longest = longest.max(began.elapsed());
        ensure!(count > facilities / 4, "{count} facilities then");
    }
    let figure = Figure::new(
        format!("status_as_of, {facilities} facilities, every row fetched, longest of {WHOLE}"),
        longest.as_secs_f64(),
        "s",
    );
    report.add(Figure { bar: Some(Bar::AtMost(2.0)), ..figure });

    let ids =
        store.query("SELECT facility_id FROM projection.facility_row TABLESAMPLE SYSTEM (1) LIMIT 200", &[]).await?;
    let ids: Vec<Uuid> = ids.iter().map(|row| row.get(0)).collect();
    ensure!(!ids.is_empty(), "no facility was drawn");
    let mut longest = Duration::ZERO;
    for id in ids.iter().cycle().take(ONE) {
        let began = Instant::now();
        store.query("SELECT * FROM analytics.status_as_of($1, $2)", &[&at, id]).await?;
        longest = longest.max(began.elapsed());
    }
    let figure = Figure::new(
        format!("status_as_of, one facility of {facilities}, longest of {ONE}"),
        longest.as_secs_f64() * 1e3,
        "ms",
    );
    report.add(Figure { bar: Some(Bar::AtMost(20.0)), ..figure });
    Ok(())
}
