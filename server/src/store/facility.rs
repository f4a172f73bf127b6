//! One row per facility: its axes as words, its whole status, and the state of the fold.

use std::pin::pin;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio_postgres::Transaction;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use uuid::Uuid;
use yomitori_facility::{Facility, StoredJson as _};
use yomitori_proto::id::FacilityId;

use super::directory::DatedCode;
use super::status_row::{self, FacilityRow, StatusRow, listed};
use super::{CHANGED, QueryContext as _, Store, StoreError, status_shown};

/// The staging table of [`UPSERT`]; each connection has its own.
const INCOMING: &str = "CREATE TEMP TABLE IF NOT EXISTS incoming_facility (LIKE facility_row) ON COMMIT DELETE ROWS; \
     DELETE FROM incoming_facility";

static UPSERT: LazyLock<String> = LazyLock::new(|| {
    let all = listed(status_row::columns());
    let set = listed(status_row::columns().skip(1));
    let given = status_row::columns().skip(1).map(|column| format!("EXCLUDED.{column}")).collect::<Vec<_>>().join(", ");
    format!(
        "INSERT INTO facility_row ({all}) SELECT {all} FROM incoming_facility \
         ON CONFLICT (facility_id) DO UPDATE SET ({set}) = ({given})"
    )
});

static COPY: LazyLock<String> =
    LazyLock::new(|| format!("COPY incoming_facility ({}) FROM STDIN BINARY", listed(status_row::columns())));

/// More names than this are announced as "many": a payload of NOTIFY has a limit.
const ANNOUNCED_ONE_BY_ONE: usize = 100;

/// The state of a facility, if it has one.
///
/// # Errors
/// If the stored state was written by another version of the program.
pub async fn state(store: &Store, facility: FacilityId) -> Result<Option<Facility>, StoreError> {
    Ok(states(store, &[facility]).await?.pop().map(|(_, state, _)| state))
}

/// The states of these facilities, if they have one, with the hash of the policy by which each was folded.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn states(store: &Store, facilities: &[FacilityId]) -> Result<Vec<(FacilityId, Facility, i64)>, StoreError> {
    let ids: Vec<Uuid> = facilities.iter().map(|id| id.0).collect();
    let query = "SELECT facility_id, state, policy_hash FROM facility_row WHERE facility_id = ANY($1)";
    let rows = store.client().await?.query(query, &[&ids]).await.context("read facilities")?;
    rows.into_iter()
        .map(|row| {
            let state = Facility::from_json(row.get(1));
            let facility = state.map_err(|source| StoreError::Broken { what: "a facility's state", source })?;
            Ok((FacilityId(row.get(0)), facility, row.get(2)))
        })
        .collect()
}

/// The facilities of these partitions, or of all, that time alone has changed, with their partitions.
pub async fn due(
    store: &Store,
    now: DateTime<Utc>,
    partitions: Option<&[i32]>,
    limit: i64,
) -> Result<Vec<(FacilityId, i32)>, StoreError> {
    // Of these partitions only: rows of an instance that hangs would otherwise fill the limit for all others.
    let query = "SELECT facility_id, partition FROM facility_row WHERE due_at <= $1 \
                 AND ($2::int[] IS NULL OR partition = ANY($2)) ORDER BY due_at LIMIT $3";
    let client = store.client().await?;
    let rows = client.query(query, &[&now, &partitions, &limit]).await.context("read facilities that are due")?;
    Ok(rows.into_iter().map(|row| (FacilityId(row.get(0)), row.get(1))).collect())
}

/// Has a facility recomputed at `due_at` and not before.
pub async fn defer(store: &Store, facility: FacilityId, due_at: DateTime<Utc>) -> Result<(), StoreError> {
    let update = "UPDATE facility_row SET due_at = $2 WHERE facility_id = $1";
    store.client().await?.execute(update, &[&facility.0, &due_at]).await.context("defer a facility")?;
    Ok(())
}

/// Writes rows that the pages show from then on, notifies listeners, and records what was shown before.
pub async fn show(transaction: &Transaction<'_>, rows: &[FacilityRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    copy(transaction, rows).await?;
    status_shown::note(transaction, "incoming_facility").await?;
    put(transaction, rows).await?;
    announce(transaction, rows).await
}

