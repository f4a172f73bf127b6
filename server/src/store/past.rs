//! A facility, or all, at an earlier instant: what was true then by all that is known now, and what was shown then.

use chrono::{DateTime, Utc};
use uuid::Uuid;
use yomitori_proto::id::FacilityId;

use super::status_row;
use super::{QueryContext as _, Store, StoreError};

pub use super::status_row::PastStatus;

/// Which past.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PastView {
    /// What was true, by all that is known now.
    AsOf,
    /// What was shown: what we believed.
    KnownAt,
}

/// All facilities, or one, at `at`, ordered by prefecture and name; those of which nothing is known then are missing.
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
    let rows = store.client().await?.query(&query, &[&at, &facility]).await.context("read what was at an instant")?;
    Ok(rows.iter().map(|row| PastStatus::of(row, from)).collect())
}

/// How many facilities are being told anew, so that what is said of an instant is not yet by all that is known.
pub async fn lag(store: &Store) -> Result<i64, StoreError> {
    let query = "SELECT facilities FROM analytics.status_as_of_lag";
    let row = store.client().await?.query_one(query, &[]).await.context("count facilities that are being told anew")?;
    Ok(row.get(0))
}
