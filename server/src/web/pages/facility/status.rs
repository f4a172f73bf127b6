//! A facility's status as the projector wrote it. Read leniently: a row of an older or newer projector is still shown.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::Value;
use yomitori_facility::Text;
use yomitori_proto::id::ReaderKey;
use yomitori_proto::vocabulary::{CollectionLevel, ReaderRole, Way};

#[derive(Default)]
pub(in crate::web) struct Status {
    pub(super) eligible: Axis,
    pub(super) evidence: Axis,
    pub(super) intent: Axis,
    pub(super) opt_out: Axis,
    pub(super) process: Process,
    pub(super) intent_history: Vec<Intention>,
    pub(super) listing: Axis,
    pub(super) equipment: Axis,
    pub(super) freshness: Axis,
    pub(super) flags: Vec<Flag>,
    pub(super) readers: Vec<Reader>,
    pub(super) terminals: Vec<Terminal>,
    pub(super) readiness: Vec<Step>,
}

/// A text in both languages, as it is stored.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Said {
    ja: String,
    en: String,
}

impl Said {
    pub(super) fn text(&self) -> Text {
        Text::new(self.ja.clone(), self.en.clone())
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Axis {
    pub(super) label: Said,
    pub(in crate::web) why: Said,
}

/// How far an opt-out has got.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Process {
    pub(super) key: String,
    /// Of the list in which it is reflected.
    pub(super) as_of: Option<DateTime<Utc>>,
    pub(super) overdue: bool,
}

/// Somebody said what the group wants.
#[derive(Deserialize)]
pub(in crate::web) struct Intention {
    pub(in crate::web) by: String,
    #[serde(default)]
    pub(in crate::web) reason: Option<String>,
    pub(in crate::web) stated_at: DateTime<Utc>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Flag {
    pub(in crate::web) key: String,
    pub(super) acknowledged: Option<Acknowledged>,
    pub(super) snoozed_until: Option<DateTime<Utc>>,
    pub(in crate::web) label: Said,
    pub(in crate::web) severity: String,
    pub(in crate::web) sentence: Said,
    pub(in crate::web) next: Said,
    pub(super) since: Option<DateTime<Utc>>,
    /// Those that it is about.
    pub(super) terminals: Vec<String>,
}

/// Who has seen a flag.
#[derive(Deserialize)]
pub(in crate::web) struct Acknowledged {
    pub(super) by: String,
    pub(super) at: DateTime<Utc>,
}

#[derive(Deserialize)]
pub(super) struct Reader {
    pub(super) terminal: String,
    pub(super) key: String,
    #[serde(default)]
    pub(super) model: Option<String>,
    #[serde(default)]
    pub(super) role: ReaderRole,
    #[serde(default)]
    pub(super) role_label: Said,
    #[serde(default)]
    pub(super) present: bool,
    #[serde(default)]
    pub(super) since: Option<DateTime<Utc>>,
    /// Its terminal is not in use any more.
    #[serde(default)]
    pub(super) retired: bool,
}

#[derive(Deserialize)]
pub(super) struct Terminal {
    pub(super) terminal: String,
    #[serde(default)]
    pub(super) connected: bool,
    #[serde(default)]
    pub(super) connected_since: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(super) last_heard_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pub(super) agent_version: Option<String>,
    #[serde(default)]
    pub(super) way: Way,
    #[serde(default)]
    pub(super) collection: CollectionLevel,
    #[serde(default)]
    pub(super) collects_too_much: bool,
    #[serde(default)]
    pub(super) retired_at: Option<DateTime<Utc>>,
    /// The key of the axis, for this terminal alone.
    #[serde(default)]
    pub(super) freshness: Option<String>,
    #[serde(default)]
    pub(super) numbers_reused_at: Option<DateTime<Utc>>,
}

/// A step of the ministry's notice.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub(super) key: String,
    pub(super) label: Said,
    pub(super) done: bool,
    pub(super) done_at: Option<DateTime<Utc>>,
    pub(super) why: Said,
    pub(super) next: Option<Said>,
}

impl Status {
    /// What can be understood of it; the rest stays empty.
    pub(super) fn read(status: &Value) -> Self {
        let Value::Object(parts) = status else { return Self::default() };
        let mut understood = Self::default();
        take(parts.get("eligible"), &mut understood.eligible);
        take(parts.get("evidence"), &mut understood.evidence);
        take(parts.get("intent"), &mut understood.intent);
        take(parts.get("opt_out"), &mut understood.opt_out);
        take(parts.get("opt_out"), &mut understood.process);
        take(parts.get("intent_history"), &mut understood.intent_history);
        take(parts.get("listing"), &mut understood.listing);
        take(parts.get("equipment"), &mut understood.equipment);
        take(parts.get("freshness"), &mut understood.freshness);
        take(parts.get("flags"), &mut understood.flags);
        take(parts.get("readers"), &mut understood.readers);
        take(parts.get("terminals"), &mut understood.terminals);
        take(parts.get("readiness"), &mut understood.readiness);
        understood
    }

    /// What a reader is for now.
    pub(super) fn role(&self, reader: ReaderKey) -> ReaderRole {
        let key = reader.to_string();
        self.readers.iter().find(|reader| reader.key == key).map(|reader| reader.role).unwrap_or_default()
    }
}

fn take<T: for<'de> Deserialize<'de>>(part: Option<&Value>, into: &mut T) {
    if let Some(read) = part.and_then(|part| T::deserialize(part).ok()) {
        *into = read;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_that_is_not_understood_hides_no_other() {
        let status = json!({
            "eligible": { "key": "eligible", "label": { "ja": "対象", "en": "eligible" }, "why": { "ja": "理由", "en": "why" } },
            "readers": "of another version",
            "terminals": [{ "terminal": "t", "new": 1 }],
            "flags": [{ "key": "clock_wrong", "since": "2026-04-01T00:00:00Z", "terminals": ["t"] }],
        });
        let read = Status::read(&status);
        assert_eq!(
            (read.flags[0].terminals.as_slice(), read.flags[0].since.is_some()),
            (["t".to_owned()].as_slice(), true)
        );
        assert_eq!((read.eligible.why.en.as_str(), read.readers.len(), read.terminals.len()), ("why", 0, 1));
        assert!(Status::read(&Value::Null).terminals.is_empty());
    }
}