/// Inserts or updates rows of a generation that is not shown yet.
pub async fn write(transaction: &Transaction<'_>, rows: &[FacilityRow]) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    copy(transaction, rows).await?;
    put(transaction, rows).await
}

async fn copy(transaction: &Transaction<'_>, rows: &[FacilityRow]) -> Result<(), StoreError> {
    let context = "write facilities";
    // COPY into a staging table and one upsert are much faster than values in a statement.
    transaction.batch_execute(INCOMING).await.context(context)?;
    let sink = transaction.copy_in(&**COPY).await.context(context)?;
    let mut writer = pin!(BinaryCopyInWriter::new(sink, &status_row::types()));
    for row in rows {
        writer.as_mut().write(&row.values()).await.context(context)?;
    }
    writer.finish().await.context(context)?;
    Ok(())
}

async fn put(transaction: &Transaction<'_>, rows: &[FacilityRow]) -> Result<(), StoreError> {
    transaction.execute(&**UPSERT, &[]).await.context("write facilities")?;
    let (ids, codes): (Vec<Uuid>, Vec<&str>) =
        rows.iter().flat_map(|row| row.codes.iter().map(|code| (row.facility_id.0, code.as_str()))).unzip();
    let touched = status_row::ids(rows);
    let forget = "DELETE FROM facility_code WHERE facility_id = ANY($1) AND (facility_id, code) NOT IN \
                  (SELECT * FROM unnest($2::uuid[], $3::text[]))";
    transaction.execute(forget, &[&touched, &ids, &codes]).await.context("drop old codes")?;
    let insert = "INSERT INTO facility_code (facility_id, code) \
                  SELECT * FROM unnest($1::uuid[], $2::text[]) ON CONFLICT DO NOTHING";
    transaction.execute(insert, &[&ids, &codes]).await.context("write codes")?;
    Ok(())
}

/// Notifies listeners which facilities changed; PostgreSQL delivers it when the transaction commits.
async fn announce(transaction: &Transaction<'_>, rows: &[FacilityRow]) -> Result<(), StoreError> {
    let payload = if rows.len() > ANNOUNCED_ONE_BY_ONE {
        "many".to_owned()
    } else {
        rows.iter().map(|row| row.facility_id.to_string()).collect::<Vec<_>>().join(" ")
    };
    transaction.execute("SELECT pg_notify($1, $2)", &[&CHANGED, &payload]).await.context("announce a change")?;
    Ok(())
}

/// Up to `limit` facilities of these partitions after `after`, ordered by identifier, that were folded by another
/// policy.
pub async fn behind(
    store: &Store,
    policy_hash: i64,
    partitions: &[i32],
    after: Option<FacilityId>,
    limit: i64,
) -> Result<Vec<(FacilityId, i32)>, StoreError> {
    let query = "SELECT facility_id, partition FROM projection.facility \
                 WHERE policy_hash <> $1 AND partition = ANY($2) AND ($3::uuid IS NULL OR facility_id > $3) \
                 ORDER BY facility_id LIMIT $4";
    let client = store.client().await?;
    let rows = client.query(query, &[&policy_hash, &partitions, &after.map(|id| id.0), &limit]).await;
    let rows = rows.context("read facilities of another policy")?;
    Ok(rows.into_iter().map(|row| (FacilityId(row.get(0)), row.get(1))).collect())
}

/// How many facilities were folded by another policy.
pub async fn count_behind(store: &Store, policy_hash: i64) -> Result<i64, StoreError> {
    let query = "SELECT count(*) FROM projection.facility WHERE policy_hash <> $1";
    let row =
        store.client().await?.query_one(query, &[&policy_hash]).await.context("count facilities of another policy")?;
    Ok(row.get(0))
}

/// The facility that has `code` now.
pub async fn by_code(store: &Store, code: &str) -> Result<Option<FacilityId>, StoreError> {
    let query = "SELECT facility_id FROM facility_code WHERE code = $1 ORDER BY facility_id LIMIT 1";
    let row = store.client().await?.query_opt(query, &[&code]).await.context("look up a code")?;
    Ok(row.map(|row| FacilityId(row.get(0))))
}

/// A facility that had, has or will have a code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CodeHolder {
    pub facility: FacilityId,
    pub name: String,
    /// `None` if the end is not known.
    pub until: Option<DateTime<Utc>>,
}

