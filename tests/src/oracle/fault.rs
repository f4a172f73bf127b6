//! The possible faults, with descriptions that name the place.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;
use yomitori_proto::id::{FacilityId, Life, TerminalId};

use super::Place;

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("lost: {seq} of life {life} was kept by {terminal} and is not in the {}", if *.in_log { "store" } else { "log" })]
    Lost { terminal: TerminalId, life: Life, seq: u64, in_log: bool },
    #[error("hole: {seq} of life {life} of {terminal} is missing, and no counted gap says so")]
    Hole { terminal: TerminalId, life: Life, seq: u64 },
    #[error("doubled: {seq} of life {life} of {terminal} is in the store {times} times")]
    Doubled { terminal: TerminalId, life: Life, seq: u64, times: usize },
    #[error("numbered twice: the journal of life {life} has a number twice")]
    NumberedTwice { life: Life },
    #[error("forgotten: life {life} had kept {journal}, and its spool ends at {spool}")]
    Forgotten { life: Life, journal: u64, spool: u64 },
    #[error("not kept: {seq} of life {life} of {terminal} is in the log")]
    NotKept { terminal: TerminalId, life: Life, seq: u64 },
    #[error("unreadable: the record at partition {partition}, offset {offset}")]
    Unreadable { partition: i32, offset: i64 },
    #[error("a hole in the log: partition {partition} at offset {offset}")]
    LogHole { partition: i32, offset: i64 },
    #[error("behind: partition {partition} is folded to {next} and ends at {end}")]
    Behind { partition: i32, next: i64, end: i64 },
    #[error("not folded: {kind} at {place:?} is not in the store")]
    NotFolded { place: Place, kind: &'static str },
    #[error("not in the log: the store has a fact at {place:?}")]
    NotInLog { place: Place },
    #[error("different: {kind} at {place:?} is another one in the store than in the log")]
    Different { place: Place, kind: &'static str },
    #[error("out of order: {seq} of life {life} of {terminal} comes after {before}")]
    OutOfOrder { terminal: TerminalId, life: Life, seq: u64, before: u64 },
    #[error("wrong state: facility {facility} is not what the log says, first at {field}")]
    WrongState { facility: FacilityId, field: String },
    #[error("parked: {records} records")]
    Parked { records: i64 },
    #[error("complaint: {line}")]
    Complaint { line: String },
}

/// All faults.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn extend(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.0.extend(faults);
    }

    /// Each fault.
    #[must_use]
    pub fn all(&self) -> &[Fault] {
        &self.0
    }

    /// Keeps the faults that satisfy `keep`: a test removes the ones that it expects.
    pub fn retain(&mut self, keep: impl FnMut(&Fault) -> bool) {
        self.0.retain(keep);
    }

    /// # Errors
    /// If there are any.
    pub fn none(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.0.is_empty(), "{self}");
        Ok(())
    }
}

/// One error often causes a thousand faults: the first few of each kind are shown.
impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMED: usize = 5;
        let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for fault in &self.0 {
            let text = fault.to_string();
            let kind = text.split(':').next().unwrap_or_default().to_owned();
            kinds.entry(kind).or_default().push(text);
        }
        for (kind, faults) in kinds {
            writeln!(f, "{} x {kind}", faults.len())?;
            for fault in faults.iter().take(NAMED) {
                writeln!(f, "  {fault}")?;
            }
        }
        Ok(())
    }
}

/// The first difference of two documents, with both values.
pub(super) fn first_difference(log: &Value, store: &Value) -> String {
    fn find(path: &str, one: &Value, other: &Value) -> Option<String> {
        match (one, other) {
            (Value::Object(one), Value::Object(other)) => {
                let keys: std::collections::BTreeSet<_> = one.keys().chain(other.keys()).collect();
                keys.into_iter().find_map(|key| {
                    let (one, other) = (one.get(key).unwrap_or(&Value::Null), other.get(key).unwrap_or(&Value::Null));
                    find(&format!("{path}.{key}"), one, other)
                })
            }
            (Value::Array(one), Value::Array(other)) if one.len() == other.len() => (0..)
                .zip(one.iter().zip(other))
                .find_map(|(at, (one, other))| find(&format!("{path}[{at}]"), one, other)),
            _ => (one != other).then(|| format!("{path} (log {}, store {})", brief(one), brief(other))),
        }
    }
    fn brief(value: &Value) -> String {
        let text = value.to_string();
        if text.chars().count() > 200 { text.chars().take(200).chain(['…']).collect() } else { text }
    }
    find("state", log, store).unwrap_or_else(|| "one that is there and null".to_owned())
}
