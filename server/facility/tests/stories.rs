//! Every scenario as a story: after each fact, and each time something changes by itself, what became another in the status
//! of the facility, with the reasons that people read. A change of the fold that no expectation names shows here.
//!
//! The same of invented histories, whose steps name their keys only: they go where no scenario goes, and fill every bound.
//!
//! The stories of [`READ`] are kept as text, for people. Of all others a digest is kept in `stories/digests.txt`.
//!
//! Where a change is meant, write them again with `YOMITORI_WRITE_STORIES=1 cargo test -p yomitori-facility --test stories`
//! and read `git diff`. To see what changed in a story that is kept as a digest, write all of them to a folder, before and
//! after: `YOMITORI_STORIES_TO=/tmp/before cargo test -p yomitori-facility --test stories`.

#![expect(clippy::disallowed_methods, reason = "the stories are files")]

#[path = "properties/story.rs"]
mod invented;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use yomitori_facility::{Calendar, EXAMPLE, Facility, Fleet, Rules, StepCause, due, explain, fold, status};
use yomitori_proto::event::Recorded;

/// What differs after every fact and says nothing that the head of a step does not.
const CLOCKS: [&str; 4] = ["at", "data_as_of", "last_seen_at", "last_heard_at"];
/// The same for a key at all times; what people are to do next is a table's, not the fold's.
const FIXED: [&str; 3] = ["label", "next", "ja"];
const INVENTIONS: usize = 32;
/// The stories that a person can read through.
const READ: [&str; 10] = [
    "accidental_canon",
    "clock_step",
    "example",
    "failed_and_card_used",
    "first_phone_read",
    "opt_out",
    "reader_gone",
    "relocation",
    "seen_and_attested",
    "silent_behind_another",
];
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
fn tell(story: &mut String, before: &Told, now: &Told, steps: Steps) {
    let told = |key: &str| steps == Steps::Whole || key.ends_with("key");
    for (key, value) in now.iter().filter(|(key, value)| told(key) && before.get(*key) != Some(*value)) {
        writeln!(story, "  {key} = {value}").expect("a text grows");
    }
    for key in before.keys().filter(|key| told(key) && !now.contains_key(*key)) {
        writeln!(story, "  {key} is gone").expect("a text grows");
    }
}

/// What is told after each fact.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Steps {
    Whole,
    /// Keys of axes, flags and steps; the whole only at the end.
    Keys,
}

fn told(facility: &Facility, fleet: &Fleet, at: DateTime<Utc>) -> Result<Told> {
    let seen = serde_json::to_value(status(facility, &fleet.rules, &fleet.calendar, at))?;
    let mut told = Told::new();
    flatten("", &seen, &mut told);
    Ok(told)
}

fn story(facts: &[Recorded], steps: Steps) -> Result<String> {
    let mut fleet = Fleet::new(Rules::bundled(), Calendar::bundled());
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
        tell(&mut story, &before, &after, steps);
        before = after;
    }
    if steps == Steps::Keys {
        writeln!(story, "all of it")?;
        tell(&mut story, &Told::new(), &before, Steps::Whole);
    }
    let explained = explain(facts, &Rules::bundled(), &Calendar::bundled(), now + chrono::TimeDelta::days(90));
    writeln!(story, "explained")?;
    for step in explained.steps.iter().filter(|step| step.cause == StepCause::TimePassed) {
        let changes = step.changes.iter().map(|change| {
            let [from, to] = [&change.from, &change.to].map(|key| key.as_deref().unwrap_or("-"));
            format!("{} {from} > {to}", change.axis)
        });
        writeln!(story, "  {} {}", step.at.to_rfc3339(), changes.collect::<Vec<_>>().join(", "))?;
    }
    for _ in 0..AFTERWARDS {
        let Some(next) = due(&facility, &fleet.rules, &fleet.calendar, now) else { break };
        now = next;
        let after = told(&facility, &fleet, now)?;
        writeln!(story, "{} time passed", now.to_rfc3339())?;
        tell(&mut story, &before, &after, steps);
        before = after;
    }
    Ok(story)
}

/// Histories that nobody thought of, the same ones every time: some short, some longer than any list that is kept.
fn inventions() -> Vec<Vec<Recorded>> {
    let mut runner = TestRunner::deterministic();
    let sizes = [(12, 6, 8), (40, 20, 30), (12, 6, 60), (300, 100, 120)];
    let parts = |(one, two, words)| {
        let mingled = proptest::collection::vec(0_usize..3, 1..12);
        (invented::sights(one), invented::sights(two), invented::words(words), mingled)
    };
    let history = |index: usize| {
        let tree = parts(sizes[index % sizes.len()]).new_tree(&mut runner).expect("nothing is filtered out");
        let (one, two, words, mingled) = tree.current();
        let parts = vec![invented::observed(0, &one), invented::observed(1, &two), invented::said(&words)];
        invented::interleave(parts, &mingled)
    };
    (0..INVENTIONS).map(history).collect()
}

/// Name, facts and what is written of each story.
fn stories(folder: &Path) -> Result<Vec<(String, Vec<Recorded>, Steps)>> {
    let facts = |lines: &str| lines.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let mut stories = vec![("example".to_owned(), facts(EXAMPLE), Steps::Whole)];
    for entry in std::fs::read_dir(folder.join("scenarios"))? {
        let path = entry?.path();
        let name = path.file_stem().context("a name")?.to_string_lossy().into_owned();
        stories.push((name, facts(&std::fs::read_to_string(path)?), Steps::Whole));
    }
    stories.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let invented = inventions().into_iter().enumerate();
    stories.extend(invented.map(|(number, facts)| (format!("invented-{number:02}"), facts, Steps::Keys)));
    Ok(stories)
}

/// The lines that differ from what is kept, or the file written again.
fn compare(file: &Path, text: &str) -> Result<Vec<String>> {
    if std::env::var_os("YOMITORI_WRITE_STORIES").is_some() {
        std::fs::write(file, text)?;
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    let mut lines = kept.lines().chain([""]).zip(text.lines().chain([""])).enumerate();
    let different = lines.find(|(_, (was, is))| was != is);
    let told = |(number, (was, is)): (usize, (&str, &str))| {
        format!("{}:{}: it was\n  {was}\nand is\n  {is}", file.display(), number + 1)
    };
    Ok(different.map(told).into_iter().collect())
}

#[test]
fn every_scenario_is_told_as_before() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let all_to = std::env::var_os("YOMITORI_STORIES_TO").map(PathBuf::from);
    let (mut different, mut digests) = (Vec::new(), String::new());
    for (name, facts, steps) in stories(&folder)? {
        let told = story(&facts, steps).with_context(|| name.clone())?;
        if let Some(folder) = &all_to {
            std::fs::create_dir_all(folder)?;
            std::fs::write(folder.join(format!("{name}.txt")), &told)?;
        }
        if READ.contains(&name.as_str()) {
            different.extend(compare(&folder.join("stories").join(format!("{name}.txt")), &told)?);
        } else {
            let digest = Sha256::digest(&told);
            let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            writeln!(digests, "{digest} {:>4} lines {name}", told.lines().count())?;
        }
    }
    different.extend(compare(&folder.join("stories/digests.txt"), &digests)?);
    ensure!(different.is_empty(), "{}", different.join("\n"));
    Ok(())
}
