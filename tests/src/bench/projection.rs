//! From the log to the store: how fast the projector is beside a consumer that decodes nothing, and beside PostgreSQL's
//! own COPY of the very rows it wrote. All on one machine, in one run, on the same records.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::{SinkExt as _, TryStreamExt as _};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};
use tokio::time::Instant;

use super::traffic;
use crate::world::process::Process;
use crate::world::server::{Plan, Server};
use crate::world::{World, log, wait};

/// Observations that each facility has left to tell while the log is folded anew.
const MEANWHILE: u64 = 2000;
const PATIENCE: Duration = Duration::from_secs(3600);

/// Writes `events` events of `facilities` facilities to a log, `batch` a record, and prints how fast each reads them.
///
/// # Errors
/// Where a part does not start, or something is lost.
pub async fn measure(events: u64, facilities: u64, batch: usize, print: impl Fn(&str)) -> Result<()> {
    let world = World::new("bench-projection").await?;
    let mut server = Server::prepare(&world, Plan { roles: "projector,web", ..Plan::default() }).await?;
    let (address, topic) = (world.kafka.address.clone(), world.topic.clone());
    let day = traffic::day(&traffic::example()?, events / facilities.max(1))?;
    let events = day.len() as u64 * facilities;

    let began = Instant::now();
    let produce = move || log::append(&address, &topic, traffic::side_by_side(&day, facilities, batch));
    let records = tokio::task::spawn_blocking(produce).await??;
    rate(&print, "raw producer (acks=all)", records, events, began.elapsed());

    let (address, topic) = (world.kafka.address.clone(), world.topic.clone());
    let began = Instant::now();
    tokio::task::spawn_blocking(move || consume(&address, &topic, records)).await??;
    let ceiling = began.elapsed();
    rate(&print, "raw consumer, nothing decoded", records, events, ceiling);

    let began = Instant::now();
    server.serve().await?;
    let pid = server.process()?.pid();
    let store = world.store().await?;
    wait::until("every record in the store", PATIENCE, async || {
        let query = "SELECT coalesce(sum(next_offset), 0)::int8 FROM projection.progress";
        let done: i64 = store.query_one(query, &[]).await?.get(0);
        ensure!(done.cast_unsigned() >= records, "{done} of {records} records are folded");
        Ok(())
    })
    .await?;
    let projected = began.elapsed();
    rate(&print, "projector", records, events, projected);
    let (cpu, memory) = (super::footprint::cpu_seconds(pid)?, super::footprint::peak_memory(pid)?);
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    print(&format!(
        "  its own processor time {:.2} us an event, at most {} MiB",
        cpu / events as f64 * 1e6,
        memory >> 20
    ));
    server.kill()?;
    let facts: i64 = store.query_one("SELECT count(*) FROM projection.fact", &[]).await?.get(0);
    ensure!(facts.cast_unsigned() == events, "{facts} of {events} facts are in the store");

    let began = Instant::now();
    let memory = run_out(&server, &["rebuild"], &world).await?;
    let rebuilt = began.elapsed();
    rate(&print, "rebuild, beside what is shown", records, events, rebuilt);
    print(&format!("  at most {} MiB", memory >> 20));
    server.run(&["rebuild", "drop"]).await?;
    let began = Instant::now();
    run_out(&server, &["log", "verify"], &world).await?;
    rate(&print, "log verify", records, events, began.elapsed());

    let mut copied = Duration::ZERO;
    for table in ["fact", "facility_row", "high_water"] {
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
    rate(&print, "PostgreSQL's COPY of the same rows", records, events, copied);
    print(&format!(
        "projector: {:.2} of COPY, {:.2} of the raw consumer; rebuild: {:.2} of the raw consumer",
        copied.as_secs_f64() / projected.as_secs_f64(),
        ceiling.as_secs_f64() / projected.as_secs_f64(),
        ceiling.as_secs_f64() / rebuilt.as_secs_f64()
    ));

    server.serve().await?;
    let more = traffic::day(&traffic::example()?, events / facilities.max(1) + MEANWHILE)?;
    let more = more.into_iter().skip(usize::try_from(events / facilities.max(1))?).collect();
    let beside = super::beside::rebuild(&world, &server, more, facilities, records).await?;
    rate(&print, "rebuild, while more comes in", records, events, beside.took);
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    print(&format!(
        "  {:.0} records/s came in meanwhile, and were folded after {:.1} s at most",
        beside.came as f64 / beside.took.as_secs_f64(),
        beside.lag.as_secs_f64()
    ));
    Ok(())
}

/// Runs a command to its end; gives the most memory that it had.
async fn run_out(server: &Server, arguments: &[&str], world: &World) -> Result<u64> {
    let mut command = server.command();
    command.args(arguments);
    let mut process =
        Process::start("yomitori-server", command, &world.folder().join(format!("{}.log", arguments[0])))?;
    let mut memory = 0;
    while process.alive().is_ok() {
        memory = super::footprint::peak_memory(process.pid()).map_or(memory, |now| now.max(memory));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ended = process.ended(PATIENCE).await?;
    ensure!(ended.success(), "{arguments:?} ended with {ended}: {}", process.log());
    Ok(memory)
}

#[expect(clippy::cast_precision_loss, reason = "counts")]
fn rate(print: &impl Fn(&str), what: &str, records: u64, events: u64, took: Duration) {
    let took = took.as_secs_f64();
    let (records, events) = (records as f64 / took, events as f64 / took);
    print(&format!("{what:<40} {took:7.1} s  {records:10.0} records/s  {events:10.0} events/s"));
}

fn consume(address: &str, topic: &str, records: u64) -> Result<()> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("group.id", "bench")
        .set("enable.auto.commit", "false")
        .set("queued.max.messages.kbytes", "65536")
        .create()
        .context("make a consumer")?;
    let metadata = consumer.fetch_metadata(Some(topic), Duration::from_secs(30)).context("ask for the topic")?;
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
