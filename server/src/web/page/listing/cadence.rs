//! `/listing/cadence`: how often the list appears, and how long it takes to reflect an event. Measured from the
//! imported lists, because it is not published; small samples are shown as such.

use axum::extract::State;
use maud::{Markup, html};
use yomitori_facility::Text;

use super::fact;
use crate::store::fleet;
use crate::store::listing::measured::measured;
use crate::web::Web;
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::page::as_of::AsOf;
use crate::web::page::request::PageRequest;
use crate::web::page::text;
use crate::web::page::when;
use yomitori_listing::cadence::{Days, Lag};

/// `/listing/cadence`.
pub(in crate::web) async fn show(State(web): State<Web>, request: PageRequest) -> Result<Markup, Failure> {
    request.parameters(&[])?;
    let lang = request.lang;
    let (progress, measured) = tokio::try_join!(fleet::progress(&web.store), measured(&web.store))?;
    let as_of = AsOf::of(&progress);
    let main = html! {
        nav.trail aria-label=(lang.one(&text::NAVIGATION)) { a href="/listing" { "← " (lang.one(&text::LISTING_TITLE)) } }
        h1 { (lang.both(&text::CADENCE_TITLE)) }
        p.hint { (lang.both(&text::CADENCE_HINT)) }
        div #cadence data-region {
            div.cards {
                @for kind in &measured.kinds {
                    article.card.snapshot {
                        div { strong { (kind.source) " · " (kind.coverage) } }
                        dl.facts-of {
                            (fact(lang, &text::SNAPSHOTS, html! { (kind.snapshots) }))
                            (fact(lang, &text::LIST_DATE, html! { (when::day(kind.newest_as_of)) }))
                            (fact(lang, &text::INTERVAL, days(lang, kind.interval)))
                            (fact(lang, &text::IMPORT_DELAY, days(lang, kind.import_delay)))
                        }
                    }
                }
                (lag(lang, &text::LISTED_AFTER_SUCCESS, &measured.listed_after_success))
                (lag(lang, &text::GONE_AFTER_ACKNOWLEDGEMENT, &measured.gone_after_acknowledgement))
            }
        }
    };
    let title = lang.one(&text::CADENCE_TITLE);
    Ok(request.page(title, &as_of, "listing", main))
}

fn lag(lang: Lang, title: &Text, lag: &Lag) -> Markup {
    html! {
        article.card.snapshot {
            div { strong { (lang.both(title)) } }
            dl.facts-of {
                (fact(lang, &text::AT_MOST, days(lang, lag.followed)))
                (fact(lang, &text::AT_LEAST, days(lang, lag.at_least)))
                (fact(lang, &text::STILL_WAITING, html! { (lag.waiting) }))
                (fact(lang, &text::SO_BEFORE, html! { (lag.before) }))
            }
        }
    }
}

fn days(lang: Lang, days: Option<Days>) -> Markup {
    html! {
        @match days {
            Some(Days { count, median, longest }) => (lang.one(&text::DAYS)
                .replace("{median}", &format!("{median:.1}")).replace("{longest}", &format!("{longest:.1}")).replace("{n}", &count.to_string())),
            None => span.nothing { (lang.one(&text::NOT_MEASURED)) },
        }
    }
}
