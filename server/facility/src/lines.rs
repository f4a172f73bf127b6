//! Facts in their JSON form, one a line, in the order of the log: what `explain --events` reads.
//!
//! Liberal about what an editor does to a file (a byte order mark, CRLF, blank lines) and about how a code is written;
//! strict about everything in which a slip of the pen could hide. What comes out is what the log would have kept: every
//! line passes the rules by which the log is read.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use yomitori_proto::code::{CodeError, InstitutionCode};
use yomitori_proto::decode;
use yomitori_proto::encode;
use yomitori_proto::event::{Event, LogBody, LogRecord, Observation, Origin, Recorded, Speaker};
use yomitori_proto::id::FacilityId;
use yomitori_proto::vocabulary::Closes;

use crate::rules::Rules;

/// The documented form of facts: the envelope, every kind of event, every word.
pub const FORM: &str = include_str!("../data/form.txt");

/// A fact and the line that it stands in, counted from 1.
#[derive(Clone, PartialEq, Debug)]
pub struct EventLine {
    pub number: usize,
    pub recorded: Recorded,
}

/// A line that can't be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {number}: {mistake}")]
pub struct LineError {
    pub number: usize,
    pub mistake: String,
}

/// Reads facts, or names every line that can't be read.
///
/// # Errors
/// Where a line is no fact of the documented form.
pub fn read(bytes: &[u8]) -> Result<Vec<EventLine>, Vec<LineError>> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut lines = Vec::new();
    let mut mistakes = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let read = str::from_utf8(line).map_err(|_| "it is not UTF-8: save the file as UTF-8".to_owned());
        match read.map(str::trim).and_then(|text| if text.is_empty() { Ok(None) } else { fact(text).map(Some) }) {
            Ok(Some(recorded)) => lines.push(EventLine { number, recorded }),
            Ok(None) => {}
            Err(mistake) => mistakes.push(LineError { number, mistake }),
        }
    }
    if mistakes.is_empty() { Ok(lines) } else { Err(mistakes) }
}

fn fact(text: &str) -> Result<Recorded, String> {
    let mut recorded: Recorded = serde_json::from_str(text).map_err(|error| mistake(text, &error))?;
    let kind = recorded.event.kind();
    let (origins, held) = match (recorded.event.speaker(), &recorded.origin) {
        (Speaker::Terminal, origin) => ("`terminal`", matches!(origin, Origin::Terminal(_))),
        (Speaker::Anyone, origin) => {
            ("`terminal` or `person`", matches!(origin, Origin::Terminal(_) | Origin::Person(_)))
        }
        (Speaker::Person, origin) => ("`person`", matches!(origin, Origin::Person(_) | Origin::Server { .. })),
        (Speaker::Server, origin) => ("`server`", matches!(origin, Origin::Person(_) | Origin::Server { .. })),
        (Speaker::List, origin) => ("`list`", matches!(origin, Origin::List { .. })),
    };
    if !held {
        return Err(format!("`{kind}` has the origin {origins}"));
    }
    contradiction(&recorded.event).map_or(Ok(()), Err)?;
    if let Event::ClosureSet(event) = &recorded.event
        && recorded.facility != FacilityId::FLEET
    {
        if event.closes != Closes::Clinics {
            return Err(format!(
                "`closure_set` of one facility has `closes` clinics; that of the call centre has the facility {}",
                FacilityId::FLEET
            ));
        }
        return as_kept(recorded);
    }
    match (of_the_fleet(&recorded.event), recorded.facility == FacilityId::FLEET) {
        (true, false) => {
            return Err(format!("`{kind}` is about all facilities: its facility is {}", FacilityId::FLEET));
        }
        // A record of the fleet can be left out, and a statement withdrawn, like any other.
        (false, true) if !matches!(recorded.event, Event::RecordSkipped(_) | Event::StatementWithdrawn(_)) => {
            return Err(format!("`{kind}` needs the facility that it is about"));
        }
        (_, true) | (false, false) => {}
    }
    if let Event::RulesAdopted(event) = &recorded.event {
        Rules::parse(&event.document).map_err(|mistakes| {
            let mistakes: Vec<String> = mistakes.iter().map(|mistake| mistake.to_string().trim().to_owned()).collect();
            format!("the rules in `document` can't be adopted: {}", mistakes.join("; "))
        })?;
    }
    write_codes(&mut recorded.event).map_err(|(field, error)| format!("`{field}`: {error}"))?;
    as_kept(recorded)
}

/// What is said of all facilities together.
const fn of_the_fleet(event: &Event) -> bool {
    matches!(
        event,
        Event::RulesAdopted(_)
            | Event::ClosureSet(_)
            | Event::SnapshotImported(_)
            | Event::SnapshotReleased(_)
            | Event::ListRowDismissed(_)
    )
}

