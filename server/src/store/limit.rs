//! How much terminals may collect: the newest statement about each facility.

use std::collections::BTreeMap;

use yomitori_proto::id::FacilityId;
use yomitori_proto::vocabulary::CollectionLevel;

use super::{QueryContext as _, Store, StoreError};

/// The limits of all facilities that have one.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn all(store: &Store) -> Result<BTreeMap<FacilityId, CollectionLevel>, StoreError> {
    let query = "SELECT DISTINCT ON (facility_id) facility_id, event::jsonb->'collection_limited'->>'most' \
                 FROM projection.fact WHERE kind = 'collection_limited' \
                 ORDER BY facility_id, log_offset DESC, index_in_record DESC";
    let rows = store.client().await?.query(query, &[]).await.context("read the collection limits")?;
    let limit = |row: tokio_postgres::Row| {
        let most = serde_json::from_value(row.get::<_, Option<String>>(1).into());
        let most = most.map_err(|source| StoreError::Broken { what: "a collection limit", source })?;
        Ok((FacilityId(row.get(0)), most))
    };
    rows.into_iter().map(limit).collect()
}
