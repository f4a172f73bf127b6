//! The cost of each stage after the log: the live projection, `rebuild`, `log verify`.

use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;
use tokio_postgres::Client;

use super::meter::{self, Service};
use super::{mib, usage};
use crate::world::process::Process;
use crate::world::server::Server;
use crate::world::{World, wait};

const PATIENCE: Duration = Duration::from_secs(4 * 3600);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The cost of a stage.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    pub took: Duration,
    /// Processor time of the stage itself and of PostgreSQL, in seconds; PostgreSQL's is unknown if `tests/bench` did
    /// not start it.
    pub own: f64,
    pub store: f64,
    /// Peak memory, in MiB.
    pub memory: f64,
}

impl Cost {
    /// Processor time of both, in microseconds per event.
    #[must_use]
    pub fn per_event(&self, events: u64) -> f64 {
        self.own_per_event(events) + micros(self.store, events)
    }

    /// Processor time of the stage itself, in microseconds per event.
    #[must_use]
    pub fn own_per_event(&self, events: u64) -> f64 {
        micros(self.own, events)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts")]
    #[must_use]
    pub fn rate(&self, events: u64) -> f64 {
        events as f64 / self.took.as_secs_f64()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts")]
fn micros(seconds: f64, events: u64) -> f64 {
    seconds / events as f64 * 1e6
}

fn of_postgres() -> Result<f64> {
    Service::of_bench("postgres").map_or(Ok(0.0), Service::cpu_seconds)
}

/// Starts the server, waits until `records` of the log are folded into the store, and stops it.
///
/// # Errors
/// If the server does not start, or does not finish.
pub async fn project(server: &mut Server, store: &Client, records: u64) -> Result<Cost> {
    let (began, before) = (Instant::now(), of_postgres()?);
    server.serve().await?;
    let pid = server.process()?.pid();
    wait::until("every record in the store", PATIENCE, async || {
        server.process()?.alive()?;
        let query = "SELECT coalesce(sum(next_offset), 0)::int8 FROM projection.progress";
        let done: i64 = store.query_one(query, &[]).await?.get(0);
        ensure!(done.cast_unsigned() >= records, "{done} of {records} records are folded");
        Ok(())
    })
    .await?;
    let took = began.elapsed();
    let (own, memory) = (usage::cpu_seconds(pid)?, mib(usage::peak_memory(pid)?));
    server.kill()?;
    Ok(Cost { took, own, store: of_postgres()? - before, memory })
}

/// Runs a command of the server to completion.
///
/// # Errors
/// If the command fails.
pub async fn run(server: &Server, arguments: &[&str], world: &World) -> Result<Cost> {
    let mut command = server.command();
    command.args(arguments);
    let (began, before, ended_before) = (Instant::now(), of_postgres()?, meter::ended_children_cpu_seconds()?);
    let log = world.folder().join(format!("{}.log", arguments.join("-")));
    let mut process = Process::start("yomitori-server", command, &log)?;
    let mut memory = 0;
    while process.alive().is_ok() {
        memory = usage::peak_memory(process.pid()).map_or(memory, |now| now.max(memory));
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let took = began.elapsed();
    let ended = process.ended(PATIENCE).await?;
    ensure!(ended.success(), "{arguments:?} ended with {ended}: {}", process.log());
    let own = meter::ended_children_cpu_seconds()? - ended_before;
    Ok(Cost { took, own, store: of_postgres()? - before, memory: mib(memory) })
}
