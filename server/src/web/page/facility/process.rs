//! The intent of the group and the progress of an opt-out: every step with its state, who recorded it, and its form.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use uuid::Uuid;
use yomitori_facility::{OptOutStatus, Status, Text};
use yomitori_proto::event::{Event, Origin, Stated};

use super::timeline;
use crate::statement;
use crate::store::fleet::{Axis, StatusRow, TimelineEntry};
use crate::web::form::{self, Drawn, Entered};
use crate::web::http::lang::Lang;
use crate::web::page::text;
use crate::web::page::when;
use crate::web::page::word;
use crate::web::page::word::Tone;

/// The kinds of facts that the steps show, and how many of them are read.
pub(super) const KINDS: [&str; 5] =
    ["opt_out_call_planned", "opt_out_call_made", "opt_out_acknowledged", "opt_out_withdrawn", "statement_withdrawn"];
pub(super) const FACTS: i64 = 40;

/// The stages of the process, in order; a step is done when the process has reached it.
const STAGES: [&str; 5] = ["needed", "planned", "called", "acknowledged", "reflected"];

struct Step {
    stage: &'static str,
    label: &'static Text,
    /// The fact of the step, and the form that records it.
    recorded_as: Option<(&'static str, &'static str)>,
}

static STEPS: [Step; 5] = [
    Step { stage: "needed", label: &text::STEP_NEEDED, recorded_as: None },
    Step { stage: "planned", label: &text::STEP_PLANNED, recorded_as: Some(("opt_out_call_planned", "call-planned")) },
    Step { stage: "called", label: &text::STEP_CALLED, recorded_as: Some(("opt_out_call_made", "called")) },
    Step {
        stage: "acknowledged",
        label: &text::STEP_ACKNOWLEDGED,
        recorded_as: Some(("opt_out_acknowledged", "acknowledged")),
    },
    Step { stage: "reflected", label: &text::STEP_REFLECTED, recorded_as: None },
];

/// `stated` are the facility's facts of [`KINDS`], the newest first.
pub(super) fn draw(
    lang: Lang,
    path: &str,
    line: &StatusRow,
    status: &Status,
    stated: &[TimelineEntry],
    who: Option<&str>,
    now: DateTime<Utc>,
) -> Markup {
    let entered = Entered::default();
    let action = format!("{path}/record/intent");
    let drawn = Drawn {
        id: Uuid::new_v4().to_string(),
        lang,
        action: &action,
        entered: &entered,
        who,
        now,
        next: None,
        of_facility: true,
    };
    html! {
        section.process #opt-out aria-labelledby="process-title" {
            h2 #process-title { (lang.both(&text::OPT_OUT_PROCESS)) }
            div.sides {
                div {
                    div #intent-now data-region { (intent(lang, line, status)) }
                    // Outside every region: a live update never redraws a form that a person fills in.
                    @if let Some(act) = statement::find("intent") {
                        details.change open[line.intent == "undecided"] {
                            summary { (lang.both(&text::CHANGE_INTENT)) }
                            (form::draw(act, &drawn))
                        }
                    }
                }
                div #process data-region { (steps(lang, path, status, stated)) }
            }
        }
    }
}

fn intent(lang: Lang, line: &StatusRow, status: &Status) -> Markup {
    html! {
        p { (word::chip(lang, Axis::Intent, &line.intent)) }
        @if let Some(intent) = status.intent_history.first() {
            p.by {
                span.clock { (when::minute(intent.stated_at)) } " " span.person { (intent.by) }
                @if let Some(reason) = &intent.reason { " — " q { (reason) } }
            }
        }
    }
}

