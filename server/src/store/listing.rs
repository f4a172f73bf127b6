//! Snapshots of the ministry's list: their rows, the facilities that match, and what has been recorded.

pub mod change;
pub mod measured;
pub mod newest;
pub mod row;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;
use yomitori_proto::id::{FacilityId, SnapshotId};

use super::{QueryContext as _, Store, StoreError};

/// A stored snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListSnapshot {
    pub snapshot: SnapshotId,
    pub source: String,
    pub coverage: String,
    pub as_of: DateTime<Utc>,
    /// In hexadecimal.
    pub sha256: String,
    pub format: String,
    /// The names of the sheets, in order; one empty name for a CSV.
    pub sheets: Vec<String>,
    pub rows: i32,
    pub imported_at: DateTime<Utc>,
    pub imported_by: String,
    pub why: Option<String>,
    /// The number of rows of the previous snapshot, set if this one has far fewer.
    pub rows_before: Option<i32>,
    pub released: Option<Release>,
    pub applied_at: Option<DateTime<Utc>>,
}

/// Who released a quarantined snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    pub at: DateTime<Utc>,
    pub by: String,
    pub why: String,
}

const COLUMNS: &str = "snapshot_id, source, coverage, as_of, sha256, format, sheets, row_count, imported_at, imported_by, why, \
                       rows_before, released_at, released_by, released_why, applied_at";

impl ListSnapshot {
    /// Whether it is stored but not accepted.
    #[must_use]
    pub const fn quarantined(&self) -> bool {
        self.rows_before.is_some() && self.released.is_none()
    }

    /// The word for its state.
    #[must_use]
    pub const fn state(&self) -> &'static str {
        match self.applied_at {
            Some(_) => "applied",
            None if self.quarantined() => "quarantined",
            None => "interrupted",
        }
    }

    fn of(row: &Row) -> Self {
        let released = row.get::<_, Option<DateTime<Utc>>>(12);
        Self {
            snapshot: SnapshotId(row.get(0)),
            source: row.get(1),
            coverage: row.get(2),
            as_of: row.get(3),
            sha256: row.get(4),
            format: row.get(5),
            sheets: row.get(6),
            rows: row.get(7),
            imported_at: row.get(8),
            imported_by: row.get(9),
            why: row.get(10),
            rows_before: row.get(11),
            released: released.map(|at| Release {
                at,
                by: row.get::<_, Option<String>>(13).unwrap_or_default(),
                why: row.get::<_, Option<String>>(14).unwrap_or_default(),
            }),
            applied_at: row.get(15),
        }
    }
}

/// All snapshots, the newest date first.
pub async fn all(store: &Store) -> Result<Vec<ListSnapshot>, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM registry.snapshot ORDER BY as_of DESC, imported_at DESC");
    let rows = store.client().await?.query(&query, &[]).await.context("read the snapshots")?;
    Ok(rows.iter().map(ListSnapshot::of).collect())
}

/// One snapshot.
pub async fn find(store: &Store, snapshot: SnapshotId) -> Result<Option<ListSnapshot>, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM registry.snapshot WHERE snapshot_id = $1");
    let row = store.client().await?.query_opt(&query, &[&snapshot.0]).await.context("look up a snapshot")?;
    Ok(row.as_ref().map(ListSnapshot::of))
}

/// The number of rows of the last accepted snapshot of this coverage that is not later than `as_of`: from the same source, or from
/// any other if there is none, so that a source of another name is compared too.
pub async fn rows_before(
    store: &Store,
    source: &str,
    coverage: &str,
    as_of: DateTime<Utc>,
) -> Result<Option<i32>, StoreError> {
    let query = "SELECT row_count FROM registry.snapshot WHERE coverage = $2 AND as_of <= $3 \
                 AND (rows_before IS NULL OR released_at IS NOT NULL) \
                 ORDER BY source = $1 DESC, as_of DESC, imported_at DESC LIMIT 1";
    let client = store.client().await?;
    let row = client.query_opt(query, &[&source, &coverage, &as_of]).await.context("look up the previous snapshot")?;
    Ok(row.map(|row| row.get(0)))
}

/// Releases a snapshot from quarantine, if it is in quarantine.
pub async fn release(store: &Store, snapshot: SnapshotId, released: &Release) -> Result<(), StoreError> {
    let update = "UPDATE registry.snapshot SET released_at = $2, released_by = $3, released_why = $4 \
                  WHERE snapshot_id = $1 AND rows_before IS NOT NULL AND released_at IS NULL";
    let Release { at, by, why } = released;
    let client = store.client().await?;
    client.execute(update, &[&snapshot.0, at, by, why]).await.context("release a snapshot")?;
    Ok(())
}

