//! Scenario files: facts in the format of `explain --events`, with expectations between them.
//!
//! A line is a fact, `{"about": …}`, or `{"expect": {"at": …}}` with any of: an axis and its key, `has` and `lacks`
//! (flags), `status` (a part of the status in JSON; lists are compared element by element).

use std::path::Path;

use anyhow::{Context, ensure};
use chrono::{DateTime, Utc};
use serde_json::Value;
use yomitori_facility::{Calendar, EXAMPLE, Facility, Rules, StoredJson as _, due, fold, standing, status};
use yomitori_proto::event::Recorded;

const AXES: [&str; 7] = ["equipment", "evidence", "eligible", "intent", "opt_out", "listing", "freshness"];

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| contains(whole, part)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            part.len() <= whole.len()
                && part.is_empty() == whole.is_empty()
                && part.iter().zip(whole).all(|(part, whole)| contains(whole, part))
        }
        (whole, part) => whole == part,
    }
}

fn check(facility: &Facility, expected: &Value) -> anyhow::Result<()> {
    let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
    let at: DateTime<Utc> = expected["at"].as_str().context("`at` is missing")?.parse()?;
    let seen: Value = serde_json::from_str(&status(facility, &rules, &calendar, at).to_json()?)?;
    let flags: Vec<String> = seen["flags"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|flag| flag["key"].as_str().map(str::to_owned))
        .collect();
    for axis in AXES {
        if let Some(key) = expected[axis].as_str() {
            ensure!(seen[axis]["key"] == key, "{at}: {axis} should be {key}: {}", seen[axis]);
        }
    }
    let named = |list: &str| -> Vec<String> {
        expected[list].as_array().into_iter().flatten().filter_map(|flag| flag.as_str().map(str::to_owned)).collect()
    };
    for flag in named("has") {
        ensure!(flags.contains(&flag), "{at}: {flag} should stand: {flags:?}");
    }
    for flag in named("lacks") {
        ensure!(!flags.contains(&flag), "{at}: {flag} should not stand: {flags:?}");
    }
    if let Some(part) = expected.get("status") {
        let (Value::Object(part), Value::Object(whole)) = (part, &seen) else { anyhow::bail!("`status` is no object") };
        for (key, part) in part {
            ensure!(whole.get(key).is_some_and(|whole| contains(whole, part)), "{at}: {key}: {}", seen[key]);
        }
    }
    // The flags follow from the status, and the due instant lies in the future.
    ensure!(standing(facility, &rules, &calendar, at).len() == flags.len());
    ensure!(due(facility, &rules, &calendar, at).is_none_or(|due| at < due));
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the scenarios are files")]
fn play(path: &Path) -> anyhow::Result<usize> {
    let rules = Rules::bundled();
    let mut facility: Option<Facility> = None;
    let mut expectations = 0;
    for (index, line) in std::fs::read_to_string(path)?.lines().enumerate() {
        let value: Value = serde_json::from_str(line)?;
        if let Some(expected) = value.get("expect") {
            let facility = facility.as_ref().context("an expectation before the first fact")?;
            check(facility, expected).with_context(|| format!("{}:{}", path.display(), index + 1))?;
            // A round trip through the stored form gives the same facility.
            ensure!(Facility::from_json(&facility.to_json()?)? == *facility);
            expectations += 1;
        } else if value.get("about").is_none() {
            let recorded = Recorded::from_json(line)?;
            let known = facility.take().unwrap_or_else(|| Facility::new(recorded.facility));
            facility = Some(fold(known, &recorded, &rules));
        }
    }
    Ok(expectations)
}

#[test]
fn every_scenario_folds_to_what_it_expects() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/facility/scenarios");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let failures: Vec<String> = paths
        .iter()
        .filter_map(|path| match play(path) {
            Ok(0) => Some(format!("{} expects nothing", path.display())),
            Ok(_) => None,
            Err(error) => Some(format!("{error:#}")),
        })
        .collect();
    assert!(paths.len() >= 20, "the scenarios are missing");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The same fact at another time: every instant in it is `instant`.
fn moved(value: &mut Value, instant: &str) {
    match value {
        Value::String(text) if text.parse::<DateTime<Utc>>().is_ok() => instant.clone_into(text),
        Value::Array(values) => values.iter_mut().for_each(|value| moved(value, instant)),
        Value::Object(fields) => fields.values_mut().for_each(|value| moved(value, instant)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_ends_of_time_are_accepted() {
    let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
    let ends = ["-262143-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "+262142-12-31T23:59:59.999Z"];
    let mut facility: Option<Facility> = None;
    for instant in ends.iter().chain(ends.iter().rev()) {
        for line in EXAMPLE.lines() {
            let mut value: Value = serde_json::from_str(line).unwrap();
            moved(&mut value, instant);
            let recorded = Recorded::from_json(&value.to_string()).unwrap();
            let known = facility.take().unwrap_or_else(|| Facility::new(recorded.facility));
            facility = Some(fold(known, &recorded, &rules));
        }
        for now in ends {
            let now = now.parse().unwrap();
            let facility = facility.as_ref().unwrap();
            assert!(due(facility, &rules, &calendar, now).is_none_or(|due| now < due));
        }
    }
}
