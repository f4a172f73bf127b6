//! Facts in JSON, one per line, in the order of the log: the input of `explain --events`.
//!
//! The parser accepts the changes that an editor makes to a file (a byte order mark, CRLF, blank lines) and any
//! notation of an institution code. It rejects everything in which a typing error could hide. The facts that it returns
//! are those that the log would keep: every line passes the same checks as a record of the log.

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

/// The documentation of the format: the envelope, every kind of event, every enum value.
pub const FORM: &str = include_str!("../data/form.txt");

/// A fact and its line number, counted from 1.
#[derive(Clone, PartialEq, Debug)]
pub struct EventLine {
    pub number: usize,
    pub recorded: Recorded,
}

/// An invalid line.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {number}: {mistake}")]
pub struct LineError {
    pub number: usize,
    pub mistake: String,
}

/// Parses facts, or returns every invalid line.
///
/// # Errors
/// A line is not a fact of the documented format.
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
        // Like any other fact, a record of the fleet can be skipped, and a statement about it withdrawn.
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

/// Whether the event concerns the whole fleet.
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

/// A person's statement that contradicts itself. Events of terminals are exempt: after a clock step a gap may end
/// before it began.
fn contradiction(event: &Event) -> Option<String> {
    let ends_first = match event {
        Event::ClosureSet(event) => event.to <= event.from,
        Event::MaintenanceWindowSet(event) => event.to <= event.from,
        Event::FacilityRegistered(event) if event.moved_at.is_some() && event.correction => {
            return Some(
                "`moved_at` and `correction` exclude each other: either the facility moved, or the record was wrong"
                    .to_owned(),
            );
        }
        _ => false,
    };
    ends_first.then(|| format!("`{}` ends before it begins: `to` must be later than `from`", event.kind()))
}

/// Normalizes the notation of institution codes.
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

/// The fact after a round trip through the log's encoding.
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
    Ok(kept.into_facts().next().expect("the record has one fact"))
}

/// The mistake in a line, its column, and for instants and identifiers an example of the right form.
fn mistake(text: &str, error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = plain(message.split(" at line ").next().unwrap_or(&message));
    let place = format!("(column {})", error.column());
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return format!("not a JSON object on one line: {message} {place}");
    };
    if !value.is_object() {
        return "not a fact: a fact is an object with `facility`, `received_at`, `origin` and `event`".to_owned();
    }
    if message.starts_with("UUID parsing failed")
        && let Some((field, text)) = no_uuid(&value)
    {
        return format!("`{field}` is `{text}`: write a UUID such as 018f0000-0000-7000-8000-00000000f001");
    }
    let mut wrong = BTreeSet::new();
    instants(&value, &mut wrong);
    match wrong.into_iter().next() {
        Some((field, text)) => format!("`{field}` is {text}: write an instant such as 2026-04-01T10:00:00+09:00"),
        None => format!("{message} {place}"),
    }
}

/// Replaces the parser's Rust terms by those of the format.
fn plain(message: &str) -> String {
    const WORDS: [(&str, &str); 8] = [
        ("expected u64", "expected a whole number that is not negative"),
        ("expected u32", "expected a whole number from 0 to 4294967295"),
        ("expected u16", "expected a whole number from 0 to 65535"),
        ("expected i64", "expected a whole number"),
        ("expected a boolean", "expected true or false"),
        ("expected a sequence", "expected a list"),
        ("expected unit variant", "expected one of the documented values"),
        ("floating point", "number"),
    ];
    let message = WORDS.iter().fold(message.to_owned(), |message, (jargon, word)| message.replace(jargon, word));
    match message.split_once("expected struct ") {
        Some((before, _)) => format!("{before}expected an object"),
        None => message,
    }
}

/// The first identifier field whose value is not a UUID, with its name.
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

/// The time fields whose values are not instants, with their names.
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
