//! rsyslog as a peer: lines over RELP into Kafka, and from Kafka into PostgreSQL. Both are configured for speed: large
//! batches, queues in memory, no disk queue, no TLS.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;
use yomitori_proto::event::Recorded;

use super::rows::{self, Rows};
use super::topic::{self, Ends};
use crate::world::process::Process;
use crate::world::{World, port, wait};

const PROGRAM: &str = "/usr/sbin/rsyslogd";
const MODULES: &str = "/usr/lib/x86_64-linux-gnu/rsyslog";
/// Machines that send concurrently.
const SENDERS: usize = 2;
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Without progress for this time, the remaining lines are lost.
const PATIENCE: Duration = Duration::from_secs(60);
/// Queue and batch sizes for a shipper under load.
const QUEUE: &str = "queue.type=\"FixedArray\" queue.size=\"500000\" queue.dequeueBatchSize=\"4096\"";

/// The rate of lines into Kafka: read from files, sent by RELP, received, and produced with `acks=all`. The inner error
/// names the missing program.
///
/// # Errors
/// If rsyslog does not start, or loses lines.
pub async fn relp_to_kafka(world: &World, day: &[Recorded], events: u64) -> Result<Result<f64, String>> {
    if let Err(missing) = there(&["imrelp.so", "omrelp.so", "omkafka.so"]) {
        return Ok(Err(missing));
    }
    let topic = format!("{}-relp", world.topic);
    topic::create(&world.kafka.address, &topic).await?;
    let port = port::free()?;
    let folder = world.new_folder("rsyslog-receiver")?;
    let text = format!(
        "global(workDirectory={folder:?} maxMessageSize=\"8k\")\nmodule(load=\"imrelp\")\nmodule(load=\"omkafka\")\n\
         main_queue({QUEUE})\n\
         input(type=\"imrelp\" port=\"{port}\")\n\
         template(name=\"line\" type=\"string\" string=\"%msg%\")\n\
         action(type=\"omkafka\" broker=[\"{}\"] topic=\"{topic}\" template=\"line\" partitions.auto=\"on\" \
         confParam=[\"acks=all\",\"enable.idempotence=true\",\"queue.buffering.max.messages=1000000\",\
         \"queue.buffering.max.kbytes=1048576\"])\n",
        world.kafka.address
    );
    let mut receiver = start(&folder, &text)?;
    wait::until("rsyslog to listen", wait::PATIENCE, async || {
        receiver.alive()?;
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.context("connect").map(drop)
    })
    .await?;

    let mut senders = Vec::new();
    for number in 0..SENDERS {
        let folder = world.new_folder(&format!("rsyslog-sender-{number}"))?;
        let lines = folder.join("lines.log");
        let mine = (0..events).skip(number).step_by(SENDERS);
        write_lines(&lines, mine.zip(day.iter().cycle()).map(|(_, recorded)| recorded))?;
        let text = format!(
            "global(workDirectory={folder:?})\nmodule(load=\"imfile\" mode=\"inotify\")\nmodule(load=\"omrelp\")\n\
             main_queue({QUEUE})\n\
             input(type=\"imfile\" File={lines:?} Tag=\"yomitori\" freshStartTail=\"off\")\n\
             action(type=\"omrelp\" target=\"127.0.0.1\" port=\"{port}\" windowSize=\"5000\" \
             template=\"RSYSLOG_ForwardFormat\")\n"
        );
        senders.push((folder, text));
    }
    let ends = Ends::of(&world.kafka.address, &topic)?;
    let mut running = Vec::new();
    for (folder, text) in senders {
        running.push(start(&folder, &text)?);
    }
    let counted = async || ends.records();
    let rate = arrive("rsyslog's lines in Kafka", events, LOOK_EVERY, counted).await;
    rate.map(Ok).map_err(|error| running.remove(0).explain(receiver.explain(error)))
}

