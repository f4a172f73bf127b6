//! All registered facilities: names, addresses, current and former codes.

use std::pin::pin;

use chrono::{DateTime, Utc};
use futures_util::TryStreamExt as _;
use serde::Deserialize;
use uuid::Uuid;
use yomitori_proto::id::FacilityId;

use super::{QueryContext as _, Store, StoreError};

/// A registered facility.
#[derive(Debug, Clone)]
pub struct RegisteredFacility {
    pub facility: FacilityId,
    pub name: String,
    /// Two digits.
    pub prefecture: String,
    pub address: Option<String>,
    pub codes: Vec<DatedCode>,
}

/// A code of a facility, and when it ended.
#[derive(Debug, Clone, Deserialize)]
pub struct DatedCode {
    pub code: String,
    pub until: Option<DateTime<Utc>>,
}

/// Passes every registered facility to `take`, one at a time, because there may be hundreds of thousands.
///
/// # Errors
/// If a stored document cannot be decoded.
pub async fn each(store: &Store, mut take: impl FnMut(RegisteredFacility)) -> Result<(), StoreError> {
    let query = "SELECT facility_id, name, prefecture, address, held_codes FROM projection.facility_row";
    let context = "read the registered facilities";
    let client = store.client().await?;
    let no_parameters: [&Uuid; 0] = [];
    let mut rows = pin!(client.query_raw(query, no_parameters).await.context(context)?);
    while let Some(row) = rows.try_next().await.context(context)? {
        let codes = serde_json::from_str(row.get(4));
        let codes = codes.map_err(|source| StoreError::Broken { what: "a facility's codes", source })?;
        take(RegisteredFacility {
            facility: FacilityId(row.get(0)),
            name: row.get(1),
            prefecture: row.get(2),
            address: row.get(3),
            codes,
        });
    }
    Ok(())
}
