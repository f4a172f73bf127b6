//! The parts of a facility's page: flags, axes with their reasons, terminals and readers, steps of the notice.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use yomitori_facility::{
    Acknowledgement, Axis, Flag, FlagStatus, ReaderStatus, Status, StepKind, TerminalStatus, Text, Word as _,
};
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::Way;

use super::completeness;
use crate::statement::{self, Subject};
use crate::store::completeness::Completeness;
use crate::store::fleet::{self, StatusRow};
use crate::store::terminal::{RegisteredTerminal, TerminalState};
use crate::web::http::lang::Lang;
use crate::web::page::text;
use crate::web::page::when;
use crate::web::page::word;
use crate::web::page::word::{Tone, capital};

/// A sentence, with English below Japanese, because there is room here.
pub(in crate::web) fn sentence(lang: Lang, text: &Text) -> Markup {
    html! {
        p { (lang.one(text)) }
        @if lang == Lang::Ja && text.ja != text.en { p.en lang="en" { (text.en) } }
    }
}

/// The raised flags, each with who has seen it and the forms that resolve it.
pub(super) fn flags(lang: Lang, path: &str, status: &Status) -> Markup {
    html! {
        @if !status.flags.is_empty() {
            section.attention aria-labelledby="flags-title" {
                h2 #flags-title { (lang.both(&text::STANDING_FLAGS)) }
                ul {
                    @for flag in &status.flags {
                        li id={ "flag-" (flag.key.key()) } {
                            (word::sign(word::severity_tone(flag.severity), &capital(lang.one(&flag.label)))) " "
                            small.severity { (word::severity(lang, flag.severity)) }
                            (sentence(lang, &flag.sentence))
                            div.next { (sentence(lang, &flag.next)) }
                            (incident(lang, flag))
                            (seen_and_snoozed(lang, flag))
                            p.acts {
                                @if let Some(act) = remedy(flag.key) { a.button.primary href={ (path) "/record/" (act) } { (lang.one(&text::RECORD_THIS)) } " " }
                                @if flag.acknowledged.is_none() { a.button href={ (path) "/record/flag-seen?flag=" (flag.key.key()) } { (lang.one(&text::SEEN)) } " " }
                                a.button href={ (path) "/record/flag-snoozed?flag=" (flag.key.key()) } { (lang.one(&text::SNOOZE)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The begin of an incident and its terminals.
fn incident(lang: Lang, flag: &FlagStatus) -> Markup {
    html! {
        @if flag.since.is_some() || !flag.terminals.is_empty() {
            p.by {
                @if let Some(since) = flag.since { span.clock { (lang.one(&text::INCIDENT_SINCE).replace("{at}", &when::minute(since))) } }
                @if flag.since.is_some() && !flag.terminals.is_empty() { " · " }
                @if !flag.terminals.is_empty() { (lang.one(&text::TERMINAL)) }
                @for terminal in &flag.terminals { " " code title=(terminal) { (short(*terminal)) } }
            }
        }
    }
}

/// The part of a terminal's identifier that distinguishes it from the others.
fn short(terminal: TerminalId) -> String {
    let text = terminal.to_string();
    text.chars().skip(text.chars().count().saturating_sub(6)).collect()
}

/// Who has seen a flag, and until when it is snoozed.
fn seen_and_snoozed(lang: Lang, flag: &FlagStatus) -> Markup {
    html! {
        @if flag.acknowledged.is_some() || flag.snoozed_until.is_some() {
            p.by {
                @if let Some(Acknowledgement { by, at }) = &flag.acknowledged {
                    (lang.one(&text::SEEN_BY).replace("{by}", by)) " " span.clock { (when::minute(*at)) }
                }
                @if let Some(until) = flag.snoozed_until { " · " (lang.one(&text::SNOOZED_UNTIL).replace("{at}", &when::minute(until))) }
            }
        }
    }
}

/// The form that records what a flag asks for.
fn remedy(flag: Flag) -> Option<&'static str> {
    Some(match flag {
        Flag::OptOutNeeded | Flag::OptOutStale | Flag::ListedAgainstWish | Flag::CallOutsideHours => "called",
        Flag::CapableButUndecided => "intent",
        Flag::OptOutAgainstIntent => "withdrawn",
        Flag::ListedNoLocalEvidence => "read",
        Flag::NoticeToHang => "notice?notice=not_supported_poster",
        Flag::StickerToPutUp => "notice?notice=supported_sticker",
        _ => return None,
    })
}

pub(super) fn axes(lang: Lang, status: &Status) -> Markup {
    let axes = [
        axis(lang, &text::ELIGIBLE, fleet::Axis::Eligible, &status.eligible),
        axis(lang, &text::EVIDENCE, fleet::Axis::Evidence, &status.evidence),
        axis(lang, &text::INTENT, fleet::Axis::Intent, &status.intent),
        axis(lang, &text::OPT_OUT_STAGE, fleet::Axis::OptOut, &status.opt_out),
        axis(lang, &text::LISTING, fleet::Axis::Listing, &status.listing),
        axis(lang, &text::EQUIPMENT, fleet::Axis::Equipment, &status.equipment),
        axis(lang, &text::FRESHNESS, fleet::Axis::Freshness, &status.freshness),
    ];
    html! {
        section aria-labelledby="axes-title" {
            h2 #axes-title { (lang.both(&text::WHY)) }
            div #axes.axes data-keyed {
                @for axis in axes { (axis) }
            }
            p.hint { (word::meter("", Some("attested"))) " " (lang.both(&text::LADDER)) }
        }
    }
}

fn axis<T: yomitori_facility::Word>(lang: Lang, name: &Text, column: fleet::Axis, axis: &Axis<T>) -> Markup {
    let tone = word::find(column, axis.key()).map_or(Tone::Unknown, |word| word.tone);
    html! {
        article.axis data-key=(name.en) {
            h3 { (lang.both(name)) }
            p.value { (word::sign(tone, &capital(lang.one(&axis.label)))) }
            div.why { (sentence(lang, &axis.why)) }
        }
    }
}

pub(super) fn terminals(
    lang: Lang,
    path: &str,
    status: &Status,
    registered: &[RegisteredTerminal],
    lives: &[Completeness],
    now: DateTime<Utc>,
) -> Markup {
    // One that was never enrolled here is known from its observations only.
    let state = |one: &TerminalStatus| {
        let known = registered.iter().find(|known| known.terminal == one.terminal).map(|known| known.state);
        known.unwrap_or(if one.retired_at.is_some() { TerminalState::Retired } else { TerminalState::Enrolled })
    };
    html! {
        section aria-labelledby="terminals-title" {
            h2 #terminals-title { (lang.both(&text::TERMINALS)) }
            @if status.terminals.is_empty() { p.hint { (lang.both(&text::NO_TERMINALS)) } }
            div.terminals { @for one in &status.terminals { (terminal(lang, path, one, state(one), status, lives, now)) } }
        }
    }
}

const fn way(way: Way) -> &'static Text {
    match way {
        Way::Direct => &text::WAY_DIRECT,
        Way::Relay => &text::WAY_RELAY,
        Way::Unknown => &text::WAY_UNKNOWN,
    }
}

fn terminal(
    lang: Lang,
    path: &str,
    one: &TerminalStatus,
    state: TerminalState,
    status: &Status,
    lives: &[Completeness],
    now: DateTime<Utc>,
) -> Markup {
    let lives: Vec<&Completeness> = lives.iter().filter(|life| life.terminal == one.terminal).collect();
    let readers: Vec<&ReaderStatus> = status.readers.iter().filter(|reader| reader.terminal == one.terminal).collect();
    let (tone, word, acts): (_, _, &[&str]) = match state {
        TerminalState::Enrolled if one.connected => (Tone::Good, &text::CONNECTED, &["suspend", "retire", "revoke"]),
        TerminalState::Enrolled => (Tone::Warn, &text::DISCONNECTED, &["suspend", "retire", "revoke"]),
        TerminalState::Suspended => (Tone::Warn, &text::SUSPENDED, &["resume", "retire", "revoke"]),
        TerminalState::Retired => (Tone::Quiet, &text::RETIRED, &["revoke"]),
        TerminalState::Revoked => (Tone::Quiet, &text::REVOKED, &[]),
    };
    html! {
        article.terminal {
            h3 {
                (lang.one(&text::TERMINAL)) " " code title=(one.terminal) { (short(one.terminal)) } " "
                (word::sign(tone, lang.one(word)))
                @if let Some(since) = one.connected_since { " " small { (when::ago(lang, since, now)) } }
            }
            dl.facts-of {
                div { dt { (lang.both(&text::LAST_SEEN)) } dd { (instant(lang, one.last_heard_at, now)) } }
                @if one.retired_at.is_none() {
                    div { dt { (lang.both(&text::FRESHNESS)) } dd { (word::chip(lang, fleet::Axis::Freshness, &one.freshness)) } }
                }
                @if let Some(at) = one.numbers_reused_at {
                    div { dt { (lang.both(&text::NUMBERS)) } dd { (lang.one(&text::NUMBERS_REUSED).replace("{at}", &when::minute(at))) } }
                }
                (completeness::line(lang, &lives, now))
                @for act in acts.iter().filter_map(|key| statement::find(key)) {
                    div { dt { (lang.both(&act.title)) } dd { a href={ (path) "/record/" (act.key) "?terminal=" (one.terminal) } { (lang.one(&text::RECORD_THIS)) } } }
                }
                div { dt { (lang.both(&text::VERSION)) } dd { (one.agent_version.as_deref().unwrap_or("—")) } }
                div { dt { (lang.both(&text::WAY)) } dd { (lang.one(way(one.way.unwrap_or_default()))) } }
                div {
                    dt { (lang.both(&text::COLLECTS)) }
                    dd {
                        (lang.one(&one.collection.label())) " "
                        @if one.collects_too_much { (word::sign(Tone::Warn, lang.one(&text::NOT_YET_LOWERED))) " " }
                        a href={ (path) "/record/collection" } { (lang.one(&text::CHANGE)) }
                    }
                }
            }
            @if readers.is_empty() { p.hint { (lang.both(&text::NO_READERS)) } }
            @else { (self::readers(lang, path, &readers, now)) }
        }
    }
}

fn readers(lang: Lang, path: &str, readers: &[&ReaderStatus], now: DateTime<Utc>) -> Markup {
    html! {
        table.readers {
            caption.unseen { (lang.one(&text::READERS)) }
            thead { tr {
                @for heading in [&text::MODEL, &text::ROLE, &text::PRESENCE, &text::READER_KEY] {
                    th scope="col" { (lang.both(heading)) }
                }
            } }
            tbody {
                @for reader in readers {
                    tr {
                        th scope="row" data-label=(lang.one(&text::MODEL)) { (reader.model.as_deref().unwrap_or(lang.one(&text::UNKNOWN_MODEL))) }
                        td data-label=(lang.one(&text::ROLE)) {
                            (capital(lang.one(&reader.role_label))) " "
                            a href={ (path) "/record/reader-role?terminal=" (reader.terminal) "&reader=" (reader.key) } { (lang.one(&text::CHANGE)) }
                        }
                        td data-label=(lang.one(&text::PRESENCE)) {
                            @if reader.retired { (word::sign(Tone::Quiet, lang.one(&text::RETIRED))) }
                            @else if reader.present { (word::sign(Tone::Good, lang.one(&text::PRESENT))) }
                            @else { (word::sign(Tone::Warn, lang.one(&text::ABSENT))) }
                            @if let Some(since) = reader.since { " " small { (when::ago(lang, since, now)) } }
                        }
                        td data-label=(lang.one(&text::READER_KEY)) { code { (reader.key) } }
                    }
                }
            }
        }
    }
}

fn instant(lang: Lang, at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Markup {
    html! { @match at { Some(at) => (when::ago_and_clock(lang, at, now)), None => "—" } }
}

pub(super) fn steps(lang: Lang, path: &str, status: &Status) -> Markup {
    html! {
        section.steps aria-labelledby="steps-title" {
            h2 #steps-title { (lang.both(&text::STEPS)) }
            ol {
                @for step in &status.readiness {
                    li.done[step.done] {
                        (word::sign(if step.done { Tone::Good } else { Tone::Info }, lang.one(if step.done { &text::DONE } else { &text::TO_DO })))
                        strong { (capital(lang.one(&step.label))) }
                        @if let Some(at) = step.done_at { " " small.clock { (when::minute(at)) } }
                        (sentence(lang, step.next.as_ref().unwrap_or(&step.why)))
                        @if let (false, Some(act)) = (step.done, form_of_step(step.key)) {
                            p.acts { a.button href={ (path) "/record/" (act) } { (lang.one(&text::RECORD_THIS)) } }
                        }
                    }
                }
            }
        }
    }
}

/// A link to the form of each statement about the facility; those about a terminal or an entry are linked beside it.
pub(super) fn statements(lang: Lang, path: &str, line: &StatusRow, codes: &[String]) -> Markup {
    let of_facility = statement::all().filter(|act| act.about != Subject::Registered && act.needs_no_link());
    html! {
        section.statements aria-labelledby="statements-title" {
            h2 #statements-title { (lang.both(&text::MORE_TO_SAY)) }
            div.choices {
                @for act in of_facility { a href={ (path) "/record/" (act.key) } { (lang.one(&act.title)) } }
                @if let (Some(act), false) = (statement::find("register"), codes.is_empty()) {
                    a href=(registration(line, codes)) { (lang.one(&act.title)) }
                }
            }
        }
    }
}

/// The form that registers the facility again, with its present values; the code by which it is shown comes first.
fn registration(line: &StatusRow, codes: &[String]) -> String {
    let first = line.code.iter();
    let codes: Vec<&str> =
        first.chain(codes.iter().filter(|code| Some(*code) != line.code.as_ref())).map(String::as_str).collect();
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("code", &codes.join(",")).append_pair("name", &line.name);
    format!("/record/register?{}", query.append_pair("prefecture", &line.prefecture).finish())
}

/// The form by which a person records that a step is done; terminals observe the other steps.
fn form_of_step(step: StepKind) -> Option<&'static str> {
    match step {
        StepKind::Purchase => Some("purchased?item=reader"),
        StepKind::Reception => Some("reception"),
        StepKind::ReaderRestart => Some("restarted"),
        StepKind::Poster => Some("notice?notice=not_supported_poster"),
        StepKind::Sticker => Some("notice?notice=supported_sticker"),
        StepKind::Connection | StepKind::TerminalRestart => None,
    }
}
