//! From the terminals to the log, acknowledged: many simulated terminals over mutual TLS on a real server and broker,
//! next to librdkafka's own producer and rsyslog, with the same events and the same broker in one run.

mod terminals;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use yomitori_observation::Sighting;
use yomitori_proto::event::{LogBody, Recorded};
use yomitori_proto::{decode, encode};

use self::terminals::Fleet;
use super::figures::{Bar, Figure, Report};
use super::meter::{self, Service};
use super::number::number;
use super::producer::Producer;
use super::{mib, quantile, shipper, topic, traffic, usage};
use crate::world::World;
use crate::world::server::{Plan, Server};
use yomitori_simulation::fleet::facility;

/// Number of distinct events that the raw producer repeats: more than the window of any compression.
const DIFFERENT: u64 = 100_000;
/// The size of the README's figure: the agent's batch when a terminal has a backlog.
const BATCH: usize = 500;

/// Sends `events` events from `terminals` terminals at full speed, then at half of that rate for `half_load`. The peers
/// get the same number.
///
/// # Errors
/// If a part does not start, or data are lost.
pub async fn measure(events: u64, terminals: usize, half_load: Duration, peers: bool, report: &Report) -> Result<()> {
    let world = World::new("bench-ingest").await?;
    let mut server = Server::start(&world, Plan::default()).await?;
    let facilities = facility::invent(terminals, 1);
    server.import(&facility::table(&facilities)).await?;
    let fleet = Fleet::enrol(&world, &server, &facilities).await?;
    server.kill()?;
    let mut server = Server::prepare(&world, Plan { roles: "ingest,web", ..Plan::default() }).await?;
    server.serve().await?;
    let server_pid = server.process()?.pid();

    let count = fleet.len() as u64;
    let example = traffic::example()?;
    let day = traffic::day(&example, events.div_ceil(count))?;
    let events = day.len() as u64 * count;
    let kafka = Service::of_bench("kafka");
    let before = world.records().await?.len();
    let seen = |number| day.iter().filter_map(move |recorded| sighting(traffic::varied(recorded.clone(), number)));
    let fleet = fleet.with_kept(seen)?;

    let of_kafka = || kafka.map_or(Ok(0.0), Service::cpu_seconds);
    let connected = fleet.connect(&server).await?;
    let cpu_before = [usage::cpu_seconds(server_pid)?, meter::own_cpu_seconds()?, of_kafka()?];
    let took = fleet.pour(connected).await?;
    let cpu_after = [usage::cpu_seconds(server_pid)?, meter::own_cpu_seconds()?, of_kafka()?];
    let ours = rate(events, took);
    let acknowledged = observations(&world, before).await?;
    ensure!(acknowledged == events, "{acknowledged} of {events} acknowledged events are in the log");
    report.say(&format!(
        "{events} events of {count} terminals, {BATCH} a batch, acknowledged in {:.1} s",
        took.as_secs_f64()
    ));
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let [of_server, of_simulator, of_broker] =
        std::array::from_fn(|part| (cpu_after[part] - cpu_before[part]) / events as f64 * 1e6);

    // This runs before the peers, because their records would keep the disk busy.
    report.say(&format!("half load: {} events/s for {} s", number(ours / 2.0), half_load.as_secs()));
    let paced = fleet.pace(&server, &seen(0).take(BATCH).collect::<Vec<_>>(), ours / 2.0, half_load).await?;

    let ingest = || Figure::new("ingest, terminals to acknowledged, TLS", ours, "events/s");
    for (codec, raw) in raw(&world, &day, events, report).await? {
        let mut figure = ingest().beside(format!("librdkafka's producer, acks=all, idempotent, {codec}"), raw);
        figure.bar = (codec == "none").then_some(Bar::RatioAtLeast(0.5));
        report.add(figure);
    }
    if peers {
        match shipper::relp_to_kafka(&world, &day, events).await? {
            Ok(rate) => {
                report.add(ingest().beside("rsyslog, RELP to Kafka, no TLS", rate).promised(Bar::RatioAtLeast(3.0)))
            }
            Err(missing) => report.say(&missing),
        }
    }
    report.add(
        Figure::new("  processor of the server, full batches", of_server, "µs an event").promised(Bar::AtMost(3.0)),
    );
    report.add(Figure::new("  processor of the simulated terminals", of_simulator, "µs an event"));
    if kafka.is_some() {
        report.add(Figure::new("  processor of the broker", of_broker, "µs an event"));
    }
    report.add(Figure::new("  server's memory, most", mib(usage::peak_memory(server_pid)?), "MiB"));

    let mut waits = paced.waits;
    waits.sort_by(f64::total_cmp);
    let [median, high, most] = [0.5, 0.99, 1.0].map(|share| quantile(&waits, share) * 1e3);
    report.add(
        Figure::new("half load, kept and acknowledged", paced.rate, "events/s")
            .beside("half of the rate above", ours / 2.0),
    );
    report.add(Figure::new("  kept to acknowledged, median", median, "ms"));
    report.add(Figure::new("  kept to acknowledged, p99", high, "ms").promised(Bar::AtMost(250.0)));
    report.add(Figure::new("  kept to acknowledged, longest", most, "ms"));
    Ok(())
}

/// The rate at which librdkafka's own producer appends the same events, one per record, without and with compression.
async fn raw(world: &World, day: &[Recorded], events: u64, report: &Report) -> Result<Vec<(&'static str, f64)>> {
    let different = usize::try_from(DIFFERENT.min(events))?;
    let facts = day.iter().cycle().take(different).cloned().collect::<Vec<_>>();
    let records = traffic::records(&facts, 1, 1);
    let key = records.first().context("a record")?.facility.to_bytes();
    let payloads: Vec<Vec<u8>> = records.iter().map(encode::log_record_bytes).collect();
    let bytes = payloads.iter().map(Vec::len).sum::<usize>() / payloads.len();
    let of_key = key.len();
    report.say(&format!(
        "librdkafka's producer: the same events, one a record of {bytes} bytes and a key of {of_key}, {} partitions",
        topic::PARTITIONS
    ));
    let mut rates = Vec::new();
    for codec in ["none", "lz4"] {
        let topic = format!("{}-raw-{codec}", world.topic);
        topic::create(&world.kafka.address, &topic).await?;
        let (address, key, payloads) = (world.kafka.address.clone(), key.clone(), payloads.clone());
        let took = tokio::task::spawn_blocking(move || {
            Producer { address: &address, topic: &topic, codec }.send(&key, &payloads, events)
        });
        rates.push((codec, rate(events, took.await??)));
    }
    Ok(rates)
}

fn sighting(recorded: Recorded) -> Option<Sighting> {
    let observed = recorded.observed()?;
    let (occurred_at, observed_at) = (observed.occurred_at, observed.observed_at);
    Some(Sighting { occurred_at, observed_at, event: recorded.event })
}

/// The terminals' observations in the log after the first `skip` records.
async fn observations(world: &World, skip: usize) -> Result<u64> {
    let records = world.records().await?;
    ensure!(records.len() >= skip, "the log has lost records");
    let mut count = 0;
    for record in &records {
        if let LogBody::Terminal { observations, .. } = decode::log_record(&record.value)?.body {
            count += observations.len() as u64;
        }
    }
    Ok(count)
}

#[expect(clippy::cast_precision_loss, reason = "counts")]
fn rate(events: u64, took: Duration) -> f64 {
    events as f64 / took.as_secs_f64()
}
