//! A terminal that could not reach the server for thirty days, and then connects.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use yomitori_agent::identity::Identity;
use yomitori_agent::spool::Spool;
use yomitori_observation::{Sighting, linkage};
use yomitori_proto::event::{ReaderAttached, TapObserved};
use yomitori_proto::id::ReaderKey;
use yomitori_proto::vocabulary::{LinkageFolder, Medium, ReaderRole};
use yomitori_simulation::clock;
use yomitori_tests::hostile::chance::print_line;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::{World, wait};

const CODE: &str = "1319999015";
const DAYS: i64 = 30;
/// A busy clinic's day: results of the face reader, and other files.
const RESULTS: i64 = 300;
const OTHERS: i64 = 600;
const TAPS: i64 = 10;
const READER: ReaderKey = ReaderKey(1);
const ARRIVES_WITHIN: Duration = Duration::from_secs(120);

/// The observations of a terminal in thirty days, in chronological order.
fn thirty_days() -> Vec<Sighting> {
    let begin = clock::now() - TimeDelta::days(DAYS);
    let attached = ReaderAttached { reader: READER, model: None, vid: None, pid: None, role: ReaderRole::Phone };
    let mut all = vec![Sighting::now(begin, attached)];
    for day in 0..DAYS {
        let per_day = RESULTS + OTHERS;
        for number in 0..per_day {
            let at = begin + TimeDelta::days(day) + TimeDelta::seconds(1 + number * 30);
            let name = if number % 3 == 0 { "OQSsiquc01res_face_x.xml" } else { "del.txt" };
            all.push(Sighting::now(at, linkage::observe(LinkageFolder::Face, name, 0, at)));
            if number % (per_day / TAPS) == 0 {
                let tap = TapObserved {
                    reader: READER,
                    present_ms: 1_500,
                    transitions: 1,
                    in_use: true,
                    exclusive: false,
                    mute: false,
                    medium: Medium::OtherTypeB,
                    ruleset: 1,
                };
                all.push(Sighting::now(at, tap));
            }
        }
    }
    all
}

#[tokio::test]
async fn after_thirty_days_offline_everything_arrives_in_order_and_once() -> Result<()> {
    let world = World::new("offline").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},ひさびさ診療所,東京都\n")).await?;
    let mut agent = Agent::prepare(&world, &server.uplink, AgentPlan::default())?;
    agent.enrol(&server, CODE).await?;
    let seen = thirty_days();
    {
        let peer = Identity::load(&agent.state)?.context("it is enrolled")?.peer();
        let spool = Spool::open(&agent.state, peer, 64 << 20, clock::now())?;
        for some in seen.chunks(500) {
            spool.keep(some, &[], &[])?;
        }
    }
    let file = std::fs::metadata(agent.state.join("spool.redb"))?.len();
    let began = tokio::time::Instant::now();
    agent.launch()?;
    let store = world.store().await?;
    let expected = i64::try_from(seen.len())?;
    wait::until("thirty days in the store", ARRIVES_WITHIN, async || {
        let count: i64 =
            store.query_one("SELECT count(*) FROM projection.fact WHERE seq <= $1", &[&expected]).await?.get(0);
        ensure!(count >= expected, "{count} of {expected}");
        Ok(())
    })
    .await?;
    print_line(&format!(
        "{expected} observations of {DAYS} days, {:.1} MiB on disk, in the store after {:.1} s",
        file as f64 / f64::from(1 << 20),
        began.elapsed().as_secs_f64()
    ));
    // Exactly once each, without a hole, and in the log in the order of observation.
    let query = "SELECT count(*), count(DISTINCT seq), min(seq), max(seq), count(DISTINCT life) FROM projection.fact \
                 WHERE seq <= $1";
    let row = store.query_one(query, &[&expected]).await?;
    let figures: [i64; 5] = [row.get(0), row.get(1), row.get(2), row.get(3), row.get(4)];
    ensure!(figures == [expected, expected, 1, expected, 1], "{figures:?}");
    let disorder = "SELECT count(*) FROM (SELECT seq, lag(seq) OVER (ORDER BY log_offset, index_in_record) AS before \
                    FROM projection.fact WHERE seq IS NOT NULL) AS in_log WHERE seq <= before";
    let disorder: i64 = store.query_one(disorder, &[]).await?.get(0);
    ensure!(disorder == 0, "{disorder} are out of order");
    let log = agent.log();
    ensure!(log.matches("The server is connected").count() == 1, "it connected more than once: {log}");
    Ok(())
}
