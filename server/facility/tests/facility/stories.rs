//! Every scenario as a story: the fields of a facility's status that change after each fact, and by the passing of
//! time, with the reasons for people. The stories show every change of the fold, including those that no expectation
//! covers.
//!
//! Generated histories are stories too, with keys only: they reach states that no scenario reaches, and fill every
//! bounded list.
//!
//! The stories of [`READ`] are kept as text, for people. The others are kept as digests in `stories/digests.txt`.
//!
//! After an intended change, write the stories again with `YOMITORI_WRITE_STORIES=1 cargo test -p yomitori-facility
//! --test facility stories` and review `git diff`. To see the change of a story that is kept as a digest, write all
//! stories to a folder, before and after the change: `YOMITORI_STORIES_TO=/tmp/before cargo test -p yomitori-facility
//! --test facility stories`.

#![expect(clippy::disallowed_methods, reason = "the stories are files")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use yomitori_facility::{
    Calendar, EXAMPLE, Facility, Fleet, Rules, StepCause, StoredJson as _, due, explain, fold, status,
};
use yomitori_proto::event::Recorded;

use crate::properties::story as invented;

/// Fields that differ after every fact and only repeat the head of a step.
const CLOCKS: [&str; 4] = ["at", "data_as_of", "last_seen_at", "last_heard_at"];
/// Fields that are constant for a key. The next steps come from a table and not from the fold.
const FIXED: [&str; 3] = ["label", "next", "ja"];
const INVENTIONS: usize = 32;
/// The stories that are short enough to read.
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
/// The number of changes by time alone that a story shows after the last fact.
const AFTERWARDS: usize = 12;

type Fields = BTreeMap<String, String>;

fn flatten(path: &str, value: &Value, fields: &mut Fields) {
    match value {
        Value::Object(object) => {
            for (key, value) in object.iter().filter(|(key, _)| !FIXED.contains(&key.as_str())) {
                if !CLOCKS.contains(&key.as_str()) {
                    flatten(&if path.is_empty() { key.clone() } else { format!("{path}.{key}") }, value, fields);
                }
            }
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| flatten(&format!("{path}.{index}"), value, fields));
        }
        Value::Null => {}
        other => {
            fields.insert(path.to_owned(), other.to_string());
        }
    }
}

/// Writes the fields of `now` that differ from `before`.
fn write_changes(story: &mut String, before: &Fields, now: &Fields, steps: Steps) {
    let shown = |key: &str| steps == Steps::Whole || key.ends_with("key");
    for (key, value) in now.iter().filter(|(key, value)| shown(key) && before.get(*key) != Some(*value)) {
        writeln!(story, "  {key} = {value}").expect("a text grows");
    }
    for key in before.keys().filter(|key| shown(key) && !now.contains_key(*key)) {
        writeln!(story, "  {key} is gone").expect("a text grows");
    }
}

/// The contents of a story after each fact.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Steps {
    Whole,
    /// Keys of axes, flags and steps; the whole status only at the end.
    Keys,
}

fn fields(facility: &Facility, fleet: &Fleet, at: DateTime<Utc>) -> Result<Fields> {
    let seen = serde_json::from_str(&status(facility, &fleet.rules, &fleet.calendar, at).to_json()?)?;
    let mut fields = Fields::new();
    flatten("", &seen, &mut fields);
    Ok(fields)
}

fn story(facts: &[Recorded], steps: Steps) -> Result<String> {
    let mut fleet = Fleet::new(Rules::bundled(), Calendar::bundled());
    let id = facts.iter().map(|fact| fact.facility).find(|id| *id != yomitori_proto::id::FacilityId::FLEET);
    let mut facility = Facility::new(id.context("a facility")?);
    let (mut story, mut before) = (String::new(), Fields::new());
    let mut now = facts.first().context("a fact")?.received_at;
    for recorded in facts {
        fleet.apply(recorded).ok();
        facility = fold(facility, recorded, &fleet.rules);
        now = now.max(recorded.received_at);
        let after = fields(&facility, &fleet, now)?;
        writeln!(story, "{} {}", now.to_rfc3339(), recorded.event.kind())?;
        write_changes(&mut story, &before, &after, steps);
        before = after;
    }
    if steps == Steps::Keys {
        writeln!(story, "all of it")?;
        write_changes(&mut story, &Fields::new(), &before, Steps::Whole);
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
        let after = fields(&facility, &fleet, now)?;
        writeln!(story, "{} time passed", now.to_rfc3339())?;
        write_changes(&mut story, &before, &after, steps);
        before = after;
    }
    Ok(story)
}

/// Generated histories, the same in every run: some short, some longer than any bounded list.
fn generated() -> Vec<Vec<Recorded>> {
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

/// Name, facts and contents of each story.
fn stories(folder: &Path) -> Result<Vec<(String, Vec<Recorded>, Steps)>> {
    let facts = |lines: &str| lines.lines().filter_map(|line| Recorded::from_json(line).ok()).collect();
    let mut stories = vec![("example".to_owned(), facts(EXAMPLE), Steps::Whole)];
    for entry in std::fs::read_dir(folder.join("scenarios"))? {
        let path = entry?.path();
        let name = path.file_stem().context("a name")?.to_string_lossy().into_owned();
        stories.push((name, facts(&std::fs::read_to_string(path)?), Steps::Whole));
    }
    stories.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let invented = generated().into_iter().enumerate();
    stories.extend(invented.map(|(number, facts)| (format!("invented-{number:02}"), facts, Steps::Keys)));
    Ok(stories)
}

/// The first line that differs from the stored story. Rewrites the stored story first if asked to.
fn compare(file: &Path, text: &str) -> Result<Vec<String>> {
    if std::env::var_os("YOMITORI_WRITE_STORIES").is_some() {
        std::fs::write(file, text)?;
    }
    let kept = std::fs::read_to_string(file).unwrap_or_default();
    let mut lines = kept.lines().chain([""]).zip(text.lines().chain([""])).enumerate();
    let different = lines.find(|(_, (was, is))| was != is);
    let report = |(number, (was, is)): (usize, (&str, &str))| {
        format!("{}:{}: it was\n  {was}\nand is\n  {is}", file.display(), number + 1)
    };
    Ok(different.map(report).into_iter().collect())
}

#[test]
fn every_story_is_as_recorded() -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facility");
    let all_to = std::env::var_os("YOMITORI_STORIES_TO").map(PathBuf::from);
    let (mut different, mut digests) = (Vec::new(), String::new());
    for (name, facts, steps) in stories(&folder)? {
        let text = story(&facts, steps).with_context(|| name.clone())?;
        if let Some(folder) = &all_to {
            std::fs::create_dir_all(folder)?;
            std::fs::write(folder.join(format!("{name}.txt")), &text)?;
        }
        if READ.contains(&name.as_str()) {
            different.extend(compare(&folder.join("stories").join(format!("{name}.txt")), &text)?);
        } else {
            let digest = Sha256::digest(&text);
            let digest: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            writeln!(digests, "{digest} {:>4} lines {name}", text.lines().count())?;
        }
    }
    different.extend(compare(&folder.join("stories/digests.txt"), &digests)?);
    ensure!(different.is_empty(), "{}", different.join("\n"));
    Ok(())
}
