//! One request to the page, and its answer.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use yomitori_observation::Sighting;
use yomitori_proto::event::{EntryWithdrawn, Event};
use yomitori_proto::id::Seq;

use super::entry::EntryRequest;
use super::gate::{self, Refusal};
use super::page::{self, Lang};
use super::shared::Shared;
use super::state::{self, State};
use super::text::Text;
use crate::{clock, telemetry};

/// A request body has a few dozen bytes.
const LONGEST: usize = 1024;
/// An entry is stored within milliseconds unless the disk has a problem.
const KEPT_WITHIN: Duration = Duration::from_secs(5);
/// Nothing from other origins, nothing inline, no frames.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

type Answer = Response<Full<Bytes>>;

/// Why a request failed.
#[derive(Debug)]
enum Problem {
    Refused(Refusal),
    NoSuchPage,
    Method,
    /// The request is not valid.
    BadRequest,
    /// The entry does not exist or is already withdrawn.
    Gone,
    /// The entry could not be stored.
    NotKept,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Withdrawal {
    seq: u64,
}

pub(super) async fn answer(request: Request<Incoming>, shared: &Arc<Shared>) -> Answer {
    let admitted = gate::admit(request.method(), request.uri(), request.headers(), shared.port, &shared.token);
    let answered = match admitted {
        Ok(()) => route(request, shared).await,
        Err(refusal) => {
            telemetry::desk_request_rejected(refusal.word());
            Err(Problem::Refused(refusal))
        }
    };
    let mut answer = answered.unwrap_or_else(|problem| problem.answer());
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    answer
}

async fn route(request: Request<Incoming>, shared: &Arc<Shared>) -> Result<Answer, Problem> {
    let reads = *request.method() == Method::GET;
    match request.uri().path() {
        "/" if reads => {
            let lang = Lang::from_query(request.uri().query().unwrap_or_default());
            Ok(written(StatusCode::OK, "text/html; charset=utf-8", page::page(lang)))
        }
        "/desk.css" if reads => Ok(written(StatusCode::OK, "text/css; charset=utf-8", page::STYLE)),
        "/desk.js" if reads => Ok(written(StatusCode::OK, "text/javascript; charset=utf-8", page::SCRIPT)),
        "/icon.svg" if reads => Ok(written(StatusCode::OK, "image/svg+xml", page::ICON)),
        "/state" if reads => Ok(shared.state(StatusCode::OK)),
        "/entries" if *request.method() == Method::POST => {
            let asked: EntryRequest = read(request).await?;
            let now = clock::now();
            enter(shared, asked.event(now).ok_or(Problem::BadRequest)?, now).await
        }
        "/withdrawals" if *request.method() == Method::POST => {
            let Withdrawal { seq } = read(request).await?;
            let seq = Seq(seq);
            if !shared.day().can_withdraw(seq) {
                return Err(Problem::Gone);
            }
            enter(shared, EntryWithdrawn { life: shared.life, seq }.into(), clock::now()).await
        }
        "/" | "/desk.css" | "/desk.js" | "/icon.svg" | "/state" | "/entries" | "/withdrawals" => Err(Problem::Method),
        _ => Err(Problem::NoSuchPage),
    }
}

async fn read<T: for<'de> Deserialize<'de>>(request: Request<Incoming>) -> Result<T, Problem> {
    let body = Limited::new(request.into_body(), LONGEST).collect().await.map_err(|_| Problem::BadRequest)?;
    serde_json::from_slice(&body.to_bytes()).map_err(|_| Problem::BadRequest)
}

/// Sends an entry to the recorder and waits until it is stored. It is listed even if the browser has disconnected
/// meanwhile.
async fn enter(shared: &Arc<Shared>, event: Event, now: DateTime<Utc>) -> Result<Answer, Problem> {
    let receipt = shared.outlet.enter(Sighting::now(now, event.clone())).map_err(|_| Problem::NotKept)?;
    let lists = Arc::clone(shared);
    let listed = tokio::spawn(async move {
        let seq = receipt.await.ok()?;
        telemetry::desk_entry_stored(event.kind(), seq);
        lists.day().record(seq, now, event);
        Some(())
    });
    match tokio::time::timeout(KEPT_WITHIN, listed).await {
        Ok(Ok(Some(()))) => Ok(shared.state(StatusCode::CREATED)),
        _ => Err(Problem::NotKept),
    }
}

impl Shared {
    fn state(&self, status: StatusCode) -> Answer {
        let now = clock::now();
        let lines = state::lines(&self.outlet.board().condition(), (self.unsent)(), (self.collects)(), now);
        json(status, &State::new(&self.token, lines, &self.day(), now))
    }
}

impl Problem {
    fn answer(self) -> Answer {
        let (status, text) = match self {
            Self::Refused(Refusal::Host) => (
                StatusCode::MISDIRECTED_REQUEST,
                Text::fixed(
                    "このページは、この端末でアドレスを正しく入力したときだけ開けます。",
                    "This page opens only on this terminal, under its own address.",
                ),
            ),
            Self::Refused(_) => (
                StatusCode::FORBIDDEN,
                Text::fixed("この操作は受け付けられません。ページを開き直してください。", "Rejected. Reload the page."),
            ),
            Self::NoSuchPage => (StatusCode::NOT_FOUND, Text::fixed("ページがありません。", "There is no such page.")),
            Self::Method => {
                (StatusCode::METHOD_NOT_ALLOWED, Text::fixed("この操作はできません。", "This method is not allowed."))
            }
            Self::BadRequest => (
                StatusCode::BAD_REQUEST,
                Text::fixed(
                    "内容を読み取れません。ページを開き直してください。",
                    "The request is not valid. Reload the page.",
                ),
            ),
            Self::Gone => (
                StatusCode::CONFLICT,
                Text::fixed(
                    "すでに取り消されたか、今日の記録ではありません。",
                    "This entry was already withdrawn, or is not from today.",
                ),
            ),
            Self::NotKept => (
                StatusCode::SERVICE_UNAVAILABLE,
                Text::fixed(
                    "記録できませんでした。少し待ってからもう一度押してください。",
                    "The entry could not be saved. Wait a moment and press again.",
                ),
            ),
        };
        json(status, &text)
    }
}

fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    let body = serde_json::to_vec(value).expect("texts and numbers serialize to JSON");
    written(status, "application/json", body)
}

fn written(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
