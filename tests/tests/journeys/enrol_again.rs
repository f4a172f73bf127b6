//! An enrolment that does not come to its end uses up no token.

use anyhow::{Result, ensure};
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";

#[tokio::test(flavor = "multi_thread")]
async fn the_token_of_an_enrolment_during_an_outage_is_taken_afterwards() -> Result<()> {
    let world = World::with_own_services("enrol-again").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},とまる医院,東京都\n")).await?;
    wait::until(CODE, PATIENCE, async || server.facility(CODE).await).await?;
    let token = server.token(CODE).await?;
    let mut agent = Agent::prepare(&world, &server.uplink, AgentPlan::default())?;
    world.kafka.service.stop().await?;
    let refused = agent.try_run(&["enrol", "--token", &token]).await?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(!refused.status.success() && said.contains("same token"), "{said}");
    // The token is that terminal's by now.
    let store = world.store().await?;
    let used = "SELECT count(*) FROM registry.enrolment_token WHERE used_at IS NOT NULL";
    ensure!(store.query_one(used, &[]).await?.get::<_, i64>(0) == 1);

    world.kafka.service.restart().await?;
    wait::until("the enrolment", PATIENCE, async || agent.run(&["enrol", "--token", &token]).await).await?;
    ensure!(!agent.state.join("enrolment.key").exists(), "the key of the enrolment is left");
    agent.launch()?;
    wait::until("the terminal to be connected", PATIENCE, async || {
        let connected = "SELECT count(*) FROM projection.connection";
        ensure!(store.query_one(connected, &[]).await?.get::<_, i64>(0) == 1);
        Ok(())
    })
    .await?;
    // Another terminal can not use it.
    let other = Agent::prepare(&world, &server.uplink, AgentPlan::default())?;
    ensure!(!other.try_run(&["enrol", "--token", &token]).await?.status.success());
    Ok(())
}
