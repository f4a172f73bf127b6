//! `/listing`: the imported lists of the ministry: the newest snapshot of each kind and its changes, the snapshots in
//! quarantine and why, and every stored snapshot.

pub(in crate::web) mod cadence;
pub(in crate::web) mod decide;
pub(in crate::web) mod snapshot;

use axum::extract::State;
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use yomitori_proto::code::Prefecture;
use yomitori_proto::event::{Event, Origin};
use yomitori_proto::id::FacilityId;

use super::facility::timeline;
use crate::store::fleet::{self, TimelineEntry};
use crate::store::listing::change::Count;
use crate::store::listing::newest::{Newest, SnapshotChange, newest};
use crate::store::listing::{self, ListSnapshot};
use crate::web::Web;
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::page::as_of::AsOf;
use crate::web::page::layout::grouped;
use crate::web::page::paging::{PAGE_ROWS, pages};
use crate::web::page::part::fact;
use crate::web::page::request::PageRequest;
use crate::web::page::text;
use crate::web::page::when;
use crate::web::page::word::{self, Tone};

/// The kinds of decisions, and the number that is shown.
const DECISIONS: [&str; 4] = ["snapshot_imported", "snapshot_released", "list_row_dismissed", "statement_withdrawn"];
const DECIDED: i64 = 20;

/// `/listing`.
pub(in crate::web) async fn show(State(web): State<Web>, request: PageRequest) -> Result<Markup, Failure> {
    let (given, outcome) = request.parameters_and_outcome(&["page"])?;
    let lang = request.lang;
    let page = given.number("page", 1, 100_000, 1)?;
    let store = &web.store;
    let (progress, all, decided) = tokio::try_join!(
        fleet::progress(store),
        listing::all(store),
        fleet::timeline(store, FacilityId::FLEET, &DECISIONS, None, DECIDED),
    )?;
    let kinds = newest(store, &all).await?;
    let as_of = AsOf::of(&progress);
    let doubtful: Vec<&ListSnapshot> = all.iter().filter(|snapshot| snapshot.quarantined()).collect();
    let first = usize::try_from((page - 1) * PAGE_ROWS).unwrap_or(usize::MAX);
    let rows = all.iter().skip(first).take(usize::try_from(PAGE_ROWS).unwrap_or(usize::MAX));
    let main = html! {
        (outcome)
        h1 { (lang.both(&text::LISTING_TITLE)) }
        p.hint { (lang.both(&text::LISTING_HINT)) " " a href="/listing/cadence" { (lang.one(&text::CADENCE_TITLE)) " →" } }
        div #doubtful data-region {
            @if !doubtful.is_empty() {
                section aria-labelledby="doubtful-title" {
                    h2 #doubtful-title { (lang.both(&text::QUARANTINE)) }
                    div.cards { @for snapshot in doubtful { (self::doubtful(lang, snapshot)) } }
                }
            }
        }
        section aria-labelledby="newest-title" {
            h2 #newest-title { (lang.both(&text::NEWEST_OF_KIND)) }
            ol #kinds.cards data-keyed {
                @for newest in &kinds { (card(lang, newest, as_of.now)) }
                @if kinds.is_empty() { li.empty data-key="none" { (lang.both(&text::NO_SNAPSHOTS)) } }
            }
        }
        @if !decided.is_empty() {
            section aria-labelledby="decided-title" {
                h2 #decided-title { (lang.both(&text::DECISIONS)) }
                ol #facts.facts data-keyed {
                    @for entry in decided.iter().filter(|entry| concerns_the_list(entry, &decided)) {
                        (timeline::fact(lang, entry, &[], as_of.now, timeline::withdrawal(lang, "/listing", entry, &decided)))
                    }
                }
            }
        }
        @if !all.is_empty() {
            section aria-labelledby="all-title" {
                h2 #all-title { (lang.both(&text::ALL_SNAPSHOTS)) }
                (table(lang, rows))
                div #pages data-region { (pages(lang, &given, "/listing", page, i64::try_from(all.len()).unwrap_or(i64::MAX))) }
            }
        }
    };
    let title = lang.one(&text::LISTING_TITLE);
    Ok(request.page(title, &as_of, "listing", main))
}

/// Whether the entry is a decision, or the withdrawal of one that is shown. Other statements about all facilities can be
/// withdrawn too.
fn concerns_the_list(entry: &TimelineEntry, decided: &[TimelineEntry]) -> bool {
    let Event::StatementWithdrawn(withdrawal) = &entry.recorded.event else { return true };
    decided.iter().any(
        |other| matches!(&other.recorded.origin, Origin::Person(stated) if stated.id == Some(withdrawal.statement)),
    )
}

/// The address of a snapshot's page.
pub(in crate::web) fn address(snapshot: &ListSnapshot) -> String {
    format!("/listing/{}", snapshot.snapshot)
}

/// Source and coverage in words.
pub(in crate::web) fn kind(lang: Lang, snapshot: &ListSnapshot) -> String {
    let coverage = match snapshot.coverage.split_once(':') {
        Some(("prefecture", number)) => number.parse::<Prefecture>().map_or_else(
            |_| snapshot.coverage.clone(),
            |prefecture| if lang == Lang::Ja { prefecture.japanese() } else { prefecture.english() }.to_owned(),
        ),
        Some(("query", searched)) => lang.one(&text::SEARCHED).replace("{text}", searched),
        _ if snapshot.coverage == "full" => lang.one(&text::WHOLE_LIST).to_owned(),
        _ => snapshot.coverage.clone(),
    };
    format!("{} · {coverage}", snapshot.source)
}

