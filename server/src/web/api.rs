//! `/api/v1`: the content of the pages for programs. Paging is by position and not by number, so that a fleet that
//! changes meanwhile is neither skipped nor read twice.

pub(super) mod listing;
pub(super) mod parked;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde::Serialize;
use serde_json::{Value, json};
use yomitori_proto::event::{Event, Origin};

use crate::clock;
use crate::store::call::{self, Call};
use crate::store::completeness::{self, Completeness};
use crate::store::fleet::{self, Detail, StatusRow, TimelineEntry};
use crate::web::Web;
use crate::web::http::error::Failure;
use crate::web::http::query::{ApiQuery, QueryParameters};
use crate::web::page::as_of::AsOf;
use crate::web::page::call_centre::{self, CallCentre};
use crate::web::page::path::{FacilityPath, facility_path};

/// The number of facts in the answer for a facility.
const RECENT: i64 = 50;

#[derive(Serialize)]
pub(super) struct Facilities {
    #[serde(flatten)]
    as_of: AsOf,
    facilities: Vec<StatusRow>,
    /// The address of the next page; absent at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `/api/v1/facilities`.
pub(super) async fn facilities(State(web): State<Web>, RawQuery(query): RawQuery) -> Result<Json<Facilities>, Failure> {
    let asked = ApiQuery::read(query.as_deref())?;
    let rows = fleet::after(&web.store, &asked.filter, asked.after, asked.limit + 1);
    let (progress, mut facilities) = tokio::try_join!(fleet::progress(&web.store), rows)?;
    let wanted = usize::try_from(asked.limit).unwrap_or(usize::MAX);
    let more = facilities.len() > wanted;
    facilities.truncate(wanted);
    let last = if more { facilities.last().map(|line| line.facility_id.to_string()) } else { None };
    let next = last.map(|last| asked.given.link("/api/v1/facilities", &[("after", Some(&last))]));
    Ok(Json(Facilities { as_of: AsOf::of(&progress), facilities, next }))
}

#[derive(Serialize)]
pub(super) struct OneFacility {
    #[serde(flatten)]
    as_of: AsOf,
    facility: Detail,
    /// What has arrived from every terminal, life by life.
    completeness: Vec<Completeness>,
    /// The newest first.
    timeline: Vec<Value>,
}

/// `/api/v1/facilities/{code}`.
pub(super) async fn facility(
    State(web): State<Web>,
    Path(code): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<OneFacility>, Failure> {
    QueryParameters::read(query.as_deref(), &[])?;
    let FacilityPath { facility, .. } = facility_path(&web.store, &code).await?;
    let (progress, detail, completeness, timeline) = tokio::try_join!(
        fleet::progress(&web.store),
        fleet::detail(&web.store, facility),
        completeness::of(&web.store, facility),
        fleet::timeline(&web.store, facility, &[], None, RECENT),
    )?;
    let detail = detail.ok_or(Failure::Unwatched { asked: code })?;
    let timeline = timeline.iter().map(fact).collect();
    Ok(Json(OneFacility { as_of: AsOf::of(&progress), facility: detail, completeness, timeline }))
}

#[derive(Serialize)]
pub(super) struct Calls {
    #[serde(flatten)]
    as_of: AsOf,
    call_centre: CallCentre,
    /// The number of facilities at each stage, the most urgent stage first.
    stages: Vec<Stage>,
    calls: Vec<Call>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Serialize)]
struct Stage {
    stage: &'static str,
    count: i64,
}

/// `/api/v1/calls`: by page number, because urgency changes between requests.
pub(super) async fn calls(State(web): State<Web>, RawQuery(query): RawQuery) -> Result<Json<Calls>, Failure> {
    let given = QueryParameters::read(query.as_deref(), &["stage", "page", "limit"])?;
    let stage = given.one_of("stage", &call::KEYS)?;
    let (page, limit) = (given.number("page", 1, 100_000, 1)?, given.number("limit", 1, 1000, 100)?);
    let store = &web.store;
    let (progress, counts, mut calls, calendar) = tokio::try_join!(
        fleet::progress(store),
        call::counts(store),
        call::page(store, stage, limit + 1, (page - 1) * limit),
        call_centre::calendar(store),
    )?;
    let count = |key: &str| counts.iter().find(|(stage, _)| stage == key).map_or(0, |(_, count)| *count);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let next = (calls.len() > wanted).then(|| given.link("/api/v1/calls", &[("page", Some(&(page + 1).to_string()))]));
    calls.truncate(wanted);
    Ok(Json(Calls {
        as_of: AsOf::of(&progress),
        call_centre: CallCentre::of(&calendar, clock::now()),
        stages: call::KEYS.map(|stage| Stage { stage, count: count(stage) }).into(),
        calls,
        next,
    }))
}

fn fact(entry: &TimelineEntry) -> Value {
    let recorded = &entry.recorded;
    let (origin, event): (&Origin, &Event) = (&recorded.origin, &recorded.event);
    json!({
        "kind": event.kind(),
        "occurred_at": recorded.occurred_at(),
        "received_at": recorded.received_at,
        "origin": origin,
        "event": event,
    })
}
