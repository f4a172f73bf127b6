//! `/facilities/{code}/record/{act}`: a form by which a person states something of a facility, and what comes of it.
//!
//! Sent, it is answered by a redirection, so that a reload sends nothing again. What was not accepted comes back as it
//! was typed, with the reason beside each field; it works without any script.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use yomitori_facility::{Calendar, Text};
use yomitori_proto::event::Event;

use super::facility::{Named, named};
use crate::clock;
use crate::ingest::operator::{Answered, StateError};
use crate::store::StoreError;
use crate::store::fleet::{self, Axis, Detail};
use crate::telemetry;
use crate::web::as_of::AsOf;
use crate::web::error::Failure;
use crate::web::form::{self, Act, BY, Drawn, Entered, SURE, Stamp, WHY};
use crate::web::lang::Lang;
use crate::web::layout::{self, Page};
use crate::web::query::Given;
use crate::web::{Web, centre, text, who, word};

/// What every form has beside its own fields.
pub(in crate::web) const COMMON: [&str; 5] = [BY, WHY, SURE, "form", "back"];
/// The parameter by which the next page says what came of a form.
pub(in crate::web) const RECORDED: &str = "recorded";

/// `GET /facilities/{code}/record/{act}`; fields may be filled in by the address.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    Extension(lang): Extension<Lang>,
    uri: Uri,
    headers: HeaderMap,
    Path((code, act)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Markup, Failure> {
    let act = form::find(&act).ok_or(Failure::NoPage)?;
    let known = known(act);
    let given = Given::read(query.as_deref(), &known)?;
    let typed: BTreeMap<String, String> =
        known.iter().filter_map(|name| Some(((*name).to_owned(), given.get(name)?.to_owned()))).collect();
    let Named { facility, written } = named(&web.store, &code).await?;
    let detail = fleet::detail(&web.store, facility).await?.ok_or(Failure::Unwatched { asked: written.clone() })?;
    let who = who::of(&headers);
    let sheet =
        Sheet { lang, act, written: &written, detail: &detail, who: who.as_deref(), trouble: None, doubt: None };
    Ok(sheet.draw(&web, &uri, &Entered::prefilled(typed)).await?)
}

/// `POST /facilities/{code}/record/{act}`.
pub(in crate::web) async fn state(
    State(web): State<Web>,
    Extension(lang): Extension<Lang>,
    Path((code, act)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let act = form::find(&act).ok_or(Failure::NoPage)?;
    let Named { facility, written } = named(&web.store, &code).await?;
    let detail = fleet::detail(&web.store, facility).await?.ok_or(Failure::Unwatched { asked: written.clone() })?;
    let (parts, body) = request.into_parts();
    let mut entered = form::read(&parts, body, &known(act)).await?;
    let who = who::of(&parts.headers);
    let mut sheet =
        Sheet { lang, act, written: &written, detail: &detail, who: who.as_deref(), trouble: None, doubt: None };

    let now = clock::now();
    let values = entered.values(act, now);
    let (Some(stamp), Some(values)) = (entered.stamp(), values) else {
        sheet.trouble = Some(to_mend(&entered));
        return sheet.again(&web, &parts.uri, &entered, StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    if let Some(at) = act.call_at(&values)
        && entered.typed(SURE).is_none()
    {
        sheet.doubt = centre::doubt(&centre::calendar(&web.store).await?, at);
        if sheet.doubt.is_some() {
            sheet.trouble = Some(text::THINK.clone());
            return sheet.again(&web, &parts.uri, &entered, StatusCode::UNPROCESSABLE_ENTITY).await;
        }
    }
    let event = act.event(&values).ok_or(Failure::NoPage)?;
    match record(&web, &detail, &stamp, now, event).await {
        Ok(answered) => {
            let back = entered.back() == "calls";
            let path = if back { "/calls".to_owned() } else { format!("/facilities/{written}") };
            Ok(went_well(&path, &stamp, answered))
        }
        Err(StateError::Unfit(error)) => Err(Failure::Form(Text::new(error.to_string(), error.to_string()))),
        Err(StateError::Append(error)) => {
            telemetry::append_failed(&error);
            sheet.trouble = Some(text::NOT_TAKEN.clone());
            sheet.again(&web, &parts.uri, &entered, StatusCode::SERVICE_UNAVAILABLE).await
        }
    }
}

/// States it once, however often the form is sent.
async fn record(
    web: &Web,
    detail: &Detail,
    stamp: &Stamp,
    now: DateTime<Utc>,
    event: Event,
) -> Result<Answered, StateError> {
    let stating = async {
        let position = web.operator.state(detail.line.facility_id, stamp.stated(now), event).await?;
        // It is in the log; where the database is away, it will be shown later.
        Ok(web.operator.shown(position).await.unwrap_or(Answered::Accepted))
    };
    web.stated.state(stamp.form, stating).await
}

/// Goes on at `path`, which says what came of it.
pub(in crate::web) fn went_well(path: &str, stamp: &Stamp, answered: Answered) -> Response {
    let said = match answered {
        Answered::Shown => "shown",
        Answered::Accepted => "accepted",
    };
    let mut response = Redirect::to(&format!("{path}?{RECORDED}={said}")).into_response();
    response.headers_mut().append(header::SET_COOKIE, who::cookie(&stamp.by));
    response
}

/// That a form has mistakes, and how many.
pub(in crate::web) fn to_mend(entered: &Entered) -> Text {
    let count = entered.mistakes().to_string();
    Text::new(text::MEND.ja.replace("{n}", &count), text::MEND.en.replace("{n}", &count))
}

/// What came of the form that led here.
pub(in crate::web) fn outcome(lang: Lang, given: &Given) -> Result<Markup, Failure> {
    let said = given.one_of(RECORDED, &["shown", "accepted"])?;
    let said = said.map(|said| if said == "shown" { (&text::RECORDED, "good") } else { (&text::ACCEPTED, "warn") });
    Ok(html! {
        @if let Some((said, class)) = said { p.outcome.(class) role="status" { (lang.both(said)) } }
    })
}

fn known(act: &Act) -> Vec<&'static str> {
    act.fields.iter().map(|field| field.name).chain(COMMON).collect()
}

/// A form with its surroundings.
struct Sheet<'a> {
    lang: Lang,
    act: &'static Act,
    written: &'a str,
    detail: &'a Detail,
    who: Option<&'a str>,
    /// Why it was not recorded.
    trouble: Option<Text>,
    doubt: Option<Text>,
}

impl Sheet<'_> {
    async fn again(self, web: &Web, uri: &Uri, entered: &Entered, status: StatusCode) -> Result<Response, Failure> {
        Ok((status, self.draw(web, uri, entered).await?).into_response())
    }

    async fn draw(self, web: &Web, uri: &Uri, entered: &Entered) -> Result<Markup, StoreError> {
        let Self { lang, act, written, detail, who, trouble, doubt } = self;
        let calendar: Option<Calendar> = if act.telephones { Some(centre::calendar(&web.store).await?) } else { None };
        let as_of = AsOf::of(&fleet::progress(&web.store).await?);
        let now = clock::now();
        let next = calendar.as_ref().and_then(|calendar| calendar.next_opening(now));
        let page = format!("/facilities/{written}");
        let action = format!("{page}/record/{}", act.key);
        let drawn = Drawn { lang, action: &action, entered, who, now, next, doubt: doubt.as_ref() };
        let back = if entered.back() == "calls" { "/calls" } else { &page };
        let line = &detail.line;
        let main = html! {
            nav.trail aria-label=(lang.one(&text::NAVIGATION)) { a href=(page) lang="ja" { "← " (line.name) } }
            div.who {
                h1 { (lang.both(&act.title)) }
                p.sub {
                    span lang="ja" { (line.name) } " " code { (line.code.as_deref().unwrap_or_default()) } " "
                    (word::chip(lang, Axis::Intent, &line.intent)) " " (word::chip(lang, Axis::OptOut, &line.opt_out)) " "
                    (word::chip(lang, Axis::Listing, &line.listing))
                }
            }
            @if let Some(trouble) = &trouble { p.outcome.bad role="alert" { (lang.both(trouble)) } }
            @if let Some(calendar) = &calendar { (centre::draw(lang, calendar, now)) }
            (form::draw(act, &drawn))
            p.cancel { a href=(back) { (lang.one(&text::CANCEL)) } }
        };
        let title = format!("{} · {}", lang.one(&act.title), line.name);
        let here = layout::here(uri);
        // A form that is being filled in is never redrawn.
        Ok(Page { lang, title, here: &here, as_of: &as_of, topic: "form".to_owned(), main }.draw())
    }
}
