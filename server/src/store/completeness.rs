//! Up to when all observations of a facility's terminals have arrived, and what is missing: `analytics.completeness`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use yomitori_proto::id::{FacilityId, Life, TerminalId};
use yomitori_proto::vocabulary::GapSource;

use super::{QueryContext as _, Store, StoreError};

/// What has arrived of one life of a terminal.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Completeness {
    pub terminal: TerminalId,
    /// Absent if the terminal never sent anything.
    pub life: Option<Life>,
    /// The terminal's present life.
    pub current: bool,
    /// Absent if the first observation is missing or nothing is known.
    pub complete_up_to: Option<DateTime<Utc>>,
    pub received_up_to: Option<i64>,
    pub received: Option<i64>,
    pub holes: Vec<Hole>,
}

/// Something that is missing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Hole {
    /// These sequence numbers never arrived.
    Missing {
        from_seq: i64,
        to_seq: i64,
        /// The time of the observation before them; absent if there is none.
        from: Option<DateTime<Utc>>,
        /// The time of the observation after them.
        to: DateTime<Utc>,
    },
    /// The agent reports that it could not collect, or had to drop, the observations in [from, to).
    NotCollected {
        source: GapSource,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        /// The number of observations, if known.
        #[serde(default)]
        lost: Option<u64>,
    },
    /// The life ended without a shutdown notice: whether anything happened after this is unknown.
    NoFarewell { from: DateTime<Utc> },
}

/// The lives of a facility's terminals: terminal by terminal, the present life first.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn of(store: &Store, facility: FacilityId) -> Result<Vec<Completeness>, StoreError> {
    let query = "SELECT terminal_id, life, coalesce(current, false), complete_up_to, received_up_to, received, holes \
                 FROM analytics.completeness WHERE facility_id = $1 \
                 ORDER BY terminal_id, current DESC NULLS LAST, complete_up_to DESC NULLS LAST, life";
    let context = "read the completeness of a facility";
    let rows = store.client().await?.query(query, &[&facility.0]).await.context(context)?;
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
