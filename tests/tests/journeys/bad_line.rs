//! A tap through a relay over a bad line, as of a clinic in the mountains: 64 kbit/s, a fifth of the packets lost in
//! each direction, 600 ms round trip.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;
use yomitori_tests::hostile::chance::{chance, print_line};
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::line::Badness;
use yomitori_tests::world::network::Network;
use yomitori_tests::world::pcscd::Pcscd;
use yomitori_tests::world::relay::Relay;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::{World, wait};

const CODE: &str = "1319999015";
const PHONE: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];
const TAPS: i64 = 10;
/// Enrolment and the first connection need many consecutive packets.
const BEGINS_WITHIN: Duration = Duration::from_secs(180);
const DOOR: u16 = 7444;

#[tokio::test]
async fn every_tap_over_a_bad_line_is_in_the_store_before_the_next() -> Result<()> {
    let mut chance = chance("bad-line")?;
    let badness = Badness { bits_a_second: 64_000, loss: 0.2, delay: Duration::from_millis(300) };
    let network = Network::build(badness, &mut chance).await?;
    let world = World::new("bad-line").await?;
    let server = Server::start(&world, Plan { at: Some(network.centre), ..Plan::default() }).await?;
    server.import(&format!("code,name,prefecture\n{CODE},やまおく診療所,長野県\n")).await?;

    let port = server.uplink.rsplit_once(':').context("a port")?.1;
    let (centre, terminal) = (format!("{}:{port}", network.centre), format!("{}:{DOOR}", network.terminal));
    let pcscd = Pcscd::start().await?;
    let more = format!("[connect]\nmode = \"relay\"\nlisten = {terminal:?}\n");
    let plan = AgentPlan { more, within: network.on_terminal(), ..AgentPlan::with_phone_reader(&pcscd) };
    let mut agent = Agent::prepare(&world, &server.uplink, plan)?;
    let mut relay = Relay::prepare(&world, &centre, &[terminal], &network.on_relay());
    relay.launch()?;
    // A technician would retry, too.
    wait::until("enrolment over the line", BEGINS_WITHIN, async || agent.enrol(&server, CODE).await).await?;
    agent.launch()?;

    let store = world.store().await?;
    let count = async |kind: &str| -> Result<i64> {
        let query = "SELECT count(*) FROM projection.fact WHERE kind = $1";
        Ok(store.query_one(query, &[&kind]).await?.get(0))
    };
    wait::until("the reader in the store", BEGINS_WITHIN, async || {
        ensure!(count("reader_attached").await? > 0, "none: {}", agent.log());
        Ok(())
    })
    .await?;

    let mut took = Vec::new();
    for tap in 1..=TAPS {
        let card = pcscd.insert(0, &PHONE)?;
        card.noticed().await?;
        card.remove();
        let began = Instant::now();
        wait::until("the tap in the store", BEGINS_WITHIN, async || {
            ensure!(count("tap_observed").await? == tap, "not yet");
            Ok(())
        })
        .await
        .with_context(|| format!("tap {tap}; agent: {}\nrelay: {}", agent.log(), relay.log()))?;
        took.push(began.elapsed());
    }
    print_line(&format!("from taking the phone away to the row: {took:.1?}"));
    Ok(())
}
