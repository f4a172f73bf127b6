//! `/facilities/{code}/record/{key}`: a form by which a person states something about a facility.
//!
//! An accepted form is answered by a redirect, so that a reload sends nothing again. A rejected form comes back as
//! typed, with the reason beside each field. It works without a script.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use maud::{Markup, html};
use yomitori_facility::{Calendar, Text};
use yomitori_proto::event::Event;
use yomitori_proto::id::FacilityId;

use crate::clock;
use crate::ingest::operator::{StatementError, StatementOutcome};
use crate::statement::known::{self, Standing};
use crate::statement::{self, Statement, ValidStatement, subject};
use crate::store::StoreError;
use crate::store::fleet::{self, Axis, Detail};
use crate::telemetry;
use crate::web::Web;
use crate::web::form::{self, Entered, FormPage, names, recorded, refused};
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::http::query::QueryParameters;
use crate::web::http::who;
use crate::web::page::call_centre;
use crate::web::page::path::{FacilityPath, facility_path};
use crate::web::page::text;
use crate::web::page::word;

/// `GET /facilities/{code}/record/{key}`; the address may prefill fields.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    Extension(lang): Extension<Lang>,
    uri: Uri,
    headers: HeaderMap,
    Path((code, key)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Markup, Failure> {
    let statement = statement::find(&key).ok_or(Failure::NoPage)?;
    let known = names(statement);
    let given = QueryParameters::read(query.as_deref(), &known)?;
    let typed: BTreeMap<String, String> =
        known.iter().filter_map(|name| Some(((*name).to_owned(), given.get(name)?.to_owned()))).collect();
    let FacilityPath { facility, written } = facility_path(&web.store, &code).await?;
    let detail = fleet::detail(&web.store, facility).await?.ok_or(Failure::Unwatched { asked: written.clone() })?;
    let who = who::of(&headers);
    let entered = Entered::prefilled(typed);
    let calendar = shown_calendar(&web, statement).await?;
    let form = page(lang, statement, &written, &detail, who.as_deref(), &entered, calendar);
    Ok(form.draw(&web, &uri, &entered, head(lang, statement, &written, &detail)).await?)
}

/// `POST /facilities/{code}/record/{key}`.
pub(in crate::web) async fn state(
    State(web): State<Web>,
    Extension(lang): Extension<Lang>,
    Path((code, key)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let statement = statement::find(&key).ok_or(Failure::NoPage)?;
    let FacilityPath { facility, written } = facility_path(&web.store, &code).await?;
    let detail = fleet::detail(&web.store, facility).await?.ok_or(Failure::Unwatched { asked: written.clone() })?;
    let (parts, body) = request.into_parts();
    let mut entered = form::read(&parts, body, &names(statement)).await?;
    let who = who::of(&parts.headers);
    let calendar = shown_calendar(&web, statement).await?;
    let form = page(lang, statement, &written, &detail, who.as_deref(), &entered, calendar.clone());
    let head = head(lang, statement, &written, &detail);

    let calendar = calendar.unwrap_or_else(Calendar::bundled);
    let Some(checked) = entered.checked(statement, clock::now(), &calendar) else {
        let refusal = (StatusCode::UNPROCESSABLE_ENTITY, refused(&entered));
        return form.refuse(&web, &parts.uri, &entered, head, refusal).await;
    };
    let event = checked.event.clone().ok_or(Failure::NoPage)?;
    let facility = subject(Some(facility), &event);
    match known::standing(&web.store, facility, checked.stated.id, &event).await? {
        Standing::New => {}
        Standing::Recorded => {
            return Ok(recorded(&back(&entered, &written), &checked.stated.by, StatementOutcome::Shown));
        }
        Standing::Refused(problem) => {
            // No field of the form shows the problem with its identifier.
            let about_form = (problem.field == statement::ID).then(|| problem.text.clone());
            entered.refuse(problem);
            let refusal = (StatusCode::UNPROCESSABLE_ENTITY, about_form.unwrap_or_else(|| refused(&entered)));
            return form.refuse(&web, &parts.uri, &entered, head, refusal).await;
        }
    }
    match record(&web, facility, &checked, event).await {
        Ok(outcome) => Ok(recorded(&back(&entered, &written), &checked.stated.by, outcome)),
        Err(StatementError::Invalid(error)) => Err(Failure::Form(Text::new(error.to_string(), error.to_string()))),
        Err(StatementError::Append(error)) => {
            telemetry::append_failed(&error);
            let refusal = (StatusCode::SERVICE_UNAVAILABLE, text::NOT_TAKEN.clone());
            form.refuse(&web, &parts.uri, &entered, head, refusal).await
        }
    }
}

/// Records the statement once, however often the form is sent.
async fn record(
    web: &Web,
    facility: FacilityId,
    checked: &ValidStatement,
    event: Event,
) -> Result<StatementOutcome, StatementError> {
    let stating = async {
        let position = web.operator.record(facility, checked.stated.clone(), event).await?;
        // The log contains it; if the database is away, it is shown later.
        Ok(web.operator.wait_until_projected(position).await.unwrap_or(StatementOutcome::Accepted))
    };
    web.stated.state(checked.stated.id, stating).await
}

/// The calendar by which a call is checked, and whose hours the form shows.
async fn shown_calendar(web: &Web, statement: &Statement) -> Result<Option<Calendar>, StoreError> {
    Ok(if statement.telephones { Some(call_centre::calendar(&web.store).await?) } else { None })
}

/// The page that linked to the form.
fn back(entered: &Entered, written: &str) -> String {
    if entered.back() == "calls" { "/calls".to_owned() } else { format!("/facilities/{written}") }
}

fn page<'a>(
    lang: Lang,
    statement: &'static Statement,
    written: &str,
    detail: &Detail,
    who: Option<&'a str>,
    entered: &Entered,
    calendar: Option<Calendar>,
) -> FormPage<'a> {
    FormPage {
        lang,
        statement,
        title: format!("{} · {}", lang.one(&statement.title), detail.line.name),
        action: format!("/facilities/{written}/record/{}", statement.key),
        cancel: back(entered, written),
        who,
        calendar,
        trouble: None,
    }
}

/// Draws the facility of the form and its status.
fn head(lang: Lang, statement: &Statement, written: &str, detail: &Detail) -> Markup {
    let line = &detail.line;
    html! {
        nav.trail aria-label=(lang.one(&text::NAVIGATION)) { a href={ "/facilities/" (written) } lang="ja" { "← " (line.name) } }
        div.who {
            h1 { (lang.both(&statement.title)) }
            p.sub {
                span lang="ja" { (line.name) } " " code { (line.code.as_deref().unwrap_or_default()) } " "
                (word::chip(lang, Axis::Intent, &line.intent)) " " (word::chip(lang, Axis::OptOut, &line.opt_out)) " "
                (word::chip(lang, Axis::Listing, &line.listing))
            }
        }
    }
}
