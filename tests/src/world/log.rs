//! Writing into the log as the server would, without one: what a test or a bench wants to be there already.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rdkafka::ClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseRecord, DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use yomitori_proto::encode;
use yomitori_proto::event::LogRecord;

const PATIENCE: Duration = Duration::from_secs(3600);

struct Confirmed(Arc<AtomicU64>);

impl ClientContext for Confirmed {}

impl ProducerContext for Confirmed {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Appends `records` and waits until the log has confirmed all of them; gives how many. Blocks.
///
/// # Errors
/// When one is not confirmed.
pub fn append(address: &str, topic: &str, records: impl IntoIterator<Item = LogRecord>) -> Result<u64> {
    let confirmed = Arc::new(AtomicU64::new(0));
    let producer: ThreadedProducer<Confirmed> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.type", "lz4")
        .set("linger.ms", "5")
        .set("queue.buffering.max.kbytes", "262144")
        .set("partitioner", "murmur2_random")
        .create_with_context(Confirmed(Arc::clone(&confirmed)))
        .context("make a producer")?;
    let mut sent = 0;
    for record in records {
        let payload = encode::log_record_bytes(&record);
        let mut message = BaseRecord::to(topic).key(record.facility.0.as_bytes().as_slice()).payload(&payload);
        while let Err((error, back)) = producer.send(message) {
            let full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            ensure!(full, "produce: {error}");
            message = back;
            producer.poll(Duration::from_millis(5));
        }
        sent += 1;
    }
    producer.flush(PATIENCE).context("wait for the confirmations")?;
    let confirmed = confirmed.load(Ordering::Relaxed);
    ensure!(confirmed == sent, "{confirmed} of {sent} records were confirmed");
    Ok(confirmed)
}
