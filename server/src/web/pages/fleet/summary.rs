//! The counts on top, each a link to the facilities that it counts.

use std::time::Duration;

use maud::{Markup, html};
use tokio::sync::Mutex;
use tokio::time::Instant;
use yomitori_facility::Text;

use super::grouped;
use crate::store::fleet::{self, Summary};
use crate::store::{Store, StoreError};
use crate::web::lang::Lang;
use crate::web::query::Asked;
use crate::web::text;

/// The counts, counted again at most for a tenth of the time: instant where the fleet is small, bearable where it is not.
#[derive(Default)]
pub(in crate::web) struct Summaries(Mutex<Option<Counted>>);

struct Counted {
    summary: Summary,
    ended: Instant,
    took: Duration,
}

impl Summaries {
    pub(super) async fn get(&self, store: &Store) -> Result<Summary, StoreError> {
        // Whoever comes while somebody counts, waits for that count.
        let mut counted = self.0.lock().await;
        if let Some(Counted { summary, ended, took }) = &*counted
            && ended.elapsed() < *took * 9
        {
            return Ok(summary.clone());
        }
        let began = Instant::now();
        let summary = fleet::summary(store).await?;
        *counted = Some(Counted { summary: summary.clone(), ended: Instant::now(), took: began.elapsed() });
        Ok(summary)
    }
}

pub(super) fn tiles(lang: Lang, asked: &Asked, summary: &Summary) -> Markup {
    let tiles: [(&str, &Text, i64, Option<(&str, &str)>); 6] = [
        ("all", &text::ALL, summary.total, None),
        ("good", &text::ELIGIBLE, summary.eligible, Some(("eligible", "eligible"))),
        ("quiet", &text::NOT_YET, summary.not_yet, Some(("eligible", "not_yet"))),
        ("unknown", &text::NOT_OBSERVABLE, summary.not_observable, Some(("eligible", "not_observable"))),
        ("warn", &text::OPTED_OUT, summary.opted_out, Some(("opt_out", "any"))),
        ("bad", &text::SILENT, summary.silent, Some(("freshness", "silent"))),
    ];
    html! {
        nav.summary aria-label=(lang.one(&text::SUMMARY)) {
            ul #summary data-keyed {
                @for (class, label, count, choice) in tiles {
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

/// A tile shows exactly what it counts, so other filters go.
fn link(choice: Option<(&str, &str)>) -> String {
    choice.map_or_else(|| "/".to_owned(), |(name, value)| format!("/?{name}={value}"))
}

fn chosen(asked: &Asked, choice: Option<(&str, &str)>) -> bool {
    let filters: Vec<(&str, &str)> = asked.given.others(&["sort", "dir", "page"]).collect();
    choice.map_or_else(|| filters.is_empty(), |choice| filters == [choice])
}

/// How much of the fleet that is. An image and not a style, which the page's policy would refuse.
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
