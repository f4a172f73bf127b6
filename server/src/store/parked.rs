//! Parked facilities: the record that could not be folded, and all later ones of the same facility, so that no record
//! is lost and no other facility waits. This is the projector's view; `waiting` has that of people.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use tokio_postgres::{Row, Transaction};
use uuid::Uuid;
use yomitori_proto::id::{FacilityId, Life, TerminalId};

use super::{QueryContext as _, Store, StoreError, received};
use crate::log::Position;

/// A parked record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ParkedRecord {
    pub position: Position,
    pub facility: FacilityId,
    pub reason: String,
    pub record: Vec<u8>,
}

/// A record that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingRecord {
    pub position: Position,
    pub record: Vec<u8>,
}

/// The facilities that are parked.
pub async fn facilities(store: &Store) -> Result<BTreeSet<FacilityId>, StoreError> {
    let query = "SELECT DISTINCT facility_id FROM parked";
    let rows = store.client().await?.query(query, &[]).await.context("read the parked facilities")?;
    Ok(rows.into_iter().map(|row| FacilityId(row.get(0))).collect())
}

/// Takes the facilities with a requested retry of records of these partitions. The caller has to retry them; after an
/// interruption, the next start retries every facility.
pub async fn take_asked(store: &Store, partitions: &[i32]) -> Result<BTreeSet<FacilityId>, StoreError> {
    let update = "UPDATE parked SET asked_at = NULL WHERE asked_at IS NOT NULL AND partition = ANY($1) \
                  RETURNING facility_id";
    let rows = store.client().await?.query(update, &[&partitions]).await.context("read requested retries")?;
    Ok(rows.into_iter().map(|row| FacilityId(row.get(0))).collect())
}

/// The records that PostgreSQL refused, with the reason.
pub async fn refused(store: &Store) -> Result<BTreeMap<Position, String>, StoreError> {
    let query = "SELECT partition, log_offset, reason FROM parked WHERE starts_with(reason, $1)";
    let rows = store.client().await?.query(query, &[&REFUSED]).await.context("read refused records")?;
    Ok(rows.iter().map(|row| (position(row), row.get(2))).collect())
}

/// The beginning of the reason for which a record waits that PostgreSQL refused.
pub const REFUSED: &str = "store: ";

/// Whether any record of the facility waits.
pub async fn waits(store: &Store, facility: FacilityId) -> Result<bool, StoreError> {
    let query = "SELECT EXISTS (SELECT 1 FROM parked WHERE facility_id = $1)";
    let row = store.client().await?.query_one(query, &[&facility.0]).await.context("look up waiting records")?;
    Ok(row.get(0))
}

/// The facility's first waiting records of these partitions, in the order of the log: at most `limit`, and at most
/// `bytes` beyond the first.
pub async fn first(
    store: &Store,
    facility: FacilityId,
    partitions: &[i32],
    limit: i64,
    bytes: i64,
) -> Result<Vec<WaitingRecord>, StoreError> {
    let query = "SELECT partition, log_offset, record FROM ( \
                     SELECT *, sum(octet_length(record)) OVER place AS size, row_number() OVER place AS number \
                     FROM (SELECT * FROM parked WHERE facility_id = $1 AND partition = ANY($2) \
                           ORDER BY partition, log_offset LIMIT $3) p \
                     WINDOW place AS (ORDER BY partition, log_offset)) w \
                 WHERE number = 1 OR size <= $4 ORDER BY partition, log_offset";
    let client = store.client().await?;
    let rows =
        client.query(query, &[&facility.0, &partitions, &limit, &bytes]).await.context("read waiting records")?;
    Ok(rows.into_iter().map(|row| WaitingRecord { position: position(&row), record: row.get(2) }).collect())
}

/// The records that people skipped, with their facilities: by the facts of the live generation and of the one beside
/// it.
pub async fn skipped(store: &Store) -> Result<BTreeSet<(FacilityId, Position)>, StoreError> {
    let of = |table: &str| {
        format!(
            "SELECT (event::jsonb->'record_skipped'->>'partition')::int, \
                    (event::jsonb->'record_skipped'->>'offset')::int8, facility_id \
             FROM {table} WHERE kind = 'record_skipped' AND origin::jsonb ? 'person'"
        )
    };
    let query = format!("{} UNION {}", of("fact"), of("projection.fact"));
    let rows = store.client().await?.query(&query, &[]).await.context("read skipped records")?;
    Ok(rows.into_iter().map(|row| (FacilityId(row.get(2)), position(&row))).collect())
}

