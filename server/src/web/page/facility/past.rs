//! A facility at an earlier instant, side by side: its status by all that is known now, the status shown then, and the
//! status shown today.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use yomitori_facility::{Flag, Text, Word as _};
use yomitori_proto::id::FacilityId;
use yomitori_proto::time::{from_micros, to_micros};

use crate::clock;
use crate::statement;
use crate::store::fleet::{Axis, StatusRow};
use crate::store::past::{self, PastStatus, PastView};
use crate::store::{Store, StoreError};
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::http::query::QueryParameters;
use crate::web::page::text;
use crate::web::page::when;
use crate::web::page::word;

/// The parameter of the instant.
pub(super) const AT: &str = "at";

/// The statuses of an instant.
pub(super) struct PastSection {
    at: DateTime<Utc>,
    was: Option<PastStatus>,
    shown: Option<PastStatus>,
}

/// Reads the instant from a query string.
pub(super) fn asked(given: &QueryParameters) -> Result<Option<DateTime<Utc>>, Failure> {
    let Some(text) = given.get(AT) else { return Ok(None) };
    let kept = statement::written(text).filter(|at| from_micros(to_micros(*at)) == Some(*at));
    if kept.is_some_and(|at| at > clock::now()) {
        return Err(Failure::parameter(
            AT,
            "未来の日時です。過去の日時を指定してください。",
            "this is in the future, of which nothing is known yet.",
        ));
    }
    kept.map(Some).ok_or_else(|| {
        Failure::parameter(
            AT,
            "日本時間の日時を 2026-04-01T10:30 の形で指定してください。",
            "write an instant in Japan's time, such as 2026-04-01T10:30.",
        )
    })
}

pub(super) async fn read(
    store: &Store,
    facility: FacilityId,
    at: Option<DateTime<Utc>>,
) -> Result<Option<PastSection>, StoreError> {
    let Some(at) = at else { return Ok(None) };
    let (was, shown) = tokio::try_join!(
        past::at(store, PastView::AsOf, at, Some(facility)),
        past::at(store, PastView::KnownAt, at, Some(facility)),
    )?;
    Ok(Some(PastSection { at, was: was.into_iter().next(), shown: shown.into_iter().next() }))
}

/// An axis: its heading, and its word then and now.
type Row = (&'static Text, Axis, fn(&PastStatus) -> &str, fn(&StatusRow) -> &str);

const ROWS: [Row; 7] = [
    (&text::ELIGIBLE, Axis::Eligible, |past| &past.eligible, |line| &line.eligible),
    (&text::EVIDENCE, Axis::Evidence, |past| &past.evidence, |line| &line.evidence),
    (&text::INTENT, Axis::Intent, |past| &past.intent, |line| &line.intent),
    (&text::OPT_OUT, Axis::OptOut, |past| &past.opt_out, |line| &line.opt_out),
    (&text::LISTING, Axis::Listing, |past| &past.listing, |line| &line.listing),
    (&text::EQUIPMENT, Axis::Equipment, |past| &past.equipment, |line| &line.equipment),
    (&text::FRESHNESS, Axis::Freshness, |past| &past.freshness, |line| &line.freshness),
];

pub(super) fn draw(lang: Lang, path: &str, now: &StatusRow, then: Option<&PastSection>) -> Markup {
    let written = then.map(|then| when::control_value(then.at));
    html! {
        section.past #past aria-labelledby="past-title" {
            h2 #past-title { (lang.both(&text::PAST)) }
            form method="get" action={ (path) "#past" } {
                label for="past-at" { (lang.both(&text::PAST_AT)) } " "
                input #past-at type="datetime-local" name=(AT) value=[written] required;
                " " button.button { (lang.one(&text::PAST_SHOW)) }
            }
            @if let Some(then) = then {
                table.readers {
                    caption { (when::minute(then.at)) " JST" }
                    thead { tr {
                        th scope="col" {}
                        @for heading in [&text::PAST_TRUE, &text::PAST_SHOWN, &text::PAST_NOW] { th scope="col" { (lang.both(heading)) } }
                    } }
                    tbody {
                        @for (label, axis, past, today) in ROWS {
                            tr {
                                th scope="row" { (lang.one(label)) }
                                td data-label=(lang.one(&text::PAST_TRUE)) { (cell(lang, axis, then.was.as_ref().map(past))) }
                                td data-label=(lang.one(&text::PAST_SHOWN)) { (cell(lang, axis, then.shown.as_ref().map(past))) }
                                td data-label=(lang.one(&text::PAST_NOW)) { (word::chip(lang, axis, today(now))) }
                            }
                        }
                        tr {
                            th scope="row" { (lang.one(&text::FLAGS)) }
                            td data-label=(lang.one(&text::PAST_TRUE)) { (flags(lang, then.was.as_ref().map(|past| &past.flags[..]))) }
                            td data-label=(lang.one(&text::PAST_SHOWN)) { (flags(lang, then.shown.as_ref().map(|past| &past.flags[..]))) }
                            td data-label=(lang.one(&text::PAST_NOW)) { (flags(lang, Some(&now.flags))) }
                        }
                        tr {
                            th scope="row" { (lang.one(&text::PAST_SINCE)) }
                            td { (since(lang, then.was.as_ref())) }
                            td { (since(lang, then.shown.as_ref())) }
                            td { "—" }
                        }
                    }
                }
                p.hint { (lang.one(&text::PAST_HINT)) }
            }
        }
    }
}

fn cell(lang: Lang, axis: Axis, key: Option<&str>) -> Markup {
    html! { @match key { Some(key) => (word::chip(lang, axis, key)), None => (lang.one(&text::PAST_NOTHING)) } }
}

fn flags(lang: Lang, keys: Option<&[String]>) -> Markup {
    let label =
        |key: &String| key.parse::<Flag>().map_or_else(|_| key.clone(), |flag| lang.one(&flag.label()).to_owned());
    let separator = if lang == Lang::Ja { "、" } else { ", " };
    html! {
        @match keys {
            Some(keys) if !keys.is_empty() => (keys.iter().map(label).collect::<Vec<_>>().join(separator)),
            Some(_) => "—",
            None => (lang.one(&text::PAST_NOTHING)),
        }
    }
}

fn since(lang: Lang, past: Option<&PastStatus>) -> Markup {
    html! { @match past { Some(past) => (when::minute(past.from)), None => (lang.one(&text::PAST_NOTHING)) } }
}
