//! `/facilities/{code}/record/{key}`: a form by which a person states something of a facility, and what comes of it.
//!
//! Sent, it is answered by a redirection, so that a reload sends nothing again. What was not accepted comes back as it
//! was typed, with the reason beside each field; it works without any script.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use yomitori_facility::{Calendar, Text};
use yomitori_proto::event::Event;
use yomitori_proto::id::FacilityId;

use super::facility::{Named, named};
use crate::clock;
use crate::ingest::operator::{StatementError, StatementOutcome};
use crate::statement::{self, BY, ID, SURE, Statement, ValidStatement, WHY, known, subject};
use crate::store::StoreError;
use crate::store::fleet::{self, Axis, Detail};
use crate::telemetry;
use crate::web::as_of::AsOf;
use crate::web::error::Failure;
use crate::web::form::{self, Drawn, Entered};
use crate::web::lang::Lang;
use crate::web::layout::{self, Page};
use crate::web::query::QueryParameters;
use crate::web::{Web, call_centre, text, who, word};

/// What every form has beside its own fields.
pub(in crate::web) const COMMON: [&str; 5] = [BY, WHY, SURE, ID, "back"];
/// The parameter by which the next page says what came of a form.
pub(in crate::web) const RECORDED: &str = "recorded";

/// `GET /facilities/{code}/record/{key}`; fields may be filled in by the address.
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
    let Named { facility, written } = named(&web.store, &code).await?;
    let detail = fleet::detail(&web.store, facility).await?.ok_or(Failure::Unwatched { asked: written.clone() })?;
    let who = who::of(&headers);
    let sheet =
        StatementForm { lang, statement, written: &written, detail: &detail, who: who.as_deref(), trouble: None };
    Ok(sheet.draw(&web, &uri, &Entered::prefilled(typed)).await?)
}

