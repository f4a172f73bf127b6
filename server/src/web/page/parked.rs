//! `/parked`: facilities that are blocked by a record that could not be folded: since when, how many records wait, why,
//! and the next steps. `/parked/{facility}`: every waiting record.

pub(in crate::web) mod act;

use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use uuid::Uuid;
use yomitori_proto::id::FacilityId;

use crate::statement::ID;
use crate::store::fleet;
use crate::store::waiting::{self, ParkedFacility, Position, QueuedRecord, SkippedRecord};
use crate::web::Web;
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::http::query::QueryParameters;
use crate::web::page::as_of::AsOf;
use crate::web::page::layout::grouped;
use crate::web::page::paging::{PAGE_ROWS, pages};
use crate::web::page::part::fact;
use crate::web::page::path::{FacilityPath, PARKED, facility_path, parked_path};
use crate::web::page::request::PageRequest;
use crate::web::page::text;
use crate::web::page::when;
use crate::web::page::word::{self, Tone};
use crate::web::read::parked::after;

/// The parameter that carries the outcome of a retry to the next page.
const TRIED: &str = "tried";
/// Skipped records on one page.
const SKIPPED_SHOWN: i64 = 50;

/// `/parked`.
pub(in crate::web) async fn show(State(web): State<Web>, request: PageRequest) -> Result<Markup, Failure> {
    let (given, outcome) = request.parameters_and_outcome(&["page", TRIED])?;
    let lang = request.lang;
    let tried = tried(lang, &given)?;
    let given = given.without(TRIED);
    let page = given.number("page", 1, 100_000, 1)?;
    let store = &web.store;
    let (progress, stopped, skipped) = tokio::try_join!(
        fleet::progress(store),
        waiting::stopped(store, None, PAGE_ROWS, (page - 1) * PAGE_ROWS),
        waiting::skipped(store, SKIPPED_SHOWN),
    )?;
    let as_of = AsOf::of(&progress);
    let main = html! {
        (outcome) (tried)
        h1 { (lang.both(&text::PARKED_TITLE)) }
        p.hint { (lang.both(&text::PARKED_HINT)) }
        ol #parked.cards data-keyed {
            @for stopped in &stopped { (card(lang, stopped, as_of.now)) }
            @if stopped.is_empty() { li.empty data-key="none" { (lang.both(&text::NOTHING_PARKED)) } }
        }
        div #pages data-region { (pages(lang, &given, PARKED, page, as_of.parked_facilities)) }
        @if !skipped.is_empty() {
            section aria-labelledby="left-out-title" {
                h2 #skipped-title { (lang.both(&text::SKIPPED)) }
                ol #skipped.cards data-keyed { @for skipped in &skipped { (skipped_card(lang, skipped, as_of.now)) } }
            }
        }
    };
    let title = lang.one(&text::PARKED_TITLE);
    Ok(request.page(title, &as_of, "fleet", main))
}

/// `/parked/{facility}`.
pub(in crate::web) async fn one(
    State(web): State<Web>,
    request: PageRequest,
    Path(facility): Path<String>,
) -> Result<Markup, Failure> {
    let given = request.parameters(&["after"])?;
    let lang = request.lang;
    let after = after(&given)?;
    let FacilityPath { facility, .. } = facility_path(&web.store, &facility).await?;
    let store = &web.store;
    let (progress, stopped, mut records) = tokio::try_join!(
        fleet::progress(store),
        waiting::stopped(store, Some(facility), 1, 0),
        waiting::records(store, facility, after, PAGE_ROWS + 1),
    )?;
    let as_of = AsOf::of(&progress);
    let more = records.len() > usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX);
    records.truncate(usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX));
    let path = parked_path(facility);
    let next = if more { records.last().map(|last| last.place.to_string()) } else { None };
    let main = html! {
        nav.trail aria-label=(lang.one(&text::NAVIGATION)) { a href=(PARKED) { "← " (lang.one(&text::PARKED_TITLE)) } }
        h1 { (lang.both(&text::WAITING_TITLE)) }
        ol #parked.cards data-keyed {
            @for stopped in &stopped { (card(lang, stopped, as_of.now)) }
            @if stopped.is_empty() { li.empty data-key="none" { (lang.both(&text::NOTHING_WAITS)) } }
        }
        ol #records.cards data-keyed { @for record in &records { (row(lang, record, as_of.now)) } }
        nav #pages.pages data-region aria-label=(lang.one(&text::PAGES)) {
            @if after.is_some() { a.button href=(path) { "← " (lang.one(&text::FIRST_RECORDS)) } }
            @if let Some(next) = next { a.button rel="next" href=(given.link(&path, &[("after", Some(&next))])) { (lang.one(&text::NEXT)) " →" } }
        }
    };
    let title = lang.one(&text::WAITING_TITLE);
    Ok(request.page(title, &as_of, facility, main))
}

