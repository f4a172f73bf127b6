//! The agent's cost for a terminal: memory, processor, disk and line, with a reader, two folders and a connected
//! server.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::figures::{Figure, Report};
use super::usage::Cost;
use crate::world::agent::{Agent, Plan as AgentPlan};
use crate::world::pcscd::Pcscd;
use crate::world::server::{Plan, Server};
use crate::world::{Build, World, wait};

const CODE: &str = "1319999015";
/// Type B without historical bytes: a possible ATR of a phone.
const PHONE: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];
const DAY_OF_RESULTS: usize = 300;
const AT_ONCE: usize = 10;
const DAY_OF_TAPS: i64 = 10;

/// Lets an agent idle for `span` and reports its usage, next to rsyslog.
///
/// # Errors
/// If a part does not start.
pub async fn measure(span: Duration, report: &Report) -> Result<()> {
    let world = World::new("bench-footprint").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},ベンチ診療所,東京都\n")).await?;
    let pcscd = Pcscd::start().await?;
    let plan = AgentPlan { desk: true, ..AgentPlan::with_phone_reader(&pcscd) };
    let mut agent = Agent::start(&world, &server, CODE, plan).await?;
    let pid = agent.process()?.pid();
    wait::until("the agent's reader", Duration::from_secs(20), async || {
        let status = server.facility(CODE).await?;
        ensure!(status.to_string().contains("\"readers\""), "nothing is known of the readers");
        ensure!(agent.log().contains("connected"), "the server is not connected");
        Ok(())
    })
    .await?;
    // A busy clinic's day comes first, so that every one-time allocation has happened: results, and taps on the reader.
    for _ in 0..DAY_OF_RESULTS / AT_ONCE {
        let results = (0..AT_ONCE).map(|_| agent.face_result(yomitori_simulation::clock::now()));
        futures_util::future::try_join_all(results).await?;
    }
    let store = world.store().await?;
    for taps in 1..=DAY_OF_TAPS {
        let card = pcscd.insert(0, &PHONE)?;
        card.noticed().await?;
        card.remove();
        wait::until("the tap in the store", Duration::from_secs(20), async || {
            let query = "SELECT count(*) FROM projection.fact WHERE kind = 'tap_observed'";
            let there: i64 = store.query_one(query, &[]).await?.get(0);
            ensure!(there >= taps, "{there} of {taps}");
            Ok(())
        })
        .await?;
    }
    reqwest::get(&agent.desk).await.context("open the desk page")?.error_for_status()?;
    let binary = std::fs::metadata(Build::Released.program("yomitori-agent")).context("look at the binary")?.len();
    let cost = Cost::of_idling(pid, span, binary).await?;
    agent.kill()?;
    let peer = super::peer::measure(&world, DAY_OF_RESULTS, span, report).await?;
    let theirs = peer.map(|cost| cost.rows().map(|(_, value, _, _)| value));
    for (row, (what, value, unit, bar)) in cost.rows().into_iter().enumerate() {
        let mut figure = Figure::new(format!("agent: {what}"), value, unit);
        if let Some(theirs) = theirs {
            figure = figure.beside("rsyslog", theirs[row]);
        }
        figure.bar = bar;
        report.add(figure);
    }
    Ok(())
}