/// Those of these records that have facts nevertheless.
pub async fn there(
    store: &Store,
    facility: FacilityId,
    records: &[Position],
) -> Result<BTreeSet<Position>, StoreError> {
    let (partitions, offsets): (Vec<i32>, Vec<i64>) = records.iter().map(|p| (p.partition, p.offset)).unzip();
    let query = "SELECT DISTINCT f.partition, f.log_offset FROM fact f \
                 JOIN unnest($2::int[], $3::int8[]) AS r (partition, log_offset) \
                 ON f.partition = r.partition AND f.log_offset = r.log_offset WHERE f.facility_id = $1";
    let client = store.client().await?;
    let rows = client.query(query, &[&facility.0, &partitions, &offsets]).await.context("look up facts of records")?;
    Ok(rows.iter().map(position).collect())
}

fn position(row: &Row) -> Position {
    Position { partition: row.get(0), offset: row.get(1) }
}

/// Parks records.
pub async fn park(
    transaction: &Transaction<'_>,
    parked: &[ParkedRecord],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO parked (partition, log_offset, facility_id, reason, record, parked_at) \
                  VALUES ($1, $2, $3, $4, $5, $6)";
    for ParkedRecord { position, facility, reason, record } in parked {
        transaction
            .execute(insert, &[&position.partition, &position.offset, &facility.0, reason, record, &now])
            .await
            .context("park a record")?;
    }
    Ok(())
}

/// Requests a retry of these facilities.
pub async fn ask_for(transaction: &Transaction<'_>, facilities: &BTreeSet<FacilityId>) -> Result<(), StoreError> {
    for facility in facilities {
        transaction.execute(ASK, &[&Some(facility.0)]).await.context("request a retry")?;
    }
    Ok(())
}

/// Marks the first waiting record of one facility or of each, in every partition.
const ASK: &str = "UPDATE parked p SET asked_at = clock_timestamp() \
                   FROM (SELECT DISTINCT ON (facility_id, partition) facility_id, partition, log_offset \
                         FROM parked WHERE $1::uuid IS NULL OR facility_id = $1 \
                         ORDER BY facility_id, partition, log_offset) f \
                   WHERE p.partition = f.partition AND p.log_offset = f.log_offset";

/// Requests a retry of a facility or of all; returns the time of the request by the database's clock.
pub async fn ask(store: &Store, facility: Option<FacilityId>) -> Result<DateTime<Utc>, StoreError> {
    let client = store.client().await?;
    let at = client.query_one("SELECT clock_timestamp()", &[]).await.context("read the time")?.get(0);
    client.execute(ASK, &[&facility.map(|id| id.0)]).await.context("request a retry")?;
    Ok(at)
}

/// The result of a retry.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RetryOutcome {
    /// Folded or skipped: they no longer wait.
    pub gone: Vec<Position>,
    /// The records that still cannot be folded, with the new reason.
    pub reasons: Vec<(Position, String)>,
}

/// Writes the result of a retry: finished records leave the queue, the rest stays with its reason.
pub async fn tried(transaction: &Transaction<'_>, tried: &RetryOutcome) -> Result<(), StoreError> {
    let (partitions, offsets): (Vec<i32>, Vec<i64>) = tried.gone.iter().map(|p| (p.partition, p.offset)).unzip();
    let delete = "DELETE FROM parked p USING unnest($1::int[], $2::int8[]) AS g (partition, log_offset) \
                  WHERE p.partition = g.partition AND p.log_offset = g.log_offset";
    transaction.execute(delete, &[&partitions, &offsets]).await.context("remove records from the queue")?;
    let update = "UPDATE parked SET reason = $3, tried_at = clock_timestamp() \
                  WHERE partition = $1 AND log_offset = $2";
    for (Position { partition, offset }, reason) in &tried.reasons {
        transaction.execute(update, &[partition, offset, reason]).await.context("record why a record waits")?;
    }
    Ok(())
}

/// Removes the facts of these records of a facility, and counts again what has arrived of their lives.
pub async fn take_back(
    transaction: &Transaction<'_>,
    facility: FacilityId,
    records: &BTreeSet<Position>,
) -> Result<(), StoreError> {
    let (partitions, offsets): (Vec<i32>, Vec<i64>) = records.iter().map(|p| (p.partition, p.offset)).unzip();
    let delete = "DELETE FROM fact f USING unnest($2::int[], $3::int8[]) AS r (partition, log_offset) \
                  WHERE f.facility_id = $1 AND f.partition = r.partition AND f.log_offset = r.log_offset \
                  RETURNING f.terminal_id, f.life";
    let rows = transaction.query(delete, &[&facility.0, &partitions, &offsets]).await;
    let lives: BTreeSet<(TerminalId, Life)> = rows
        .context("remove facts")?
        .iter()
        .filter_map(|row| Some((TerminalId(row.get::<_, Option<Uuid>>(0)?), Life(row.get::<_, Option<Uuid>>(1)?))))
        .collect();
    received::recount(transaction, facility, &lives).await
}
