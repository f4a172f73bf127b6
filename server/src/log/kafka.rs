//! Appends to and reads from the topic of facts.
//!
//! Appended means confirmed: `acks=all`, idempotent, and an unknown outcome is an error. The records of one facility
//! have the same key, so they share a partition and have one order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use rdkafka::statistics::{Broker, Statistics};
use rdkafka::{Offset, TopicPartitionList};
use yomitori_proto::encode;
use yomitori_proto::event::LogRecord;
use yomitori_proto::id::FacilityId;

use crate::log::Position;
use crate::{config, telemetry};

/// After this long without a confirmation the outcome of an append is unknown; shorter than every stream's deadline.
const APPEND_LIMIT: Duration = Duration::from_secs(5);
/// What the producer holds at most while Kafka is away; an append beyond it fails like one that is not confirmed.
const QUEUE_LIMIT_KB: &str = "262144";
/// How long a query of the cluster may take.
pub(super) const ASK_LIMIT: Duration = Duration::from_secs(5);
/// A batch of one terminal fits easily; the default limit of a broker is the same.
pub const RECORD_LIMIT: usize = 1_000_000;

/// Why nothing was appended, or why the outcome is unknown.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    #[error("the record has {size} bytes; the limit of the log is {RECORD_LIMIT}")]
    TooLarge { size: usize },
    #[error("failed to append to the log: Kafka did not confirm")]
    Unconfirmed(#[source] KafkaError),
}

/// Why the topic cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TopicError {
    #[error("failed to reach Kafka at `{servers}` (is it running, and is `kafka.bootstrap_servers` right?)")]
    Unreachable { servers: String, source: KafkaError },
    #[error("failed to create topic `{topic}`")]
    Create { topic: String, source: KafkaError },
    #[error("failed to create topic `{topic}`: the broker answered {code:?}")]
    Refused { topic: String, code: RDKafkaErrorCode },
    #[error("topic `{topic}` does not exist (run `yomitori-server migrate` first)")]
    Missing { topic: String },
    #[error(
        "topic `{topic}` has {found} partitions, and {folded} when its first record was folded: records of one facility would \
         stand in two partitions, in no order. Nothing is folded; see \"The topic has another number of partitions\" in \
         deploy/docs/backup.md"
    )]
    OtherPartitions { topic: String, found: i32, folded: i32 },
}

pub(super) fn client(kafka: &config::Kafka) -> ClientConfig {
    let mut client = ClientConfig::new();
    client
        .set("bootstrap.servers", &kafka.bootstrap_servers)
        .set("client.id", "yomitori-server")
        .set("topic.metadata.refresh.interval.ms", "30000")
        .set("reconnect.backoff.max.ms", "2000")
        .set_log_level(RDKafkaLogLevel::Emerg);
    client
}

/// The writing end.
pub struct Appender {
    /// Replaced after a fatal error, which librdkafka never leaves by itself: for example when a broker lost the end of the
    /// log, so that the numbers of an idempotent producer no longer follow each other.
    producer: Mutex<Arc<FutureProducer>>,
    kafka: config::Kafka,
}

impl Appender {
    /// Opens the writing end; does not wait for the broker.
    ///
    /// # Errors
    /// If librdkafka rejects the settings.
    pub fn open(kafka: &config::Kafka) -> Result<Self, KafkaError> {
        Ok(Self { producer: Mutex::new(Arc::new(Self::producer(kafka)?)), kafka: kafka.clone() })
    }

    fn producer(kafka: &config::Kafka) -> Result<FutureProducer, KafkaError> {
        client(kafka)
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("linger.ms", "1")
            .set("compression.type", "lz4")
            .set("message.timeout.ms", APPEND_LIMIT.as_millis().to_string())
            .set("partitioner", "murmur2_random")
            .set("queue.buffering.max.kbytes", QUEUE_LIMIT_KB)
            .create()
    }

