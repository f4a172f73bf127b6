//! The pages, their live updates, the JSON API, health and metrics.
//!
//! This module reads `store`; statements go only through `ingest::operator`. Until people can sign in, requests are
//! answered only if their Host is this machine: `config` restricts the address, and this module refuses a foreign web
//! page that points its own name at this machine. Everything that a page needs comes from this process; no other origin
//! is contacted.

mod api;
mod form;
mod http;
mod page;
mod read;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use self::form::Once;
use self::http::error::{Failure, FailureExtension};
use self::http::lang::{LANG, Lang};
use self::http::live::Live;
use self::page::fleet::Summaries;
use self::page::listing::decide;
use crate::ingest::operator::{Operator, StatementOutcome};
use crate::log_health::LogHealth;
use crate::store::lent::PageFuture;
use crate::store::{Store, StoreError};

/// Pages that read the database at the same time.
const READING_AT_ONCE: usize = 6;
/// Files at the same time: each holds a connection until its client has read it.
const DOWNLOADS_AT_ONCE: usize = 2;
/// How long a client has to read a file.
const DOWNLOAD_LIMIT: Duration = Duration::from_secs(900);
/// Connections of pages and forms.
const CONNECTIONS: usize = READING_AT_ONCE + STATING_AT_ONCE + 4;
/// Forms at the same time: each waits a moment until its statement is shown.
const STATING_AT_ONCE: usize = 6;
/// The time limit for the beginning of an answer.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);
/// How long answers have to end after a stop signal.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// Whether the body of a form is well-formed and has only fields of these names, as every form is read.
#[must_use]
pub fn accepts_form(body: &[u8], names: &[&str]) -> bool {
    form::is_well_formed(body, names)
}

/// Whether the dashboard knows all parameters of a query string and their values.
#[must_use]
pub fn accepts_query(query: &str) -> bool {
    http::query::FleetQuery::of_page(Some(query)).is_ok()
}

/// The database for pages. Its queries end by themselves, and none holds up the projection or terminals.
pub struct PageStores {
    /// For pages and forms, which end after [`ANSWER_LIMIT`].
    pub pages: Store,
    /// For files, which end when their clients have read them.
    files: Store,
}

impl PageStores {
    /// Pools beside that of `store`.
    ///
    /// # Errors
    /// If a pool cannot be created.
    pub fn of(store: &Store) -> Result<Self, StoreError> {
        let pages = store.for_pages(ANSWER_LIMIT, CONNECTIONS)?;
        Ok(Self { pages, files: store.for_pages(DOWNLOAD_LIMIT, DOWNLOADS_AT_ONCE)? })
    }
}

/// What `/metrics` and `/healthz` show of this process.
#[derive(Clone)]
pub struct Observed {
    pub metrics: PrometheusHandle,
    pub log: watch::Receiver<LogHealth>,
}

/// The shared state of the handlers.
#[derive(Clone)]
struct Web {
    store: Store,
    files: Store,
    operator: Operator,
    stated: Arc<Once<StatementOutcome>>,
    observed: Observed,
    live: Live,
    summaries: Arc<Summaries>,
    reading: Arc<Semaphore>,
    downloads: Arc<Semaphore>,
    stating: Arc<Semaphore>,
    /// One snapshot is applied at a time.
    applying: Arc<Semaphore>,
}

/// Serves pages on `listener` until `stop`, which also ends open streams, so that the shutdown does not wait for them.
///
/// # Errors
/// If the listener fails.
pub async fn serve(
    listener: TcpListener,
    stores: PageStores,
    operator: Operator,
    observed: Observed,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let router = router(stores, operator, observed, stop.clone());
    let stopping = stop.clone();
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).into_future() => served,
        // A connection that never ends must not prevent the server from stopping.
        () = async { stopping.cancelled().await; tokio::time::sleep(STOP_LIMIT).await } => Ok(()),
    }
}

