//! `/`: every facility as one row, with counts and filters.

mod controls;
mod summary;

use std::collections::BTreeMap;

use axum::extract::State;
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use serde::Deserialize as _;
use serde_json::Value;
use yomitori_facility::Text;
use yomitori_facility::{FlagStatus, Word as _};
use yomitori_proto::id::FacilityId;

use super::facility::sections::sentence;
use crate::store::fleet::{self, Axis, StatusRow};
use crate::web::Web;
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::http::query::FleetQuery;
use crate::web::page::as_of::AsOf;
use crate::web::page::csv::prefecture;
use crate::web::page::layout::grouped;
use crate::web::page::paging::{PAGE_ROWS, pages};
use crate::web::page::request::PageRequest;
use crate::web::page::text;
use crate::web::page::when;
use crate::web::page::word;

pub(in crate::web) use summary::Summaries;

/// At most this many flags are shown, the most urgent first; the facility's page has all.
const FLAGS_SHOWN: usize = 2;

/// `/`.
pub(in crate::web) async fn show(State(web): State<Web>, request: PageRequest) -> Result<Markup, Failure> {
    let asked = FleetQuery::of_page(request.query())?;
    let (lang, store) = (request.lang, &web.store);
    let counted =
        async { if asked.filter.passes_all() { Ok(None) } else { fleet::count(store, &asked.filter).await.map(Some) } };
    let (progress, lines, matching, summary) = tokio::try_join!(
        fleet::progress(store),
        fleet::page(store, &asked.filter, asked.order, PAGE_ROWS, asked.offset()),
        counted,
        web.summaries.get(store),
    )?;
    let attention = fleet::attention(store, &lines).await?;
    let as_of = AsOf::of(&progress);
    let total = matching.unwrap_or(summary.total);
    let list = List { lang, asked: &asked, lines: &lines, attention: &attention, total, now: as_of.now };
    let main = html! {
        h1.unseen { (lang.one(&text::FLEET)) }
        (summary::tiles(lang, &asked, &summary))
        (controls::form(lang, &asked))
        (list.draw(summary.total))
    };
    let title = lang.one(&text::FLEET);
    Ok(request.page(title, &as_of, "fleet", main))
}

struct List<'a> {
    lang: Lang,
    asked: &'a FleetQuery,
    lines: &'a [StatusRow],
    attention: &'a BTreeMap<FacilityId, Value>,
    /// The number of facilities that match the filter.
    total: i64,
    now: DateTime<Utc>,
}

