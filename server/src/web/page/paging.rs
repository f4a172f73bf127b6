//! Lists that are shown page by page.

use maud::{Markup, html};

use crate::web::http::lang::Lang;
use crate::web::http::query::QueryParameters;
use crate::web::page::layout::grouped;
use crate::web::page::text;

pub(in crate::web) use crate::web::http::query::PAGE_ROWS;

/// The links between the pages of a list with `total` rows.
pub(in crate::web) fn pages(lang: Lang, given: &QueryParameters, path: &str, page: i64, total: i64) -> Markup {
    let last = (total + PAGE_ROWS - 1) / PAGE_ROWS;
    let link = |page: i64| given.link(path, &[("page", (page > 1).then(|| page.to_string()).as_deref())]);
    html! {
        @if last > 1 || page > 1 {
            nav.pages aria-label=(lang.one(&text::PAGES)) {
                @if page > 1 { a.button rel="prev" href=(link(page - 1)) { "← " (lang.one(&text::PREVIOUS)) } }
                span { (grouped(page)) " / " (grouped(last.max(1))) }
                @if page < last { a.button rel="next" href=(link(page + 1)) { (lang.one(&text::NEXT)) " →" } }
            }
        }
    }
}