/// The state of a snapshot.
pub(in crate::web) fn state(lang: Lang, snapshot: &ListSnapshot) -> Markup {
    match snapshot.state() {
        "applied" => word::sign(Tone::Good, lang.one(&text::APPLIED)),
        "quarantined" => word::sign(Tone::Bad, lang.one(&text::QUARANTINED)),
        _ => word::sign(Tone::Warn, lang.one(&text::INTERRUPTED)),
    }
}

fn card(lang: Lang, newest: &Newest, now: DateTime<Utc>) -> Markup {
    let Newest { snapshot, tally, change } = newest;
    let page = address(snapshot);
    html! {
        li.card.snapshot data-key=(snapshot.snapshot) {
            div {
                a.name href=(page) { (kind(lang, snapshot)) }
                p { (state(lang, snapshot)) }
            }
            dl.facts-of {
                (fact(lang, &text::LIST_DATE, html! { (when::day(snapshot.as_of)) }))
                (fact(lang, &text::IMPORTED, html! { (when::ago_and_clock(lang, snapshot.imported_at, now)) " " (snapshot.imported_by) }))
                (fact(lang, &text::ROWS, html! { (grouped(i64::from(snapshot.rows))) }))
                (fact(lang, &text::OURS, html! { a href={ (page) "?show=ours" } { (grouped(tally.ours)) } }))
                (fact(lang, &text::NOBODYS, html! {
                    a href={ (page) "?show=unmatched" } { (grouped(tally.unmatched)) }
                    @if tally.suggested > 0 { " " (word::sign(Tone::Warn, &lang.one(&text::RESEMBLING).replace("{n}", &grouped(tally.suggested)))) }
                }))
                @if tally.retired > 0 { (fact(lang, &text::RETIRED_CODES, html! { (grouped(tally.retired)) })) }
                @if let Some(SnapshotChange { before, appeared, disappeared }) = change {
                    (fact(lang, &text::SINCE_BEFORE, html! {
                        (when::day(before.as_of)) ": "
                        a href={ (page) "?show=appeared" } { "+" (grouped(appeared.rows)) (of_ours(lang, *appeared)) } " "
                        a href={ (page) "?show=disappeared" } { "−" (grouped(disappeared.rows)) (of_ours(lang, *disappeared)) }
                    }))
                }
            }
        }
    }
}

fn of_ours(lang: Lang, count: Count) -> Markup {
    html! { @if count.ours > 0 { " (" (lang.one(&text::OF_OURS).replace("{n}", &grouped(count.ours))) ")" } }
}

/// Why a snapshot is in quarantine, and what a person can do.
pub(super) fn doubtful(lang: Lang, snapshot: &ListSnapshot) -> Markup {
    let before = i64::from(snapshot.rows_before.unwrap_or(0));
    let rows = i64::from(snapshot.rows);
    let percent = if before > 0 { rows * 100 / before } else { 0 };
    let fill = |text: &str| {
        text.replace("{rows}", &grouped(rows))
            .replace("{before}", &grouped(before))
            .replace("{percent}", &percent.to_string())
    };
    html! {
        article.card.snapshot {
            div {
                a.name href=(address(snapshot)) { (kind(lang, snapshot)) }
                p { (state(lang, snapshot)) " " span.clock { (when::day(snapshot.as_of)) } }
            }
            div.why {
                p { (fill(&text::WHY_QUARANTINE.ja)) }
                p.en lang="en" { (fill(&text::WHY_QUARANTINE.en)) }
                p.by { (when::minute(snapshot.imported_at)) " " (snapshot.imported_by) @if let Some(why) = &snapshot.why { " — " q { (why) } } }
                p.acts { a.button.primary href={ (address(snapshot)) "/decide/release" } { (lang.one(&text::RELEASE)) } }
            }
        }
    }
}

fn table<'a>(lang: Lang, snapshots: impl Iterator<Item = &'a ListSnapshot>) -> Markup {
    let headings = [&text::LIST_DATE, &text::KIND, &text::ROWS, &text::STATE, &text::IMPORTED];
    html! {
        table.readers.plain {
            thead { tr { @for heading in headings { th scope="col" { (lang.both(heading)) } } } }
            tbody #snapshots data-keyed {
                @for snapshot in snapshots {
                    tr data-key=(snapshot.snapshot) {
                        th scope="row" data-label=(lang.one(&text::LIST_DATE)) { a href=(address(snapshot)) { (when::day(snapshot.as_of)) } }
                        td data-label=(lang.one(&text::KIND)) { (kind(lang, snapshot)) }
                        td data-label=(lang.one(&text::ROWS)) { (grouped(i64::from(snapshot.rows))) }
                        td data-label=(lang.one(&text::STATE)) { (state(lang, snapshot)) }
                        td data-label=(lang.one(&text::IMPORTED)) { (when::minute(snapshot.imported_at)) " " (snapshot.imported_by) }
                    }
                }
            }
        }
    }
}
