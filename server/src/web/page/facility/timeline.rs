//! The facts about a facility with their sources, the newest first, a page at a time.

use chrono::{DateTime, Duration, Utc};
use maud::{Markup, html};
use yomitori_facility::ReaderStatus;
use yomitori_facility::{Text, Word as _, withdrawable};
use yomitori_proto::event::{EntryWithdrawn, Event, Observed, Origin, Recorded, Speaker, Stated};
use yomitori_proto::id::StatementId;

use super::entry_text::{self, CONNECTIONS, DEVICES, EntryText, PEOPLE, READS};
use crate::store::fleet::{TimelineCursor, TimelineEntry};
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::http::query::QueryParameters;
use crate::web::page::text;
use crate::web::page::when;
use crate::web::page::word;

/// Facts on one page.
pub(in crate::web) const FACTS: i64 = 50;
/// A fact that was received later than this is marked as late.
const ON_TIME: Duration = Duration::seconds(60);

pub(super) const PARAMETERS: [&str; 2] = ["show", "before"];
const CHOICES: [(&str, &Text, &[&str]); 5] = [
    ("all", &text::EVERYTHING, &[]),
    ("reads", &text::READS, &READS),
    ("people", &text::PEOPLE, &PEOPLE),
    ("devices", &text::THINGS, &DEVICES),
    ("connections", &text::CONNECTIONS, &CONNECTIONS),
];

/// The requested part of a timeline.
pub(in crate::web) struct Asked {
    choice: &'static str,
    pub(in crate::web) kinds: &'static [&'static str],
    pub(in crate::web) before: Option<TimelineCursor>,
}

impl Asked {
    pub(in crate::web) fn read(given: &QueryParameters) -> Result<Self, Failure> {
        let keys = CHOICES.map(|(key, _, _)| key);
        let choice = given.one_of("show", &keys)?.unwrap_or("all");
        let kinds = CHOICES.iter().find(|(key, _, _)| *key == choice).map_or(&[][..], |(_, _, kinds)| kinds);
        let before = given.get("before").map(|text| mark(text).ok_or(text)).transpose().map_err(|_| {
            Failure::parameter(
                "before",
                "「さらに古い記録」のリンクから開いてください。",
                "follow the link to older records of a facility's page.",
            )
        })?;
        Ok(Self { choice, kinds, before })
    }
}

fn mark(text: &str) -> Option<TimelineCursor> {
    let mut parts = text.splitn(3, '.');
    let micros = parts.next()?.parse().ok()?;
    let occurred_at = yomitori_proto::time::from_micros(micros)?;
    Some(TimelineCursor { occurred_at, offset: parts.next()?.parse().ok()?, place: parts.next()?.parse().ok()? })
}

fn written(mark: TimelineCursor) -> String {
    format!("{}.{}.{}", mark.occurred_at.timestamp_micros(), mark.offset, mark.place)
}

/// `entries` has one more than a page if older ones exist.
pub(super) fn draw(
    lang: Lang,
    path: &str,
    given: &QueryParameters,
    asked: &Asked,
    entries: &[TimelineEntry],
    readers: &[ReaderStatus],
    now: DateTime<Utc>,
) -> Markup {
    let choose = |key: &str| given.link(path, &[("show", (key != "all").then_some(key)), ("before", None)]);
    html! {
        section.timeline aria-labelledby="timeline-title" {
            h2 #timeline-title { (lang.both(&text::TIMELINE)) }
            nav.choices aria-label=(lang.one(&text::TIMELINE)) {
                @for (key, label, _) in CHOICES {
                    a href=(choose(key)) aria-current=[(key == asked.choice).then_some("true")] { (lang.one(label)) }
                }
            }
            (list(lang, path, given, asked, entries, readers, now))
        }
    }
}

/// Draws one page of facts and the links to the others.
pub(in crate::web) fn list(
    lang: Lang,
    path: &str,
    given: &QueryParameters,
    asked: &Asked,
    entries: &[TimelineEntry],
    readers: &[ReaderStatus],
    now: DateTime<Utc>,
) -> Markup {
    let shown = usize::try_from(FACTS).unwrap_or(usize::MAX).min(entries.len());
    let older = if entries.len() > shown { shown.checked_sub(1).map(|last| written(entries[last].mark)) } else { None };
    html! {
        ol #facts.facts data-keyed {
            @for entry in &entries[..shown] { (fact(lang, entry, readers, now, withdrawal(lang, path, entry, entries))) }
            @if entries.is_empty() { li.empty data-key="none" { (lang.both(&text::NO_FACTS)) } }
        }
        nav #older.pages data-region aria-label=(lang.one(&text::PAGES)) {
            @if asked.before.is_some() { a.button href=(given.link(path, &[("before", None)])) { "← " (lang.one(&text::NEWEST)) } }
            @if let Some(mark) = older { a.button rel="next" href=(given.link(path, &[("before", Some(&mark))])) { (lang.one(&text::OLDER)) " →" } }
        }
    }
}