fn tried(lang: Lang, given: &QueryParameters) -> Result<Markup, Failure> {
    let shown = given.one_of(TRIED, &["goes_on", "still", "asked"])?.map(|shown| match shown {
        "goes_on" => (&text::RESUMED, "good"),
        "still" => (&text::STILL_PARKED, "warn"),
        _ => (&text::RETRY_ASKED, "warn"),
    });
    Ok(html! { @if let Some((shown, class)) = shown { p.outcome.(class) role="status" { (lang.both(shown)) } } })
}

/// The name of a facility, with a link to its page.
fn name(lang: Lang, facility: FacilityId, name: Option<&str>) -> Markup {
    html! {
        @if facility == FacilityId::FLEET { a.name href="/rules" { (lang.one(&text::SAID_OF_ALL)) } }
        @else if let Some(name) = name.filter(|name| !name.is_empty()) { a.name href={ "/facilities/" (facility) } lang="ja" { (name) } }
        @else { span.name { (lang.one(&text::UNREGISTERED)) } " " code { (facility) } }
    }
}

/// Why a record waits: a sentence for people, and the projector's reason.
fn why(lang: Lang, reason: &str) -> Markup {
    let sentence = match reason.split(':').next() {
        Some("decode") => &text::NOT_DECODED,
        Some("fold") => &text::NOT_FOLDED,
        _ => &text::BEHIND_ANOTHER,
    };
    html! { (lang.one(sentence)) " " small.en lang="en" { (reason) } }
}

pub(super) fn place(lang: Lang, position: Position) -> Markup {
    html! { (lang.one(&text::PLACE)) " " code { (position) } }
}

fn card(lang: Lang, stopped: &ParkedFacility, now: DateTime<Utc>) -> Markup {
    let page = parked_path(stopped.facility_id);
    html! {
        li.card data-key=(stopped.facility_id) {
            div {
                (name(lang, stopped.facility_id, stopped.name.as_deref()))
                @if let Some(code) = &stopped.code { span.sub { code { (code) } } }
                p { (word::sign(Tone::Bad, lang.one(&text::STOPPED))) }
            }
            div.why {
                dl.facts-of {
                    (fact(lang, &text::HOLDS_SINCE, html! { (when::ago_and_clock(lang, stopped.since, now)) }))
                    (fact(lang, &text::WAITING, html! { a href=(page) { (grouped(stopped.records)) } }))
                    @if let Some(at) = stopped.tried_at { (fact(lang, &text::LAST_TRIED, html! { (when::ago_and_clock(lang, at, now)) })) }
                }
                p { (place(lang, stopped.first)) ": " (why(lang, &stopped.reason)) }
            }
            div.acts {
                form method="post" action={ (page) "/retry" } {
                    input type="hidden" name=(ID) value=(Uuid::new_v4());
                    button.button.primary { (lang.one(&text::RETRY)) }
                }
                a.button href={ (page) "/skip" } { (lang.one(&text::SKIP_RECORD)) }
            }
        }
    }
}

fn row(lang: Lang, record: &QueuedRecord, now: DateTime<Utc>) -> Markup {
    html! {
        li.card.row data-key=(record.place) {
            div { code { (record.place) } " " small { (grouped(record.bytes)) " B" } }
            div {
                p {
                    @match &record.kinds {
                        Some(kinds) => { @for (kind, count) in kinds { code { (kind) } @if *count > 1 { " ×" (count) } " " } }
                        None => { (word::sign(Tone::Bad, lang.one(&text::UNREADABLE))) " " }
                    }
                    small { (when::ago(lang, record.parked_at, now)) }
                }
                p { (why(lang, &record.reason)) }
            }
        }
    }
}

fn skipped_card(lang: Lang, skipped: &SkippedRecord, now: DateTime<Utc>) -> Markup {
    let SkippedRecord { facility_id, name: named, place: at, by, why, at: said_at } = skipped;
    html! {
        li.card.row data-key={ (at) "." (said_at.timestamp_micros()) } {
            div { (place(lang, *at)) }
            div {
                p { (name(lang, *facility_id, named.as_deref())) }
                p.by { (when::ago_and_clock(lang, *said_at, now)) " " span.person { (by) } @if let Some(why) = why { " — " q { (why) } } }
            }
        }
    }
}
