//! `explain --events` as people run it: the real program, without configuration, log or database.

#![expect(clippy::unwrap_used, reason = "all of it is a test")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use yomitori_facility::EXAMPLE;

const AXES: [&str; 7] = ["equipment", "evidence", "eligible", "intent", "opt_out", "listing", "freshness"];

fn explain(events: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_yomitori-server"));
    // Whatever this machine has, nothing of it may be needed.
    command.env_clear().args(["--config", "/nonexistent", "explain", "--events", "-"]).args(arguments);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    child.stdin.take().unwrap().write_all(events.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn json(events: &str, arguments: &[&str]) -> Value {
    let output = explain(events, &[arguments, &["--format", "json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refused(events: &str, arguments: &[&str]) -> String {
    let output = explain(events, arguments);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr).unwrap()
}

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

fn check(seen: &Value, expected: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    for axis in AXES {
        if expected[axis].is_string() && seen[axis]["key"] != expected[axis] {
            wrong.push(format!("{axis} should be {}: {}", expected[axis], seen[axis]));
        }
    }
    let stands = |flag: &Value| seen["flags"].as_array().unwrap().iter().any(|standing| standing["key"] == *flag);
    let named = |list: &str| expected[list].as_array().cloned().unwrap_or_default();
    wrong.extend(named("has").iter().filter(|flag| !stands(flag)).map(|flag| format!("{flag} should stand")));
    wrong.extend(named("lacks").iter().filter(|flag| stands(flag)).map(|flag| format!("{flag} should not stand")));
    if let Some(part) = expected.get("status")
        && !contains(seen, part)
    {
        wrong.push(format!("it lacks {part}"));
    }
    wrong
}

#[test]
fn every_scenario_is_explained_as_it_is_folded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("facility/tests/facility/scenarios");
    let mut wrong = Vec::new();
    let mut checked = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let mut facts = String::new();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            if let Some(expected) = value.get("expect") {
                let document = json(&facts, &["--at", expected["at"].as_str().unwrap()]);
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                let found = check(&document["facilities"][0], expected);
                wrong.extend(found.into_iter().map(|wrong| format!("{name} at {}: {wrong}", expected["at"])));
                checked += 1;
            } else if value.get("about").is_none() {
                facts.push_str(line);
                facts.push('\n');
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(checked > 100, "the scenarios are missing");
}

#[test]
fn the_whole_state_is_printed() {
    let document = json(EXAMPLE, &["--facility", "13-1-99-9901-5"]);
    let facility = &document["facilities"][0];
    for axis in AXES {
        for text in ["label", "why"] {
            assert!(facility[axis][text]["ja"].is_string() && facility[axis][text]["en"].is_string(), "{axis}");
        }
    }
    for flag in facility["flags"].as_array().unwrap() {
        for field in ["key", "severity", "sentence", "next"] {
            assert!(!flag[field].is_null(), "{flag}");
        }
    }
    assert_eq!(facility["evidence"]["level"], "correlated");
    assert_eq!(facility["steps"][0]["place"], "line 1");
    assert!(facility["readiness"].as_array().unwrap().iter().any(|step| step["key"] == "connection"));
    assert_eq!(document["at"], "2026-04-12T05:00:00Z");
    let text = String::from_utf8(explain(EXAMPLE, &[]).stdout).unwrap();
    assert!(text.contains("opt_out: acknowledged → reflected") && text.contains("[line 45]"), "{text}");
}

#[test]
fn each_facility_of_a_file_is_explained_on_its_own() {
    let other = EXAMPLE.replace("00000000f001", "00000000f002").replace("1319999015", "1319999023");
    let both: String = EXAMPLE.lines().zip(other.lines()).flat_map(|(one, two)| [one, "\n", two, "\n"]).collect();
    let document = json(&both, &["--at", "2026-04-11T12:00"]);
    let facilities = document["facilities"].as_array().unwrap();
    assert_eq!(facilities.len(), 2);
    let alone = json(EXAMPLE, &["--at", "2026-04-11T12:00"]);
    assert_eq!(facilities[0]["listing"], alone["facilities"][0]["listing"]);
    assert_eq!(facilities[0]["flags"], alone["facilities"][0]["flags"]);
    let one = json(&both, &["--facility", "1319999023"]);
    assert_eq!(one["facilities"].as_array().unwrap().len(), 1);
    assert!(refused(&both, &["--facility", "1349999019"]).contains("no fact is about facility"));
}

#[test]
fn what_is_wrong_with_a_file_is_said_and_nothing_is_computed() {
    let broken = EXAMPLE.replace("\"listed\": true", "\"listed\": \"yes\"");
    let message = refused(&broken, &[]);
    assert!(message.contains("line 36") && message.contains("expected true or false"), "{message}");
    assert!(refused("", &[]).contains("the file contains no fact"));
    assert!(refused(EXAMPLE, &["--rules", "/nonexistent/rules.toml"]).contains("/nonexistent/rules.toml"));
    assert!(refused(EXAMPLE, &["--at", "yesterday"]).contains("2026-04-01T10:30"));
}

#[test]
fn other_rules_and_other_holidays_are_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_string_lossy().into_owned()
    };
    let bundled = include_str!("../facility/data/rules.toml");
    let stricter =
        file("rules.toml", &bundled.replace("\"correlated\"", "\"attested\"").replace("version = 1", "version = 7"));
    let document = json(EXAMPLE, &["--at", "2026-04-01T12:00", "--rules", &stricter]);
    assert_eq!(document["rules_version"], 7);
    assert_eq!(document["facilities"][0]["eligible"]["key"], "not_yet");
    // The day of the call becomes a holiday.
    let holidays = include_str!("../facility/data/holidays.csv").replace("2026/1/1,", "2026/4/1,");
    let holidays = file("holidays.csv", &holidays);
    let called = json(EXAMPLE, &["--at", "2026-04-01T14:00", "--holidays", &holidays]);
    assert!(called["facilities"][0]["call_warning"]["en"].as_str().unwrap().contains("closed"));
    assert!(json(EXAMPLE, &["--at", "2026-04-01T14:00"])["facilities"][0]["call_warning"].is_null());
    assert!(refused(EXAMPLE, &["--rules", &file("broken.toml", "version = 1")]).contains("`set` is missing"));
}

#[test]
fn the_help_has_the_form_and_the_example_can_be_piped_back() {
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_yomitori-server")).env_clear().args(arguments).output().unwrap()
    };
    let help = String::from_utf8(run(&["explain", "--help"]).stdout).unwrap();
    for part in ["tap_observed", "my_number_card", "PatientDevice.PinWrong", "{\"facility\":\"018f0000"] {
        assert!(help.contains(part), "{part}");
    }
    assert_eq!(String::from_utf8(run(&["explain", "--example"]).stdout).unwrap().trim_end(), EXAMPLE.trim_end());
}