fn steps(lang: Lang, path: &str, status: &Status, stated: &[TimelineEntry]) -> Markup {
    let key = status.opt_out.key();
    let reached = STAGES.iter().position(|stage| *stage == key);
    let stands = |entry: &&TimelineEntry| match &entry.recorded.origin {
        Origin::Person(Stated { id: Some(id), .. }) => !timeline::is_withdrawn(*id, stated),
        _ => true,
    };
    // Acts count by when they were done, in whatever order they were recorded.
    let mut acts: Vec<&TimelineEntry> = stated.iter().filter(stands).collect();
    acts.sort_by_key(|entry| std::cmp::Reverse(done_at(entry)));
    // Facts before a withdrawal belong to an earlier process.
    let withdrawn = acts.iter().position(|entry| matches!(entry.recorded.event, Event::OptOutWithdrawn(_)));
    let current = &acts[..withdrawn.unwrap_or(acts.len())];
    html! {
        ol.process-steps {
            @for (place, step) in STEPS.iter().enumerate() {
                (self::step(lang, path, status, step, reached, place, current))
            }
            @if let Some(entry) = withdrawn.and_then(|place| acts.get(place)) {
                li.done { (word::sign(Tone::Quiet, lang.one(&text::STEP_WITHDRAWN))) " " (attribution(lang, entry)) }
            }
        }
        @if reached >= Some(2) {
            p.acts { a href={ (path) "/record/withdrawn" } { @if let Some(act) = statement::find("withdrawn") { (lang.one(&act.title)) } } }
        }
    }
}

fn step(
    lang: Lang,
    path: &str,
    status: &Status,
    step: &Step,
    reached: Option<usize>,
    place: usize,
    current: &[&TimelineEntry],
) -> Markup {
    let Step { stage, label, recorded_as } = step;
    let done = reached >= Some(place);
    let here = reached == Some(place);
    let overdue = here && matches!(status.opt_out.value, OptOutStatus::Planned { overdue: true, .. });
    let entry = recorded_as.and_then(|(kind, _)| current.iter().find(|entry| entry.recorded.event.kind() == kind));
    let tone = match (done, here, *stage) {
        (_, true, "needed") => Tone::Bad,
        _ if overdue => Tone::Bad,
        // A call that was made needs no plan.
        (true, ..) if recorded_as.is_none() || entry.is_some() => Tone::Good,
        _ => Tone::Quiet,
    };
    // The next step of a person.
    let next = match reached {
        Some(0 | 1) => *stage == "called",
        Some(2) => *stage == "acknowledged",
        _ => false,
    };
    html! {
        li.done[done] {
            div.what {
                (word::sign(tone, lang.one(label))) " "
                @match entry {
                    Some(entry) => {
                        (attribution(lang, entry))
                        @if !done { " " small { (lang.one(&text::EARLIER)) } }
                    }
                    None if *stage == "needed" => span { (word::label(lang, Axis::OptOut, status.opt_out.key())) },
                    None if *stage == "reflected" => small {
                        @match status.opt_out.value {
                            OptOutStatus::Reflected { as_of, .. } => (when::minute(as_of)),
                            _ => (lang.one(&text::BY_A_LATER_LIST)),
                        }
                    },
                    None if done => small { (lang.one(&text::NOT_RECORDED)) },
                    None => {}
                }
            }
            @if let Some((_, act)) = recorded_as {
                a.button.primary[next] href={ (path) "/record/" (act) } {
                    (lang.one(&text::RECORD_THIS)) span.unseen { ": " (lang.one(label)) }
                }
            }
        }
    }
}

/// When it was done; a plan when it was made.
fn done_at(entry: &TimelineEntry) -> DateTime<Utc> {
    match &entry.recorded.event {
        Event::OptOutCallMade(made) => made.called_at,
        Event::OptOutAcknowledged(stated) => stated.acknowledged_at,
        Event::OptOutWithdrawn(stated) => stated.withdrawn_at,
        _ => entry.recorded.occurred_at(),
    }
}

/// When it happened, who stated it and why.
fn attribution(lang: Lang, entry: &TimelineEntry) -> Markup {
    let (at, reference) = match &entry.recorded.event {
        Event::OptOutCallPlanned(planned) => (Some(planned.planned_at), None),
        Event::OptOutCallMade(made) => (Some(made.called_at), made.reference.as_ref()),
        Event::OptOutAcknowledged(stated) => (Some(stated.acknowledged_at), None),
        Event::OptOutWithdrawn(stated) => (Some(stated.withdrawn_at), None),
        _ => (None, None),
    };
    html! {
        span.by {
            @if let Some(at) = at { span.clock { (when::minute(at)) } " " }
            @if let Some(reference) = reference { (lang.one(&text::REFERENCE).replace("{number}", reference)) " " }
            @if let Origin::Person(stated) = &entry.recorded.origin {
                span.person { (stated.by) }
                @if let Some(why) = &stated.why { " — " q { (why) } }
            }
        }
    }
}
