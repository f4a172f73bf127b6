//! A second broker beside a test's own Kafka, with partitions of its own: it can stand still while the first one works.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::process::Process;
use super::{World, port, wait};

/// A Java program starts in a few seconds, more than one at once in more.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
const ASK_LIMIT: Duration = Duration::from_secs(5);
/// Its node number; the first broker is 1.
pub const NODE: i32 = 2;

/// See the head of this file. It ends when it is dropped.
#[derive(Debug)]
pub struct SecondBroker {
    pub process: Process,
}

impl SecondBroker {
    /// Joins the Kafka that `world` started for itself; returns when both brokers are known.
    ///
    /// # Errors
    /// If the Kafka is the shared one, or the broker doesn't start.
    pub async fn join(world: &World) -> Result<Self> {
        let first = world.folder().join("kafka");
        let folder = world.new_folder("second-broker")?;
        let properties = folder.join("server.properties");
        std::fs::write(&properties, properties_beside(&first, &folder)?).context("write its settings")?;
        let meta = std::fs::read_to_string(first.join("data/meta.properties")).context("read the cluster's number")?;
        let cluster = meta.lines().find_map(|line| line.strip_prefix("cluster.id=")).context("a cluster's number")?;
        let mut format = java_of(&first)?;
        format.args(["kafka.tools.StorageTool", "format", "-t", cluster, "-c"]).arg(&properties);
        let formatted = tokio::task::spawn_blocking(move || format.output()).await?.context("run the storage tool")?;
        ensure!(formatted.status.success(), "{}", String::from_utf8_lossy(&formatted.stderr));
        let mut command = java_of(&first)?;
        command.arg("kafka.Kafka").arg(&properties);
        let mut process = Process::start("the second broker", command, &folder.join("log"))?;
        wait::until("two brokers", STARTS_WITHIN, async || {
            process.alive()?;
            let address = world.kafka.address.clone();
            let brokers = tokio::task::spawn_blocking(move || brokers(&address)).await??;
            ensure!(brokers == 2, "{brokers}");
            Ok(())
        })
        .await?;
        Ok(Self { process })
    }

    /// The partitions of the world's topic that the second broker leads.
    ///
    /// # Errors
    /// If Kafka doesn't answer.
    pub async fn partitions(world: &World) -> Result<Vec<i32>> {
        let (address, topic) = (world.kafka.address.clone(), world.topic.clone());
        tokio::task::spawn_blocking(move || {
            let metadata = client(&address)?.fetch_metadata(Some(&topic), ASK_LIMIT)?;
            let topic = metadata.topics().first().context("the topic")?;
            Ok(topic.partitions().iter().filter(|one| one.leader() == NODE).map(|one| one.id()).collect())
        })
        .await?
    }
}

fn client(address: &str) -> Result<BaseConsumer> {
    ClientConfig::new().set("bootstrap.servers", address).set("group.id", "brokers").create().context("make a client")
}

fn brokers(address: &str) -> Result<usize> {
    Ok(client(address)?.fetch_metadata(None, ASK_LIMIT).context("ask for the brokers")?.brokers().len())
}

/// Java with the options and the classes of the first broker.
fn java_of(first: &Path) -> Result<Command> {
    let pid = std::fs::read_to_string(first.join("pid")).context("read the first broker's process number")?;
    let line = std::fs::read(format!("/proc/{}/cmdline", pid.trim())).context("read the first broker's command")?;
    let words: Vec<String> =
        line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    let end = words.iter().position(|word| word == "kafka.Kafka").context("the first broker's class")?;
    let (java, options) = words.get(..end).and_then(<[String]>::split_first).context("a command")?;
    let mut command = Command::new(java);
    command.args(options);
    Ok(command)
}

/// The settings of the first broker, for a broker that is no controller.
fn properties_beside(first: &Path, folder: &Path) -> Result<String> {
    let text = std::fs::read_to_string(first.join("server.properties")).context("read the first broker's settings")?;
    let port = port::free()?;
    let line = |line: &str| match line.split_once('=') {
        Some(("process.roles", _)) => "process.roles=broker".to_owned(),
        Some(("node.id", _)) => format!("node.id={NODE}"),
        Some((key @ ("listeners" | "advertised.listeners"), _)) => format!("{key}=PLAINTEXT://127.0.0.1:{port}"),
        Some(("log.dirs", _)) => format!("log.dirs={}", folder.join("data").display()),
        _ => line.to_owned(),
    };
    Ok(text.lines().map(line).collect::<Vec<_>>().join("\n"))
}