/// The rate of rows from a topic into a table, one INSERT each, one transaction per batch.
///
/// # Errors
/// If rsyslog does not start, or loses rows.
pub async fn kafka_to_postgres(world: &World, rows: &Rows) -> Result<Result<f64, String>> {
    if let Err(missing) = there(&["imkafka.so", "ompgsql.so", "mmjsonparse.so"]) {
        return Ok(Err(missing));
    }
    let topic = format!("{}-plain", world.topic);
    rows.produce(&world.kafka.address, &topic, rows::Form::Plain).await?;
    let store = world.store().await?;
    store.batch_execute(&format!("CREATE TABLE shipped ({})", rows::TABLE)).await.context("make a table")?;
    let database: tokio_postgres::Config = world.database.parse().context("the database's address")?;
    let password = database.get_password().map(String::from_utf8_lossy).unwrap_or_default();
    let postgres_port = database.get_ports().first().context("the database's port")?;
    let folder = world.new_folder("rsyslog-rows")?;
    let values = rows::COLUMNS.map(|(name, _)| format!("'%$!{name}%'")).join(", ");
    let columns = rows::COLUMNS.map(|(name, _)| name).join(", ");
    let text = format!(
        "global(workDirectory={folder:?} maxMessageSize=\"8k\")\nmodule(load=\"imkafka\")\nmodule(load=\"ompgsql\")\n\
         module(load=\"mmjsonparse\")\n\
         main_queue({QUEUE} queue.workerThreads=\"2\")\n\
         input(type=\"imkafka\" broker=[\"{}\"] topic=\"{topic}\" consumergroup=\"{topic}\" \
         confParam=[\"auto.offset.reset=earliest\"])\n\
         template(name=\"row\" type=\"string\" option.stdsql=\"on\" string=\"INSERT INTO shipped ({columns}) VALUES ({values})\")\n\
         action(type=\"mmjsonparse\" cookie=\"\" useRawMsg=\"on\")\n\
         action(type=\"ompgsql\" server=\"127.0.0.1\" port=\"{postgres_port}\" db={:?} user=\"postgres\" pass={password:?} \
         template=\"row\")\n",
        world.kafka.address,
        database.get_dbname().context("the database's name")?,
    );
    let process = start(&folder, &text)?;
    let rate = rows::counted(&store, "shipped", rows.len()).await;
    rate.map(Ok).map_err(|error| process.explain(error))
}

/// Counts until all arrive; returns the rate per second from the start.
async fn arrive(what: &str, all: u64, every: Duration, count: impl AsyncFn() -> Result<u64>) -> Result<f64> {
    let began = Instant::now();
    let (mut there, mut since) = (0, began);
    while there < all {
        tokio::time::sleep(every).await;
        let now = count().await?;
        if now > there {
            (there, since) = (now, Instant::now());
        }
        ensure!(since.elapsed() < PATIENCE, "{what}: {there} of {all}, and no more");
    }
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    Ok(all as f64 / began.elapsed().as_secs_f64())
}

fn there(modules: &[&str]) -> Result<(), String> {
    let missing: Vec<_> = modules.iter().filter(|name| !Path::new(MODULES).join(name).exists()).copied().collect();
    if Path::new(PROGRAM).exists() && missing.is_empty() {
        return Ok(());
    }
    Err(format!("rsyslog is not measured: {} is not here (deploy/services packages bench)", missing.join(", ")))
}

fn start(folder: &Path, text: &str) -> Result<Process> {
    let config = folder.join("rsyslog.conf");
    std::fs::write(&config, text).context("write rsyslog's configuration")?;
    let mut command = Command::new(PROGRAM);
    command.arg("-n").arg("-f").arg(&config).arg("-i").arg(folder.join("pid"));
    Process::start("rsyslogd", command, &folder.join("rsyslog.log"))
}

/// The lines that a shipper would send for the same events: one each, of similar size.
fn write_lines<'a>(file: &Path, facts: impl Iterator<Item = &'a Recorded>) -> Result<()> {
    let out = std::fs::File::create(file).with_context(|| format!("write {file:?}"))?;
    let mut out = std::io::BufWriter::new(out);
    let mut line = String::new();
    for recorded in facts {
        let Some(observed) = recorded.observed() else { continue };
        line.clear();
        let (terminal, life, seq) = (observed.terminal, observed.life, observed.seq);
        let (occurred_at, observed_at) =
            (observed.occurred_at.timestamp_micros(), observed.observed_at.timestamp_micros());
        writeln!(
            line,
            "{} {terminal} {life} {seq} {occurred_at} {observed_at} {}",
            recorded.facility,
            recorded.event.kind()
        )?;
        out.write_all(line.as_bytes()).context("write a line")?;
    }
    out.flush().context("write the lines")
}
