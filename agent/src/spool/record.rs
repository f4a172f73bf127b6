//! One observation as the spool stores it.

use chrono::{DateTime, Utc};
use prost::Message as _;
use redb::TableDefinition;
use yomitori_observation::{Sighting, shed};
use yomitori_proto::event::Observation;
use yomitori_proto::id::Seq;
use yomitori_proto::{decode, encode, time, wire};

use super::error::SpoolError;

/// By number; the first byte of a value is its worth, the rest is the message.
pub(super) const OBSERVATIONS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("observations");

/// The value for `sighting` under the number `seq`.
pub(super) fn encoded(seq: Seq, sighting: Sighting) -> Vec<u8> {
    let Sighting { occurred_at, observed_at, event } = sighting;
    let (occurred_at, observed_at) = (representable(occurred_at), representable(observed_at));
    let worth = shed::worth(&event);
    let message = encode::observation(&Observation { seq, occurred_at, observed_at, event });
    let mut value = Vec::with_capacity(1 + message.encoded_len());
    value.push(worth as u8);
    message.encode(&mut value).expect("a vector grows");
    value
}

/// The observation in a value of the table.
pub(super) fn decoded(value: &[u8]) -> Result<Observation, SpoolError> {
    let corrupted = || redb::StorageError::Corrupted("an observation can't be read".to_owned());
    let (_, message) = value.split_first().ok_or_else(corrupted)?;
    let message = wire::Observation::decode(message).map_err(|_| corrupted())?;
    Ok(decode::from_terminal(message).map_err(|_| corrupted())?)
}

/// An instant that the encoding can't represent would make an observation that can't be read again.
fn representable(at: DateTime<Utc>) -> DateTime<Utc> {
    time::from_micros(time::to_micros(at)).unwrap_or(DateTime::UNIX_EPOCH)
}
