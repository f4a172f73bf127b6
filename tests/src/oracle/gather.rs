//! Collects the input of the oracle: the journals of the agents, the tables of the store, the logs of the programs.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio_postgres::Client;
use uuid::Uuid;
use yomitori_facility::StoredJson as _;
use yomitori_proto::event::Recorded;
use yomitori_proto::id::{FacilityId, Life, TerminalId};

use super::{Number, Place, number};

/// The observations that one life of a terminal has kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    pub terminal: TerminalId,
    pub life: Life,
    /// The numbers in the order of keeping. A number is missing if the agent was killed between keeping the observation
    /// and writing the journal.
    pub journal: Vec<u64>,
    /// The last number according to the spool.
    pub last: u64,
}

/// The contents of the store.
#[derive(Debug, Clone, Default)]
pub struct Stored {
    pub facts: Vec<Fact>,
    pub states: BTreeMap<FacilityId, Value>,
    /// The next offset of every partition.
    pub progress: BTreeMap<i32, i64>,
    pub parked: i64,
}

/// A row of `projection.fact`.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    pub place: Place,
    pub facility: FacilityId,
    pub kind: String,
    pub occurred_at: DateTime<Utc>,
    pub received_at: DateTime<Utc>,
    pub number: Option<Number>,
    pub origin: Value,
    pub event: Value,
}

impl Fact {
    /// The row that follows from the log at `place`.
    ///
    /// # Panics
    /// If the row can't be written as JSON, which the contract's own tests rule out.
    #[must_use]
    pub fn expected(place: Place, recorded: &Recorded) -> Self {
        let json = "facts are written as JSON everywhere";
        Self {
            place,
            facility: recorded.facility,
            kind: recorded.event.kind().to_owned(),
            occurred_at: recorded.occurred_at(),
            received_at: recorded.received_at,
            number: number(recorded),
            origin: recorded.origin.to_json().and_then(|text| serde_json::from_str(&text)).expect(json),
            event: recorded.event.to_json().and_then(|text| serde_json::from_str(&text)).expect(json),
        }
    }
}

/// Reads the store in one transaction, for a consistent snapshot.
///
/// # Errors
/// If the database doesn't answer or has other tables.
pub async fn stored(client: &mut Client) -> Result<Stored> {
    let snapshot = client
        .build_transaction()
        .isolation_level(tokio_postgres::IsolationLevel::RepeatableRead)
        .read_only(true)
        .start()
        .await?;
    let query = "SELECT partition, log_offset, index_in_record, facility_id, kind, occurred_at, received_at, \
                 terminal_id, life, seq, origin, event, observed_at, sent_at FROM projection.fact";
    let fact = |row: &tokio_postgres::Row| {
        let number: (Option<Uuid>, Option<Uuid>, Option<i64>) = (row.get(7), row.get(8), row.get(9));
        Ok(Fact {
            place: (row.get(0), row.get(1), row.get(2)),
            facility: FacilityId(row.get(3)),
            kind: row.get(4),
            occurred_at: row.get(5),
            received_at: row.get(6),
            number: match number {
                (Some(terminal), Some(life), Some(seq)) => {
                    Some((TerminalId(terminal), Life(life), seq.cast_unsigned()))
                }
                _ => None,
            },
            origin: match row.get::<_, Option<&str>>(10) {
                Some(text) => serde_json::from_str(text).context("an origin")?,
                None => json!({ "terminal": {
                    "terminal": row.get::<_, Uuid>(7),
                    "life": row.get::<_, Uuid>(8),
                    "seq": row.get::<_, i64>(9),
                    "occurred_at": row.get::<_, DateTime<Utc>>(5),
                    "observed_at": row.get::<_, DateTime<Utc>>(12),
                    "sent_at": row.get::<_, DateTime<Utc>>(13),
                } }),
            },
            event: serde_json::from_str(row.get(11)).context("an event")?,
        })
    };
    let facts = snapshot.query(query, &[]).await.context("read the facts")?;
    let facts = facts.iter().map(fact).collect::<Result<_>>()?;
    let states =
        snapshot.query("SELECT facility_id, state FROM projection.facility", &[]).await.context("read states")?;
    let progress = snapshot.query("SELECT partition, next_offset FROM projection.progress", &[]).await?;
    let parked = snapshot.query_one("SELECT count(*) FROM projection.parked", &[]).await?;
    Ok(Stored {
        facts,
        states: states.iter().map(|row| (FacilityId(row.get(0)), row.get(1))).collect(),
        progress: progress.iter().map(|row| (row.get(0), row.get(1))).collect(),
        parked: parked.get(0),
    })
}

/// The journal at `path` by life: an agent with crash points writes it after every fsync.
///
/// # Errors
/// If the journal can't be read or has an invalid line.
pub fn journal(path: &Path) -> Result<BTreeMap<Life, Vec<u64>>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("read {path:?}")),
    };
    let mut lives: BTreeMap<Life, Vec<u64>> = BTreeMap::new();
    for line in text.lines() {
        let broken = || format!("the line {line:?} of {path:?}");
        let (life, seq) = line.split_once(' ').with_context(broken)?;
        lives.entry(life.parse().with_context(broken)?).or_default().push(seq.parse().with_context(broken)?);
    }
    Ok(lives)
}

/// The lines of `log` in which the program `name` calls for a person.
#[must_use]
pub fn complaints(name: &str, log: &str) -> Vec<String> {
    let calls = |line: &&str| line.contains(" ERROR ") || line.contains("panicked at");
    log.lines().filter(calls).map(|line| format!("{name}: {line}")).collect()
}