/// `POST /facilities/{code}/record/{key}`.
pub(in crate::web) async fn state(
    State(web): State<Web>,
    Extension(lang): Extension<Lang>,
    Path((code, key)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let statement = statement::find(&key).ok_or(Failure::NoPage)?;
    let Named { facility, written } = named(&web.store, &code).await?;
    let detail = fleet::detail(&web.store, facility).await?.ok_or(Failure::Unwatched { asked: written.clone() })?;
    let (parts, body) = request.into_parts();
    let mut entered = form::read(&parts, body, &names(statement)).await?;
    let who = who::of(&parts.headers);
    let mut sheet =
        StatementForm { lang, statement, written: &written, detail: &detail, who: who.as_deref(), trouble: None };

    let now = clock::now();
    let calendar = calendar(&web, statement).await?;
    let Some(checked) = entered.checked(statement, now, &calendar) else {
        sheet.trouble = Some(refused(&entered));
        return sheet.again(&web, &parts.uri, &entered, StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    let event = checked.event.clone().ok_or(Failure::NoPage)?;
    let facility = subject(Some(facility), &event);
    if let Some(problem) = known::problem(&web.store, facility, checked.stated.id, &event).await? {
        entered.refuse(problem);
        sheet.trouble = Some(refused(&entered));
        return sheet.again(&web, &parts.uri, &entered, StatusCode::UNPROCESSABLE_ENTITY).await;
    }
    match record(&web, facility, &checked, event).await {
        Ok(answered) => {
            let back = entered.back() == "calls";
            let path = if back { "/calls".to_owned() } else { format!("/facilities/{written}") };
            Ok(went_well(&path, &checked.stated.by, answered))
        }
        Err(StatementError::Invalid(error)) => Err(Failure::Form(Text::new(error.to_string(), error.to_string()))),
        Err(StatementError::Append(error)) => {
            telemetry::append_failed(&error);
            sheet.trouble = Some(text::NOT_TAKEN.clone());
            sheet.again(&web, &parts.uri, &entered, StatusCode::SERVICE_UNAVAILABLE).await
        }
    }
}

/// States it once, however often the form is sent.
async fn record(
    web: &Web,
    facility: FacilityId,
    checked: &ValidStatement,
    event: Event,
) -> Result<StatementOutcome, StatementError> {
    let stating = async {
        let position = web.operator.record(facility, checked.stated.clone(), event).await?;
        // It is in the log; where the database is away, it will be shown later.
        Ok(web.operator.wait_until_projected(position).await.unwrap_or(StatementOutcome::Accepted))
    };
    web.stated.state(checked.stated.id, stating).await
}

/// Goes on at `path`, which says what came of it.
pub(in crate::web) fn went_well(path: &str, by: &str, answered: StatementOutcome) -> Response {
    let said = match answered {
        StatementOutcome::Shown => "shown",
        StatementOutcome::Accepted => "accepted",
    };
    let mut response = Redirect::to(&format!("{path}?{RECORDED}={said}")).into_response();
    response.headers_mut().append(header::SET_COOKIE, who::cookie(by));
    response
}

/// Why a form was not accepted: it has mistakes, and how many, or the person should think.
pub(in crate::web) fn refused(entered: &Entered) -> Text {
    if entered.doubt().is_some() {
        return text::THINK.clone();
    }
    let count = entered.mistakes().to_string();
    Text::new(text::MEND.ja.replace("{n}", &count), text::MEND.en.replace("{n}", &count))
}

/// What came of the form that led here.
pub(in crate::web) fn outcome(lang: Lang, given: &QueryParameters) -> Result<Markup, Failure> {
    let said = given.one_of(RECORDED, &["shown", "accepted"])?;
    let said = said.map(|said| if said == "shown" { (&text::RECORDED, "good") } else { (&text::ACCEPTED, "warn") });
    Ok(html! {
        @if let Some((said, class)) = said { p.outcome.(class) role="status" { (lang.both(said)) } }
    })
}

/// The names of the fields of a form.
pub(in crate::web) fn names(statement: &Statement) -> Vec<&'static str> {
    statement.fields.iter().map(|field| field.name).chain(COMMON).collect()
}

/// By which the hours of a call are checked.
async fn calendar(web: &Web, statement: &Statement) -> Result<Calendar, StoreError> {
    if statement.telephones { call_centre::calendar(&web.store).await } else { Ok(Calendar::bundled()) }
}

/// A form with its surroundings.
struct StatementForm<'a> {
    lang: Lang,
    statement: &'static Statement,
    written: &'a str,
    detail: &'a Detail,
    who: Option<&'a str>,
    /// Why it was not recorded.
    trouble: Option<Text>,
}

impl StatementForm<'_> {
    async fn again(self, web: &Web, uri: &Uri, entered: &Entered, status: StatusCode) -> Result<Response, Failure> {
        Ok((status, self.draw(web, uri, entered).await?).into_response())
    }

    async fn draw(self, web: &Web, uri: &Uri, entered: &Entered) -> Result<Markup, StoreError> {
        let Self { lang, statement, written, detail, who, trouble } = self;
        let calendar: Option<Calendar> =
            if statement.telephones { Some(call_centre::calendar(&web.store).await?) } else { None };
        let as_of = AsOf::of(&fleet::progress(&web.store).await?);
        let now = clock::now();
        let next = calendar.as_ref().and_then(|calendar| calendar.next_opening(now));
        let page = format!("/facilities/{written}");
        let action = format!("{page}/record/{}", statement.key);
        let drawn = Drawn { lang, action: &action, entered, who, now, next };
        let back = if entered.back() == "calls" { "/calls" } else { &page };
        let line = &detail.line;
        let main = html! {
            nav.trail aria-label=(lang.one(&text::NAVIGATION)) { a href=(page) lang="ja" { "← " (line.name) } }
            div.who {
                h1 { (lang.both(&statement.title)) }
                p.sub {
                    span lang="ja" { (line.name) } " " code { (line.code.as_deref().unwrap_or_default()) } " "
                    (word::chip(lang, Axis::Intent, &line.intent)) " " (word::chip(lang, Axis::OptOut, &line.opt_out)) " "
                    (word::chip(lang, Axis::Listing, &line.listing))
                }
            }
            @if let Some(trouble) = &trouble { p.outcome.bad role="alert" { (lang.both(trouble)) } }
            @if let Some(calendar) = &calendar { (call_centre::draw(lang, calendar, now)) }
            (form::draw(statement, &drawn))
            p.cancel { a href=(back) { (lang.one(&text::CANCEL)) } }
        };
        let title = format!("{} · {}", lang.one(&statement.title), line.name);
        let here = layout::here(uri);
        // A form that is being filled in is never redrawn.
        Ok(Page { lang, title, here: &here, as_of: &as_of, topic: "form".to_owned(), main }.draw())
    }
}
