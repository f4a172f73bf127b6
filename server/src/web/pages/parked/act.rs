//! `/parked/{facility}/retry` and `/parked/{facility}/skip`: what a person can do about a facility that stands still.
//!
//! A retry states nothing: it asks the projector to look again. That a record is left out is a statement, with who, when
//! and why, and it names the record: should another one be the first by then, nothing is recorded.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use yomitori_facility::{Calendar, Text};
use yomitori_proto::id::FacilityId;

use super::{PATH, TRIED, address, place};
use crate::clock;
use crate::ingest::operator::{SkipError, StatementError, StatementOutcome};
use crate::statement::{ID, SKIP};
use crate::store::waiting::{self, ParkedFacility, Position};
use crate::store::{StoreError, fleet};
use crate::telemetry;
use crate::web::as_of::AsOf;
use crate::web::error::Failure;
use crate::web::form::{self, Drawn, Entered};
use crate::web::lang::Lang;
use crate::web::layout::{self, Page};
use crate::web::pages::facility::{Named, named};
use crate::web::pages::record::{names, refused, went_well};
use crate::web::query::QueryParameters;
use crate::web::{Web, text, who};

/// `GET /parked/{facility}/skip`.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    Extension(lang): Extension<Lang>,
    uri: Uri,
    headers: HeaderMap,
    Path((facility, what)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    QueryParameters::read(query.as_deref(), &[])?;
    if what != "skip" {
        return Err(Failure::NoPage);
    }
    let Named { facility, .. } = named(&web.store, &facility).await?;
    let Some(stopped) = stopped(&web, facility).await? else {
        return Ok(Redirect::to(&address(facility)).into_response());
    };
    let entered = Entered::prefilled(BTreeMap::from([(RECORD.to_owned(), stopped.first.to_string())]));
    let who = who::of(&headers);
    let sheet = SkipForm { lang, facility, stopped: Some(&stopped), who: who.as_deref(), trouble: None };
    Ok(sheet.draw(&web, &uri, &entered).await?.into_response())
}

/// `POST /parked/{facility}/{what}`.
pub(in crate::web) async fn state(
    State(web): State<Web>,
    Extension(lang): Extension<Lang>,
    Path((facility, what)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let Named { facility, .. } = named(&web.store, &facility).await?;
    match what.as_str() {
        "retry" => retry(&web, facility, request).await,
        "skip" => skip(&web, lang, facility, request).await,
        _ => Err(Failure::NoPage),
    }
}

async fn stopped(web: &Web, facility: FacilityId) -> Result<Option<ParkedFacility>, StoreError> {
    Ok(waiting::stopped(&web.store, Some(facility), 1, 0).await?.pop())
}

async fn retry(web: &Web, facility: FacilityId, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    form::read(&parts, body, &[ID]).await?;
    let answered = web.operator.retry(Some(facility)).await?;
    let came = match (answered, stopped(web, facility).await?) {
        (StatementOutcome::Shown, None) => "goes_on",
        (StatementOutcome::Shown, Some(_)) => "still",
        (StatementOutcome::Accepted, _) => "asked",
    };
    Ok(Redirect::to(&format!("{PATH}?{TRIED}={came}")).into_response())
}

const RECORD: &str = "record";

async fn skip(web: &Web, lang: Lang, facility: FacilityId, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let mut entered = form::read(&parts, body, &names(&SKIP)).await?;
    let (who, stopped) = (who::of(&parts.headers), stopped(web, facility).await?);
    let mut sheet = SkipForm { lang, facility, stopped: stopped.as_ref(), who: who.as_deref(), trouble: None };
    let Some(checked) = entered.checked(&SKIP, clock::now(), &Calendar::bundled()) else {
        sheet.trouble = Some(refused(&entered));
        return sheet.again(web, &parts.uri, &entered, StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    // The form was read: it is a place.
    let record: Position = checked.values.word(RECORD).parse().map_err(|_| Failure::NoPage)?;
    let (by, id) = (checked.stated.by.clone(), checked.stated.id);
    match web.stated.state(id, web.operator.skip(facility, record, checked.stated)).await {
        Ok(answered) => Ok(went_well(PATH, &by, answered)),
        Err(SkipError::NotFirst) => {
            sheet.trouble = Some(text::NOT_FIRST.clone());
            sheet.again(web, &parts.uri, &entered, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Err(SkipError::State(StatementError::Invalid(error))) => {
            Err(Failure::Form(Text::new(error.to_string(), error.to_string())))
        }
        Err(SkipError::State(StatementError::Append(error))) => {
            telemetry::append_failed(&error);
            sheet.trouble = Some(text::NOT_TAKEN.clone());
            sheet.again(web, &parts.uri, &entered, StatusCode::SERVICE_UNAVAILABLE).await
        }
        Err(SkipError::Store(error)) => Err(error.into()),
    }
}

/// The form with its surroundings.
struct SkipForm<'a> {
    lang: Lang,
    facility: FacilityId,
    stopped: Option<&'a ParkedFacility>,
    who: Option<&'a str>,
    /// Why it was not recorded.
    trouble: Option<Text>,
}

impl SkipForm<'_> {
    async fn again(self, web: &Web, uri: &Uri, entered: &Entered, status: StatusCode) -> Result<Response, Failure> {
        Ok((status, self.draw(web, uri, entered).await?).into_response())
    }

    async fn draw(self, web: &Web, uri: &Uri, entered: &Entered) -> Result<Markup, StoreError> {
        let Self { lang, facility, stopped, who, trouble } = self;
        let as_of = AsOf::of(&fleet::progress(&web.store).await?);
        let page = address(facility);
        let action = format!("{page}/skip");
        let drawn = Drawn { lang, action: &action, entered, who, now: clock::now(), next: None };
        let main = html! {
            nav.trail aria-label=(lang.one(&text::NAVIGATION)) { a href=(page) { "← " (lang.one(&text::WAITING_TITLE)) } }
            h1 { (lang.both(&SKIP.title)) }
            @if let Some(stopped) = stopped {
                p.sub {
                    (super::name(lang, facility, stopped.name.as_deref())) " "
                    (place(lang, stopped.first)) ": " (super::why(lang, &stopped.reason))
                }
            }
            @if let Some(trouble) = &trouble { p.outcome.bad role="alert" { (lang.both(trouble)) } }
            (form::draw(&SKIP, &drawn))
            p.cancel { a href=(page) { (lang.one(&text::CANCEL)) } }
        };
        let title = lang.one(&SKIP.title).to_owned();
        let here = layout::here(uri);
        Ok(Page { lang, title, here: &here, as_of: &as_of, topic: "form".to_owned(), main }.draw())
    }
}
