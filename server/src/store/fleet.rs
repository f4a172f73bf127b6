//! The queries of the pages and the API: filtered rows, counts over the fleet, one facility, its timeline.
//!
//! All input of people reaches PostgreSQL as a parameter; only column names from closed lists become SQL.

mod filter;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures_util::{Stream, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_postgres::Row;
use yomitori_facility::{Status, StoredJson as _};
use yomitori_proto::event::Recorded;
use yomitori_proto::id::FacilityId;

use super::fact::{COLUMNS, StoredFact, stored_fact};
use super::status_row;
use super::{QueryContext as _, Store, StoreError};

pub use super::status_row::StatusRow;

pub use filter::{Axis, Column, Filter, OPTED_OUT_SOMEHOW, Order, SearchWord};

/// The rows of one page.
pub async fn page(
    store: &Store,
    filter: &Filter,
    order: Order,
    limit: i64,
    offset: i64,
) -> Result<Vec<StatusRow>, StoreError> {
    let clauses = filter.clauses();
    let sql = format!(
        "SELECT {} FROM projection.facility WHERE {} ORDER BY {} LIMIT {limit} OFFSET {offset}",
        status_row::shown(),
        clauses.sql,
        order.sql()
    );
    let rows = store.client().await?.query(&sql, &clauses.parameters()).await.context("read facilities")?;
    Ok(rows.iter().map(StatusRow::from).collect())
}

/// The rows after a facility, in the fixed order of the API; from the beginning without one.
pub async fn after(
    store: &Store,
    filter: &Filter,
    after: Option<FacilityId>,
    limit: i64,
) -> Result<Vec<StatusRow>, StoreError> {
    let mut clauses = filter.clauses();
    if let Some(FacilityId(id)) = after {
        let place = clauses.bind(id);
        clauses.and(&format!(
            "(prefecture, name, facility_id) > \
             (SELECT prefecture, name, facility_id FROM projection.facility WHERE facility_id = {place})"
        ));
    }
    let sql = format!(
        "SELECT {} FROM projection.facility WHERE {} ORDER BY prefecture, name, facility_id LIMIT {limit}",
        status_row::shown(),
        clauses.sql
    );
    let rows = store.client().await?.query(&sql, &clauses.parameters()).await.context("read facilities")?;
    Ok(rows.iter().map(StatusRow::from).collect())
}

/// Every matching row as a stream from the database: memory does not grow with the fleet.
pub async fn every(
    store: &Store,
    filter: &Filter,
    order: Order,
) -> Result<impl Stream<Item = Result<StatusRow, StoreError>> + Send + use<>, StoreError> {
    let clauses = filter.clauses();
    let sql = format!(
        "SELECT {} FROM projection.facility WHERE {} ORDER BY {}",
        status_row::shown(),
        clauses.sql,
        order.sql()
    );
    let client = store.client().await?;
    let rows = client.query_raw(&sql, clauses.parameters()).await.context("read facilities")?;
    // The connection returns to the pool when the stream ends, not before.
    let rows = rows.map_ok(move |row| {
        let _ = &client;
        StatusRow::from(&row)
    });
    Ok(rows.map_err(|source| StoreError::Query { context: "read facilities", source: source.into() }))
}

/// The flags of these facilities as the projector wrote them, with severity, sentence and next step.
pub async fn attention(store: &Store, lines: &[StatusRow]) -> Result<BTreeMap<FacilityId, Value>, StoreError> {
    let flagged = lines.iter().filter(|line| !line.flags.is_empty());
    let ids: Vec<uuid::Uuid> = flagged.map(|line| line.facility_id.0).collect();
    let sql = "SELECT facility_id, status->'flags' FROM projection.facility WHERE facility_id = ANY($1)";
    let rows = store.client().await?.query(sql, &[&ids]).await.context("read flags")?;
    let flags = |row: Row| (FacilityId(row.get(0)), row.get::<_, Option<Value>>(1).unwrap_or_default());
    Ok(rows.into_iter().map(flags).collect())
}

/// The number of matching rows.
pub async fn count(store: &Store, filter: &Filter) -> Result<i64, StoreError> {
    let clauses = filter.clauses();
    let sql = format!("SELECT count(*) FROM projection.facility WHERE {}", clauses.sql);
    Ok(store.client().await?.query_one(&sql, &clauses.parameters()).await.context("count facilities")?.get(0))
}

/// Counts over the whole fleet.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct Summary {
    pub total: i64,
    pub eligible: i64,
    pub not_yet: i64,
    pub not_observable: i64,
    pub opted_out: i64,
    pub silent: i64,
}

/// Counts the whole fleet.
pub async fn summary(store: &Store) -> Result<Summary, StoreError> {
    let sql = format!(
        "SELECT count(*), count(*) FILTER (WHERE eligible = 'eligible'), count(*) FILTER (WHERE eligible = 'not_yet'), \
         count(*) FILTER (WHERE eligible = 'not_observable'), count(*) FILTER (WHERE {OPTED_OUT_SOMEHOW}), \
         count(*) FILTER (WHERE freshness = 'silent') FROM projection.facility"
    );
    let row = store.client().await?.query_one(&sql, &[]).await.context("count the fleet")?;
    Ok(Summary {
        total: row.get(0),
        eligible: row.get(1),
        not_yet: row.get(2),
        not_observable: row.get(3),
        opted_out: row.get(4),
        silent: row.get(5),
    })
}

