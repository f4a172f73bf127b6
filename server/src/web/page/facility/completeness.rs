//! Up to when a terminal's observations are complete, and what is missing, as one line of the terminal's card.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::entry_text::collected_by;
use crate::store::completeness::{Completeness, Hole};
use crate::web::http::lang::Lang;
use crate::web::page::text;
use crate::web::page::when;

/// At most this many holes are listed; the others are counted.
const NAMED: usize = 8;

/// Draws the completeness of one terminal from its `lives`, the present one first.
pub(super) fn line(lang: Lang, lives: &[&Completeness], now: DateTime<Utc>) -> Markup {
    let complete_up_to = lives.first().and_then(|life| life.complete_up_to);
    let mut holes: Vec<(&Completeness, &Hole)> =
        lives.iter().flat_map(|life| life.holes.iter().map(move |hole| (*life, hole))).collect();
    // The newest first.
    holes.sort_by_key(|(_, hole)| std::cmp::Reverse(from(hole)));
    html! {
        div {
            dt { (lang.both(&text::COMPLETE_UNTIL)) }
            dd { @match complete_up_to { Some(at) => (when::ago_and_clock(lang, at, now)), None => (lang.both(&text::NOT_KNOWN)) } }
        }
        @if !holes.is_empty() {
            div {
                dt { (lang.both(&text::HOLES)) }
                dd {
                    @for (life, hole) in holes.iter().take(NAMED) { p.hole { (missing(lang, life, hole)) } }
                    @if holes.len() > NAMED { p.hole { (lang.one(&text::MORE_HOLES).replace("{n}", &(holes.len() - NAMED).to_string())) } }
                }
            }
        }
    }
}

fn from(hole: &Hole) -> Option<DateTime<Utc>> {
    match hole {
        Hole::Missing { from, .. } => *from,
        Hole::NotCollected { from, .. } | Hole::NoFarewell { from } => Some(*from),
    }
}

fn missing(lang: Lang, life: &Completeness, hole: &Hole) -> Markup {
    let span = |from: Option<DateTime<Utc>>, to: DateTime<Utc>| {
        format!("{} – {}", from.map_or_else(|| "?".to_owned(), when::minute), when::minute(to))
    };
    html! {
        @match hole {
            Hole::Missing { from_seq, to_seq, from, to } => {
                (lang.one(&text::NEVER_ARRIVED)) " " code { "#" (from_seq) "–" (to_seq) } " " span.clock { (span(*from, *to)) }
            }
            Hole::NotCollected { source, from, to, lost } => {
                (lang.one(&text::NOT_COLLECTED)) " " (lang.one(&collected_by(*source))) " " span.clock { (span(Some(*from), *to)) }
                @if let Some(lost) = lost { " " (lang.one(&text::LOST).replace("{n}", &lost.to_string())) }
            }
            Hole::NoFarewell { from } => { (lang.one(&text::NO_STOP_NOTICE)) " " span.clock { (when::minute(*from)) } }
        }
        @if !life.current { " " small { (lang.one(&text::EARLIER_SPOOL)) } }
    }
}
