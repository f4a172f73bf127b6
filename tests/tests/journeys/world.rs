//! Tests of the world itself: the properties that the crash tests rely on.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::producer::{FutureProducer, FutureRecord};
use tempfile::tempdir;
use yomitori_tests::world::browser::Browser;
use yomitori_tests::world::kafka::Kafka;
use yomitori_tests::world::pcscd::Pcscd;
use yomitori_tests::world::postgres::{self, Postgres};
use yomitori_tests::world::process::Process;
use yomitori_tests::world::wait::{self, PATIENCE};

#[tokio::test]
async fn a_killed_kafka_restarts_with_its_records_and_port() -> Result<()> {
    let folder = tempdir()?;
    let kafka = Kafka::start(folder.path()).await?;
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &kafka.address).set("message.timeout.ms", "20000");
    let admin: AdminClient<DefaultClientContext> = config.create()?;
    let topic = NewTopic::new("kept", 3, TopicReplication::Fixed(1));
    admin.create_topics([&topic], &AdminOptions::new().operation_timeout(Some(PATIENCE))).await?;
    let producer: FutureProducer = config.set("acks", "all").create()?;
    for n in 0..20_u8 {
        let (key, value) = ([n], [n, n]);
        producer
            .send(FutureRecord::to("kept").key(&key).payload(&value), PATIENCE)
            .await
            .map_err(|(error, _)| error)?;
    }
    let before = kafka.records("kept").await?;
    ensure!(before.len() == 20, "{} records", before.len());

    kafka.service.kill().await?;
    kafka.service.restart().await?;
    ensure!(wait::until("the log", PATIENCE * 4, async || kafka.records("kept").await).await? == before);
    kafka.service.stop().await
}

#[tokio::test]
async fn a_killed_postgres_restarts_with_the_committed_data() -> Result<()> {
    let folder = tempdir()?;
    let cluster = Postgres::start(folder.path()).await?;
    let url = cluster.database("kept").await?;
    let client = postgres::connect(&url).await?;
    client.batch_execute("CREATE TABLE fact AS SELECT 42 AS n").await?;

    cluster.service.kill().await?;
    cluster.service.restart().await?;
    let client = postgres::connect(&url).await?;
    let n: i32 = client.query_one("SELECT n FROM fact", &[]).await?.get(0);
    ensure!(n == 42);
    Ok(())
}

#[tokio::test]
async fn the_browser_has_the_size_it_was_opened_with() -> Result<()> {
    let folder = tempdir()?;
    let page = folder.path().join("page.html");
    std::fs::write(&page, "<meta name=viewport content='width=device-width'><p>読み取り</p>")?;
    for (width, height) in [(1280, 800), (390, 844)] {
        let browser = Browser::open(folder.path(), width, height).await?;
        browser.page.goto(&format!("file://{}", page.display())).await?;
        browser.shows("p", "読み取り", PATIENCE).await?;
        let size = browser.page.execute("return [innerWidth, innerHeight]", vec![]).await?;
        ensure!(size == serde_json::json!([width, height]), "{size}");
        browser.screenshot(&folder.path().join("page.png")).await?;
        browser.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_unclosed_browser_stops_when_it_is_dropped() -> Result<()> {
    let folder = tempdir()?;
    let browser = Browser::open(folder.path(), 1280, 800).await?;
    drop(browser);
    wait::until("the end of the browser", PATIENCE, async || {
        for process in std::fs::read_dir("/proc")?.flatten() {
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            ensure!(!line.contains(&*folder.path().to_string_lossy()), "still there: {line}");
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_process_stops_when_it_is_dropped_and_its_log_explains_a_failure() -> Result<()> {
    let folder = tempdir()?;
    let mut command = Command::new("sh");
    command.args(["-c", "echo the reason; exit 3"]);
    let mut process = Process::start("failing", command, &folder.path().join("log"))?;
    process.ended(PATIENCE).await?;
    let error = process.alive().err().context("it has ended")?;
    ensure!(format!("{error:#}").contains("the reason"), "{error:#}");

    let mut command = Command::new("sleep");
    command.arg("1000");
    let process = Process::start("lasting", command, &folder.path().join("log"))?;
    let place = std::path::PathBuf::from(format!("/proc/{}", process.pid()));
    ensure!(place.exists());
    drop(process);
    ensure!(!place.exists());
    Ok(())
}

#[tokio::test]
async fn a_killed_pcscd_restarts_on_its_socket() -> Result<()> {
    let mut pcscd = Pcscd::start().await?;
    let card = pcscd.insert(0, &[0x3B, 0x00])?;
    card.remove();
    pcscd.kill()?;
    pcscd.restart().await?;
    let _card = pcscd.insert(1, &[0x3B, 0x00])?;
    ensure!(pcscd.socket().exists());
    wait::until("the reader", Duration::from_secs(1), async || pcscd.insert(0, &[0x3B, 0x00])).await?;
    Ok(())
}
