//! The status of one facility or of all at an earlier instant: by what is known now (valid time), and as shown then
//! (transaction time).

use chrono::{DateTime, Utc};
use uuid::Uuid;
use yomitori_proto::id::FacilityId;

use super::status_row;
use super::{QueryContext as _, Store, StoreError};

pub use super::status_row::PastStatus;

/// The kind of past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PastView {
    /// The status by all that is known now (valid time).
    AsOf,
    /// The status that was shown then (transaction time).
    KnownAt,
}

/// All facilities, or one, at `at`, ordered by prefecture and name; facilities that were unknown then are missing.
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
        "SELECT facility_id, {from}, {} FROM analytics.{function}($1, $2) ORDER BY prefecture, name, facility_id",
        status_row::words(None)
    );
    let facility: Option<Uuid> = facility.map(|id| id.0);
    let rows = store.client().await?.query(&query, &[&at, &facility]).await.context("read the status of an instant")?;
    Ok(rows.iter().map(|row| PastStatus::of(row, from)).collect())
}

/// The number of facilities whose history is being recomputed and does not yet include all that is known.
pub async fn lag(store: &Store) -> Result<i64, StoreError> {
    let query = "SELECT facilities FROM analytics.status_as_of_lag";
    let row = store.client().await?.query_one(query, &[]).await.context("count facilities with a pending history")?;
    Ok(row.get(0))
}
