//! Every scenario told in full: after each fact, and each time something changes by itself, what became another in the
//! status of the facility, with the reasons that people read. A change of the fold that no expectation names shows here.
//!
//! Where a change is meant: `YOMITORI_WRITE_STORIES=1 cargo test -p yomitori-facility --test stories`, then read what
//! `git diff` says.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use serde_json::Value;
use yomitori_facility::{Calendar, EXAMPLE, Facility, Fleet, Rules, due, fold, status};
use yomitori_proto::event::Recorded;

/// What differs after every fact and says nothing that the head of a step does not.
const CLOCKS: [&str; 4] = ["at", "data_as_of", "last_seen_at", "last_heard_at"];
/// The same for a key at all times; what people are to do next is a table's, not the fold's.
const FIXED: [&str; 3] = ["label", "next", "ja"];
/// How many changes by time alone are told after the last fact.
const AFTERWARDS: usize = 12;

type Told = BTreeMap<String, String>;

fn flatten(path: &str, value: &Value, told: &mut Told) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(key, _)| !FIXED.contains(&key.as_str())) {
                if !CLOCKS.contains(&key.as_str()) {
                    flatten(&if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value, told);
                }
            }
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| flatten(&format!("{path}.{index}"), value, told));
        }
        Value::Null => {}
        other => {
            told.insert(path.to_owned(), other.to_string());
        }
    }
}

/// What `now` says otherwise than `before`.
fn tell(story: &mut String, before: &Told, now: &Told) {
    for (key, value) in now.iter().filter(|(key, value)| before.get(*key) != Some(*value)) {
        writeln!(story, "  {key} = {value}").expect("a text grows");
    }
    for key in before.keys().filter(|key| !now.contains_key(*key)) {
        writeln!(story, "  {key} is gone").expect("a text grows");
    }
}

fn told(facility: &Facility, fleet: &Fleet, at: DateTime<Utc>) -> Result<Told> {
    let seen = serde_json::to_value(status(facility, &fleet.rules, &fleet.calendar, at))?;
    let mut told = Told::new();
    flatten("", &seen, &mut told);
    Ok(told)
}

fn story(facts: &[Recorded]) -> Result<String> {
    let mut fleet = Fleet { rules: Rules::bundled(), calendar: Calendar::bundled() };
    let id = facts.iter().map(|fact| fact.facility).find(|id| *id != yomitori_proto::id::FacilityId::FLEET);
    let mut facility = Facility::new(id.context("a facility")?);
    let (mut story, mut before) = (String::new(), Told::new());
    let mut now = facts.first().context("a fact")?.received_at;
    for recorded in facts {
        fleet.apply(recorded).ok();
        facility = fold(facility, recorded, &fleet.rules);
        now = now.max(recorded.received_at);
        let after = told(&facility, &fleet, now)?;
        writeln!(story, "{} {}", now.to_rfc3339(), recorded.event.kind())?;
        tell(&mut story, &before, &after);
        before = after;
    }
    for _ in 0..AFTERWARDS {
        let Some(next) = due(&facility, &fleet.rules, &fleet.calendar, now) else { break };
        now = next;
        let after = told(&facility, &fleet, now)?;
        writeln!(story, "{} time passed", now.to_rfc3339())?;
        tell(&mut story, &before, &after);
        before = after;
    }
    Ok(story)
}

#[expect(clippy::disallowed_methods, reason = "the stories are files")]
#[test]
fn every_scenario_is_told_as_before() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let write = written_anew();
    let mut scenarios = vec![("example".to_owned(), EXAMPLE.to_owned())];
    for entry in std::fs::read_dir(folder.join("scenarios"))? {
        let path = entry?.path();
        let name = path.file_stem().context("a name")?.to_string_lossy().into_owned();
        scenarios.push((name, std::fs::read_to_string(path)?));
    }
    let mut other = Vec::new();
    for (name, lines) in scenarios {
        let facts: Vec<Recorded> = lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        let told = story(&facts).with_context(|| name.clone())?;
        let file = folder.join("stories").join(format!("{name}.txt"));
        let before = std::fs::read_to_string(&file).unwrap_or_default();
        if write {
            std::fs::write(&file, &told)?;
        } else if let Some((number, (was, is))) =
            before.lines().chain([""]).zip(told.lines().chain([""])).enumerate().find(|(_, (was, is))| was != is)
        {
            other.push(format!("{}:{}: it was\n  {was}\nand is\n  {is}", file.display(), number + 1));
        }
    }
    ensure!(other.is_empty(), "{}", other.join("\n"));
    Ok(())
}

fn written_anew() -> bool {
    std::env::var_os("YOMITORI_WRITE_STORIES").is_some()
}
