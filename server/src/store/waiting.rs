//! Parked facilities as people see them: which they are, what waits, and why. A record that cannot be decoded is shown
//! only by its size, and any other only by its kinds of facts.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use tokio_postgres::Row;
use yomitori_proto::decode;
use yomitori_proto::id::FacilityId;

use super::{QueryContext as _, Store, StoreError};
pub use crate::log::Position;

/// A facility with waiting records.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ParkedFacility {
    pub facility_id: FacilityId,
    /// Absent if the facility has none, or if its registration waits too.
    pub code: Option<String>,
    pub name: Option<String>,
    /// When its first waiting record was parked.
    pub since: DateTime<Utc>,
    pub records: i64,
    pub bytes: i64,
    /// The first waiting record, which blocks the facility.
    #[serde(serialize_with = "written")]
    pub first: Position,
    pub reason: String,
    /// When it was last retried without success.
    pub tried_at: Option<DateTime<Utc>>,
}

/// A record that waits.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct QueuedRecord {
    #[serde(serialize_with = "written")]
    pub place: Position,
    pub bytes: i64,
    /// The number of facts by kind; absent if the record cannot be decoded.
    pub kinds: Option<BTreeMap<&'static str, usize>>,
    pub reason: String,
    pub parked_at: DateTime<Utc>,
    pub tried_at: Option<DateTime<Utc>>,
}

fn written<S: Serializer>(position: &Position, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(position)
}

/// The number of blocked facilities and of waiting records.
pub async fn counts(store: &Store) -> Result<(i64, i64), StoreError> {
    let query = "SELECT count(DISTINCT facility_id), count(*) FROM projection.parked";
    let row = store.client().await?.query_one(query, &[]).await.context("count waiting records")?;
    Ok((row.get(0), row.get(1)))
}

/// The facilities with waiting records, or one of them; those that were blocked first come first.
pub async fn stopped(
    store: &Store,
    facility: Option<FacilityId>,
    limit: i64,
    offset: i64,
) -> Result<Vec<ParkedFacility>, StoreError> {
    let query = "SELECT q.facility_id, f.code, f.name, q.since, q.records, q.bytes, \
                        p.partition, p.log_offset, p.reason, p.tried_at \
                 FROM (SELECT facility_id, min(parked_at) AS since, count(*) AS records, \
                              sum(octet_length(record))::int8 AS bytes FROM projection.parked \
                       WHERE $1::uuid IS NULL OR facility_id = $1 GROUP BY facility_id) q \
                 CROSS JOIN LATERAL (SELECT * FROM projection.parked p WHERE p.facility_id = q.facility_id \
                                     ORDER BY partition, log_offset LIMIT 1) p \
                 LEFT JOIN projection.facility f ON f.facility_id = q.facility_id \
                 ORDER BY q.since, q.facility_id LIMIT $2 OFFSET $3";
    let client = store.client().await?;
    let rows = client.query(query, &[&facility.map(|id| id.0), &limit, &offset]).await;
    let stopped = |row: Row| ParkedFacility {
        facility_id: FacilityId(row.get(0)),
        code: row.get(1),
        name: row.get(2),
        since: row.get(3),
        records: row.get(4),
        bytes: row.get(5),
        first: Position { partition: row.get(6), offset: row.get(7) },
        reason: row.get(8),
        tried_at: row.get(9),
    };
    Ok(rows.context("read the parked facilities")?.into_iter().map(stopped).collect())
}

/// The position of the facility's first waiting record.
pub async fn first(store: &Store, facility: FacilityId) -> Result<Option<Position>, StoreError> {
    let query = "SELECT partition, log_offset FROM projection.parked WHERE facility_id = $1 \
                 ORDER BY partition, log_offset LIMIT 1";
    let row = store.client().await?.query_opt(query, &[&facility.0]).await.context("look up a waiting record")?;
    Ok(row.map(|row| Position { partition: row.get(0), offset: row.get(1) }))
}

/// Whether every waiting record, of a facility or of all, was retried without success since `asked_at` (database
/// clock).
pub async fn tried(store: &Store, facility: Option<FacilityId>, asked_at: DateTime<Utc>) -> Result<bool, StoreError> {
    let query = "SELECT NOT EXISTS (SELECT 1 FROM ( \
                     SELECT DISTINCT ON (facility_id, partition) tried_at FROM projection.parked \
                     WHERE $1::uuid IS NULL OR facility_id = $1 ORDER BY facility_id, partition, log_offset) f \
                 WHERE tried_at IS NULL OR tried_at < $2)";
    let client = store.client().await?;
    let row = client.query_one(query, &[&facility.map(|id| id.0), &asked_at]).await.context("look up a retry")?;
    Ok(row.get(0))
}

/// A record that a person has skipped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SkippedRecord {
    pub facility_id: FacilityId,
    pub name: Option<String>,
    #[serde(serialize_with = "written")]
    pub place: Position,
    pub by: String,
    pub why: Option<String>,
    pub at: DateTime<Utc>,
}

/// The records that people skipped, the newest first.
pub async fn skipped(store: &Store, limit: i64) -> Result<Vec<SkippedRecord>, StoreError> {
    let query = "SELECT s.facility_id, f.name, (s.event->>'partition')::int, (s.event->>'offset')::int8, \
                        s.said_by, s.said_why, s.occurred_at \
                 FROM analytics.fact s LEFT JOIN projection.facility f ON f.facility_id = s.facility_id \
                 WHERE s.kind = 'record_skipped' AND s.said_by IS NOT NULL \
                 ORDER BY s.occurred_at DESC, s.partition, s.log_offset DESC LIMIT $1";
    let rows = store.client().await?.query(query, &[&limit]).await.context("read skipped records")?;
    let skipped = |row: Row| SkippedRecord {
        facility_id: FacilityId(row.get(0)),
        name: row.get(1),
        place: Position { partition: row.get(2), offset: row.get(3) },
        by: row.get(4),
        why: row.get(5),
        at: row.get(6),
    };
    Ok(rows.into_iter().map(skipped).collect())
}

/// The waiting records of a facility after `after`, in the order of the log.
pub async fn records(
    store: &Store,
    facility: FacilityId,
    after: Option<Position>,
    limit: i64,
) -> Result<Vec<QueuedRecord>, StoreError> {
    let query = "SELECT partition, log_offset, record, reason, parked_at, tried_at FROM projection.parked \
                 WHERE facility_id = $1 AND (partition, log_offset) > ($2, $3) ORDER BY partition, log_offset LIMIT $4";
    let after = after.unwrap_or(Position { partition: -1, offset: -1 });
    let client = store.client().await?;
    let rows = client.query(query, &[&facility.0, &after.partition, &after.offset, &limit]).await;
    let record = |row: Row| {
        let bytes: &[u8] = row.get(2);
        QueuedRecord {
            place: Position { partition: row.get(0), offset: row.get(1) },
            bytes: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
            kinds: kinds(bytes),
            reason: row.get(3),
            parked_at: row.get(4),
            tried_at: row.get(5),
        }
    };
    Ok(rows.context("read waiting records")?.into_iter().map(record).collect())
}

fn kinds(bytes: &[u8]) -> Option<BTreeMap<&'static str, usize>> {
    let mut kinds = BTreeMap::new();
    for fact in decode::log_record(bytes).ok()?.into_facts() {
        *kinds.entry(fact.event.kind()).or_default() += 1;
    }
    Some(kinds)
}
