//! A facility, or all, at an earlier instant: what was true then by all that is known now, and what was shown then.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Row;
use uuid::Uuid;
use yomitori_proto::id::FacilityId;

use super::{QueryContext as _, Store, StoreError};

/// Which past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PastView {
    /// What was true, by all that is known now.
    AsOf,
    /// What was shown: what we believed.
    KnownAt,
}

/// What a facility was, or was taken for, at an instant.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct PastStatus {
    pub facility: FacilityId,
    /// Since when it had been so, or had been shown so.
    pub from: DateTime<Utc>,
    pub code: Option<String>,
    pub name: String,
    pub prefecture: String,
    pub eligible: String,
    pub evidence: String,
    pub evidence_level: Option<String>,
    pub equipment: String,
    pub intent: String,
    pub opt_out: String,
    pub listing: String,
    pub freshness: String,
    pub flags: Vec<String>,
}

/// All facilities, or one, at `at`, ordered by prefecture and name; those of which nothing is known then are missing.
///
/// # Errors
/// Where the database is away.
pub async fn at(
    store: &Store,
    view: PastView,
    at: DateTime<Utc>,
    facility: Option<FacilityId>,
) -> Result<Vec<PastStatus>, StoreError> {
    let (function, from) = match view {
        PastView::AsOf => ("status_as_of", "valid_from"),
        PastView::KnownAt => ("status_known_at", "known_from"),
    };
    let query = format!(
        "SELECT facility_id, {from}, code, name, prefecture, eligible, evidence, evidence_level, equipment, intent, \
         opt_out, listing, freshness, flags FROM analytics.{function}($1, $2) ORDER BY prefecture, name, facility_id"
    );
    let facility: Option<Uuid> = facility.map(|id| id.0);
    let rows = store.client().await?.query(&query, &[&at, &facility]).await.context("read what was at an instant")?;
    let past = |row: Row| PastStatus {
        facility: FacilityId(row.get(0)),
        from: row.get(1),
        code: row.get(2),
        name: row.get(3),
        prefecture: row.get(4),
        eligible: row.get(5),
        evidence: row.get(6),
        evidence_level: row.get(7),
        equipment: row.get(8),
        intent: row.get(9),
        opt_out: row.get(10),
        listing: row.get(11),
        freshness: row.get(12),
        flags: row.get(13),
    };
    Ok(rows.into_iter().map(past).collect())
}

/// How many facilities are being told anew, so that what is said of an instant is not yet by all that is known.
///
/// # Errors
/// Where the database is away.
pub async fn lag(store: &Store) -> Result<i64, StoreError> {
    let query = "SELECT facilities FROM analytics.status_as_of_lag";
    let row = store.client().await?.query_one(query, &[]).await.context("count facilities that are being told anew")?;
    Ok(row.get(0))
}
