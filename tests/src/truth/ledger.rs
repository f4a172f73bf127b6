//! What really happened at a site, whatever was seen of it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::TerminalId;

use super::site::Kind;

/// A phone was read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Read {
    /// When the phone was laid on the reader, by the right time.
    pub at: DateTime<Utc>,
    pub result_at: DateTime<Utc>,
    pub terminal: TerminalId,
    /// When the server had its result; by the end it always has.
    pub heard_at: Option<DateTime<Utc>>,
    /// When the desk entered it, where it did, and when the server had that.
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
    /// When the file of the card came that was used instead.
    pub card_at: Option<DateTime<Utc>>,
}

/// Both, each in order of time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Ledger {
    pub kind: Kind,
    pub seed: u64,
    pub phones_work: bool,
    pub reads: Vec<Read>,
    pub failures: Vec<Failure>,
}
