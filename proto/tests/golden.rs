//! Records of every kind as they were written when the kind was released; every later version must decode them.
//!
//! `golden/v1/KIND.binpb` holds the bytes and `KIND.json` the facts that they encode; a kind that has gained a field
//! has further files, such as `KIND.way.json`. For a new kind or field, write the JSON and run this test once with
//! `YOMITORI_GOLDEN=write`: it creates missing bytes and never changes existing ones.
#![expect(clippy::disallowed_methods, reason = "a test reads files, and its one switch from the environment")]

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use yomitori_proto::event::{Event, LogBody, LogRecord, Observation, Observed, Origin, Recorded};
use yomitori_proto::{decode, encode};

#[test]
fn every_released_record_is_still_decoded() -> Result<()> {
    for kind in Event::KINDS {
        check(kind, kind).with_context(|| format!("golden/v1/{kind}"))?;
    }
    for entry in fs::read_dir(folder())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json"));
        if let Some((name, kind)) = name.and_then(|name| Some((name, name.split_once('.')?.0))) {
            check(name, kind).with_context(|| format!("golden/v1/{name}"))?;
        }
    }
    Ok(())
}

#[test]
fn no_kind_was_removed() -> Result<()> {
    for entry in fs::read_dir(folder())? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let kind = stem.split('.').next().unwrap_or_default();
        ensure!(Event::KINDS.contains(&kind), "`{kind}` has a golden file and is no kind of event any more");
    }
    Ok(())
}

fn check(name: &str, kind: &str) -> Result<()> {
    let json = fs::read_to_string(folder().join(format!("{name}.json"))).context("write the JSON of this kind")?;
    let facts: Vec<Recorded> = serde_json::from_str(&json)?;
    ensure!(!facts.is_empty() && facts.iter().all(|fact| fact.event.kind() == kind), "holds another kind");
    let path = folder().join(format!("{name}.binpb"));
    if !path.exists() && std::env::var("YOMITORI_GOLDEN").as_deref() == Ok("write") {
        fs::write(&path, encode::log_record_bytes(&record(&facts)?))?;
    }
    let bytes = fs::read(&path).context("run once with YOMITORI_GOLDEN=write")?;
    let decoded: Vec<Recorded> = decode::log_record(&bytes)?.into_facts().collect();
    ensure!(decoded == facts, "the bytes decode to {decoded:#?}");
    Ok(())
}

/// The record with these `facts`: one statement, or observations of one terminal.
fn record(facts: &[Recorded]) -> Result<LogRecord> {
    let Recorded { facility, received_at, origin, event } = facts.first().context("no fact")?.clone();
    let body = match origin {
        Origin::Terminal(Observed { terminal, life, sent_at, .. }) => {
            let observations = facts.iter().map(observation).collect::<Result<_>>()?;
            LogBody::Terminal { terminal, life, sent_at, observations }
        }
        Origin::Person(_) | Origin::Server { .. } | Origin::List { .. } => LogBody::Statement { origin, event },
    };
    Ok(LogRecord { facility, received_at, body })
}

fn observation(fact: &Recorded) -> Result<Observation> {
    let Some(&Observed { seq, occurred_at, observed_at, .. }) = fact.observed() else { bail!("not an observation") };
    Ok(Observation { seq, occurred_at, observed_at, event: fact.event.clone() })
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1")
}