/// What a person says that can't be. A terminal whose clock was set back may end a gap before it began.
fn contradiction(event: &Event) -> Option<String> {
    let ends_first = match event {
        Event::ClosureSet(event) => event.to <= event.from,
        Event::MaintenanceWindowSet(event) => event.to <= event.from,
        Event::FacilityRegistered(event) if event.moved_at.is_some() && event.correction => {
            return Some("`moved_at` and `correction` exclude each other: either it moved, or it was wrong".to_owned());
        }
        _ => false,
    };
    ends_first.then(|| format!("`{}` ends before it begins: `to` must be later than `from`", event.kind()))
}

/// Codes may be written as people write them.
fn write_codes(event: &mut Event) -> Result<(), (&'static str, CodeError)> {
    let write = |field: &'static str, code: &mut String| {
        *code = InstitutionCode::parse(code).map_err(|error| (field, error))?.to_string();
        Ok(())
    };
    if let Event::FacilityRegistered(event) = event {
        return event.codes.iter_mut().try_for_each(|code| write("codes", code));
    }
    if let Event::FacilityCodeChanged(event) = event {
        event.old.iter_mut().try_for_each(|code| write("old", code))?;
        return event.new.iter_mut().try_for_each(|code| write("new", code));
    }
    if let Event::ListRowDismissed(event) = event {
        return write("code", &mut event.code);
    }
    if let Event::ListingObserved(event) = event {
        return event.code.iter_mut().try_for_each(|code| write("code", code));
    }
    Ok(())
}

/// The fact as it comes back from the log.
fn as_kept(recorded: Recorded) -> Result<Recorded, String> {
    let Recorded { facility, received_at, origin, event } = recorded;
    let body = match origin {
        Origin::Terminal(observed) => LogBody::Terminal {
            terminal: observed.terminal,
            life: observed.life,
            sent_at: observed.sent_at,
            observations: vec![Observation {
                seq: observed.seq,
                occurred_at: observed.occurred_at,
                observed_at: observed.observed_at,
                event,
            }],
        },
        origin @ (Origin::Person(_) | Origin::Server { .. } | Origin::List { .. }) => {
            LogBody::Statement { origin, event }
        }
    };
    let record = LogRecord { facility, received_at, body };
    let kept = decode::log_record(&encode::log_record_bytes(&record))
        .map_err(|error| error.to_string().replace("_us`", "`"))?;
    Ok(kept.into_facts().next().expect("a record of one fact has one"))
}

/// What is wrong with a line, where it stands, and for instants and names of fields what would be right.
fn mistake(text: &str, error: &serde_json::Error) -> String {
    let said = error.to_string();
    let said = plain(said.split(" at line ").next().unwrap_or(&said));
    let place = format!("(column {})", error.column());
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return format!("it is no JSON object on one line: {said} {place}");
    };
    if !value.is_object() {
        return "it is no fact: a fact is an object with `facility`, `received_at`, `origin` and `event`".to_owned();
    }
    if said.starts_with("UUID parsing failed")
        && let Some((field, text)) = no_uuid(&value)
    {
        return format!("`{field}` is `{text}`: write a UUID such as 018f0000-0000-7000-8000-00000000f001");
    }
    let mut wrong = BTreeSet::new();
    instants(&value, &mut wrong);
    match wrong.into_iter().next() {
        Some((field, text)) => format!("`{field}` is {text}: write an instant such as 2026-04-01T10:00:00+09:00"),
        None => format!("{said} {place}"),
    }
}

/// What the parser says, in words of the form.
fn plain(said: &str) -> String {
    const WORDS: [(&str, &str); 8] = [
        ("expected u64", "expected a whole number that is not negative"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected u16", "expected a whole number from 0 to 65535"),
        ("expected i64", "expected a whole number"),
        ("expected a boolean", "expected true or false"),
        ("expected a sequence", "expected a list"),
        ("expected unit variant", "expected one of its words"),
        ("floating point", "number"),
    ];
    let said = WORDS.iter().fold(said.to_owned(), |said, (jargon, word)| said.replace(jargon, word));
    match said.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected an object"),
        None => said,
    }
}

/// The first field that holds a UUID, by its name, and does not.
fn no_uuid(value: &Value) -> Option<(String, String)> {
    const NAMES: [&str; 9] =
        ["facility", "terminal", "life", "boot", "session", "instance", "snapshot", "id", "statement"];
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, value)| match value {
            Value::String(text) if NAMES.contains(&name.as_str()) && uuid::Uuid::parse_str(text).is_err() => {
                Some((name.clone(), text.clone()))
            }
            value => no_uuid(value),
        }),
        Value::Array(values) => values.iter().find_map(no_uuid),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// Fields that hold instants, by their names, and do not.
fn instants(value: &Value, wrong: &mut BTreeSet<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let instant = name.ends_with("_at") || ["from", "to", "until", "as_of"].contains(&name.as_str());
                match value {
                    Value::String(text) if instant && text.parse::<DateTime<Utc>>().is_err() => {
                        wrong.insert((name.clone(), format!("`{text}`")));
                    }
                    Value::Number(number) if instant => {
                        wrong.insert((name.clone(), format!("{number}")));
                    }
                    value => instants(value, wrong),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| instants(value, wrong)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests;
