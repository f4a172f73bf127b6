//! A terminal whose clock is hours slow: each of its observations lies before what counts as settled, and the history of its
//! facility is not computed from the beginning each time.

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use uuid::Uuid;
use yomitori_proto::encode;
use yomitori_proto::event::{ClockStepped, LogBody, LogRecord, Observation};
use yomitori_proto::id::{FacilityId, Life, Seq, TerminalId};
use yomitori_proto::time::truncate;
use yomitori_simulation::clock;
use yomitori_tests::world::World;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";
/// Some months of a clinic.
const BEFORE: u64 = 3_000;
const LATE: u64 = 12;

struct Site {
    world: World,
    server: Server,
    producer: FutureProducer,
    terminal: TerminalId,
    life: Life,
}

impl Site {
    /// Observations with these numbers, each at its own instant.
    async fn observed(&self, numbers: std::ops::Range<u64>, at: impl Fn(u64) -> DateTime<Utc>) -> Result<()> {
        let facility = FacilityId::of_code(CODE);
        let observation = |seq| {
            let at = truncate(at(seq));
            Observation { seq: Seq(seq), occurred_at: at, observed_at: at, event: ClockStepped { delta_ms: 1 }.into() }
        };
        let observations = numbers.map(observation).collect();
        let body = LogBody::Terminal { terminal: self.terminal, life: self.life, sent_at: clock::now(), observations };
        let bytes = encode::log_record_bytes(&LogRecord { facility, received_at: clock::now(), body });
        let record = FutureRecord::to(&self.world.topic).key(facility.0.as_bytes()).payload(&bytes);
        self.producer.send(record, PATIENCE).await.map_err(|(error, _)| error).context("write into the log")?;
        Ok(())
    }

    /// Waits until this many observations are folded, and the history knows them all.
    async fn known(&self, observations: u64) -> Result<()> {
        let store = self.world.store().await?;
        wait::until("the history", PATIENCE, async || {
            let query = "SELECT (SELECT count(*) FROM projection.fact WHERE terminal_id IS NOT NULL), \
                         (SELECT facilities FROM analytics.status_as_of_lag)";
            let row = store.query_one(query, &[]).await?;
            let (facts, lag): (i64, i64) = (row.get(0), row.get(1));
            ensure!(facts.cast_unsigned() == observations && lag == 0, "{facts} facts, {lag} facilities are due");
            Ok(())
        })
        .await
    }

    /// How many facts were read for histories since the server's start.
    async fn read(&self) -> Result<u64> {
        let metrics = reqwest::get(format!("{}/metrics", self.server.web)).await?.text().await?;
        let line = metrics.lines().find_map(|line| line.strip_prefix("fleet_server_history_facts_total "));
        line.context("the counter")?.trim().parse().context("a count")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn late_observations_do_not_have_the_whole_history_computed_again() -> Result<()> {
    let world = World::new("slow-clock").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},おくれた時計医院,東京都\n")).await?;
    wait::until("the facility", PATIENCE, async || server.facility(CODE).await).await?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &world.kafka.address).set("partitioner", "murmur2_random");
    let producer = config.create().context("make a producer")?;
    let (terminal, life) = (TerminalId(Uuid::now_v7()), Life(Uuid::new_v4()));
    let site = Site { world, server, producer, terminal, life };
    let minute = |seq: u64| TimeDelta::minutes(i64::try_from(seq).unwrap_or(0));
    let began_at = clock::now() - TimeDelta::days(60);
    for part in 0..3 {
        site.observed(1 + part * BEFORE / 3..1 + (part + 1) * BEFORE / 3, |seq| began_at + minute(seq)).await?;
    }
    site.known(BEFORE).await?;
    let before = site.read().await?;
    for late in 1..=LATE {
        let seq = BEFORE + late;
        site.observed(seq..seq + 1, |_| clock::now() - TimeDelta::hours(9)).await?;
        site.known(seq).await?;
    }
    let read = site.read().await? - before;
    ensure!(read < 2 * BEFORE, "{read} facts were read for {LATE} observations");
    Ok(())
}