    fn current(&self) -> Arc<FutureProducer> {
        Arc::clone(&self.producer.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces `failed` if it can append nothing more; another append may have done so already.
    fn replace_if_fatal(&self, failed: &Arc<FutureProducer>) {
        let Some((code, reason)) = failed.client().fatal_error() else { return };
        let mut producer = self.producer.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::ptr_eq(&producer, failed)
            && let Ok(new) = Self::producer(&self.kafka)
        {
            telemetry::producer_replaced(&format!("{code}: {reason}"));
            *producer = Arc::new(new);
        }
    }

    /// Appends `record` and waits until the log has it.
    ///
    /// # Errors
    /// If the record is too large, or Kafka did not confirm in time. Then the log may or may not contain it; sending
    /// it again is safe, because the projector drops what it has folded already.
    pub async fn append(&self, record: &LogRecord) -> Result<Position, AppendError> {
        self.append_encoded(record.facility, &encode::log_record_bytes(record)).await
    }

    /// Appends a record of `facility` that is encoded already, as [`Self::append`] does.
    ///
    /// # Errors
    /// As [`Self::append`].
    pub async fn append_encoded(&self, facility: FacilityId, payload: &[u8]) -> Result<Position, AppendError> {
        if payload.len() > RECORD_LIMIT {
            return Err(AppendError::TooLarge { size: payload.len() });
        }
        let message = FutureRecord::to(&self.kafka.topic).key(facility.0.as_bytes()).payload(payload);
        let producer = self.current();
        match producer.send(message, APPEND_LIMIT).await {
            Ok(delivery) => Ok(Position { partition: delivery.partition, offset: delivery.offset }),
            Err((error, _)) => {
                self.replace_if_fatal(&producer);
                Err(AppendError::Unconfirmed(error))
            }
        }
    }

    /// The number of partitions of the topic, over the connection for appends. Blocks for up to [`ASK_LIMIT`].
    ///
    /// # Errors
    /// If Kafka cannot be reached or the topic does not exist.
    pub fn partitions(&self) -> Result<i32, TopicError> {
        metadata(&self.kafka, self.current().client(), count)
    }

    /// Waits for the appends that are in flight.
    pub fn flush(&self) {
        // Nothing depends on the outcome: each caller of an append gets its own answer.
        self.current().flush(APPEND_LIMIT).ok();
    }
}

/// The reading end.
pub type Reader = StreamConsumer<Ends>;

/// Opens the reading end. Only the store knows what has been read: Kafka's group offsets are not used.
///
/// # Errors
/// If librdkafka rejects the settings.
pub fn reader(kafka: &config::Kafka) -> Result<Reader, KafkaError> {
    client(kafka)
        .set("group.id", "yomitori-projector")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("fetch.wait.max.ms", "100")
        .set("queued.max.messages.kbytes", "65536")
        .set("statistics.interval.ms", "1000")
        .create_with_context(Ends::default())
}

/// Reads one partition as fast as possible, for a rebuild.
pub type Replayer = BaseConsumer;

/// Reads from the offset `from`.
///
/// # Errors
/// If librdkafka rejects the assignment.
pub fn replayer(kafka: &config::Kafka, from: Position) -> Result<Replayer, KafkaError> {
    let reader: Replayer = client(kafka)
        .set("group.id", "yomitori-rebuild")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("queued.max.messages.kbytes", "65536")
        .create()?;
    let mut assignment = TopicPartitionList::new();
    assignment.add_partition_offset(&kafka.topic, from.partition, Offset::Offset(from.offset))?;
    reader.assign(&assignment)?;
    Ok(reader)
}

/// Whether librdkafka recovers from this error by itself: a connection was lost, or could not be opened yet.
#[must_use]
pub fn passes(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{AllBrokersDown, BrokerTransportFailure, OperationTimedOut, Resolve};
    matches!(error.rdkafka_error_code(), Some(AllBrokersDown | BrokerTransportFailure | OperationTimedOut | Resolve))
}

/// The first and next offset of each partition. Blocks for up to [`ASK_LIMIT`] per partition.
///
/// # Errors
/// If Kafka cannot be reached or the topic does not exist.
pub fn bounds(kafka: &config::Kafka) -> Result<BTreeMap<i32, (i64, i64)>, TopicError> {
    let unreachable = |source| TopicError::Unreachable { servers: kafka.bootstrap_servers.clone(), source };
    let count = partitions(kafka)?;
    let asker: BaseConsumer = client(kafka).create().map_err(unreachable)?;
    let of = |partition| {
        let bounds = asker.fetch_watermarks(&kafka.topic, partition, ASK_LIMIT).map_err(unreachable)?;
        Ok((partition, bounds))
    };
    (0..count).map(of).collect()
}

/// The first and next offset of one partition. Blocks for up to [`ASK_LIMIT`].
///
/// # Errors
/// If the broker of the partition does not answer.
pub fn bounds_of(kafka: &config::Kafka, partition: i32) -> Result<(i64, i64), KafkaError> {
    let asker: BaseConsumer = client(kafka).create()?;
    asker.fetch_watermarks(&kafka.topic, partition, ASK_LIMIT)
}

/// A partition that is read hears from its broker every 0.1 s, also where nothing is new. After this long without an answer
/// its end is not known.
const ANSWERED_WITHIN: Duration = Duration::from_secs(5);

/// The ends of the partitions, as librdkafka last learned them.
#[derive(Default)]
pub struct Ends(Mutex<LastReport>);

#[derive(Default)]
struct LastReport {
    /// `None` before the first report.
    reported_at: Option<Instant>,
    /// Of the partitions that are read and whose broker answers.
    ends: BTreeMap<i32, i64>,
    /// How many partitions the topic has.
    count: i32,
}

impl Ends {
    /// The offset after the last record of `partition`; `None` while its broker does not say it.
    pub fn of(&self, partition: i32) -> Option<i64> {
        let report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        report.reported_at.filter(|at| at.elapsed() <= ANSWERED_WITHIN)?;
        report.ends.get(&partition).copied()
    }

    /// How many partitions the topic has, as librdkafka last learned; `None` until the broker has reported it.
    pub fn partitions(&self) -> Option<i32> {
        Some(self.0.lock().unwrap_or_else(PoisonError::into_inner).count).filter(|count| *count > 0)
    }
}

impl ClientContext for Ends {
    fn stats(&self, statistics: Statistics) {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let partitions = statistics.topics.values().flat_map(|topic| &topic.partitions);
        let count = partitions.filter(|(number, partition)| **number >= 0 && !partition.unknown).count();
        report.count = i32::try_from(count).unwrap_or(i32::MAX);
        let answers = |broker: &&Broker| {
            u64::try_from(broker.rxidle).is_ok_and(|micros| Duration::from_micros(micros) <= ANSWERED_WITHIN)
        };
        let answering: BTreeSet<i32> =
            statistics.brokers.values().filter(answers).map(|broker| broker.nodeid).collect();
        let partitions = statistics.topics.values().flat_map(|topic| &topic.partitions);
        let known = partitions.filter(|(number, partition)| {
            **number >= 0 && partition.hi_offset >= 0 && answering.contains(&partition.broker)
        });
        report.ends = known.map(|(number, partition)| (*number, partition.hi_offset)).collect();
        report.reported_at = Some(Instant::now());
    }
}

impl ConsumerContext for Ends {}

/// Reads these partitions from these positions, and no others.
///
/// # Errors
/// If librdkafka rejects the assignment.
pub fn read_from(reader: &Reader, topic: &str, positions: &[Position]) -> Result<(), KafkaError> {
    let mut assignment = TopicPartitionList::new();
    for position in positions {
        assignment.add_partition_offset(topic, position.partition, Offset::Offset(position.offset))?;
    }
    reader.assign(&assignment)
}

/// The number of partitions of the topic. Blocks for up to [`ASK_LIMIT`].
///
/// # Errors
/// If Kafka cannot be reached or the topic does not exist.
pub fn partitions(kafka: &config::Kafka) -> Result<i32, TopicError> {
    ask(kafka, count)
}

/// [`partitions`], for callers that must not block.
///
/// # Errors
/// If Kafka cannot be reached or the topic does not exist.
pub async fn count_partitions(kafka: &config::Kafka) -> Result<i32, TopicError> {
    let kafka = kafka.clone();
    tokio::task::spawn_blocking(move || partitions(&kafka)).await.expect("asking for the partitions does not panic")
}

/// The smallest number of replicas that a partition of the topic has. Blocks for up to [`ASK_LIMIT`].
///
/// # Errors
/// If Kafka cannot be reached or the topic does not exist.
pub fn replicas(kafka: &config::Kafka) -> Result<usize, TopicError> {
    ask(kafka, |topic| topic.partitions().iter().map(|partition| partition.replicas().len()).min().unwrap_or(0))
}

/// Refuses a topic with another number of partitions than the one that was `folded`.
///
/// # Errors
/// If the numbers differ.
pub fn same_partitions(kafka: &config::Kafka, found: i32, folded: i32) -> Result<(), TopicError> {
    if found == folded {
        Ok(())
    } else {
        Err(TopicError::OtherPartitions { topic: kafka.topic.clone(), found, folded })
    }
}

/// Asks for the metadata of the topic, which exists.
fn ask<T>(kafka: &config::Kafka, of: impl Fn(&MetadataTopic) -> T) -> Result<T, TopicError> {
    let unreachable = |source| TopicError::Unreachable { servers: kafka.bootstrap_servers.clone(), source };
    let asker: BaseConsumer = client(kafka).create().map_err(unreachable)?;
    metadata(kafka, asker.client(), of)
}

fn count(topic: &MetadataTopic) -> i32 {
    i32::try_from(topic.partitions().len()).unwrap_or(i32::MAX)
}

fn metadata<C: ClientContext, T>(
    kafka: &config::Kafka,
    asker: &Client<C>,
    of: impl Fn(&MetadataTopic) -> T,
) -> Result<T, TopicError> {
    let unreachable = |source| TopicError::Unreachable { servers: kafka.bootstrap_servers.clone(), source };
    let metadata = asker.fetch_metadata(Some(&kafka.topic), ASK_LIMIT).map_err(unreachable)?;
    let found = metadata.topics().iter().find(|t| t.name() == kafka.topic && !t.partitions().is_empty());
    found.map(of).ok_or_else(|| TopicError::Missing { topic: kafka.topic.clone() })
}