/// Marks a snapshot as applied: the facts about every covered facility are recorded.
pub async fn applied(store: &Store, snapshot: SnapshotId, at: DateTime<Utc>) -> Result<(), StoreError> {
    let update = "UPDATE registry.snapshot SET applied_at = coalesce(applied_at, $2) WHERE snapshot_id = $1";
    store.client().await?.execute(update, &[&snapshot.0, &at]).await.context("finish a snapshot")?;
    Ok(())
}

/// Notes that the facts about these facilities are recorded, each with its code in the list or an empty one.
pub async fn note_recorded(
    store: &Store,
    snapshot: SnapshotId,
    facilities: &[Uuid],
    codes: &[&str],
) -> Result<(), StoreError> {
    let insert = "INSERT INTO registry.snapshot_recorded (snapshot_id, facilities, codes) VALUES ($1, $2, $3)";
    store
        .client()
        .await?
        .execute(insert, &[&snapshot.0, &facilities, &codes])
        .await
        .context("note recorded facilities")?;
    Ok(())
}

/// The facilities whose facts are recorded already.
pub async fn recorded(store: &Store, snapshot: SnapshotId) -> Result<Vec<(FacilityId, String)>, StoreError> {
    let query = "SELECT unnest(facilities), unnest(codes) FROM registry.snapshot_recorded WHERE snapshot_id = $1";
    let rows = store.client().await?.query(query, &[&snapshot.0]).await.context("read recorded facilities")?;
    Ok(rows.into_iter().map(|row| (FacilityId(row.get(0)), row.get(1))).collect())
}

/// Whether a person has dismissed the rows with `code`.
pub async fn is_dismissed(store: &Store, code: &str) -> Result<bool, StoreError> {
    Ok(dismissed(store).await?.contains(code))
}

/// The codes of rows that a person has dismissed, and did not withdraw that.
pub async fn dismissed(store: &Store) -> Result<BTreeSet<String>, StoreError> {
    let query = "SELECT event->>'code' FROM analytics.fact f \
                 WHERE facility_id = $1 AND kind = 'list_row_dismissed' AND NOT EXISTS \
                 (SELECT FROM analytics.fact w WHERE w.facility_id = $1 AND w.kind = 'statement_withdrawn' \
                 AND w.event->>'statement' = f.origin->'person'->>'id')";
    let rows = store.client().await?.query(query, &[&FacilityId::FLEET.0]).await.context("read the dismissed rows")?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}

/// When each facility first read a phone, and when its opt-out was last acknowledged.
pub type Instants = Vec<(FacilityId, DateTime<Utc>)>;

/// The inputs of cadence and lag: first successes and last acknowledgements.
pub async fn instants(store: &Store) -> Result<(Instants, Instants), StoreError> {
    let successes = "SELECT facility_id, first_success_at FROM projection.facility WHERE first_success_at IS NOT NULL";
    let acknowledged = "SELECT facility_id, max((event->>'acknowledged_at')::timestamptz) \
                        FROM analytics.fact WHERE kind = 'opt_out_acknowledged' GROUP BY facility_id";
    let client = store.client().await?;
    let pairs = |rows: Vec<Row>| rows.into_iter().map(|row| (FacilityId(row.get(0)), row.get(1))).collect();
    let successes = client.query(successes, &[]).await.context("read first successes")?;
    let acknowledged = client.query(acknowledged, &[]).await.context("read acknowledgements")?;
    Ok((pairs(successes), pairs(acknowledged)))
}

/// The facilities of `facilities` that each applied snapshot lists.
pub async fn listed(store: &Store, facilities: &[Uuid]) -> Result<Vec<(SnapshotId, FacilityId)>, StoreError> {
    let query = "SELECT DISTINCT r.snapshot_id, r.facility_id FROM registry.snapshot_row r \
                 JOIN registry.snapshot s USING (snapshot_id) WHERE s.applied_at IS NOT NULL AND r.facility_id = ANY($1)";
    let rows = store.client().await?.query(query, &[&facilities]).await.context("read the facilities in snapshots")?;
    Ok(rows.into_iter().map(|row| (SnapshotId(row.get(0)), FacilityId(row.get(1)))).collect())
}
