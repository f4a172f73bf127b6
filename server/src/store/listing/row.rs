//! The rows of a snapshot, the facilities that they match, and the suggested ones.

use std::pin::pin;

use serde::Serialize;
use tokio_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::Type;
use uuid::Uuid;
use yomitori_proto::id::SnapshotId;

use super::super::{QueryContext as _, Store, StoreError};
use super::ListSnapshot;

/// One code of one row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotRow {
    pub row_index: i32,
    pub sheet: i16,
    /// The row number in the file, as an editor shows it.
    pub row: i32,
    pub code: String,
    pub name: String,
    pub address: Option<String>,
    pub facility: Option<Uuid>,
    pub retired: bool,
}

/// A facility that a row may belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SuggestionRow {
    pub row_index: i32,
    /// 0 is the most likely.
    pub rank: i16,
    pub facility: Uuid,
    pub reasons: Vec<&'static str>,
}

/// An unmatched row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unmatched {
    #[serde(flatten)]
    pub line: SnapshotRow,
    /// The most likely first.
    pub suggestions: Vec<Candidate>,
}

/// A facility that a row may belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    pub facility: Uuid,
    pub code: Option<String>,
    pub name: Option<String>,
    pub reasons: Vec<String>,
}

const COLUMNS: &str = "row_index, sheet, row, code, name, address, facility_id, retired";

fn line(row: &tokio_postgres::Row) -> SnapshotRow {
    SnapshotRow {
        row_index: row.get(0),
        sheet: row.get(1),
        row: row.get(2),
        code: row.get(3),
        name: row.get(4),
        address: row.get(5),
        facility: row.get(6),
        retired: row.get(7),
    }
}

/// Stores a snapshot with all its rows in one transaction. `false` if it is stored already.
pub async fn keep(
    store: &Store,
    snapshot: &ListSnapshot,
    lines: impl Iterator<Item = SnapshotRow>,
) -> Result<bool, StoreError> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await.context("begin a snapshot")?;
    let insert = "INSERT INTO registry.snapshot (snapshot_id, source, coverage, as_of, sha256, format, sheets, row_count, \
                  imported_at, imported_by, why, rows_before) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING";
    let ListSnapshot { source, coverage, as_of, sha256, format, sheets, rows, imported_at, imported_by, .. } = snapshot;
    let new = transaction
        .execute(
            insert,
            &[
                &snapshot.snapshot.0,
                source,
                coverage,
                as_of,
                sha256,
                format,
                sheets,
                rows,
                imported_at,
                imported_by,
                &snapshot.why,
                &snapshot.rows_before,
            ],
        )
        .await
        .context("keep a snapshot")?;
    if new == 0 {
        return Ok(false);
    }
    copy(&transaction, snapshot.snapshot, lines).await?;
    transaction.commit().await.context("keep a snapshot")?;
    Ok(true)
}

async fn copy(
    transaction: &Transaction<'_>,
    snapshot: SnapshotId,
    lines: impl Iterator<Item = SnapshotRow>,
) -> Result<(), StoreError> {
    let context = "store the rows of a snapshot";
    let statement = "COPY registry.snapshot_row (snapshot_id, row_index, sheet, row, code, name, address, facility_id, retired) \
                     FROM STDIN BINARY";
    let types =
        [Type::UUID, Type::INT4, Type::INT2, Type::INT4, Type::TEXT, Type::TEXT, Type::TEXT, Type::UUID, Type::BOOL];
    let sink = transaction.copy_in(statement).await.context(context)?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for SnapshotRow { row_index, sheet, row, code, name, address, facility, retired } in lines {
        let fields: [&(dyn tokio_postgres::types::ToSql + Sync); 9] =
            [&snapshot.0, &row_index, &sheet, &row, &code, &name, &address, &facility, &retired];
        writer.as_mut().write(&fields).await.context(context)?;
    }
    writer.finish().await.context(context)?;
    Ok(())
}

async fn suggest(
    transaction: &Transaction<'_>,
    snapshot: SnapshotId,
    suggested: &[SuggestionRow],
) -> Result<(), StoreError> {
    let context = "store suggestions";
    let statement =
        "COPY registry.snapshot_suggestion (snapshot_id, row_index, rank, facility_id, reasons) FROM STDIN BINARY";
    let types = [Type::UUID, Type::INT4, Type::INT2, Type::UUID, Type::TEXT_ARRAY];
    let sink = transaction.copy_in(statement).await.context(context)?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
    for SuggestionRow { row_index, rank, facility, reasons } in suggested {
        writer.as_mut().write(&[&snapshot.0, row_index, rank, facility, reasons]).await.context(context)?;
    }
    writer.finish().await.context(context)?;
    Ok(())
}

