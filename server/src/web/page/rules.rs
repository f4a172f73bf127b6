//! `/rules`: the rules by which every facility is judged, and the statements about the whole group: rules, closures,
//! decisions about the ministry's list, each with who, when and why.

use axum::extract::State;
use maud::{Markup, html};
use yomitori_facility::Word as _;
use yomitori_proto::id::FacilityId;

use super::facility::timeline;
use crate::statement::{self, Subject};
use crate::store::{fleet, policy};
use crate::web::Web;
use crate::web::http::error::Failure;
use crate::web::page::as_of::AsOf;
use crate::web::page::path::RULES;
use crate::web::page::request::PageRequest;
use crate::web::page::text;
use crate::web::page::when;

/// `/rules`.
pub(in crate::web) async fn show(State(web): State<Web>, request: PageRequest) -> Result<Markup, Failure> {
    let (given, outcome) = request.parameters_and_outcome(&["before"])?;
    let lang = request.lang;
    let asked = timeline::Asked::read(&given)?;
    let store = &web.store;
    let (progress, policy, entries) = tokio::try_join!(
        fleet::progress(store),
        policy::now(store),
        fleet::timeline(store, FacilityId::FLEET, asked.kinds, asked.before, timeline::FACTS + 1),
    )?;
    let as_of = AsOf::of(&progress);
    let set = policy.rules.at(as_of.now);
    let (first, last) = (set.correlation_from.num_seconds(), set.correlation_to.num_seconds());
    let main = html! {
        (outcome)
        h1 { (lang.both(&text::RULES_TITLE)) }
        dl #rules.verdict data-region {
            div { dt { (lang.both(&text::RULES_VERSION)) } dd.big { (policy.rules.version()) } }
            div { dt { (lang.both(&text::COUNTS_SINCE)) } dd { (when::second(set.counts_since)) } }
            div { dt { (lang.both(&text::LEVEL_THAT_SUFFICES)) } dd { (lang.both(&set.level_that_suffices.label())) } }
            div { dt { (lang.both(&text::CORRELATION_WINDOW)) } dd { (first) " – " (last) " s" } }
        }
        p.sub { (lang.both(&text::RULES_BY_COMMAND)) }
        p.acts {
            @for act in statement::all().filter(|act| act.about != Subject::Facility && act.needs_no_link()) {
                a.button href={ "/record/" (act.key) } { (lang.one(&act.title)) } " "
            }
        }
        section.timeline aria-labelledby="timeline-title" {
            h2 #timeline-title { (lang.both(&text::SAID_OF_ALL)) }
            (timeline::list(lang, RULES, &given, &asked, &entries, &[], as_of.now))
        }
    };
    let title = lang.one(&text::RULES_TITLE);
    Ok(request.page(title, &as_of, FacilityId::FLEET, main))
}
