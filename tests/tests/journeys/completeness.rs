//! The instant until which a terminal is complete follows only from the sequence numbers in the log.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};
use uuid::Uuid;
use yomitori_proto::encode;
use yomitori_proto::event::{
    AgentStopped, ClockStepped, CollectionGap, Event, LogBody, LogRecord, Observation, Origin, Stated, TerminalEnrolled,
};
use yomitori_proto::id::{FacilityId, Life, Seq, TerminalId};
use yomitori_proto::time::truncate;
use yomitori_proto::vocabulary::{GapSource, StopReason};
use yomitori_simulation::clock;
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";

struct Site {
    world: World,
    server: Server,
    producer: FutureProducer,
    terminal: TerminalId,
    began_at: DateTime<Utc>,
}

impl Site {
    /// Appends a record about the facility directly to the log.
    async fn append(&self, body: LogBody) -> Result<()> {
        let facility = FacilityId::of_code(CODE);
        let record = LogRecord { facility, received_at: clock::now(), body };
        let bytes = encode::log_record_bytes(&record);
        let record = FutureRecord::to(&self.world.topic).key(facility.0.as_bytes()).payload(&bytes);
        self.producer.send(record, PATIENCE).await.map_err(|(error, _)| error).context("write into the log")?;
        Ok(())
    }

    /// The time of the observation with this number: one a minute.
    fn at(&self, seq: u64) -> DateTime<Utc> {
        self.began_at + TimeDelta::minutes(i64::try_from(seq).unwrap_or(0))
    }

    async fn observed(&self, life: Life, events: impl IntoIterator<Item = (u64, Event)>) -> Result<()> {
        let observation = |(seq, event)| {
            let at = self.at(seq);
            Observation { seq: Seq(seq), occurred_at: at, observed_at: at, event }
        };
        let observations = events.into_iter().map(observation).collect();
        self.append(LogBody::Terminal { terminal: self.terminal, life, sent_at: clock::now(), observations }).await
    }

    /// The lives of the terminal in the API, once there are `count` of them and the first is complete up to `seq`.
    async fn lives(&self, count: usize, seq: u64) -> Result<Vec<Value>> {
        wait::until(&format!("{count} lives"), PATIENCE, async || {
            let facility = self.server.facility(CODE).await?;
            let all = facility["completeness"].as_array().context("completeness")?;
            let mine = all.iter().filter(|life| life["terminal"] == json!(self.terminal));
            let mine: Vec<Value> = mine.cloned().collect();
            ensure!(mine.len() == count && mine[0]["complete_up_to"] == json!(self.at(seq)), "{all:#?}");
            Ok(mine)
        })
        .await
    }
}