impl List<'_> {
    fn draw(&self, fleet: i64) -> Markup {
        let lang = self.lang;
        let empty = if fleet == 0 { &text::NONE_YET } else { &text::NONE_FOUND };
        html! {
            section.list aria-label=(lang.one(&text::FLEET)) {
                div.bar {
                    p #range data-region { (self.range()) }
                    a.button.csv href=(self.asked.given.link("/facilities.csv", &[("page", None)])) download { (lang.both(&text::CSV)) }
                }
                table.fleet role="table" {
                    thead role="rowgroup" { tr role="row" { (self.headings()) } }
                    tbody #rows role="rowgroup" data-keyed {
                        @for line in self.lines { (self.row(line)) }
                        @if self.lines.is_empty() {
                            tr.empty data-key="none" role="row" { td colspan="8" role="cell" { (lang.both(empty)) } }
                        }
                    }
                }
                div #pages data-region { (pages(self.lang, &self.asked.given, "/", self.asked.page, self.total)) }
            }
        }
    }

    fn headings(&self) -> Markup {
        html! {
            (self.heading(&text::FACILITY, Some("place")))
            (self.heading(&text::ELIGIBLE, None))
            (self.heading(&text::OPT_OUT, None))
            (self.heading(&text::EVIDENCE, Some("evidence")))
            (self.heading(&text::LAST_SUCCESS, Some("last_success")))
            (self.heading(&text::READERS, None))
            (self.heading(&text::LISTING, None))
            (self.heading(&text::AGENT, Some("last_seen")))
        }
    }

    /// The head of a sortable column is a link; it reverses the order if the column is sorted by already.
    fn heading(&self, label: &Text, sort: Option<&'static str>) -> Markup {
        let lang = self.lang;
        let Some(sort) = sort else {
            return html! { th scope="col" role="columnheader" { (lang.both(label)) } };
        };
        let given = &self.asked.given;
        let current = given.get("sort").unwrap_or("place") == sort;
        let descending = self.asked.order.descending;
        // In columns of times and levels, the newest or strongest comes first.
        let next = if current { !descending } else { sort != "place" };
        let link = given
            .link("/", &[("sort", (sort != "place").then_some(sort)), ("dir", next.then_some("desc")), ("page", None)]);
        let arrow = if !current {
            "↕"
        } else if descending {
            "▼"
        } else {
            "▲"
        };
        let sorted = current.then_some(if descending { "descending" } else { "ascending" });
        html! {
            th scope="col" role="columnheader" aria-sort=[sorted] {
                a href=(link) {
                    (lang.one(label))
                    span.arrow aria-hidden="true" { (arrow) }
                    @if lang == Lang::Ja { small.en lang="en" { (label.en) } }
                }
            }
        }
    }

    fn row(&self, line: &StatusRow) -> Markup {
        let lang = self.lang;
        let label = |text: &Text| match lang {
            Lang::Ja => format!("{} {}", text.ja, text.en),
            Lang::En => text.en.to_string(),
        };
        html! {
            tr data-key=(line.facility_id) role="row" {
                th scope="row" role="rowheader" {
                    @if line.name.is_empty() {
                        a.name href=(address(line)) { (lang.one(&text::UNREGISTERED)) }
                    } @else {
                        a.name href=(address(line)) lang="ja" { (line.name) }
                    }
                    span.sub {
                        @match &line.code {
                            Some(code) => code { (code) },
                            None => span.missing { (lang.one(&text::NO_CODE)) },
                        }
                        " " span { (prefecture(lang, &line.prefecture)) }
                    }
                    (self.flags(line))
                }
                td role="cell" data-label=(label(&text::ELIGIBLE)) { (word::chip(lang, Axis::Eligible, &line.eligible)) }
                td role="cell" data-label=(label(&text::OPT_OUT)) { (wish(lang, line)) }
                td role="cell" data-label=(label(&text::EVIDENCE)) { (evidence(lang, line)) }
                td role="cell" data-label=(label(&text::LAST_SUCCESS)) {
                    @match line.last_success_at {
                        Some(at) => (when::ago_and_clock(lang, at, self.now)),
                        None => span.nothing { "—" },
                    }
                }
                td role="cell" data-label=(label(&text::READERS)) {
                    span.count { (line.readers_present) } " " (word::chip(lang, Axis::Equipment, &line.equipment))
                }
                td role="cell" data-label=(label(&text::LISTING)) { (word::chip(lang, Axis::Listing, &line.listing)) }
                td role="cell" data-label=(label(&text::AGENT)) {
                    (word::chip(lang, Axis::Freshness, &line.freshness))
                    @if let Some(at) = line.last_seen_at { " " small { (when::ago(lang, at, self.now)) } }
                }
            }
        }
    }

    /// The flags in a few words; opened, the meaning and the next step of each.
    fn flags(&self, line: &StatusRow) -> Markup {
        let lang = self.lang;
        let standing: Vec<FlagStatus> =
            self.attention.get(&line.facility_id).and_then(|flags| Vec::deserialize(flags).ok()).unwrap_or_default();
        html! {
            @if !line.flags.is_empty() {
                details.flags name="flags" {
                    summary {
                        @for flag in line.flags.iter().take(FLAGS_SHOWN) { (word::flag(lang, flag)) " " }
                        @if line.flags.len() > FLAGS_SHOWN { small { "+" (line.flags.len() - FLAGS_SHOWN) } }
                    }
                    div.panel {
                        @for flag in &standing {
                            div.flag {
                                p { (word::sign(word::severity_tone(flag.severity), &word::flag_label(lang, flag.key.key()))) " "
                                    small.severity { (word::severity(lang, flag.severity)) } }
                                (sentence(lang, &flag.sentence))
                                div.next { (sentence(lang, &flag.next)) }
                            }
                        }
                        a href={ (address(line)) "#flags" } { (lang.one(&text::TO_THE_FLAGS)) " →" }
                    }
                }
            }
        }
    }

    fn range(&self) -> Markup {
        let lang = self.lang;
        let first = self.asked.offset() + 1;
        let last = self.asked.offset() + i64::try_from(self.lines.len()).unwrap_or(0);
        html! {
            strong { (grouped(self.total)) } " " (lang.both(&text::RESULTS))
            @if self.total > 0 && last >= first { " " span.sub { "(" (grouped(first)) "–" (grouped(last)) ")" } }
        }
    }
}

/// The address of a facility's page.
pub(in crate::web) fn address(line: &StatusRow) -> String {
    line.code.as_ref().map_or_else(|| format!("/facilities/{}", line.facility_id), |code| format!("/facilities/{code}"))
}

/// The intent and the progress of an opt-out. They are shown beside eligibility and never hide it.
pub(in crate::web) fn wish(lang: Lang, line: &StatusRow) -> Markup {
    html! {
        (word::chip(lang, Axis::Intent, &line.intent))
        @if line.opt_out != "not_needed" { " " (word::chip(lang, Axis::OptOut, &line.opt_out)) }
    }
}

/// The ladder of evidence and the level in words.
pub(in crate::web) fn evidence(lang: Lang, line: &StatusRow) -> Markup {
    let (level, seen) = (line.evidence_level.as_deref(), line.evidence.as_str());
    html! {
        (word::meter(seen, level)) " "
        span.level {
            @match level {
                Some(level) => (word::label(lang, Axis::Level, level)),
                None => (word::label(lang, Axis::Evidence, seen)),
            }
        }
    }
}
