//! Whether the log is the one that was folded. Offsets alone don't say so: a log that lost its end grows past the old place
//! again, and the records in between would be skipped for ever.

use std::time::{Duration, Instant};

use rdkafka::Message as _;
use rdkafka::error::KafkaError;
use sha2::{Digest as _, Sha256};

use super::Position;
use super::kafka;
use crate::config;

/// How long the log may take for one record of a partition.
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
    #[error(
        "partition {partition} of the log begins at {begins}, and {next} records of it were folded: Kafka deleted records that \
         were never folded. Nothing of it is folded, so nothing is skipped; restore the topic from its backup, and set its \
         retention to unlimited (`yomitori-server check` says how)"
    )]
    Deleted { partition: i32, next: i64, begins: i64 },
    #[error("failed to read partition {partition} of the log: Kafka does not answer")]
    Silent { partition: i32 },
    #[error("failed to read partition {partition} of the log")]
    Unreadable { partition: i32, source: KafkaError },
}

impl IdentityError {
    /// Whether the log is another one than was folded: that does not pass, and a person has to act.
    #[must_use]
    pub const fn is_difference(&self) -> bool {
        matches!(self, Self::Shorter { .. } | Self::Other { .. } | Self::Deleted { .. })
    }
}

/// Compares the log with what was folded of a partition, and looks whether the next record can be read. A record that the
/// log no longer keeps can't be compared. Returns how many records the log has lost from its beginning. Blocks for up to a
/// quarter of a minute.
///
/// # Errors
/// If the log is another one there, or does not answer.
pub fn compare(kafka: &config::Kafka, folded: Folded) -> Result<u64, IdentityError> {
    let Folded { next, last } = folded;
    let partition = next.partition;
    let unreadable = |source| IdentityError::Unreadable { partition, source };
    let (begins, ends) = kafka::bounds_of(kafka, partition).map_err(unreadable)?;
    if ends < next.offset {
        return Err(IdentityError::Shorter { partition, next: next.offset, ends });
    }
    if next.offset < begins {
        return Err(IdentityError::Deleted { partition, next: next.offset, begins });
    }
    let mut wanted = last.filter(|_| next.offset > begins);
    let deleted = begins.unsigned_abs();
    if wanted.is_none() && next.offset == ends {
        return Ok(deleted);
    }
    let from = if wanted.is_some() { next.offset - 1 } else { next.offset };
    let reader = kafka::replayer(kafka, Position { partition, offset: from }).map_err(unreadable)?;
    let until = Instant::now() + READ_LIMIT;
    loop {
        let Some(message) = reader.poll(until.saturating_duration_since(Instant::now())) else {
            return Err(IdentityError::Silent { partition });
        };
        let message = match message {
            Err(error) if kafka::passes(&error) => continue,
            Err(source) => return Err(unreadable(source)),
            Ok(message) => message,
        };
        // A record in place of the wanted one, or that one with other contents.
        if let Some(last) = wanted.take()
            && (message.offset() != from || RecordDigest::of(message.payload().unwrap_or_default()) != last)
        {
            return Err(IdentityError::Other { partition, offset: from });
        }
        if message.offset() >= next.offset || next.offset == ends {
            return Ok(deleted);
        }
    }
}
