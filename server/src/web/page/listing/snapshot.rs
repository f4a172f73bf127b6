//! `/listing/{snapshot}`: one snapshot, a page of rows at a time: our rows, unmatched rows with suggestions, and
//! changes since the previous snapshot.

use axum::extract::{Path, State};
use maud::{Markup, html};
use yomitori_facility::Text;

use super::{doubtful, kind, state};
use crate::store::fleet;
use crate::store::listing::ListSnapshot;
use crate::store::listing::change::{self, RowChange, Tally};
use crate::store::listing::newest::before;
use crate::store::listing::row::{Candidate, Unmatched};
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
use crate::web::read::listing::{Rows, VIEWS, named, rows};

/// `/listing/{snapshot}`.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    request: PageRequest,
    Path(id): Path<String>,
) -> Result<Markup, Failure> {
    let (given, outcome) = request.parameters_and_outcome(&["show", "page"])?;
    let lang = request.lang;
    let view = given.one_of("show", &VIEWS)?.unwrap_or(VIEWS[0]);
    let page = given.number("page", 1, 100_000, 1)?;
    let store = &web.store;
    let (all, place) = named(store, &id).await?;
    let snapshot = &all[place];
    let (progress, tally) = tokio::try_join!(fleet::progress(store), change::tally(store, snapshot.snapshot))?;
    let (rows, total) = rows(store, &all, snapshot, tally, view, (PAGE_ROWS, page)).await?;
    let as_of = AsOf::of(&progress);
    let path = super::address(snapshot);
    let main = html! {
        nav.trail aria-label=(lang.one(&text::NAVIGATION)) { a href="/listing" { "← " (lang.one(&text::LISTING_TITLE)) } }
        (outcome)
        h1 { (kind(lang, snapshot)) " " (when::day(snapshot.as_of)) }
        @if snapshot.quarantined() { (doubtful(lang, snapshot)) }
        (facts(lang, snapshot, tally))
        section aria-label=(lang.one(&text::ROWS)) {
            nav.choices aria-label=(lang.one(&text::ROWS)) {
                @for (key, label) in VIEWS.into_iter().zip([&text::NOBODYS, &text::OURS, &text::APPEARED, &text::DISAPPEARED]) {
                    a href=(given.link(&path, &[("show", Some(key)), ("page", None)])) aria-current=[(key == view).then_some("true")] {
                        (lang.one(label))
                        @if key == view { span.badge { (grouped(total)) } }
                    }
                }
            }
            @match before(&all, snapshot) {
                Some(before) if view.ends_with("appeared") => p.hint { (lang.one(&text::COMPARED_WITH).replace("{date}", &when::day(before.as_of))) },
                None if view.ends_with("appeared") => p.hint { (lang.both(&text::NOTHING_BEFORE)) },
                _ => {}
            }
            ol #rows.cards data-keyed {
                @match &rows {
                    Rows::Unmatched(rows) => @for row in rows { (nobodys(lang, &path, row)) },
                    Rows::Plain(rows) => @for (place, row) in rows.iter().enumerate() { (plain(lang, place, row)) },
                }
                @if total == 0 { li.empty data-key="none" { (lang.both(&text::NO_ROWS)) } }
            }
            div #pages data-region { (pages(lang, &given, &path, page, total)) }
        }
    };
    let title = format!("{} {}", kind(lang, snapshot), when::day(snapshot.as_of));
    Ok(request.page(title, &as_of, "listing", main))
}

fn facts(lang: Lang, snapshot: &ListSnapshot, tally: Tally) -> Markup {
    html! {
        dl #facts.facts-of data-region {
            (fact(lang, &text::STATE, state(lang, snapshot)))
            (fact(lang, &text::ROWS, html! { (grouped(i64::from(snapshot.rows))) }))
            (fact(lang, &text::OURS, html! { (grouped(tally.ours)) }))
            (fact(lang, &text::NOBODYS, html! { (grouped(tally.unmatched)) }))
            (fact(lang, &text::IMPORTED, html! {
                (when::minute(snapshot.imported_at)) " " (snapshot.imported_by)
                @if let Some(why) = &snapshot.why { " — " q { (why) } }
            }))
            @if let Some(released) = &snapshot.released {
                (fact(lang, &text::RELEASED, html! { (when::minute(released.at)) " " (released.by) " — " q { (released.why) } }))
            }
            (fact(lang, &text::FORMAT, html! { (snapshot.format) }))
            (fact(lang, &text::FILE_DIGEST, html! { code { (snapshot.sha256.chars().take(16).collect::<String>()) "…" } }))
        }
    }
}

fn plain(lang: Lang, place: usize, row: &RowChange) -> Markup {
    html! {
        li.card.row data-key={ (place) "-" (row.code) } {
            div { code { (row.code) } }
            div {
                span lang="ja" { (row.name) }
                @if let Some(facility) = row.facility {
                    " " a href={ "/facilities/" (facility) } lang="ja" { "→ " (row.known_as.as_deref().unwrap_or(lang.one(&text::FACILITY))) }
                }
            }
        }
    }
}

fn nobodys(lang: Lang, path: &str, row: &Unmatched) -> Markup {
    let line = &row.line;
    html! {
        li.card.row data-key=(line.row_index) {
            div { code { (line.code) } " " small { (lang.one(&text::ROW).replace("{n}", &line.row.to_string())) } }
            div {
                span lang="ja" { (line.name) }
                @if let Some(address) = &line.address { " " span.sub lang="ja" { (address) } }
                @if !row.suggestions.is_empty() {
                    ul.suggestions {
                        @for one in &row.suggestions { (suggestion(lang, path, &line.code, one)) }
                        li { a.button href={ (path) "/decide/dismiss?code=" (line.code) } { (lang.one(&text::NONE_OF_OURS)) } }
                    }
                }
            }
        }
    }
}

fn suggestion(lang: Lang, path: &str, row: &str, one: &Candidate) -> Markup {
    let reasons: Vec<&str> = one.reasons.iter().map(|key| lang.one(reason(key))).collect();
    html! {
        li {
            "? " a href={ "/facilities/" (one.facility) } lang="ja" { (one.name.as_deref().unwrap_or("—")) }
            @if let Some(code) = &one.code { " " code { (code) } }
            " " small { (reasons.join(", ")) } " "
            a.button href={ (path) "/decide/match?code=" (row) "&facility=" (one.facility) } { (lang.one(&text::IS_THIS_ONE)) }
        }
    }
}

/// Why a row may belong to a facility.
fn reason(key: &str) -> &'static Text {
    match key {
        "same_address" => &text::SAME_ADDRESS,
        "same_name" => &text::SAME_NAME,
        "other_prefecture_number" => &text::OTHER_PREFECTURE_NUMBER,
        "other_table" => &text::OTHER_TABLE,
        "near_code" => &text::NEAR_CODE,
        _ => &text::RESEMBLES,
    }
}
