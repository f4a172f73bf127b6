//! Up to when all is there that a facility's terminals observed, and what is missing: `analytics.completeness`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use yomitori_proto::id::{FacilityId, Life, TerminalId};
use yomitori_proto::vocabulary::GapSource;

use super::{QueryContext as _, Store, StoreError};

/// What of one life of a terminal has arrived.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Completeness {
    pub terminal: TerminalId,
    /// Absent where the terminal never sent anything: nothing is known of it.
    pub life: Option<Life>,
    /// The terminal's present life.
    pub current: bool,
    /// Absent where even the first observation is missing, or nothing is known.
    pub complete_up_to: Option<DateTime<Utc>>,
    pub received_up_to: Option<i64>,
    pub received: Option<i64>,
    pub holes: Vec<Hole>,
}

/// Something that is missing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Hole {
    /// These numbers never arrived.
    Missing {
        from_seq: i64,
        to_seq: i64,
        /// Of the observation before them; absent where there is none.
        from: Option<DateTime<Utc>>,
        /// Of the observation behind them.
        to: DateTime<Utc>,
    },
    /// The agent says that it could not collect, or had to drop, what was to be seen in [from, to).
    NotCollected {
        source: GapSource,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        /// How many observations, where that is known.
        #[serde(default)]
        lost: Option<u64>,
    },
    /// The life ended without a word: whether anything came after this is not known.
    NoFarewell { from: DateTime<Utc> },
}

/// The lives of a facility's terminals: terminal by terminal, the present life first.
///
/// # Errors
/// Where a stored document cannot be decoded.
pub async fn of(store: &Store, facility: FacilityId) -> Result<Vec<Completeness>, StoreError> {
    let query = "SELECT terminal_id, life, coalesce(current, false), complete_up_to, received_up_to, received, holes \
                 FROM analytics.completeness WHERE facility_id = $1 \
                 ORDER BY terminal_id, current DESC NULLS LAST, complete_up_to DESC NULLS LAST, life";
    let context = "ask how complete a facility is";
    let mut client = store.client().await?;
    let transaction = client.transaction().await.context(context)?;
    // Years of one facility are sorted in memory, and compiling the query would take longer than running it.
    transaction.batch_execute("SET LOCAL jit = off; SET LOCAL work_mem = '32MB'").await.context(context)?;
    let rows = transaction.query(query, &[&facility.0]).await.context(context)?;
    transaction.commit().await.context(context)?;
    rows.iter().map(completeness).collect()
}

fn completeness(row: &Row) -> Result<Completeness, StoreError> {
    let holes = serde_json::from_value(row.get(6));
    Ok(Completeness {
        terminal: TerminalId(row.get(0)),
        life: row.get::<_, Option<_>>(1).map(Life),
        current: row.get(2),
        complete_up_to: row.get(3),
        received_up_to: row.get(4),
        received: row.get(5),
        holes: holes.map_err(|source| StoreError::Broken { what: "the holes of a life", source })?,
    })
}
