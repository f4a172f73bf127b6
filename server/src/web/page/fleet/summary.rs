//! The counts above the list, each a link to the facilities that it counts.

use std::time::Duration;

use maud::{Markup, html};
use tokio::sync::Mutex;
use tokio::time::Instant;
use yomitori_facility::Text;

use crate::store::fleet::{self, Summary};
use crate::store::{Store, StoreError};
use crate::web::http::lang::Lang;
use crate::web::http::query::{ANY_STAGE, FleetQuery};
use crate::web::page::layout::grouped;
use crate::web::page::text;

/// The cached counts. If the fleet is so large that counting takes a while, at most a tenth of the time goes into it.
#[derive(Default)]
pub(in crate::web) struct Summaries(Mutex<Option<CachedSummary>>);

/// Counting is faster than this for all but the largest fleets.
const QUICK: Duration = Duration::from_millis(100);

struct CachedSummary {
    summary: Summary,
    ended: Instant,
    took: Duration,
}

impl Summaries {
    pub(super) async fn get(&self, store: &Store) -> Result<Summary, StoreError> {
        // A request during a count waits for its result.
        let mut counted = self.0.lock().await;
        if let Some(CachedSummary { summary, ended, took }) = &*counted
            && *took > QUICK
            && ended.elapsed() < *took * 9
        {
            return Ok(summary.clone());
        }
        // The time to open a connection does not count.
        drop(store.client().await?);
        let began = Instant::now();
        let summary = fleet::summary(store).await?;
        *counted = Some(CachedSummary { summary: summary.clone(), ended: Instant::now(), took: began.elapsed() });
        Ok(summary)
    }
}

/// One count.
struct Tile {
    class: &'static str,
    label: &'static Text,
    count: i64,
    /// The filter of the counted facilities; absent if all are counted.
    choice: Option<(&'static str, &'static str)>,
}

pub(super) fn tiles(lang: Lang, asked: &FleetQuery, summary: &Summary) -> Markup {
    let tiles = [
        Tile { class: "all", label: &text::ALL, count: summary.total, choice: None },
        Tile { class: "good", label: &text::ELIGIBLE, count: summary.eligible, choice: Some(("eligible", "eligible")) },
        Tile { class: "quiet", label: &text::NOT_YET, count: summary.not_yet, choice: Some(("eligible", "not_yet")) },
        Tile {
            class: "unknown",
            label: &text::NOT_OBSERVABLE,
            count: summary.not_observable,
            choice: Some(("eligible", "not_observable")),
        },
        Tile { class: "warn", label: &text::OPTED_OUT, count: summary.opted_out, choice: Some(("opt_out", ANY_STAGE)) },
        Tile { class: "bad", label: &text::SILENT, count: summary.silent, choice: Some(("freshness", "silent")) },
    ];
    html! {
        nav.summary aria-label=(lang.one(&text::SUMMARY)) {
            ul #summary data-keyed {
                @for Tile { class, label, count, choice } in tiles {
                    li.tile.(class) data-key=(class) {
                        a href=(link(choice)) aria-current=[chosen(asked, choice).then_some("true")] {
                            span.figure { (grouped(count)) }
                            span.caption { (lang.both(label)) }
                            @if choice.is_some() { (share(count, summary.total)) }
                        }
                    }
                }
            }
        }
    }
}

/// The link of a tile shows exactly what it counts, so it drops other filters.
fn link(choice: Option<(&str, &str)>) -> String {
    choice.map_or_else(|| "/".to_owned(), |(name, value)| format!("/?{name}={value}"))
}

fn chosen(asked: &FleetQuery, choice: Option<(&str, &str)>) -> bool {
    let filters: Vec<(&str, &str)> = asked.given.others(&["sort", "dir", "page"]).collect();
    choice.map_or_else(|| filters.is_empty(), |choice| filters == [choice])
}

/// The share of the fleet. It is an image, because the page's content policy would block an inline style.
fn share(count: i64, total: i64) -> Markup {
    let thousandths = if total > 0 { count * 1000 / total } else { 0 };
    let width = if count > 0 { thousandths.max(8) } else { 0 };
    html! {
        svg.share viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" {
            rect.track width="1000" height="10" {}
            rect.part width=(width) height="10" {}
        }
    }
}