fn router(stores: PageStores, operator: Operator, observed: Observed, stop: CancellationToken) -> Router {
    let PageStores { pages: store, files } = stores;
    let live = Live::start(store.clone(), stop);
    let reading = Arc::new(Semaphore::new(READING_AT_ONCE));
    let downloads = Arc::new(Semaphore::new(DOWNLOADS_AT_ONCE));
    let stating = Arc::new(Semaphore::new(STATING_AT_ONCE));
    let applying = Arc::new(Semaphore::new(1));
    let (stated, summaries) = (Arc::default(), Arc::default());
    let web = Web { store, files, operator, stated, observed, live, summaries, reading, downloads, stating, applying };
    let sent = middleware::from_fn(http::guard::same_origin);
    Router::new()
        .route("/facilities/{code}/record/{act}", post(page::record::state).layer(sent.clone()).get(page::record::show))
        .route("/record/{act}", post(page::record::state_of_all).layer(sent.clone()).get(page::record::show_of_all))
        .route("/", get(page::fleet::show))
        .route("/calls", get(page::calls::show))
        .route("/listing", get(page::listing::show))
        .route("/listing/cadence", get(page::listing::cadence::show))
        .route("/listing/{snapshot}", get(page::listing::snapshot::show))
        .route("/listing/{snapshot}/decide/{what}", post(decide::state).layer(sent.clone()).get(decide::show))
        .route("/parked", get(page::parked::show))
        .route("/parked/{facility}", get(page::parked::one))
        .route("/parked/{facility}/{what}", post(page::parked::act::state).layer(sent).get(page::parked::act::show))
        .route("/rules", get(page::rules::show))
        .route("/facilities.csv", get(page::csv::show))
        .route("/facilities/{code}", get(page::facility::show))
        .route("/api/v1/calls", get(api::calls))
        .route("/api/v1/listing", get(api::listing::all))
        .route("/api/v1/listing/{snapshot}", get(api::listing::one))
        .route("/api/v1/parked", get(api::parked::all))
        .route("/api/v1/parked/{facility}", get(api::parked::one))
        .route("/api/v1/facilities", get(api::facilities))
        .route("/api/v1/facilities/{code}", get(api::facility))
        .route_layer(middleware::from_fn_with_state(web.clone(), in_turn))
        .route("/events", get(http::live::events))
        .route("/healthz", get(http::health::health))
        .route("/metrics", get(http::health::metrics))
        .route("/assets/{fingerprint}/{name}", get(asset))
        .method_not_allowed_fallback(async || Failure::Method)
        .fallback(async || Failure::NoPage)
        .layer(middleware::from_fn(frame))
        .with_state(web)
}

/// `/assets/{fingerprint}/{name}`.
async fn asset(Path((fingerprint, name)): Path<(String, String)>) -> Result<Response, Failure> {
    http::assets::file(&fingerprint, &name).ok_or(Failure::NoPage)
}

/// Limits the number of concurrent reads and statements, and the time of each.
async fn in_turn(State(web): State<Web>, request: Request, next: Next) -> Response {
    let answer = async {
        let turns = if *request.method() == Method::POST { &web.stating } else { &web.reading };
        let _turn = turns.acquire().await;
        next.run(request).await
    };
    tokio::time::timeout(ANSWER_LIMIT, PageFuture::new(answer)).await.unwrap_or_else(|_| Failure::Busy.into_response())
}

/// Wraps every answer: checks the host, chooses the language, renders failures, sets security headers.
async fn frame(mut request: Request, next: Next) -> Response {
    let program = ["/api/", "/healthz", "/metrics"].iter().any(|path| request.uri().path().starts_with(path));
    let chosen = chosen_language(request.uri().query());
    let lang = chosen.unwrap_or_else(|| Lang::of(request.headers()));
    let mut response = match local_host(request.headers()) {
        Ok(()) => {
            request.extensions_mut().insert(lang);
            next.run(request).await
        }
        Err(failure) => failure.into_response(),
    };
    if let Some(FailureExtension(failure)) = response.extensions_mut().remove::<FailureExtension>() {
        response = if program { failure.problem() } else { failure.page(lang) };
    }
    let headers = response.headers_mut();
    for (name, value) in GUARDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(lang) = chosen {
        headers.insert(header::SET_COOKIE, http::cookie::store(LANG, lang.key()));
        headers.insert(header::VARY, HeaderValue::from_static("cookie, accept-language"));
    }
    response
}

const GUARDS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
];

fn chosen_language(query: Option<&str>) -> Option<Lang> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(name, _)| name == LANG).and_then(|(_, value)| Lang::from_key(&value))
}

/// Refuses requests for a host other than this machine.
fn local_host(headers: &HeaderMap) -> Result<(), Failure> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let local = name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
    if local { Ok(()) } else { Err(Failure::Host { host: host.chars().take(100).collect() }) }
}

#[cfg(test)]
mod tests;
