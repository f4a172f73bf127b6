//! `/parked/{facility}/retry` and `/parked/{facility}/skip`: the actions of a person on a blocked facility.
//!
//! A retry states nothing: it asks the projector to try again. A skip is a statement with who, when and why, and it
//! names the record: if another one is the first by then, nothing is recorded.

use std::collections::BTreeMap;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use yomitori_facility::{Calendar, Text};
use yomitori_proto::id::FacilityId;

use super::{TRIED, place};
use crate::clock;
use crate::ingest::operator::{SkipError, StatementError, StatementOutcome};
use crate::statement::known::OTHER_CONTENT;
use crate::statement::{ID, SKIP};
use crate::store::StoreError;
use crate::store::waiting::{self, ParkedFacility, Position};
use crate::telemetry;
use crate::web::Web;
use crate::web::form::{self, Entered, FormPage, names, recorded, refused};
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::page::path::{FacilityPath, PARKED, facility_path, parked_path};
use crate::web::page::request::PageRequest;
use crate::web::page::text;

/// `GET /parked/{facility}/skip`.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    request: PageRequest,
    Path((facility, what)): Path<(String, String)>,
) -> Result<Response, Failure> {
    request.parameters(&[])?;
    if what != "skip" {
        return Err(Failure::NoPage);
    }
    let FacilityPath { facility, .. } = facility_path(&web.store, &facility).await?;
    let Some(stopped) = stopped(&web, facility).await? else {
        return Ok(Redirect::to(&parked_path(facility)).into_response());
    };
    let entered = Entered::prefilled(BTreeMap::from([(RECORD.to_owned(), stopped.first.to_string())]));
    let head = head(request.lang, facility, Some(&stopped));
    Ok(page(request.lang, facility).draw(&web, &request, &entered, head).await?.into_response())
}

/// `POST /parked/{facility}/{what}`.
pub(in crate::web) async fn state(
    State(web): State<Web>,
    Path((facility, what)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let FacilityPath { facility, .. } = facility_path(&web.store, &facility).await?;
    match what.as_str() {
        "retry" => retry(&web, facility, request).await,
        "skip" => skip(&web, facility, request).await,
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
    let outcome = match (answered, stopped(web, facility).await?) {
        (StatementOutcome::Shown, None) => "goes_on",
        (StatementOutcome::Shown, Some(_)) => "still",
        (StatementOutcome::Accepted, _) => "asked",
    };
    Ok(Redirect::to(&format!("{PARKED}?{TRIED}={outcome}")).into_response())
}

const RECORD: &str = "record";

async fn skip(web: &Web, facility: FacilityId, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let mut entered = form::read(&parts, body, &names(&SKIP)).await?;
    let (request, stopped) = (PageRequest::of(&parts), stopped(web, facility).await?);
    let (form, head) = (page(request.lang, facility), head(request.lang, facility, stopped.as_ref()));
    let Some(checked) = entered.checked(&SKIP, clock::now(), &Calendar::bundled()) else {
        let refusal = (StatusCode::UNPROCESSABLE_ENTITY, refused(&entered));
        return form.refuse(web, &request, &entered, head, refusal).await;
    };
    // The form was validated, so this is a position.
    let record: Position = checked.values.word(RECORD).parse().map_err(|_| Failure::NoPage)?;
    let (by, id) = (checked.stated.by.clone(), checked.stated.id);
    match web.stated.state(id, entered.fields(), web.operator.skip(facility, record, checked.stated)).await {
        Ok(None) => {
            let refusal = (StatusCode::UNPROCESSABLE_ENTITY, OTHER_CONTENT);
            form.refuse(web, &request, &entered, head, refusal).await
        }
        Ok(Some(answered)) => Ok(recorded(PARKED, &by, answered)),
        Err(SkipError::NotFirst) => {
            let refusal = (StatusCode::UNPROCESSABLE_ENTITY, text::NOT_FIRST.clone());
            form.refuse(web, &request, &entered, head, refusal).await
        }
        Err(SkipError::State(StatementError::Invalid(error))) => {
            Err(Failure::Form(Text::new(error.to_string(), error.to_string())))
        }
        Err(SkipError::State(StatementError::Append(error))) => {
            telemetry::append_failed(&error);
            let refusal = (StatusCode::SERVICE_UNAVAILABLE, text::NOT_TAKEN.clone());
            form.refuse(web, &request, &entered, head, refusal).await
        }
        Err(SkipError::Store(error)) => Err(error.into()),
    }
}

fn page(lang: Lang, facility: FacilityId) -> FormPage {
    let cancel = parked_path(facility);
    let action = format!("{cancel}/skip");
    let title = lang.one(&SKIP.title).to_owned();
    FormPage { statement: &SKIP, title, action, cancel, of_facility: false, calendar: None, trouble: None }
}

/// Draws the facility and the record of the form.
fn head(lang: Lang, facility: FacilityId, stopped: Option<&ParkedFacility>) -> Markup {
    html! {
        nav.trail aria-label=(lang.one(&text::NAVIGATION)) { a href=(parked_path(facility)) { "← " (lang.one(&text::WAITING_TITLE)) } }
        h1 { (lang.both(&SKIP.title)) }
        @if let Some(stopped) = stopped {
            p.sub {
                (super::name(lang, facility, stopped.name.as_deref())) " "
                (place(lang, stopped.first)) ": " (super::why(lang, &stopped.reason))
            }
        }
    }
}