/// One facility with its whole status.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Detail {
    #[serde(flatten)]
    pub line: StatusRow,
    pub codes: Vec<String>,
    pub status: Value,
    /// The number of records that could not be folded, and of those that wait behind them.
    pub parked: i64,
}

impl Detail {
    /// The whole status; `None` if another version of the program wrote it and this one is about to rewrite it.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        Status::from_json(&self.status.to_string()).ok()
    }
}

/// The facility with this identifier.
pub async fn detail(store: &Store, facility: FacilityId) -> Result<Option<Detail>, StoreError> {
    let sql = format!(
        "SELECT {}, status, ARRAY(SELECT c.code FROM projection.facility_code c \
         WHERE c.facility_id = f.facility_id ORDER BY c.code) AS codes, \
         (SELECT count(*) FROM projection.parked p WHERE p.facility_id = f.facility_id) AS parked \
         FROM projection.facility f WHERE facility_id = $1",
        status_row::shown()
    );
    let row = store.client().await?.query_opt(&sql, &[&facility.0]).await.context("read a facility")?;
    Ok(row.map(|row| Detail {
        line: StatusRow::from(&row),
        codes: row.get("codes"),
        status: row.get("status"),
        parked: row.get("parked"),
    }))
}

/// The position of a fact in a timeline; older facts follow it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimelineCursor {
    pub occurred_at: DateTime<Utc>,
    pub offset: i64,
    pub place: i32,
}

/// A fact of a timeline.
#[derive(Clone, PartialEq, Debug)]
pub struct TimelineEntry {
    pub mark: TimelineCursor,
    pub recorded: Recorded,
}

impl From<StoredFact> for TimelineEntry {
    fn from(StoredFact { position, index_in_record, recorded }: StoredFact) -> Self {
        let occurred_at = recorded.occurred_at();
        Self { mark: TimelineCursor { occurred_at, offset: position.offset, place: index_in_record }, recorded }
    }
}

/// A facility's facts of some kinds, the newest first, older than `before`; all kinds where `kinds` is empty.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn timeline(
    store: &Store,
    facility: FacilityId,
    kinds: &[&str],
    before: Option<TimelineCursor>,
    limit: i64,
) -> Result<Vec<TimelineEntry>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM projection.fact \
         WHERE facility_id = $1 AND ($2 OR kind = ANY($3)) AND occurred_at <= $4 \
         AND (occurred_at, log_offset, index_in_record) < ($4, $5, $6) \
         ORDER BY occurred_at DESC, log_offset DESC, index_in_record DESC LIMIT $7"
    );
    let before =
        before.unwrap_or(TimelineCursor { occurred_at: DateTime::<Utc>::MAX_UTC, offset: i64::MAX, place: i32::MAX });
    // The latest instant that PostgreSQL and chrono can both represent.
    let latest = DateTime::from_timestamp(253_402_300_799, 0).unwrap_or(before.occurred_at);
    let occurred_at = before.occurred_at.min(latest);
    let rows = store
        .client()
        .await?
        .query(&sql, &[&facility.0, &kinds.is_empty(), &kinds, &occurred_at, &before.offset, &before.place, &limit])
        .await
        .context("read a timeline")?;
    rows.iter().map(|row| stored_fact(row).map(TimelineEntry::from)).collect()
}

/// How far one partition of the log has been folded.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct PartitionProgress {
    pub partition: i32,
    pub next_offset: i64,
    #[serde(default)]
    pub folded_at: Option<DateTime<Utc>>,
    /// The end of the log when the projector last looked; absent if it never did.
    #[serde(default)]
    pub end_offset: Option<i64>,
    #[serde(default)]
    pub checked_at: Option<DateTime<Utc>>,
}

/// How current the projection is.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ProjectionProgress {
    /// The time of the query, by the database's clock.
    pub now: DateTime<Utc>,
    pub places: Vec<PartitionProgress>,
    pub parked_facilities: i64,
    /// The number of records that could not be folded, and of those that wait behind them.
    pub parked_records: i64,
}

/// Reads how current the projection is.
pub async fn progress(store: &Store) -> Result<ProjectionProgress, StoreError> {
    let sql = "SELECT now(), coalesce((SELECT jsonb_agg(to_jsonb(p) ORDER BY p.partition) FROM projection.progress p), '[]'), \
               p.facilities, p.records \
               FROM (SELECT count(DISTINCT facility_id) AS facilities, count(*) AS records FROM projection.parked) p";
    let row = store.client().await?.query_one(sql, &[]).await.context("read the progress of the projection")?;
    let places = serde_json::from_value(row.get(1));
    let places = places.map_err(|source| StoreError::Broken { what: "the projection's progress", source })?;
    Ok(ProjectionProgress { now: row.get(0), places, parked_facilities: row.get(2), parked_records: row.get(3) })
}
