//! When the call centre is closed beside holidays, as people recorded it.

use chrono::{DateTime, Utc};

use super::{Doing as _, Store, StoreError};

/// Every recorded closure, [from, to).
///
/// # Errors
/// Where the database is away.
pub async fn all(store: &Store) -> Result<Vec<(DateTime<Utc>, DateTime<Utc>)>, StoreError> {
    let query = "SELECT (event->'closure_set'->>'from')::timestamptz, (event->'closure_set'->>'to')::timestamptz \
                 FROM projection.fact WHERE facility_id = $1 AND kind = 'closure_set'";
    let fleet = yomitori_proto::id::FacilityId::FLEET.0;
    let rows = store.client().await?.query(query, &[&fleet]).await.doing("read closures of the call centre")?;
    Ok(rows.into_iter().map(|row| (row.get(0), row.get(1))).collect())
}
