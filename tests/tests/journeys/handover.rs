//! Several servers project one log: they share its partitions, and after one is killed the others continue from its
//! position.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use tokio::time::Instant;
use yomitori_tests::oracle::Crowd;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};
use yomitori_tests::world::{World, holders};

/// The promised time.
const TAKEN_OVER_WITHIN: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn the_partitions_are_shared_and_taken_over_from_a_killed_server() -> Result<()> {
    let world = World::new("handover").await?;
    let plan = || Plan { roles: "projector,web", ..Plan::default() };
    let mut servers = vec![Server::start(&world, plan()).await?];
    let mut crowd = Crowd { facilities: 40, batch: 10, observed: 0 };
    for round in 0..4 {
        // The newest server is there, and each holds its part: of four partitions, four or two and two.
        while servers.len() < 2 {
            servers.push(Server::start(&world, plan()).await?);
        }
        wait::until("two partitions each", PATIENCE, async || {
            let held = held(&world).await?;
            ensure!(held == [2, 2], "{held:?}");
            Ok(())
        })
        .await?;
        crowd.append_observations(&world, 30).await?;
        // The servers are killed in turn while they fold.
        let mut killed = servers.remove(round % 2);
        wait::until("it folds", PATIENCE, async || {
            ensure!(folded(&world).await? > 0);
            Ok(())
        })
        .await?;
        killed.kill()?;
        let began = Instant::now();
        wait::until("all partitions are held again", TAKEN_OVER_WITHIN, async || {
            let held = held(&world).await?;
            ensure!(held == [4], "{held:?}");
            Ok(())
        })
        .await?;
        println!("taken over after {:.1} s", began.elapsed().as_secs_f64());
        crowd.append_observations(&world, 10).await?;
        crowd.is_folded(&world).await?;
    }
    let metrics = reqwest::get(format!("{}/metrics", servers[0].web)).await?.text().await?;
    let lag = metrics.lines().filter(|line| line.starts_with("fleet_server_projection_lag_seconds{partition="));
    ensure!(lag.count() == 4, "{metrics}");
    Ok(())
}

async fn folded(world: &World) -> Result<i64> {
    Ok(world.store().await?.query_one("SELECT count(*) FROM projection.fact", &[]).await?.get(0))
}

/// The number of partitions of each instance.
async fn held(world: &World) -> Result<Vec<usize>> {
    let held = holders::held(&world.store().await?).await?;
    let mut counts: Vec<usize> = held.values().map(BTreeSet::len).filter(|count| *count > 0).collect();
    counts.sort_unstable();
    Ok(counts)
}
