//! To which installation a topic belongs. Kafka keeps nothing of that kind about a topic, so a second topic beside it holds
//! the identifier of the installation that claimed it first. Facts of two installations in one topic could not be
//! separated any more.

use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::admin::{NewTopic, TopicReplication};
use rdkafka::error::KafkaError;
use rdkafka::producer::{FutureProducer, FutureRecord};
use uuid::Uuid;

use super::Position;
use super::kafka::{self, TopicError};
use super::topic;
use crate::config;

/// How long Kafka may take to write or to return the identifier.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// Why it is unknown to which installation the topic belongs.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    #[error(transparent)]
    Topic(#[from] TopicError),
    #[error("failed to read topic `{topic}`")]
    Unreadable { topic: String, source: KafkaError },
    #[error("failed to read topic `{topic}`: Kafka does not answer")]
    Silent { topic: String },
    #[error("failed to write topic `{topic}`")]
    Unwritten { topic: String, source: KafkaError },
    #[error("topic `{topic}` does not hold the identifier of an installation")]
    NoIdentifier { topic: String },
}

/// The topic belongs to another installation than the database.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "topic `{topic}` belongs to installation {owner}, and this database to {own}: set another `kafka.topic` for this \
     installation. If the topic is its own and it has another database now, run `yomitori-server migrate --existing-log`"
)]
pub struct ForeignTopic {
    pub topic: String,
    pub owner: Uuid,
    pub own: Uuid,
}

/// The topic that names the owner of the topic of facts.
#[must_use]
fn marked(kafka: &config::Kafka) -> config::Kafka {
    config::Kafka { topic: format!("{}.installation", kafka.topic), partitions: 1, ..kafka.clone() }
}

/// Refuses the topic if another installation owns it. One that nobody has claimed is not refused.
#[must_use]
pub fn foreign(kafka: &config::Kafka, owner: Option<Uuid>, own: Uuid) -> Option<ForeignTopic> {
    let owner = owner.filter(|owner| *owner != own)?;
    Some(ForeignTopic { topic: kafka.topic.clone(), owner, own })
}

/// The installation that owns the topic of facts; `None` if nobody has claimed it.
///
/// # Errors
/// If Kafka does not answer.
pub async fn owner(kafka: &config::Kafka) -> Result<Option<Uuid>, OwnerError> {
    let kafka = marked(kafka);
    tokio::task::spawn_blocking(move || read(&kafka)).await.expect("reading the owner does not panic")
}

/// Claims the topic of facts for an installation. Returns who owns it: the first to claim it, also of two at once.
///
/// # Errors
/// If Kafka does not answer, or refuses the topic that names the owner.
pub async fn claim(kafka: &config::Kafka, own: Uuid) -> Result<Uuid, OwnerError> {
    if let Some(owner) = owner(kafka).await? {
        return Ok(owner);
    }
    let marked = marked(kafka);
    let new = NewTopic::new(&marked.topic, marked.partitions, TopicReplication::Fixed(marked.replication))
        .set("retention.ms", "-1")
        .set("retention.bytes", "-1")
        .set("cleanup.policy", "delete");
    topic::create_new(&marked, &new).await?;
    let unwritten = |source| OwnerError::Unwritten { topic: marked.topic.clone(), source };
    let producer: FutureProducer = kafka::client(&marked)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("message.timeout.ms", ANSWER_LIMIT.as_millis().to_string())
        .create()
        .map_err(unwritten)?;
    let payload = own.to_string();
    let record = FutureRecord::to(&marked.topic).key("installation").payload(&payload);
    producer.send(record, ANSWER_LIMIT).await.map_err(|(source, _)| unwritten(source))?;
    // Of two that claim it at once, the first record decides.
    owner(kafka).await?.ok_or(OwnerError::Silent { topic: marked.topic })
}

/// Reads the first record.
fn read(kafka: &config::Kafka) -> Result<Option<Uuid>, OwnerError> {
    let topic = || kafka.topic.clone();
    let unreadable = |source| OwnerError::Unreadable { topic: topic(), source };
    match kafka::partitions(kafka) {
        Ok(_) => {}
        Err(TopicError::Missing { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let (begins, ends) = kafka::bounds_of(kafka, 0).map_err(unreadable)?;
    if begins == ends {
        return Ok(None);
    }
    let reader = kafka::replayer(kafka, Position { partition: 0, offset: begins }).map_err(unreadable)?;
    let until = Instant::now() + ANSWER_LIMIT;
    loop {
        match reader.poll(until.saturating_duration_since(Instant::now())) {
            None => return Err(OwnerError::Silent { topic: topic() }),
            Some(Err(error)) if kafka::passes(&error) => {}
            Some(Err(source)) => return Err(unreadable(source)),
            Some(Ok(message)) => {
                let text = message.payload().and_then(|payload| std::str::from_utf8(payload).ok());
                let id = text.and_then(|text| text.parse().ok());
                return id.map(Some).ok_or_else(|| OwnerError::NoIdentifier { topic: topic() });
            }
        }
    }
}
