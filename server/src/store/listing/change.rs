//! Large snapshots as the pages show them, a page at a time: counts, our rows, unmatched rows, changes between two.

use serde::Serialize;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;
use yomitori_proto::id::SnapshotId;

use super::super::QueryContext as _;
use super::row::Unmatched;
use super::{Store, StoreError, row};

/// The counts of the rows of a snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Tally {
    /// Rows of registered facilities.
    pub ours: i64,
    pub unmatched: i64,
    /// Unmatched rows that resemble a facility.
    pub suggested: i64,
    /// Rows with a code that the facility no longer has.
    pub retired: i64,
}

/// Counts the rows of a snapshot.
pub async fn tally(store: &Store, snapshot: SnapshotId) -> Result<Tally, StoreError> {
    let query = "SELECT count(facility_id), count(*) - count(facility_id), count(*) FILTER (WHERE retired), \
                 (SELECT count(DISTINCT s.row_index) FROM registry.snapshot_suggestion s \
                  JOIN registry.snapshot_row u ON u.snapshot_id = s.snapshot_id AND u.row_index = s.row_index \
                  WHERE s.snapshot_id = $1 AND u.facility_id IS NULL) \
                 FROM registry.snapshot_row WHERE snapshot_id = $1";
    let row = store.client().await?.query_one(query, &[&snapshot.0]).await.context("count the rows of a snapshot")?;
    Ok(Tally { ours: row.get(0), unmatched: row.get(1), retired: row.get(2), suggested: row.get(3) })
}

/// A side of a comparison of two snapshots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Rows in the later one and not in the earlier one.
    Appeared,
    /// Rows in the earlier one and not in the later one.
    Disappeared,
}

/// One row that appeared or disappeared.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RowChange {
    pub code: String,
    pub name: String,
    pub facility: Option<Uuid>,
    /// The registered name, if the row is of one of our facilities.
    pub known_as: Option<String>,
}

/// The number of rows, and of those that belong to our facilities.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Count {
    pub rows: i64,
    pub ours: i64,
}

/// Rows of snapshot $1 whose code has no row in snapshot $2.
const ONLY_IN: &str = "FROM registry.snapshot_row r WHERE r.snapshot_id = $1 AND NOT EXISTS \
                       (SELECT 1 FROM registry.snapshot_row o WHERE o.snapshot_id = $2 AND o.code = r.code)";

const fn sides(which: Side, before: SnapshotId, after: SnapshotId) -> (Uuid, Uuid) {
    match which {
        Side::Appeared => (after.0, before.0),
        Side::Disappeared => (before.0, after.0),
    }
}

/// The number of rows that appeared or disappeared.
pub async fn count(store: &Store, which: Side, before: SnapshotId, after: SnapshotId) -> Result<Count, StoreError> {
    let (of, other) = sides(which, before, after);
    let query = format!("SELECT count(*), count(r.facility_id) {ONLY_IN}");
    let row = store.client().await?.query_one(&query, &[&of, &other]).await.context("compare two snapshots")?;
    Ok(Count { rows: row.get(0), ours: row.get(1) })
}

/// The rows that appeared or disappeared, those of our facilities first.
pub async fn changed(
    store: &Store,
    which: Side,
    before: SnapshotId,
    after: SnapshotId,
    limit: i64,
    offset: i64,
) -> Result<Vec<RowChange>, StoreError> {
    let (of, other) = sides(which, before, after);
    rows(store, &format!("{ONLY_IN} ORDER BY r.facility_id IS NULL, r.code"), &[&of, &other], limit, offset).await
}

/// The rows of registered facilities.
pub async fn ours(store: &Store, snapshot: SnapshotId, limit: i64, offset: i64) -> Result<Vec<RowChange>, StoreError> {
    let from =
        "FROM registry.snapshot_row r WHERE r.snapshot_id = $1 AND r.facility_id IS NOT NULL ORDER BY r.row_index";
    rows(store, from, &[&snapshot.0], limit, offset).await
}

async fn rows(
    store: &Store,
    from: &str,
    parameters: &[&(dyn ToSql + Sync)],
    limit: i64,
    offset: i64,
) -> Result<Vec<RowChange>, StoreError> {
    let query = format!(
        "SELECT p.*, f.name FROM (SELECT r.code, r.name, r.facility_id {from} LIMIT {limit} OFFSET {offset}) p \
         LEFT JOIN projection.facility f ON f.facility_id = p.facility_id"
    );
    let rows = store.client().await?.query(&query, parameters).await.context("read the rows of a snapshot")?;
    let changed =
        |row: Row| RowChange { code: row.get(0), name: row.get(1), facility: row.get(2), known_as: row.get(3) };
    Ok(rows.into_iter().map(changed).collect())
}

/// The unmatched rows with their suggestions, those that resemble a facility first.
pub async fn unmatched(
    store: &Store,
    snapshot: SnapshotId,
    limit: i64,
    offset: i64,
) -> Result<Vec<Unmatched>, StoreError> {
    let query = format!(
        "SELECT p.row_index, p.sheet, p.row, p.code, p.name, p.address, p.facility_id, p.retired, \
         s.facility_id, f.code, f.name, s.reasons FROM \
         (SELECT r.*, EXISTS (SELECT 1 FROM registry.snapshot_suggestion s WHERE s.snapshot_id = $1 AND s.row_index = r.row_index) \
          AS resembles FROM registry.snapshot_row r WHERE r.snapshot_id = $1 AND r.facility_id IS NULL \
          ORDER BY resembles DESC, r.row_index LIMIT {limit} OFFSET {offset}) p \
         LEFT JOIN registry.snapshot_suggestion s ON s.snapshot_id = $1 AND s.row_index = p.row_index \
         LEFT JOIN projection.facility f ON f.facility_id = s.facility_id ORDER BY p.resembles DESC, p.row_index, s.rank"
    );
    let rows = store.client().await?.query(&query, &[&snapshot.0]).await.context("read unmatched rows")?;
    Ok(row::gathered(&rows))
}
