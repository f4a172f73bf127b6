//! `/facilities/{code}`: one facility, each axis with its reason, readers, terminals, and the timeline.

mod completeness;
mod entry_text;
mod past;
mod process;
pub(in crate::web) mod sections;
pub(in crate::web) mod timeline;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use yomitori_proto::code::InstitutionCode;

use crate::store::fleet::{self, Axis, Detail};
use crate::store::{self};
use crate::web::Web;
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::page::as_of::AsOf;
use crate::web::page::csv::prefecture;
use crate::web::page::fleet::{evidence, wish};
use crate::web::page::path::{FacilityPath, facility_path, parked_path};
use crate::web::page::request::PageRequest;
use crate::web::page::text;
use crate::web::page::when;
use crate::web::page::word;

/// `/facilities/{code}`.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    request: PageRequest,
    Path(code): Path<String>,
) -> Result<Response, Failure> {
    let known: Vec<&str> = timeline::PARAMETERS.into_iter().chain([past::AT]).collect();
    let (given, outcome) = request.parameters_and_outcome(&known)?;
    let lang = request.lang;
    let then = past::asked(&given)?;
    let given = given.without(past::AT);
    let asked = timeline::Asked::read(&given)?;
    let FacilityPath { facility, written } = facility_path(&web.store, &code).await?;
    let path = format!("/facilities/{written}");
    if code != written {
        let query = request.query().map(|query| format!("?{query}")).unwrap_or_default();
        return Ok(Redirect::temporary(&format!("{path}{query}")).into_response());
    }
    let store = &web.store;
    let (progress, detail, completeness, registered, entries, stated, then) = tokio::try_join!(
        fleet::progress(store),
        fleet::detail(store, facility),
        store::completeness::of(store, facility),
        store::terminal::all(store, Some(facility)),
        fleet::timeline(store, facility, asked.kinds, asked.before, timeline::FACTS + 1),
        fleet::timeline(store, facility, &process::KINDS, None, process::FACTS),
        past::read(store, facility, then),
    )?;
    let detail = detail.ok_or(Failure::Unwatched { asked: written })?;
    let as_of = AsOf::of(&progress);
    let status = detail.status().ok_or(Failure::Recomputing)?;
    let main = html! {
        nav.trail aria-label=(lang.one(&text::NAVIGATION)) { a href="/" { "← " (lang.one(&text::FLEET)) } }
        (outcome)
        div #head data-region { (head(lang, &detail, &as_of)) }
        div #flags data-region { (sections::flags(lang, &path, &status)) }
        (process::draw(lang, &path, &detail.line, &status, &stated, request.who.as_deref(), as_of.now))
        (sections::axes(lang, &status))
        div #devices data-region { (sections::terminals(lang, &path, &status, &registered, &completeness, as_of.now)) }
        div #steps data-region { (sections::steps(lang, &path, &status)) }
        (sections::statements(lang, &path, &detail.line, &detail.codes))
        (past::draw(lang, &path, &detail.line, then.as_ref()))
        (timeline::draw(lang, &path, &given, &asked, &entries, &status.readers, as_of.now))
    };
    Ok(request.page(detail.line.name.as_str(), &as_of, facility, main).into_response())
}

/// The facility's name and code, whether it is eligible, and whether it wants to be listed.
fn head(lang: Lang, detail: &Detail, as_of: &AsOf) -> Markup {
    let line = &detail.line;
    html! {
        div.who {
            h1 lang="ja" { (line.name) }
            p.sub {
                @for code in &detail.codes { code { (code) } " " }
                @if detail.codes.is_empty() { span.missing { (lang.one(&text::NO_CODE)) } " " }
                (prefecture(lang, &line.prefecture))
                @if let Some(table) = detail.codes.first().and_then(|code| table(lang, code)) { " · " (table) }
            }
        }
        @if detail.parked > 0 {
            p.notice.bad role="alert" {
                (lang.both(&text::PARKED)) " "
                a href=(parked_path(line.facility_id)) { (lang.one(&text::PARKED_LINK)) }
            }
        }
        dl.verdict {
            div { dt { (lang.both(&text::ELIGIBLE)) } dd.big { (word::chip(lang, Axis::Eligible, &line.eligible)) } }
            div { dt { (lang.both(&text::OPT_OUT)) } dd.big { (wish(lang, line)) } }
            div { dt { (lang.both(&text::EVIDENCE)) } dd { (evidence(lang, line)) } }
            div {
                dt { (lang.both(&text::LAST_SUCCESS)) }
                dd { @match line.last_success_at { Some(at) => (when::ago_and_clock(lang, at, as_of.now)), None => "—" } }
            }
        }
    }
}

/// The fee table of the facility, by its code.
fn table(lang: Lang, code: &str) -> Option<&'static str> {
    use yomitori_proto::code::Table;
    let (ja, en) = match InstitutionCode::parse(code).ok()?.table() {
        Table::Medical => ("医科", "medical"),
        Table::Dental => ("歯科", "dental"),
        Table::Pharmacy => ("薬局", "pharmacy"),
        Table::HomeNursing => ("訪問看護", "home nursing"),
        Table::Other(_) => return None,
    };
    Some(match lang {
        Lang::Ja => ja,
        Lang::En => en,
    })
}
