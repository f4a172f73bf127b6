//! Kafka: the broker that all tests share, or a test's own, which it may stop, kill and start again.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::{Message, Offset, TopicPartitionList};

use super::services::Service;

/// A broker.
#[derive(Debug)]
pub struct Kafka {
    /// HOST:PORT.
    pub address: String,
    /// Stops, kills and restarts the broker.
    pub service: Service,
}

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub partition: i32,
    pub offset: i64,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

impl Kafka {
    /// The broker that `tests/run` started. A test uses only its own topics.
    ///
    /// # Errors
    /// If `YOMITORI_KAFKA` is not set.
    pub fn shared() -> Result<Self> {
        Ok(Self::on(Service::shared("YOMITORI_KAFKA")?))
    }

    /// A broker of the test's own under `folder`; takes about five seconds.
    ///
    /// # Errors
    /// If it doesn't start.
    pub async fn start(folder: &Path) -> Result<Self> {
        Ok(Self::on(Service::start(folder, "kafka", "YOMITORI_KAFKA").await?))
    }

    fn on(service: Service) -> Self {
        Self { address: service.address().to_owned(), service }
    }

    /// All records of `topic`, partition by partition, from offset 0 to the current end: the input of an independent
    /// oracle.
    ///
    /// # Errors
    /// If the topic is missing or the broker doesn't answer within 30 s.
    pub async fn records(&self, topic: &str) -> Result<Vec<Record>> {
        let (address, topic) = (self.address.clone(), topic.to_owned());
        tokio::task::spawn_blocking(move || read(&address, &topic)).await.context("read the log")?
    }
}

fn read(address: &str, topic: &str) -> Result<Vec<Record>> {
    const LIMIT: Duration = Duration::from_secs(30);
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", address)
        // Required by the library; nothing is committed and no group is joined.
        .set("group.id", "oracle")
        .set("enable.auto.commit", "false")
        .set("enable.partition.eof", "false")
        .create()
        .context("make a consumer")?;
    let metadata = consumer.fetch_metadata(Some(topic), LIMIT).context("fetch the topic's metadata")?;
    let topic_metadata = metadata.topics().first().context("the topic")?;
    let mut ends = std::collections::BTreeMap::new();
    let mut assignment = TopicPartitionList::new();
    for partition in topic_metadata.partitions() {
        let (first, end) = consumer.fetch_watermarks(topic, partition.id(), LIMIT).context("ask for the end")?;
        assignment.add_partition_offset(topic, partition.id(), Offset::Offset(first)).context("assign")?;
        if end > first {
            ends.insert(partition.id(), end);
        }
    }
    consumer.assign(&assignment).context("assign the partitions")?;
    let mut records = Vec::new();
    while !ends.is_empty() {
        let message = consumer.poll(LIMIT).with_context(|| format!("nothing more of {topic}, short of {ends:?}"))?;
        let message = message.context("read a record")?;
        let (partition, offset) = (message.partition(), message.offset());
        let Some(end) = ends.get(&partition).copied() else { continue };
        if offset < end {
            let bytes = |part: Option<&[u8]>| part.unwrap_or_default().to_vec();
            records.push(Record { partition, offset, key: bytes(message.key()), value: bytes(message.payload()) });
        }
        if offset + 1 >= end {
            ends.remove(&partition);
        }
    }
    records.sort_by_key(|record| (record.partition, record.offset));
    Ok(records)
}
