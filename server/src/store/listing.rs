//! Snapshots of the ministry's list: what was received, whose rows are whose, and who has been told.

pub mod change;
pub mod newest;
pub mod row;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;
use yomitori_proto::id::{FacilityId, SnapshotId};

use super::{QueryContext as _, Store, StoreError};

/// A snapshot as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListSnapshot {
    pub snapshot: SnapshotId,
    pub source: String,
    pub coverage: String,
    pub as_of: DateTime<Utc>,
    /// In hexadecimal.
    pub sha256: String,
    pub format: String,
    /// The names of its sheets, in their order; one empty name for a CSV.
    pub sheets: Vec<String>,
    pub rows: i32,
    pub imported_at: DateTime<Utc>,
    pub imported_by: String,
    pub why: Option<String>,
    /// Set where it has far fewer rows than the one before: how many that one has.
    pub rows_before: Option<i32>,
    pub released: Option<Release>,
    pub applied_at: Option<DateTime<Utc>>,
}

/// Who let a doubtful snapshot pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Release {
    pub at: DateTime<Utc>,
    pub by: String,
    pub why: String,
}

const COLUMNS: &str = "snapshot_id, source, coverage, as_of, sha256, format, sheets, row_count, imported_at, imported_by, why, \
                       rows_before, released_at, released_by, released_why, applied_at";

impl ListSnapshot {
    /// Kept and not believed.
    #[must_use]
    pub const fn quarantined(&self) -> bool {
        self.rows_before.is_some() && self.released.is_none()
    }

    /// A word for how far it got.
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
    let row = store.client().await?.query_opt(&query, &[&snapshot.0]).await.context("look for a snapshot")?;
    Ok(row.as_ref().map(ListSnapshot::of))
}

/// How many rows the last snapshot of a kind has that is believed and not later than `as_of`.
pub async fn rows_before(
    store: &Store,
    source: &str,
    coverage: &str,
    as_of: DateTime<Utc>,
) -> Result<Option<i32>, StoreError> {
    let query = "SELECT row_count FROM registry.snapshot WHERE source = $1 AND coverage = $2 AND as_of <= $3 \
                 AND (rows_before IS NULL OR released_at IS NOT NULL) ORDER BY as_of DESC, imported_at DESC LIMIT 1";
    let client = store.client().await?;
    let row = client.query_opt(query, &[&source, &coverage, &as_of]).await.context("look for the snapshot before")?;
    Ok(row.map(|row| row.get(0)))
}

/// A person lets a doubtful snapshot pass; `false` where it is not in quarantine.
pub async fn release(store: &Store, snapshot: SnapshotId, released: &Release) -> Result<bool, StoreError> {
    let update = "UPDATE registry.snapshot SET released_at = $2, released_by = $3, released_why = $4 \
                  WHERE snapshot_id = $1 AND rows_before IS NOT NULL AND released_at IS NULL";
    let Release { at, by, why } = released;
    let client = store.client().await?;
    Ok(client.execute(update, &[&snapshot.0, at, by, why]).await.context("release a snapshot")? == 1)
}

/// Every facility it covers has been told.
pub async fn applied(store: &Store, snapshot: SnapshotId, at: DateTime<Utc>) -> Result<(), StoreError> {
    let update = "UPDATE registry.snapshot SET applied_at = coalesce(applied_at, $2) WHERE snapshot_id = $1";
    store.client().await?.execute(update, &[&snapshot.0, &at]).await.context("finish a snapshot")?;
    Ok(())
}

/// These facilities have been told, each with the code by which it is listed, or an empty one.
pub async fn tell(store: &Store, snapshot: SnapshotId, facilities: &[Uuid], codes: &[&str]) -> Result<(), StoreError> {
    let insert = "INSERT INTO registry.snapshot_recorded (snapshot_id, facilities, codes) VALUES ($1, $2, $3)";
    store.client().await?.execute(insert, &[&snapshot.0, &facilities, &codes]).await.context("note who was told")?;
    Ok(())
}

/// Who has been told already.
pub async fn told(store: &Store, snapshot: SnapshotId) -> Result<Vec<(FacilityId, String)>, StoreError> {
    let query = "SELECT unnest(facilities), unnest(codes) FROM registry.snapshot_recorded WHERE snapshot_id = $1";
    let rows = store.client().await?.query(query, &[&snapshot.0]).await.context("read who was told")?;
    Ok(rows.into_iter().map(|row| (FacilityId(row.get(0)), row.get(1))).collect())
}

/// The codes of rows of which a person said that they are none of our facilities.
pub async fn dismissed(store: &Store) -> Result<BTreeSet<String>, StoreError> {
    let query = "SELECT event->>'code' FROM analytics.fact \
                 WHERE facility_id = $1 AND kind = 'list_row_dismissed'";
    let rows = store.client().await?.query(query, &[&FacilityId::FLEET.0]).await.context("read the dismissed rows")?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}

/// When each of the facilities first read a phone; and when its opt-out was last acknowledged.
pub type Instants = Vec<(FacilityId, DateTime<Utc>)>;

/// What cadence and lag are measured by: first successes, and last acknowledgements.
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

/// Which of the facilities each applied snapshot names.
pub async fn listed(store: &Store, facilities: &[Uuid]) -> Result<Vec<(SnapshotId, FacilityId)>, StoreError> {
    let query = "SELECT DISTINCT r.snapshot_id, r.facility_id FROM registry.snapshot_row r \
                 JOIN registry.snapshot s USING (snapshot_id) WHERE s.applied_at IS NOT NULL AND r.facility_id = ANY($1)";
    let rows = store.client().await?.query(query, &[&facilities]).await.context("read what snapshots name")?;
    Ok(rows.into_iter().map(|row| (SnapshotId(row.get(0)), FacilityId(row.get(1)))).collect())
}
