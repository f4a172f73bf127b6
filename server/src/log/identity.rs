//! Whether the log is the one that was folded. Offsets alone don't say so: a log that lost its end grows past the old place
//! again, and the records in between would be skipped for ever.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};
use sha2::{Digest as _, Sha256};

use super::Position;
use super::kafka::{self, TopicError};
use crate::config;

/// How long the log may take for one record of each partition.
const READ_LIMIT: Duration = Duration::from_secs(10);

/// The digest of a record's contents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordDigest(pub [u8; 32]);

impl RecordDigest {
    #[must_use]
    pub fn of(payload: &[u8]) -> Self {
        Self(Sha256::digest(payload).into())
    }
}

/// Up to where a partition was folded, and the record before that.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Folded {
    pub next: Position,
    pub last: RecordDigest,
}

/// The log is not the one that was folded.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(
        "partition {partition} of the log ends at {ends}, and {next} records of it were folded: the topic lost its end, \
         was created anew, or was restored from an older copy. Nothing is folded, so nothing is skipped; see \"The topic is \
         older than the database\" in deploy/docs/backup.md"
    )]
    Shorter { partition: i32, next: i64, ends: i64 },
    #[error(
        "record {offset} of partition {partition} is not the one that was folded: the topic lost its end and grew again, \
         or is another one. Nothing is folded, so nothing is skipped; see \"The topic is older than the database\" in \
         deploy/docs/backup.md"
    )]
    Other { partition: i32, offset: i64 },
    #[error("failed to read partition {partition} of the log: Kafka does not answer")]
    Silent { partition: i32 },
    #[error("failed to read the log")]
    Log(#[from] KafkaError),
    #[error("failed to find the log")]
    Topic(#[from] TopicError),
}

/// Compares the log with what was folded of it. A record that the log no longer keeps can't be compared. Blocks.
///
/// # Errors
/// If it is another log, or Kafka does not answer.
pub fn verify(kafka: &config::Kafka, folded: &[Folded]) -> Result<(), IdentityError> {
    if folded.is_empty() {
        return Ok(());
    }
    let bounds = kafka::bounds(kafka)?;
    let mut wanted = BTreeMap::new();
    for Folded { next, last } in folded {
        let (begins, ends) = bounds.get(&next.partition).copied().unwrap_or((0, 0));
        if ends < next.offset {
            return Err(IdentityError::Shorter { partition: next.partition, next: next.offset, ends });
        }
        if next.offset > begins {
            wanted.insert(next.partition, (next.offset - 1, *last));
        }
    }
    let Some((&first, _)) = wanted.first_key_value() else { return Ok(()) };
    let (offset, _) = wanted[&first];
    let reader = kafka::replayer(kafka, Position { partition: first, offset })?;
    let mut assignment = TopicPartitionList::new();
    for (partition, (offset, _)) in &wanted {
        assignment.add_partition_offset(&kafka.topic, *partition, Offset::Offset(*offset))?;
    }
    reader.assign(&assignment)?;
    let until = Instant::now() + READ_LIMIT;
    while let Some((&partition, _)) = wanted.first_key_value() {
        let Some(message) = reader.poll(until.saturating_duration_since(Instant::now())) else {
            return Err(IdentityError::Silent { partition });
        };
        let message = match message {
            Err(error) if kafka::passes(&error) => continue,
            message => message?,
        };
        // A record in place of the wanted one, or that one with other contents; later ones of the partition are ignored.
        if let Some((offset, last)) = wanted.remove(&message.partition())
            && (message.offset() != offset || RecordDigest::of(message.payload().unwrap_or_default()) != last)
        {
            return Err(IdentityError::Other { partition: message.partition(), offset });
        }
    }
    Ok(())
}
