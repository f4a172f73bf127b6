//! Records written directly into the log: random bytes, changed records, valid records with absurd contents.

use anyhow::{Context, Result, ensure};
use proptest::strategy::{Strategy, ValueTree};
use rand::Rng;
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord};
use yomitori_proto::encode;
use yomitori_proto::event::LogRecord;
use yomitori_proto::id::FacilityId;
use yomitori_tests::hostile::chance::{chance, mutated, noise};
use yomitori_tests::hostile::siege::{HONEST, Siege, VICTIM};
use yomitori_tests::world::wait::{self, PATIENCE};

const RECORDS: usize = 300;

async fn append(producer: &FutureProducer, topic: &str, key: &[u8], value: &[u8]) -> Result<()> {
    let record = FutureRecord::to(topic).key(key).payload(value);
    producer.send(record, PATIENCE).await.map_err(|(error, _)| error).context("write into the log")?;
    Ok(())
}

fn producer(siege: &Siege) -> Result<FutureProducer> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &siege.world.kafka.address).set("partitioner", "murmur2_random");
    config.create().context("make a producer")
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_the_log_blocks_its_own_facility_and_no_other() -> Result<()> {
    let mut chance = chance("log")?;
    let mut siege = Siege::begin("hostile-log").await?;
    let (producer, topic) = (producer(&siege)?, siege.world.topic.clone());
    let victim = FacilityId::of_code(VICTIM);
    let mut runner = crate::runner(&mut chance);

    append(&producer, &topic, victim.0.as_bytes(), b"\xff\xff\xff\xff").await?;
    let mut garbage = 1_i64;
    for _ in 0..RECORDS {
        let record = yomitori_arbitrary::log_record().new_tree(&mut runner).map_err(anyhow::Error::msg)?.current();
        let bytes = encode::log_record_bytes(&record);
        let key: Vec<u8> = match chance.random_range(0..4) {
            0 => noise(&mut chance, 40),
            1 => Vec::new(),
            2 => record.facility.0.as_bytes().to_vec(),
            _ => victim.0.as_bytes().to_vec(),
        };
        let value = match chance.random_range(0..4) {
            0 => noise(&mut chance, 2_000),
            1 => Vec::new(),
            _ => mutated(&bytes, &mut chance),
        };
        // A change may give another valid record, even one of the honest facility; the test skips those.
        if yomitori_proto::decode::log_record(&value).is_ok() {
            continue;
        }
        append(&producer, &topic, &key, &value).await?;
        garbage += 1;
    }
    // The honest facility continues, the victim's valid records wait behind the invalid ones, and every record is kept
    // for a person.
    siege.holds().await?;
    siege
        .server
        .run(&["intent", "set", "--intent", "do_not_want", "--facility", VICTIM, "--by", "x", "--why", "y"])
        .await?;
    wait::until("everything to be set aside", PATIENCE, async || {
        let parked = siege.parked().await?;
        ensure!(parked == garbage + 1, "{parked} of {garbage} and one");
        Ok(())
    })
    .await?;
    wait::until("the facilities to be folded", PATIENCE, async || {
        let health = siege.server.get("/healthz").await?;
        let facilities = health["projection"]["parked_facilities"].as_i64();
        ensure!(facilities.is_some_and(|count| count >= 1), "{health}");
        Ok(())
    })
    .await?;

    // The parked records are known after a restart, too.
    siege.server.kill()?;
    siege.server.serve().await?;
    siege
        .server
        .run(&["intent", "set", "--intent", "want_listed", "--facility", VICTIM, "--by", "x", "--why", "y"])
        .await?;
    siege
        .server
        .run(&["intent", "set", "--intent", "do_not_want", "--facility", HONEST, "--by", "x", "--why", "y"])
        .await?;
    siege.holds().await?;
    wait::until("the victim's next record to be set aside", PATIENCE, async || {
        let parked = siege.parked().await?;
        ensure!(parked == garbage + 2, "{parked} of {garbage} and two");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn any_value_that_the_contract_allows_can_be_folded() -> Result<()> {
    let mut chance = chance("allowed")?;
    let mut siege = Siege::begin("hostile-allowed").await?;
    let (producer, topic) = (producer(&siege)?, siege.world.topic.clone());
    let mut runner = crate::runner(&mut chance);
    // A few facilities, so that each gets a long and absurd story.
    let facilities: Vec<FacilityId> = (0..6).map(|n| FacilityId::of_code(&format!("mad {n}"))).collect();
    for _ in 0..2_000 {
        let mut record: LogRecord =
            yomitori_arbitrary::log_record().new_tree(&mut runner).map_err(anyhow::Error::msg)?.current();
        record.facility = facilities[chance.random_range(0..facilities.len())];
        append(&producer, &topic, record.facility.0.as_bytes(), &encode::log_record_bytes(&record)).await?;
    }
    siege.holds().await?;
    wait::until("the end of the log", PATIENCE, async || {
        let health = siege.server.get("/healthz").await?;
        ensure!(health["projection"]["behind"] == false, "{health}");
        // The server itself records that some of these terminals are disconnected.
        let facts: usize = siege
            .log()
            .await?
            .into_iter()
            .filter(|record| facilities.contains(&record.facility))
            .map(|record| record.into_facts().count())
            .sum();
        ensure!(facts > 2_000, "{facts} facts");
        let rows = "SELECT count(*) FROM projection.fact WHERE facility_id = ANY($1)";
        let ids: Vec<uuid::Uuid> = facilities.iter().map(|id| id.0).collect();
        let folded: i64 = siege.store.query_one(rows, &[&ids]).await?.get(0);
        ensure!(folded == i64::try_from(facts)?, "{folded} of {facts}");
        Ok(())
    })
    .await?;
    ensure!(siege.parked().await? == 0, "{} records were set aside", siege.parked().await?);
    // Each has a page and a row in the list.
    for facility in &facilities {
        siege.server.facility(&facility.to_string()).await.with_context(|| facility.to_string())?;
    }
    siege.server.get("/api/v1/facilities").await?;
    Ok(())
}
