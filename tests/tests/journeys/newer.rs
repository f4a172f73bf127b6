//! Observations of a kind that neither this agent nor this server knows: the agent has stepped back to an older version,
//! or is newer than the server. They are kept and carried as bytes, are shown as such, and hold up nobody.

use anyhow::{Context, Result, ensure};
use prost::Message as _;
use yomitori_agent::identity::Identity;
use yomitori_agent::spool::Spool;
use yomitori_observation::Sighting;
use yomitori_proto::event::{KindContent, UnknownKind};
use yomitori_proto::id::FacilityId;
use yomitori_proto::wire;
use yomitori_simulation::clock;
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";
/// Of this kind and of the next ones.
const NUMBER: u32 = 200;
const KINDS: u32 = 3;
const BUDGET: u64 = 64 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_only_a_newer_agent_knows_is_carried_shown_and_holds_up_nobody() -> Result<()> {
    let world = World::new("newer").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},さきどり医院,東京都\n")).await?;
    wait::until(CODE, PATIENCE, async || server.facility(CODE).await).await?;
    let mut agent = Agent::prepare(&world, &server.uplink, AgentPlan { desk: true, ..AgentPlan::default() })?;
    agent.enrol(&server, CODE).await?;

    // What a newer agent has kept before the step back.
    let peer = Identity::load(&agent.state)?.context("it is enrolled")?.peer();
    let content = |number: u32| format!("content {number}").into_bytes();
    let spool = Spool::open(&agent.state, peer, BUDGET, clock::now())?;
    for number in NUMBER..NUMBER + KINDS {
        let kind = UnknownKind { number, content: KindContent(content(number)) };
        spool.keep(&[Sighting::now(clock::now(), kind)], &[], &[])?;
    }
    drop(spool);

    agent.launch()?;
    agent.face_result(clock::now()).await?;
    let store = world.store().await?;
    let id = FacilityId::of_code(CODE);
    let count = async |kind: &str| -> Result<i64> {
        let query = "SELECT count(*) FROM projection.fact WHERE facility_id = $1 AND kind = $2";
        Ok(store.query_one(query, &[&id.0, &kind]).await?.get(0))
    };
    wait::until("what came after it", PATIENCE, async || {
        ensure!(count("linkage_result_observed").await? == 1, "{}", agent.log());
        Ok(())
    })
    .await?;
    ensure!(count("unknown_kind").await? == i64::from(KINDS), "{}", agent.log());
    let parked: i64 = store.query_one("SELECT count(*) FROM projection.parked", &[]).await?.get(0);
    ensure!(parked == 0, "{parked} records wait");

    // The log holds what a later version decodes.
    let records = world.records().await?;
    let mut carried = Vec::new();
    for record in &records {
        if let Some(wire::log_record::Body::Terminal(batch)) = wire::LogRecord::decode(&*record.value)?.body {
            carried.extend(batch.observations.into_iter().take(KINDS as usize).map(|one| one.event));
        }
    }
    let expected: Vec<Vec<u8>> = (NUMBER..NUMBER + KINDS)
        .map(|number| {
            let mut event = Vec::new();
            prost::encoding::bytes::encode(number, &content(number), &mut event);
            event
        })
        .collect();
    ensure!(carried.starts_with(&expected), "{carried:02x?}");
    server.run(&["log", "verify"]).await?;

    // People see that there is something, here and on the terminal.
    let page =
        reqwest::get(format!("{}/facilities/{CODE}?lang=ja", server.web)).await?.error_for_status()?.text().await?;
    ensure!(page.contains("このサーバーが知らない種類の記録") && page.contains("種類202番"), "{page}");
    let metrics = reqwest::get(format!("{}/metrics", server.web)).await?.text().await?;
    ensure!(metrics.contains("fleet_server_unknown_observations_total 3"), "{metrics}");
    let sent = agent.run(&["sent", "--last", "100"]).await?;
    ensure!(sent.contains("\"unknown_kind\":{\"number\":200,"), "{sent}");
    ensure!(reqwest::get(&agent.desk).await?.status().is_success(), "the desk page does not answer");

    // A restart of both sides changes nothing.
    agent.kill()?;
    agent.launch()?;
    agent.face_result(clock::now()).await?;
    wait::until("the next observation", PATIENCE, async || {
        ensure!(count("linkage_result_observed").await? == 2, "{}", agent.log());
        Ok(())
    })
    .await?;
    ensure!(count("unknown_kind").await? == i64::from(KINDS), "it came twice");
    Ok(())
}