/// Whether one of the entries withdraws the statement with this identifier.
pub(super) fn is_withdrawn(id: StatementId, entries: &[TimelineEntry]) -> bool {
    let withdraws = |event: &Event| matches!(event, Event::StatementWithdrawn(event) if event.statement == id);
    entries.iter().any(|entry| withdraws(&entry.recorded.event))
}

/// The link to withdraw a person's statement or an entry of a desk page, or a note that it is withdrawn; `None` of what can't
/// be withdrawn.
pub(in crate::web) fn withdrawal(
    lang: Lang,
    path: &str,
    entry: &TimelineEntry,
    entries: &[TimelineEntry],
) -> Option<Markup> {
    let Recorded { origin, event, .. } = &entry.recorded;
    if !withdrawable(event) {
        return None;
    }
    let (withdrawn, form) = match origin {
        Origin::Person(Stated { id: Some(id), .. }) => (is_withdrawn(*id, entries), format!("withdraw?statement={id}")),
        Origin::Terminal(Observed { life, seq, .. }) if event.speaker() == Speaker::Anyone => {
            let entry = EntryWithdrawn { life: *life, seq: *seq };
            let withdraws = |event: &Event| matches!(event, Event::EntryWithdrawn(event) if *event == entry);
            let withdrawn = entries.iter().any(|other| withdraws(&other.recorded.event));
            (withdrawn, format!("entry-withdraw?entry={life}/{seq}"))
        }
        Origin::Person(_) | Origin::Terminal(_) | Origin::Server { .. } | Origin::List { .. } => return None,
    };
    // Statements about all facilities have forms of their own.
    let forms = if path.starts_with("/facilities/") { path } else { "" };
    Some(html! {
        p.withdraw {
            @if withdrawn { strong { (lang.both(&text::WITHDRAWN)) } }
            @else { a href={ (forms) "/record/" (form) } { (lang.one(&text::WITHDRAW)) } }
        }
    })
}

pub(in crate::web) fn fact(
    lang: Lang,
    entry: &TimelineEntry,
    readers: &[ReaderStatus],
    now: DateTime<Utc>,
    withdrawal: Option<Markup>,
) -> Markup {
    let recorded = &entry.recorded;
    let kind = recorded.event.kind();
    let happening = EntryText::of(&recorded.event, readers);
    html! {
        li.fact.(entry_text::family(kind)) data-key=(written(entry.mark)) {
            div.at {
                span.clock { (when::second(recorded.occurred_at())) } " "
                (when::ago(lang, recorded.occurred_at(), now))
            }
            div.what {
                p.title { strong { (lang.both(&happening.title)) } }
                p.details { (happening.details(lang)) }
            }
            div.whence {
                @if let Some(level) = happening.level {
                    span.evidence { (word::meter("", Some(level.key()))) " " (lang.one(&text::ALONE)) ": " (lang.one(&level.label())) }
                }
                (provenance(lang, entry))
                @if let Some(withdrawal) = withdrawal { (withdrawal) }
            }
        }
    }
}

/// Who stated a fact, when if that was later, and why.
fn provenance(lang: Lang, entry: &TimelineEntry) -> Markup {
    let recorded = &entry.recorded;
    let delay = recorded.received_at - recorded.occurred_at();
    html! {
        p.by {
            @match &recorded.origin {
                Origin::Terminal(observed) => {
                    (lang.one(&text::BY_TERMINAL)) " " code { (entry_text::short(observed.terminal)) } " #" (observed.seq)
                }
                Origin::Person(stated) => {
                    span.person { (stated.by) }
                    @if let Some(why) = &stated.why { " — " q { (why) } }
                }
                Origin::Server { .. } => (lang.one(&text::BY_SERVER)),
                Origin::List { .. } => (lang.one(&text::BY_LIST)),
            }
        }
        @if delay > ON_TIME {
            p.late title=(when::second(recorded.received_at)) {
                (lang.one(&text::LATE).replace("{span}", &when::span(lang, delay)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_mark_comes_back_from_its_link(micros in 0..253_402_300_799_000_000_i64, offset in any::<i64>(), place in any::<i32>()) {
            let there = TimelineCursor { occurred_at: yomitori_proto::time::from_micros(micros).unwrap(), offset, place };
            prop_assert_eq!(mark(&written(there)), Some(there));
        }

        #[test]
        fn no_mark_panics(text in ".{0,60}") {
            mark(&text);
        }
    }
}