fn nothing(seq: u64) -> (u64, Event) {
    (seq, ClockStepped { delta_ms: 1 }.into())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_complete_up_to_its_first_hole_and_every_hole_is_listed() -> Result<()> {
    let world = World::new("completeness").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},けつばん医院,東京都\n")).await?;
    wait::until("the facility", PATIENCE, async || server.facility(CODE).await).await?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &world.kafka.address).set("partitioner", "murmur2_random");
    let producer = config.create().context("make a producer")?;
    let began_at = truncate(clock::now() - TimeDelta::hours(2));
    let site = Site { world, server, producer, terminal: TerminalId(Uuid::now_v7()), began_at };

    // An enrolled terminal that never connected: nothing is known of it.
    let never = TerminalId(Uuid::now_v7());
    let origin = Origin::Person(Stated { by: "x".to_owned(), why: None, stated_at: clock::now(), id: None });
    site.append(LogBody::Statement { origin, event: TerminalEnrolled { terminal: never }.into() }).await?;

    let (first, second) = (Life(Uuid::new_v4()), Life(Uuid::new_v4()));
    site.observed(first, (1..=5).map(nothing)).await?;
    let lives = site.lives(1, 5).await?;
    ensure!(lives[0]["current"] == true && lives[0]["holes"] == json!([]) && lives[0]["received"] == 5, "{lives:#?}");

    // Two observations never arrived, and the agent reports that it dropped some more.
    let (from, to) = (site.at(20), site.at(21));
    let gap = CollectionGap { source: GapSource::Spool, from, to, lost: Some(3) };
    site.observed(first, [nothing(8), nothing(9), (10, gap.into())]).await?;
    let lives = wait::until("the hole", PATIENCE, async || {
        let lives = site.lives(1, 5).await?;
        ensure!(lives[0]["received_up_to"] == 10, "{lives:#?}");
        Ok(lives)
    })
    .await?;
    let missing = json!({ "what": "missing", "from_seq": 6, "to_seq": 7, "from": site.at(5), "to": site.at(8) });
    let dropped = json!({ "what": "not_collected", "source": "spool", "from": from, "to": to, "lost": 3 });
    ensure!(lives[0]["holes"] == json!([missing, dropped]) && lives[0]["received"] == 8, "{lives:#?}");

    // A new spool: the first life ended without a shutdown notice.
    site.observed(second, (1..=2).map(nothing)).await?;
    let lives = site.lives(2, 2).await?;
    ensure!(lives[0]["life"] == json!(second) && lives[0]["holes"] == json!([]), "{lives:#?}");
    let silent = json!({ "what": "no_farewell", "from": site.at(10) });
    ensure!(lives[1]["current"] == false && lives[1]["complete_up_to"] == json!(site.at(5)), "{lives:#?}");
    ensure!(lives[1]["holes"] == json!([missing, dropped, silent]), "{lives:#?}");

    // A third life, after a shutdown notice: nothing of the second one is missing.
    let third = Life(Uuid::new_v4());
    site.observed(second, [(3, AgentStopped { reason: StopReason::Service }.into())]).await?;
    site.observed(third, [nothing(1)]).await?;
    let lives = site.lives(3, 1).await?;
    let before = lives.iter().find(|life| life["life"] == json!(second)).context("the second")?;
    ensure!(before["holes"] == json!([]) && before["complete_up_to"] == json!(site.at(3)), "{lives:#?}");

    let facility = site.server.facility(CODE).await?;
    let all = facility["completeness"].as_array().context("completeness")?;
    let unknown = all.iter().find(|life| life["terminal"] == json!(never)).context("the one that never came")?;
    ensure!(unknown["life"].is_null() && unknown["complete_up_to"].is_null(), "{unknown:#}");
    ensure!(unknown["holes"] == json!([]) && unknown["received"].is_null(), "{unknown:#}");
    let page = reqwest::get(format!("{}/facilities/{CODE}?lang=ja", site.server.web)).await?.text().await?;
    for needle in ["#6–7", "終了の通知なく", "不明（まだ何も受信していません）", "3件"] {
        ensure!(page.contains(needle), "the page lacks `{needle}`: {page}");
    }
    let documented = "SELECT count(*) FROM pg_attribute a WHERE a.attrelid = 'analytics.completeness'::regclass \
                      AND col_description(a.attrelid, a.attnum) IS NOT NULL";
    let documented: i64 = site.world.store().await?.query_one(documented, &[]).await?.get(0);
    ensure!(documented >= 6, "{documented} columns have a comment");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_terminal_is_complete_up_to_what_it_said_last() -> Result<()> {
    let world = World::new("completeness-idle").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},しずかな医院,東京都\n")).await?;
    let agent = Agent::start(&world, &server, CODE, AgentPlan::default()).await?;
    agent.face_result(clock::now()).await?;
    let store = world.store().await?;
    let last_observed = async || -> Result<Option<DateTime<Utc>>> {
        let query = "SELECT max(observed_at) FROM projection.fact WHERE terminal_id IS NOT NULL";
        Ok(store.query_one(query, &[]).await?.get(0))
    };
    wait::until("the result", PATIENCE, async || {
        let facility = server.facility(CODE).await?;
        ensure!(facility["completeness"][0]["complete_up_to"].is_string(), "{facility:#}");
        Ok(())
    })
    .await?;
    // Without a resource manager, the agent reports a gap after half a minute. Half a minute later it says that it is there,
    // and that is written within 10 s.
    let limit = TimeDelta::seconds(120).to_std()?;
    wait::until("the site to be complete beyond its last observation", limit, async || {
        let facility = server.facility(CODE).await?;
        let up_to: DateTime<Utc> = serde_json::from_value(facility["completeness"][0]["complete_up_to"].clone())?;
        let last = last_observed().await?;
        ensure!(Some(up_to) > last, "complete up to {up_to}, last observed {last:?}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_in_which_the_agent_did_not_run_is_a_gap_of_what_it_watches() -> Result<()> {
    let world = World::new("completeness-killed").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},とまった医院,東京都\n")).await?;
    let mut agent = Agent::start(&world, &server, CODE, AgentPlan::default()).await?;
    agent.face_result(clock::now()).await?;
    let holes = async || -> Result<Vec<Value>> {
        let facility = server.facility(CODE).await?;
        let holes = facility["completeness"][0]["holes"].as_array().context("holes")?;
        Ok(holes.iter().filter(|hole| hole["what"] == "not_collected").cloned().collect())
    };
    let file = agent.state.join("last-watched");
    wait::until("the result", PATIENCE, async || {
        ensure!(server.facility(CODE).await?["completeness"][0]["complete_up_to"].is_string() && file.exists());
        Ok(())
    })
    .await?;
    // A restart within seconds is none.
    agent.kill()?;
    agent.launch()?;
    agent.face_result(clock::now()).await?;
    // As if it had been killed an hour ago. A resource manager is missing here, so the agent may report that as a gap too.
    agent.kill()?;
    let killed_at = truncate(clock::now() - TimeDelta::hours(1));
    std::fs::File::options().append(true).open(&file)?.set_modified(killed_at.into())?;
    agent.launch()?;
    wait::until("the gap", PATIENCE, async || {
        let holes = holes().await?;
        for source in ["pcsc", "folder"] {
            let same = |hole: &&Value| hole["source"] == source && hole["from"] == json!(killed_at);
            ensure!(holes.iter().filter(same).count() == 1, "{source}: {holes:#?}");
        }
        let started: Vec<_> = holes.iter().filter(|hole| hole["source"] == "folder").collect();
        ensure!(started.len() == 1, "{holes:#?}");
        Ok(())
    })
    .await
}