/// Every facility that had, has or will have `code`.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn holders(store: &Store, code: &str) -> Result<Vec<CodeHolder>, StoreError> {
    let query = "SELECT facility_id, name, held_codes FROM facility_row WHERE position($1 in held_codes) > 0";
    let written = format!("\"{code}\"");
    let rows = store.client().await?.query(query, &[&written]).await.context("look up who has a code")?;
    let mut holders = Vec::new();
    for row in rows {
        let held: Vec<DatedCode> = serde_json::from_str(row.get(2))
            .map_err(|source| StoreError::Broken { what: "a facility's codes", source })?;
        holders.extend(held.into_iter().filter(|held| held.code == code).map(|held| CodeHolder {
            facility: FacilityId(row.get(0)),
            name: row.get(1),
            until: held.until,
        }));
    }
    Ok(holders)
}

/// Every code that a facility has, had or will have.
///
/// # Errors
/// If the stored document cannot be decoded.
pub async fn held_codes(store: &Store, facility: FacilityId) -> Result<Vec<DatedCode>, StoreError> {
    let query = "SELECT held_codes FROM facility_row WHERE facility_id = $1";
    let row = store.client().await?.query_opt(query, &[&facility.0]).await.context("read a facility's codes")?;
    let Some(row) = row else { return Ok(Vec::new()) };
    serde_json::from_str(row.get(0)).map_err(|source| StoreError::Broken { what: "a facility's codes", source })
}

/// The codes that a facility has now.
pub async fn codes(store: &Store, facility: FacilityId) -> Result<Vec<String>, StoreError> {
    let query = "SELECT code FROM facility_code WHERE facility_id = $1 ORDER BY code";
    let rows = store.client().await?.query(query, &[&facility.0]).await.context("read a facility's codes")?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}

/// A facility with its code and name.
#[derive(Clone, Debug)]
pub struct FacilityName {
    pub facility: FacilityId,
    pub code: Option<String>,
    pub name: String,
    pub prefecture: String,
}

/// Up to `limit` facilities after `after`, ordered by identifier.
pub async fn named(store: &Store, after: Option<FacilityId>, limit: i64) -> Result<Vec<FacilityName>, StoreError> {
    let query = "SELECT facility_id, code, name, prefecture FROM projection.facility \
                 WHERE $1::uuid IS NULL OR facility_id > $1 ORDER BY facility_id LIMIT $2";
    let rows = store.client().await?.query(query, &[&after.map(|id| id.0), &limit]).await.context("read facilities")?;
    let named = |row: tokio_postgres::Row| FacilityName {
        facility: FacilityId(row.get(0)),
        code: row.get(1),
        name: row.get(2),
        prefecture: row.get(3),
    };
    Ok(rows.into_iter().map(named).collect())
}

/// How many facilities there are.
pub async fn count(store: &Store) -> Result<i64, StoreError> {
    let row = store.client().await?.query_one("SELECT count(*) FROM projection.facility", &[]).await;
    Ok(row.context("count the facilities")?.get(0))
}

/// The whole status of a facility, or of all, ordered by prefecture and name.
pub async fn statuses(store: &Store, facility: Option<FacilityId>) -> Result<Vec<Value>, StoreError> {
    let query = "SELECT status FROM projection.facility WHERE $1::uuid IS NULL OR facility_id = $1 \
                 ORDER BY prefecture, name, facility_id";
    let rows = store.client().await?.query(query, &[&facility.map(|id| id.0)]).await.context("read facilities")?;
    Ok(rows.into_iter().map(|row| row.get(0)).collect())
}

/// The row of a facility, or of all, ordered by prefecture and name.
pub async fn rows(store: &Store, facility: Option<FacilityId>) -> Result<Vec<StatusRow>, StoreError> {
    let query = format!(
        "SELECT {} FROM projection.facility WHERE $1::uuid IS NULL OR facility_id = $1 \
         ORDER BY prefecture, name, facility_id",
        status_row::shown()
    );
    let rows = store.client().await?.query(&query, &[&facility.map(|id| id.0)]).await.context("read facilities")?;
    Ok(rows.iter().map(StatusRow::from).collect())
}
