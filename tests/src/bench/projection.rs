//! From the log to the store: the rate of the projector next to a consumer that decodes nothing, to PostgreSQL's own
//! COPY of the same rows, and to other software with the same events. All on one machine, in one run.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt as _, TryStreamExt as _};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::Instant;
use tokio_postgres::Client;

use super::figures::{Bar, Figure, Report};
use super::rows::Rows;
use super::{shipper, sink, stage, traffic};
use crate::world::World;
use crate::world::server::{Plan, Server};
use yomitori_simulation::log;

/// Observations of each facility that arrive during the rebuild.
const MEANWHILE: u64 = 2000;

/// Writes `events` events of `facilities` facilities to a log, `batch` per record, and reports each reader's rate. The
/// peers write `peer_rows` of them.
///
/// # Errors
/// If a part does not start, or data are lost.
pub async fn measure(events: u64, facilities: u64, batch: usize, peer_rows: u64, report: &Report) -> Result<()> {
    let world = World::new("bench-projection").await?;
    let mut server = Server::prepare(&world, Plan { roles: "projector,web", ..Plan::default() }).await?;
    let (address, topic) = (world.kafka.address.clone(), world.topic.clone());
    let each = events / facilities.max(1);
    let day = traffic::day(&traffic::example()?, each)?;
    let events = day.len() as u64 * facilities;
    let peers = Rows::of(&day, facilities, peer_rows.min(events))?;

    let began = Instant::now();
    let produce = move || log::append(&address, &topic, traffic::side_by_side(&day, facilities, batch));
    let records = tokio::task::spawn_blocking(produce).await??;
    let rate = |took: Duration| per_second(events, took);
    report.add(Figure::new("written into the log (acks=all, lz4)", rate(began.elapsed()), "events/s"));

    let (address, topic) = (world.kafka.address.clone(), world.topic.clone());
    let began = Instant::now();
    tokio::task::spawn_blocking(move || consume(&address, &topic, records)).await??;
    let ceiling = rate(began.elapsed());

    let store = world.store().await?;
    let live = stage::project(&mut server, &store, records).await?;
    let facts: i64 = store.query_one("SELECT count(*) FROM projection.fact", &[]).await?.get(0);
    ensure!(facts.cast_unsigned() == events, "{facts} of {events} facts are in the store");
    let rebuilt = stage::run(&server, &["rebuild"], &world).await?;
    server.run(&["rebuild", "drop"]).await?;
    let verified = stage::run(&server, &["log", "verify"], &world).await?;
    let copied = rate(copy(&store).await?);

    let projector = || Figure::new("live projection", live.rate(events), "events/s");
    report.add(projector().promised(Bar::AtLeast(80_000.0)));
    report.add(projector().beside("PostgreSQL's COPY of the same rows", copied).promised(Bar::RatioAtLeast(0.4)));
    report.add(projector().beside("a consumer that decodes nothing", ceiling));
    if !peers.is_empty() {
        let sunk = sink::measure(&world, &peers).await?;
        let shipped = shipper::kafka_to_postgres(&world, &peers).await?;
        let bars = [Some(Bar::RatioAtLeast(2.0)), None];
        let whats = ["Kafka Connect, JDBC sink", "rsyslog, Kafka to PostgreSQL"];
        for ((what, measured), bar) in whats.into_iter().zip([sunk, shipped]).zip(bars) {
            match measured {
                Ok(rate) => {
                    let mut figure = projector().beside(what, rate);
                    figure.bar = bar;
                    report.add(figure);
                }
                Err(missing) => report.say(&missing),
            }
        }
    }
    report.add(Figure::new("  its own processor time", live.own_per_event(events), "µs an event"));
    report.add(Figure::new("  most memory", live.memory, "MiB"));
    let rebuild = || Figure::new("rebuild, beside what is shown", rebuilt.rate(events), "events/s");
    report.add(rebuild().promised(Bar::AtLeast(300_000.0)));
    report.add(rebuild().beside("a consumer that decodes nothing", ceiling).promised(Bar::RatioAtLeast(0.5)));
    report.add(Figure::new("  most memory", rebuilt.memory, "MiB").promised(Bar::AtMost(1536.0)));
    report.add(Figure::new("log verify", verified.rate(events), "events/s"));

    server.serve().await?;
    let more = traffic::day(&traffic::example()?, each + MEANWHILE)?;
    let more = more.into_iter().skip(usize::try_from(each)?).collect();
    let beside = super::beside::rebuild(&world, &server, more, facilities, records).await?;
    report.add(Figure::new("rebuild, while more comes in", rate(beside.took), "events/s"));
    report.add(Figure::new("  what comes in meanwhile", per_second(beside.came, beside.took), "records/s"));
    let lag = beside.lag.as_secs_f64();
    report.add(Figure::new("  the longest that it waits to be folded", lag, "s").promised(Bar::AtMost(5.0)));
    Ok(())
}

/// Copies the projector's rows into tables of the same form, and returns the duration.
async fn copy(store: &Client) -> Result<Duration> {
    let mut copied = Duration::ZERO;
    for table in ["fact", "facility_row", "life"] {
        store
            .batch_execute(&format!("CREATE TABLE copied_{table} (LIKE projection.{table} INCLUDING ALL)"))
            .await
            .context("make a table to copy into")?;
        let out = format!("COPY projection.{table} TO STDOUT (FORMAT binary)");
        let rows: Vec<_> = store.copy_out(&out).await.context("copy rows out")?.try_collect().await?;
        let began = Instant::now();
        let into = format!("COPY copied_{table} FROM STDIN (FORMAT binary)");
        let mut sink = pin!(store.copy_in(&into).await.context("copy rows in")?);
        for chunk in rows {
            sink.send(chunk).await.context("copy rows in")?;
        }
        sink.finish().await.context("end the copy")?;
        copied += began.elapsed();
    }
    Ok(copied)
}

#[expect(clippy::cast_precision_loss, reason = "counts")]
fn per_second(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64()
}

fn consume(address: &str, topic: &str, records: u64) -> Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("queued.max.messages.kbytes", "65536")
        .create()
        .context("make a consumer")?;
    let metadata =
        consumer.fetch_metadata(Some(topic), Duration::from_secs(30)).context("fetch the topic's metadata")?;
    let mut assignment = TopicPartitionList::new();
    for partition in metadata.topics().first().context("the topic")?.partitions() {
        assignment.add_partition_offset(topic, partition.id(), Offset::Beginning).context("assign")?;
    }
    consumer.assign(&assignment).context("assign the partitions")?;
    let mut read = 0;
    while read < records {
        consumer.poll(Duration::from_secs(60)).context("nothing more in the log")??;
        read += 1;
    }
    Ok(())
}
