//! librdkafka's own producer, which decodes, checks and folds nothing: an upper bound for the rate of records into this
//! broker.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use tokio::time::Instant;

use super::topic;
use yomitori_simulation::log::Confirmed;

const PATIENCE: Duration = Duration::from_secs(600);
/// Consecutive records for one partition, so that a producer makes few large requests.
const IN_A_ROW: u64 = 1000;
/// The producer polls for confirmations after this number of records.
const LOOK_EVERY: u64 = 1000;

/// An idempotent producer with `acks=all`.
#[derive(Debug, Clone, Copy)]
pub struct Producer<'a> {
    pub address: &'a str,
    pub topic: &'a str,
    pub codec: &'a str,
}

impl Producer<'_> {
    /// Sends `count` records with `key`, cycling through `payloads`; returns the time from the first send to the last
    /// confirmation. Blocks.
    ///
    /// # Errors
    /// If a record is not confirmed.
    pub fn send(&self, key: &[u8], payloads: &[Vec<u8>], count: u64) -> Result<Duration> {
        let Self { address, topic, codec } = self;
        let confirmed = Confirmed::default();
        let producer: BaseProducer<Confirmed> = ClientConfig::new()
            .set("bootstrap.servers", *address)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", *codec)
            .set("queue.buffering.max.messages", "1000000")
            .set("queue.buffering.max.kbytes", "1048576")
            .create_with_context(confirmed.clone())
            .context("make a producer")?;
        // Connects before the first record, like our own terminals.
        producer.client().fetch_metadata(Some(topic), topic::PATIENCE).context("fetch the topic's metadata")?;
        let began = Instant::now();
        let partitions = (0..topic::PARTITIONS).cycle().flat_map(|partition| (0..IN_A_ROW).map(move |_| partition));
        for ((number, payload), partition) in (0..count).zip(payloads.iter().cycle()).zip(partitions) {
            let mut record = BaseRecord::to(topic).key(key).payload(payload).partition(partition);
            while let Err((error, back)) = producer.send(record) {
                let full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
                ensure!(full, "produce: {error}");
                record = back;
                producer.poll(Duration::from_millis(1));
            }
            if number % LOOK_EVERY == 0 {
                producer.poll(Duration::ZERO);
            }
        }
        producer.flush(PATIENCE).context("wait for the confirmations")?;
        let took = began.elapsed();
        let confirmed = confirmed.count();
        ensure!(confirmed == count, "{confirmed} of {count} records were confirmed");
        Ok(took)
    }
}
