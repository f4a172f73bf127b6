//! `/api/v1/listing`: the snapshots of the ministry's list as the pages show them.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use serde::Serialize;
use serde_json::{Value, json};

use crate::store::fleet;
use crate::store::listing::change::{self, Tally};
use crate::store::listing::measured::measured;
use crate::store::listing::newest::{Newest, newest};
use crate::store::listing::{self as snapshots, ListSnapshot};
use crate::web::Web;
use crate::web::http::error::Failure;
use crate::web::http::query::QueryParameters;
use crate::web::page::as_of::AsOf;
use crate::web::read::listing::{Rows, VIEWS, named, rows};
use yomitori_listing::cadence::Cadence;

#[derive(Serialize)]
pub(in crate::web) struct AllSnapshots {
    #[serde(flatten)]
    as_of: AsOf,
    /// The newest of each kind, with what it changed.
    newest: Vec<Newest>,
    /// The newest first.
    snapshots: Vec<Described>,
    cadence: Cadence,
}

#[derive(Serialize)]
struct Described {
    #[serde(flatten)]
    snapshot: ListSnapshot,
    state: &'static str,
}

impl From<ListSnapshot> for Described {
    fn from(snapshot: ListSnapshot) -> Self {
        Self { state: snapshot.state(), snapshot }
    }
}

/// `/api/v1/listing`.
pub(in crate::web) async fn all(
    State(web): State<Web>,
    RawQuery(query): RawQuery,
) -> Result<Json<AllSnapshots>, Failure> {
    QueryParameters::read(query.as_deref(), &[])?;
    let store = &web.store;
    let (progress, all, cadence) = tokio::try_join!(fleet::progress(store), snapshots::all(store), measured(store))?;
    let newest = newest(store, &all).await?;
    let snapshots = all.into_iter().map(Described::from).collect();
    Ok(Json(AllSnapshots { as_of: AsOf::of(&progress), newest, snapshots, cadence }))
}

#[derive(Serialize)]
pub(in crate::web) struct SnapshotRows {
    #[serde(flatten)]
    as_of: AsOf,
    snapshot: Described,
    tally: Tally,
    /// The view of the rows.
    show: &'static str,
    total: i64,
    rows: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `/api/v1/listing/{snapshot}`: a page of one view of the rows.
pub(in crate::web) async fn one(
    State(web): State<Web>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<SnapshotRows>, Failure> {
    let given = QueryParameters::read(query.as_deref(), &["show", "page", "limit"])?;
    let show = given.one_of("show", &VIEWS)?.unwrap_or(VIEWS[0]);
    let (page, limit) = (given.number("page", 1, 100_000, 1)?, given.number("limit", 1, 1000, 100)?);
    let store = &web.store;
    let (all, place) = named(store, &id).await?;
    let snapshot = &all[place];
    let (progress, tally) = tokio::try_join!(fleet::progress(store), change::tally(store, snapshot.snapshot))?;
    let (rows, total) = rows(store, &all, snapshot, tally, show, (limit, page)).await?;
    let rows = match rows {
        Rows::Unmatched(rows) => json!(rows),
        Rows::Plain(rows) => json!(rows),
    };
    let path = format!("/api/v1/listing/{}", snapshot.snapshot);
    let next = (page * limit < total).then(|| given.link(&path, &[("page", Some(&(page + 1).to_string()))]));
    let snapshot = snapshot.clone().into();
    Ok(Json(SnapshotRows { as_of: AsOf::of(&progress), snapshot, tally, show, total, rows, next }))
}
