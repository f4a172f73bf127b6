//! Prints the output of `explain`: the steps and the resulting status, for people or for programs.

use chrono::{DateTime, Utc};
use serde::Serialize;
use yomitori_facility::{Change, Explanation, ReadStatus, ReadinessStep, Status, Step, StepCause, Text};

use super::super::output::Format;
use crate::cli::output::say;
use crate::when::second;

/// The explanations of all facilities.
#[derive(Serialize)]
struct Document<'a> {
    at: DateTime<Utc>,
    rules_version: u32,
    facilities: Vec<ExplainDocument<'a>>,
}

#[derive(Serialize)]
struct ExplainDocument<'a> {
    #[serde(flatten)]
    status: Status,
    /// The newest attempts, each with the evidence against it.
    reads: Vec<ReadStatus>,
    steps: Vec<StepDocument<'a>>,
}

/// One step.
#[derive(Serialize)]
struct StepDocument<'a> {
    at: DateTime<Utc>,
    /// The position of the fact; absent if only time passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    said_why: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_at: Option<DateTime<Utc>>,
    changes: &'a [Change],
}

/// Prints the explanation; `place` maps the number of a fact to its position.
pub(super) fn explained(
    explained: &Explanation,
    at: DateTime<Utc>,
    format: Format,
    place: impl Fn(usize) -> Option<String>,
) {
    let facilities: Vec<ExplainDocument<'_>> = explained
        .facilities
        .keys()
        .filter_map(|id| {
            let steps = explained.steps.iter().filter(|step| step.facility == *id).map(|step| shown(step, &place));
            Some(ExplainDocument {
                status: explained.status(*id, at)?,
                reads: explained.reads(*id, at),
                steps: steps.collect(),
            })
        })
        .collect();
    match format {
        Format::Json => {
            let document = Document { at, rules_version: explained.fleet.rules.version(), facilities };
            say(&serde_json::to_string_pretty(&document).expect("a status has no map with other keys than texts"));
        }
        Format::Table => facilities.iter().for_each(text),
    }
}

fn shown<'a>(step: &'a Step, place: impl Fn(usize) -> Option<String>) -> StepDocument<'a> {
    let passed = StepDocument {
        at: step.at,
        place: None,
        kind: "time_passed",
        by: None,
        said_why: None,
        occurred_at: None,
        changes: &step.changes,
    };
    match &step.cause {
        StepCause::TimePassed => passed,
        StepCause::Fact { number, kind, by, why, occurred_at } => StepDocument {
            place: place(*number),
            kind,
            by: Some(by),
            said_why: why.as_deref(),
            occurred_at: Some(*occurred_at),
            ..passed
        },
    }
}

fn both(text: &Text) -> String {
    format!("{} / {}", text.ja, text.en)
}

fn text(whole: &ExplainDocument<'_>) {
    let ExplainDocument { status, reads, steps } = whole;
    let codes: Vec<&str> = status.codes.iter().map(|code| code.code.as_str()).collect();
    say(&format!("■ {} {} {}", status.name.as_deref().unwrap_or("?"), codes.join(" "), status.facility));
    for step in steps {
        let by = step.by.map(|by| format!("  {by}")).unwrap_or_default();
        let why = step.said_why.map(|why| format!("（{why}）")).unwrap_or_default();
        let place = step.place.as_ref().map(|place| format!("  [{place}]")).unwrap_or_default();
        say(&format!("{}  {}{by}{why}{place}", second(step.at), step.kind));
        for change in step.changes {
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            say(&format!("    {}: {} → {}", change.axis, value(&change.from), value(&change.to)));
            say(&format!("        {}", both(&change.why)));
        }
    }
    say(&format!("  {} 時点（日本時間） / as of then", second(status.at)));
    axes(status);
    say("  読み取り / reads");
    if reads.is_empty() {
        say("    なし / none");
    }
    for read in reads {
        let doubt = read.doubt_label.as_ref().map(|doubt| format!("  ← {}", both(doubt))).unwrap_or_default();
        say(&format!("    {}  {}{doubt}", second(read.at), both(&read.label)));
    }
    say("  フラグ / flags");
    if status.flags.is_empty() {
        say("    なし / none");
    }
    for flag in &status.flags {
        let acknowledged = flag.acknowledged.as_ref().map(|seen| format!("  ✓ {}", seen.by)).unwrap_or_default();
        say(&format!("    [{}] {} {}{acknowledged}", key(&flag.severity), key(&flag.key), both(&flag.label)));
        say(&format!("        {}", both(&flag.sentence)));
        say(&format!("        → {}", both(&flag.next)));
    }
    say("  準備 / readiness");
    status.readiness.iter().for_each(readiness);
    say("");
}

fn axes(status: &Status) {
    let axes = [
        ("equipment", status.equipment.key(), &status.equipment.why),
        ("evidence", status.evidence.key(), &status.evidence.why),
        ("eligible", status.eligible.key(), &status.eligible.why),
        ("intent", status.intent.key(), &status.intent.why),
        ("opt_out", status.opt_out.key(), &status.opt_out.why),
        ("listing", status.listing.key(), &status.listing.why),
        ("freshness", status.freshness.key(), &status.freshness.why),
    ];
    for (axis, key, why) in axes {
        say(&format!("    {axis:<10} {key:<15} {}", both(why)));
    }
}

fn readiness(step: &ReadinessStep) {
    let mark = if step.done { "✓" } else { "☐" };
    say(&format!("    {mark} {}", both(&step.label)));
    if let Some(next) = &step.next {
        say(&format!("        → {}", both(next)));
    }
}

/// The word of a value in JSON.
fn key(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
