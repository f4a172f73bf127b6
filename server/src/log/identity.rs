//! Whether the log is the one that was folded. Offsets alone don't say so: a log that lost its end grows past the old place
//! again, and the records in between would be skipped for ever.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use rdkafka::Message as _;
use rdkafka::error::KafkaError;
use sha2::{Digest as _, Sha256};

use super::Position;
use super::kafka::{self, TopicError};
use crate::config;

/// How long the log may take for one record of a partition.
const READ_LIMIT: Duration = Duration::from_secs(10);
/// How many partitions are compared at once: each with a connection of its own.
const AT_ONCE: usize = 8;

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
    /// `None` if nothing was folded, or by a version of the program that did not keep it.
    pub last: Option<RecordDigest>,
}

/// A partition of the log is not the one that was folded, or can't be read.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error(
        "partition {partition} of the log ends at {ends}, and {next} records of it were folded: the topic lost its end, \
         was created again, or was restored from an older copy. Nothing of it is folded, so nothing is skipped; see \"The topic is \
         older than the database\" in deploy/docs/backup.md"
    )]
    Shorter { partition: i32, next: i64, ends: i64 },
    #[error(
        "record {offset} of partition {partition} is not the one that was folded: the topic lost its end and grew again, \
         or is another one. Nothing of it is folded, so nothing is skipped; see \"The topic is older than the database\" in \
         deploy/docs/backup.md"
    )]
    Other { partition: i32, offset: i64 },
    #[error("failed to read partition {partition} of the log: Kafka does not answer")]
    Silent { partition: i32 },
    #[error("failed to read partition {partition} of the log")]
    Unreadable { partition: i32, source: KafkaError },
    #[error("failed to read the log")]
    Log(#[from] KafkaError),
    #[error("failed to find the log")]
    Topic(#[from] TopicError),
}

/// Compares the log with what was folded of each of these partitions, and looks whether the next record can be read.
/// Returns those with which something is wrong: the others can be folded further. A record that the log no longer keeps
/// can't be compared.
///
/// # Errors
/// If Kafka does not answer, or the topic does not exist.
pub async fn differences(kafka: &config::Kafka, folded: &[Folded]) -> Result<BTreeMap<i32, IdentityError>, TopicError> {
    let count = kafka::count_partitions(kafka).await?;
    let compared = stream::iter(folded.iter().copied().filter(|folded| folded.next.partition < count)).map(|folded| {
        let kafka = kafka.clone();
        async move {
            let compared = tokio::task::spawn_blocking(move || compare(&kafka, folded)).await;
            (folded.next.partition, compared.expect("the comparison does not panic"))
        }
    });
    let compared = compared
        .buffer_unordered(AT_ONCE)
        .filter_map(|(partition, compared)| async move { Some((partition, compared.err()?)) });
    Ok(compared.collect().await)
}

/// Compares one partition. Blocks.
fn compare(kafka: &config::Kafka, folded: Folded) -> Result<(), IdentityError> {
    let Folded { next, last } = folded;
    let partition = next.partition;
    let (begins, ends) = kafka::bounds_of(kafka, partition)?;
    if ends < next.offset {
        return Err(IdentityError::Shorter { partition, next: next.offset, ends });
    }
    let mut wanted = last.filter(|_| next.offset > begins);
    if wanted.is_none() && next.offset == ends {
        return Ok(());
    }
    let from = if wanted.is_some() { next.offset - 1 } else { next.offset.max(begins) };
    let reader = kafka::replayer(kafka, Position { partition, offset: from })?;
    let until = Instant::now() + READ_LIMIT;
    loop {
        let Some(message) = reader.poll(until.saturating_duration_since(Instant::now())) else {
            return Err(IdentityError::Silent { partition });
        };
        let message = match message {
            Err(error) if kafka::passes(&error) => continue,
            Err(source) => return Err(IdentityError::Unreadable { partition, source }),
            Ok(message) => message,
        };
        // A record in place of the wanted one, or that one with other contents.
        if let Some(last) = wanted.take()
            && (message.offset() != from || RecordDigest::of(message.payload().unwrap_or_default()) != last)
        {
            return Err(IdentityError::Other { partition, offset: from });
        }
        if message.offset() >= next.offset || next.offset == ends {
            return Ok(());
        }
    }
}
