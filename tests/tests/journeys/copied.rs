//! A terminal that goes back to a copy of its disk sends other observations under numbers that it has used: they are kept,
//! and the facility says so.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use yomitori_proto::id::FacilityId;
use yomitori_simulation::clock;
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";

fn copy(from: &Path, to: &Path) -> Result<()> {
    let done = Command::new("cp").arg("-a").arg(from).arg(to).status().context("run cp")?;
    ensure!(done.success(), "cp ended with {done}");
    Ok(())
}

async fn results(world: &World, count: i64) -> Result<()> {
    let store = world.store().await?;
    let query = "SELECT count(*) FROM projection.fact WHERE facility_id = $1 AND kind = 'linkage_result_observed'";
    wait::until(&format!("{count} results"), PATIENCE, async || {
        let found: i64 = store.query_one(query, &[&FacilityId::of_code(CODE).0]).await?.get(0);
        ensure!(found == count, "{found} of {count}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_copied_disk_sends_is_kept_and_flagged() -> Result<()> {
    let world = World::new("copied").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},とまる医院,東京都\n")).await?;
    wait::until(CODE, PATIENCE, async || server.facility(CODE).await).await?;
    let mut agent = Agent::start(&world, &server, CODE, AgentPlan::default()).await?;
    agent.face_result(clock::now()).await?;
    results(&world, 1).await?;
    agent.kill()?;
    let before = world.folder().join("before");
    copy(&agent.state, &before)?;

    // It goes on, and is then set back.
    agent.launch()?;
    for count in 2..5 {
        agent.face_result(clock::now()).await?;
        results(&world, count).await?;
    }
    agent.kill()?;
    std::fs::remove_dir_all(&agent.state)?;
    copy(&before, &agent.state)?;
    agent.launch()?;
    // Under numbers that three results and what came between had.
    for count in 5..8 {
        agent.face_result(clock::now()).await?;
        results(&world, count).await?;
    }
    wait::until("the flag", PATIENCE, async || {
        let facility = server.facility(CODE).await?;
        let flags = facility["facility"]["flags"].to_string();
        ensure!(flags.contains("numbers_reused"), "{flags}");
        Ok(())
    })
    .await?;
    // A rebuild keeps the same.
    server.run(&["log", "verify"]).await?;
    server.run(&["rebuild"]).await?;
    server.run(&["rebuild", "swap"]).await?;
    results(&world, 7).await?;
    server.run(&["log", "verify"]).await?;
    Ok(())
}
