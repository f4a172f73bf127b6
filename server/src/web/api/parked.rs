//! `/api/v1/parked`: facilities that are blocked by a record that could not be folded, and the waiting records.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde::Serialize;

use crate::store::fleet;
use crate::store::waiting::{self, ParkedFacility, QueuedRecord, SkippedRecord};
use crate::web::Web;
use crate::web::http::error::Failure;
use crate::web::http::query::QueryParameters;
use crate::web::page::as_of::AsOf;
use crate::web::page::path::{FacilityPath, facility_path};
use crate::web::read::parked::after;

/// Skipped records in one answer.
const SKIPPED_SHOWN: i64 = 100;

#[derive(Serialize)]
pub(in crate::web) struct AllParked {
    #[serde(flatten)]
    as_of: AsOf,
    /// Those that were blocked first come first.
    facilities: Vec<ParkedFacility>,
    /// The records that people skipped, the newest first.
    skipped: Vec<SkippedRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `/api/v1/parked`.
pub(in crate::web) async fn all(State(web): State<Web>, RawQuery(query): RawQuery) -> Result<Json<AllParked>, Failure> {
    let given = QueryParameters::read(query.as_deref(), &["page", "limit"])?;
    let (page, limit) = (given.number("page", 1, 100_000, 1)?, given.number("limit", 1, 1000, 100)?);
    let store = &web.store;
    let (progress, mut facilities, skipped) = tokio::try_join!(
        fleet::progress(store),
        waiting::stopped(store, None, limit + 1, (page - 1) * limit),
        waiting::skipped(store, SKIPPED_SHOWN),
    )?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let next =
        (facilities.len() > wanted).then(|| given.link("/api/v1/parked", &[("page", Some(&(page + 1).to_string()))]));
    facilities.truncate(wanted);
    Ok(Json(AllParked { as_of: AsOf::of(&progress), facilities, skipped, next }))
}

#[derive(Serialize)]
pub(in crate::web) struct ParkedRecords {
    #[serde(flatten)]
    as_of: AsOf,
    /// Absent if no record of the facility waits.
    facility: Option<ParkedFacility>,
    /// In the order of the log.
    records: Vec<QueuedRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `/api/v1/parked/{facility}`, with a code or an identifier.
pub(in crate::web) async fn one(
    State(web): State<Web>,
    Path(facility): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<ParkedRecords>, Failure> {
    let given = QueryParameters::read(query.as_deref(), &["after", "limit"])?;
    let (after, limit) = (after(&given)?, given.number("limit", 1, 1000, 100)?);
    let FacilityPath { facility, written } = facility_path(&web.store, &facility).await?;
    let store = &web.store;
    let (progress, mut stopped, mut records) = tokio::try_join!(
        fleet::progress(store),
        waiting::stopped(store, Some(facility), 1, 0),
        waiting::records(store, facility, after, limit + 1),
    )?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = records.len() > wanted;
    records.truncate(wanted);
    let last = if more { records.last().map(|last| last.place.to_string()) } else { None };
    let next = last.map(|last| given.link(&format!("/api/v1/parked/{written}"), &[("after", Some(&last))]));
    Ok(Json(ParkedRecords { as_of: AsOf::of(&progress), facility: stopped.pop(), records, next }))
}
