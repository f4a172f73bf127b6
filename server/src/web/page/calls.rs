//! `/calls`: the facilities that need a call and why, the most urgent first; whether the call centre is open; and
//! pending results.

use axum::extract::State;
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde_json::Value;
use yomitori_facility::Text;
use yomitori_facility::{Axis, FlagStatus, IntentStatement, OptOutStatus, Word as _};

use super::facility::sections::sentence;
use super::fleet::address;
use crate::store::call::{self, Call, KEYS};
use crate::store::fleet::{self, Axis as Column};
use crate::web::Web;
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::page::as_of::AsOf;
use crate::web::page::call_centre;
use crate::web::page::csv::prefecture;
use crate::web::page::paging::{PAGE_ROWS, pages};
use crate::web::page::request::PageRequest;
use crate::web::page::text;
use crate::web::page::when;
use crate::web::page::word;
use crate::web::page::word::Tone;

/// `/calls`.
pub(in crate::web) async fn show(State(web): State<Web>, request: PageRequest) -> Result<Markup, Failure> {
    let (given, outcome) = request.parameters_and_outcome(&["stage", "page"])?;
    let lang = request.lang;
    let stage = given.one_of("stage", &KEYS)?;
    let page = given.number("page", 1, 100_000, 1)?;
    let store = &web.store;
    let (progress, counts, calls, calendar) = tokio::try_join!(
        fleet::progress(store),
        call::counts(store),
        call::page(store, stage, PAGE_ROWS, (page - 1) * PAGE_ROWS),
        call_centre::calendar(store),
    )?;
    let as_of = AsOf::of(&progress);
    let count = |key: &str| counts.iter().find(|(stage, _)| stage == key).map_or(0, |(_, count)| *count);
    let total = stage.map_or_else(|| counts.iter().map(|(_, count)| count).sum(), count);
    let main = html! {
        (outcome)
        h1 { (lang.both(&text::CALLS_TITLE)) }
        div #centre data-region { (call_centre::draw(lang, &calendar, as_of.now)) }
        section aria-label=(lang.one(&text::CALLS)) {
            nav #stages.choices data-region aria-label=(lang.one(&text::FILTERS)) {
                a href="/calls" aria-current=[stage.is_none().then_some("true")] {
                    (lang.one(&text::ALL_STAGES)) span.badge { (counts.iter().map(|(_, count)| count).sum::<i64>()) }
                }
                @for key in KEYS {
                    @if count(key) > 0 || stage == Some(key) {
                        a href={ "/calls?stage=" (key) } aria-current=[(stage == Some(key)).then_some("true")] {
                            (lang.one(described(key).1)) span.badge { (count(key)) }
                        }
                    }
                }
            }
            ol #calls.cards data-keyed {
                @for call in &calls { (card(lang, call, as_of.now)) }
                @if calls.is_empty() { li.empty data-key="none" { (lang.both(&text::NO_CALLS)) } }
            }
            div #pages data-region { (pages(lang, &given, "/calls", page, total)) }
        }
    };
    let title = lang.one(&text::CALLS_TITLE);
    Ok(request.page(title, &as_of, "fleet", main))
}

/// The tone of a stage.
fn described(stage: &str) -> (Tone, &'static Text) {
    match stage {
        "listed" => (Tone::Bad, &text::STAGE_LISTED),
        "needed" => (Tone::Bad, &text::STAGE_NEEDED),
        "stale" => (Tone::Bad, &text::STAGE_STALE),
        "overdue" => (Tone::Bad, &text::STAGE_OVERDUE),
        "withdraw" => (Tone::Warn, &text::STAGE_WITHDRAW),
        "planned" => (Tone::Warn, &text::STAGE_PLANNED),
        "called" => (Tone::Info, &text::STAGE_CALLED),
        "acknowledged" => (Tone::Info, &text::STAGE_ACKNOWLEDGED),
        _ => (Tone::Warn, &text::STAGE_ASK),
    }
}

/// The forms for a stage, the most likely first.
fn acts(stage: &str) -> Vec<(&'static str, &'static Text)> {
    match stage {
        "listed" | "needed" | "overdue" | "planned" => {
            vec![("called", &text::CALL_DONE), ("call-planned", &text::CALL_PLAN)]
        }
        "stale" => vec![("called", &text::CALL_AGAIN), ("call-planned", &text::CALL_PLAN)],
        "withdraw" => vec![("withdrawn", &text::WITHDRAWAL)],
        "called" => vec![("acknowledged", &text::CONFIRMED), ("called", &text::CALL_AGAIN)],
        "ask" => vec![("flag-snoozed?flag=succeeded_not_listed", &text::SNOOZE)],
        _ => Vec::new(),
    }
}

fn read<T: for<'de> serde::Deserialize<'de>>(value: &Value) -> Option<T> {
    T::deserialize(value).ok()
}

fn card(lang: Lang, call: &Call, now: DateTime<Utc>) -> Markup {
    let Call { line, stage, since, process, intention, attention } = call;
    let (tone, label) = described(stage);
    let process: Option<Axis<OptOutStatus>> = read(process);
    let intention: Option<IntentStatement> = intention.as_ref().and_then(read);
    let flags: Vec<FlagStatus> = read(attention).unwrap_or_default();
    // If a flag and not the process asks for the call, the flag has the reason.
    let flag = match stage.as_str() {
        "stale" => "opt_out_stale",
        "withdraw" => "opt_out_against_intent",
        "ask" => "succeeded_not_listed",
        _ => "",
    };
    let flag = flags.iter().find(|standing| standing.key.key() == flag);
    let path = address(line);
    let back = |act: &str| format!("{path}/record/{act}{}back=calls", if act.contains('?') { '&' } else { '?' });
    html! {
        li.card data-key=(line.facility_id) {
            div {
                a.name href={ (path) "#opt-out" } lang="ja" { (line.name) }
                span.sub {
                    @if let Some(code) = &line.code { code { (code) } } @else { span.missing { (lang.one(&text::NO_CODE)) } }
                    " " (prefecture(lang, &line.prefecture))
                }
                p { (word::chip(lang, Column::Listing, &line.listing)) " " (word::chip(lang, Column::Eligible, &line.eligible)) }
            }
            div.why {
                p {
                    (word::sign(tone, lang.one(label))) " "
                    @if let Some(at) = since {
                        small { (lang.one(if matches!(stage.as_str(), "planned" | "overdue") { &text::PLANNED_FOR } else { &text::HOLDS_SINCE })) " " }
                        (when::ago_and_clock(lang, *at, now))
                    }
                }
                @match flag {
                    Some(flag) => { (sentence(lang, &flag.sentence)) (sentence(lang, &flag.next)) }
                    None => @if let Some(process) = &process { (sentence(lang, &process.why)) },
                }
                @if let Some(said) = intention {
                    p.by {
                        (lang.one(&text::WANTED_BY)) ": " (word::chip(lang, Column::Intent, &line.intent)) " "
                        span.clock { (when::minute(said.stated_at)) } " " span.person { (said.by) }
                        @if let Some(reason) = &said.reason { " — " q { (reason) } }
                    }
                }
            }
            p.acts {
                @for (place, (act, label)) in acts(stage).iter().enumerate() {
                    a.button.primary[place == 0] href=(back(act)) { (lang.one(label)) }
                }
            }
        }
    }
}
