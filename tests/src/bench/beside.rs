//! A rebuild during live traffic: how far the live projection falls behind.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::Instant;
use yomitori_proto::event::Recorded;
use yomitori_simulation::log;

use super::traffic;
use crate::world::World;
use crate::world::process::Process;
use crate::world::server::Server;

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Results of a rebuild next to the live projection.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub took: Duration,
    /// Records that arrived during the rebuild.
    pub came: u64,
    /// The longest time for which a record waited to be folded.
    pub lag: Duration,
}

/// Runs `rebuild` while the facilities report the observations of `parts` in turn. The log has `records` now, all of
/// them folded.
///
/// # Errors
/// If a part fails.
pub async fn rebuild(
    world: &World,
    server: &Server,
    parts: Vec<Recorded>,
    facilities: u64,
    records: u64,
) -> Result<Seen> {
    let (stop, appended) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(records)));
    let (address, topic) = (world.kafka.address.clone(), world.topic.clone());
    let comes = {
        let (stop, appended) = (Arc::clone(&stop), Arc::clone(&appended));
        tokio::task::spawn_blocking(move || {
            for part in parts.chunks(1).take_while(|_| !stop.load(Ordering::Relaxed)) {
                let more = log::append(&address, &topic, traffic::side_by_side(part, facilities, 1))?;
                appended.fetch_add(more, Ordering::Relaxed);
            }
            anyhow::Ok(())
        })
    };
    let mut command = server.command();
    command.arg("rebuild");
    let mut process = Process::start("yomitori-server", command, &world.folder().join("rebuild-beside.log"))?;
    let store = world.store().await?;
    let began = Instant::now();
    let (mut ends, mut lag) = (VecDeque::new(), Duration::ZERO);
    while process.alive().is_ok() {
        ends.push_back((Instant::now(), appended.load(Ordering::Relaxed)));
        let query = "SELECT coalesce(sum(next_offset), 0)::int8 FROM projection.progress";
        let folded = store.query_one(query, &[]).await?.get::<_, i64>(0).cast_unsigned();
        while ends.front().is_some_and(|(_, end)| *end <= folded) {
            ends.pop_front();
        }
        lag = lag.max(ends.front().map_or(Duration::ZERO, |(since, _)| since.elapsed()));
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let took = began.elapsed();
    stop.store(true, Ordering::Relaxed);
    comes.await.context("the arriving records")??;
    let ended = process.ended(Duration::from_secs(5)).await?;
    anyhow::ensure!(ended.success(), "rebuild ended with {ended}: {}", process.log());
    Ok(Seen { took, came: appended.load(Ordering::Relaxed) - records, lag })
}
