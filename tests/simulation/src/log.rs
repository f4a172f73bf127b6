//! Writes into the log like the server would: the initial contents that a test or a bench needs.

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
use yomitori_proto::id::FacilityId;

const PATIENCE: Duration = Duration::from_secs(3600);

/// Counts the records that the log has confirmed.
#[derive(Debug, Clone, Default)]
pub struct Confirmed(Arc<AtomicU64>);

impl Confirmed {
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl ClientContext for Confirmed {}

impl ProducerContext for Confirmed {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if result.is_ok() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A producer for the log.
pub struct Writer {
    producer: ThreadedProducer<Confirmed>,
    topic: String,
    sent: u64,
    confirmed: Confirmed,
}

impl Writer {
    /// Opens the log `topic` at `address`.
    ///
    /// # Errors
    /// If librdkafka refuses.
    pub fn open(address: &str, topic: &str) -> Result<Self> {
        let confirmed = Confirmed::default();
        let producer = ClientConfig::new()
            .set("bootstrap.servers", address)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("compression.type", "lz4")
            .set("linger.ms", "5")
            .set("queue.buffering.max.kbytes", "262144")
            .set("partitioner", "murmur2_random")
            .create_with_context(confirmed.clone())
            .context("make a producer")?;
        Ok(Self { producer, topic: topic.to_owned(), sent: 0, confirmed })
    }

    /// Appends `record` after the previous ones; waits only while too many are in flight.
    ///
    /// # Errors
    /// If the log doesn't accept it.
    pub fn append(&mut self, record: &LogRecord) -> Result<()> {
        self.append_bytes(record.facility, &encode::log_record_bytes(record))
    }

    /// Appends bytes that need not be a record.
    ///
    /// # Errors
    /// If the log doesn't accept them.
    pub fn append_bytes(&mut self, facility: FacilityId, payload: &[u8]) -> Result<()> {
        let mut message = BaseRecord::to(&self.topic).key(facility.0.as_bytes().as_slice()).payload(payload);
        while let Err((error, back)) = self.producer.send(message) {
            let full = matches!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            ensure!(full, "produce: {error}");
            message = back;
            self.producer.poll(Duration::from_millis(5));
        }
        self.sent += 1;
        Ok(())
    }

    /// Waits until the log has confirmed everything; returns the number of records. Blocks.
    ///
    /// # Errors
    /// If a record is not confirmed.
    pub fn flush(&self) -> Result<u64> {
        self.producer.flush(PATIENCE).context("wait for the confirmations")?;
        let (sent, confirmed) = (self.sent, self.confirmed.count());
        ensure!(confirmed == sent, "{confirmed} of {sent} records were confirmed");
        Ok(confirmed)
    }
}

/// Appends `records` and waits until the log has confirmed all of them; returns their number. Blocks.
///
/// # Errors
/// If a record is not confirmed.
pub fn append(address: &str, topic: &str, records: impl IntoIterator<Item = LogRecord>) -> Result<u64> {
    let mut writer = Writer::open(address, topic)?;
    for record in records {
        writer.append(&record)?;
    }
    writer.flush()
}
