//! The real events at a site, independent of the observations.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::TerminalId;

use super::site::Kind;

/// A phone was read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Read {
    /// The correct time at which the phone was laid on the reader.
    pub at: DateTime<Utc>,
    pub result_at: DateTime<Utc>,
    pub terminal: TerminalId,
    /// The time at which the server had its result; set at the end of the history.
    pub heard_at: Option<DateTime<Utc>>,
    /// The time at which the desk entered it, if it did, and at which the server had the entry.
    pub attested_at: Option<DateTime<Utc>>,
    pub attestation_heard_at: Option<DateTime<Utc>>,
}

/// A phone was laid on the reader and not read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Failure {
    pub at: DateTime<Utc>,
    pub terminal: TerminalId,
    /// The desk entered it.
    pub recorded: bool,
    /// The time of the file of the card that was used instead.
    pub card_at: Option<DateTime<Utc>>,
}

/// Reads and failures, each in chronological order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ledger {
    pub kind: Kind,
    pub seed: u64,
    pub phones_work: bool,
    pub reads: Vec<Read>,
    pub failures: Vec<Failure>,
}