/// Writes the current matches of the rows, and replaces the suggestions.
pub async fn rematch(
    store: &Store,
    snapshot: SnapshotId,
    matches: &[(i32, Option<Uuid>, bool)],
    suggested: &[SuggestionRow],
) -> Result<(), StoreError> {
    let mut client = store.client().await?;
    let transaction = client.transaction().await.context("begin a new match")?;
    let indexes: Vec<i32> = matches.iter().map(|(row_index, ..)| *row_index).collect();
    let facilities: Vec<Option<Uuid>> = matches.iter().map(|(_, facility, _)| *facility).collect();
    let retired: Vec<bool> = matches.iter().map(|(.., retired)| *retired).collect();
    let update = "UPDATE registry.snapshot_row r SET facility_id = m.facility_id, retired = m.retired \
                  FROM unnest($2::int4[], $3::uuid[], $4::bool[]) AS m (row_index, facility_id, retired) \
                  WHERE r.snapshot_id = $1 AND r.row_index = m.row_index";
    transaction.execute(update, &[&snapshot.0, &indexes, &facilities, &retired]).await.context("match rows again")?;
    let forget = "DELETE FROM registry.snapshot_suggestion WHERE snapshot_id = $1";
    transaction.execute(forget, &[&snapshot.0]).await.context("delete suggestions")?;
    suggest(&transaction, snapshot, suggested).await?;
    transaction.commit().await.context("match rows again")
}

/// Deletes the suggestions of rows with `code`.
pub async fn dismiss(store: &Store, code: &str) -> Result<(), StoreError> {
    let delete = "DELETE FROM registry.snapshot_suggestion s USING registry.snapshot_row r \
                  WHERE r.snapshot_id = s.snapshot_id AND r.row_index = s.row_index AND r.code = $1";
    store.client().await?.execute(delete, &[&code]).await.context("dismiss a row")?;
    Ok(())
}

/// All rows, in order.
pub async fn all(store: &Store, snapshot: SnapshotId) -> Result<Vec<SnapshotRow>, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM registry.snapshot_row WHERE snapshot_id = $1 ORDER BY row_index");
    let rows = store.client().await?.query(&query, &[&snapshot.0]).await.context("read the rows of a snapshot")?;
    Ok(rows.iter().map(line).collect())
}

/// The row that has `code`; the first one if several have.
pub async fn with_code(store: &Store, snapshot: SnapshotId, code: &str) -> Result<Option<SnapshotRow>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM registry.snapshot_row WHERE snapshot_id = $1 AND code = $2 ORDER BY row_index LIMIT 1"
    );
    let row = store.client().await?.query_opt(&query, &[&snapshot.0, &code]).await.context("look up a row")?;
    Ok(row.as_ref().map(line))
}

/// The rows of our facilities.
pub async fn matched(store: &Store, snapshot: SnapshotId) -> Result<Vec<SnapshotRow>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM registry.snapshot_row WHERE snapshot_id = $1 AND facility_id IS NOT NULL ORDER BY row_index"
    );
    let rows = store.client().await?.query(&query, &[&snapshot.0]).await.context("read the rows of a snapshot")?;
    Ok(rows.iter().map(line).collect())
}

/// The number of unmatched rows.
pub async fn unmatched_count(store: &Store, snapshot: SnapshotId) -> Result<i64, StoreError> {
    let query = "SELECT count(*) FROM registry.snapshot_row WHERE snapshot_id = $1 AND facility_id IS NULL";
    let row = store.client().await?.query_one(query, &[&snapshot.0]).await.context("count unmatched rows")?;
    Ok(row.get(0))
}

/// The unmatched rows: those that resemble a facility, or with `all` every one.
pub async fn unmatched(store: &Store, snapshot: SnapshotId, all: bool) -> Result<Vec<Unmatched>, StoreError> {
    let query = "SELECT r.row_index, r.sheet, r.row, r.code, r.name, r.address, r.facility_id, r.retired, \
                 s.facility_id, f.code, f.name, s.reasons \
                 FROM registry.snapshot_row r \
                 LEFT JOIN registry.snapshot_suggestion s ON s.snapshot_id = r.snapshot_id AND s.row_index = r.row_index \
                 LEFT JOIN projection.facility f ON f.facility_id = s.facility_id \
                 WHERE r.snapshot_id = $1 AND r.facility_id IS NULL AND ($2 OR s.facility_id IS NOT NULL) \
                 ORDER BY r.row_index, s.rank";
    let rows = store.client().await?.query(query, &[&snapshot.0, &all]).await.context("read unmatched rows")?;
    Ok(gathered(&rows))
}

/// Groups database rows, one per suggestion, into rows of a snapshot with their suggestions.
pub(super) fn gathered(rows: &[tokio_postgres::Row]) -> Vec<Unmatched> {
    let mut found: Vec<Unmatched> = Vec::new();
    for row in rows {
        let line = line(row);
        if found.last().is_none_or(|last| last.line.row_index != line.row_index) {
            found.push(Unmatched { line, suggestions: Vec::new() });
        }
        if let (Some(last), Some(facility)) = (found.last_mut(), row.get(8)) {
            let reasons = row.get::<_, Option<Vec<String>>>(11).unwrap_or_default();
            last.suggestions.push(Candidate { facility, code: row.get(9), name: row.get(10), reasons });
        }
    }
    found
}
