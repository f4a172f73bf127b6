//! How much terminals may collect: what people have asked of the whole facility, and what each terminal says it does.
//!
//! A request can only lower what a terminal's own configuration allows, so that the two need not agree: both are shown.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::{SettingsTaken, Stated};
use yomitori_proto::vocabulary::{CollectionLevel, SettingsOutcome};

use crate::seen::SeqPosition;
use crate::view::View;

/// Somebody has said how much may be collected at the facility.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct CollectionLimit {
    pub most: CollectionLevel,
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub stated_at: DateTime<Utc>,
}

impl CollectionLimit {
    pub(crate) fn stated(most: CollectionLevel, stated: &Stated) -> Self {
        let Stated { by, why, stated_at, .. } = stated.clone();
        Self { most, by, reason: why, stated_at }
    }
}

/// What a terminal collects, and what became of the settings that it was sent.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Collecting {
    level: CollectionLevel,
    /// Where it said so.
    said: Option<SeqPosition>,
    settings: Option<(SeqPosition, SettingsStatus)>,
}

/// The settings that a terminal has taken last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SettingsStatus {
    pub settings_hash: u64,
    pub outcome: SettingsOutcome,
    pub taken_at: DateTime<Utc>,
}

impl Collecting {
    pub(crate) fn started(&mut self, place: SeqPosition, level: CollectionLevel) {
        if self.said.is_none_or(|known| known < place) {
            (self.level, self.said) = (level, Some(place));
        }
    }

    pub(crate) fn taken(&mut self, place: SeqPosition, at: DateTime<Utc>, event: &SettingsTaken) {
        self.started(place, event.collection);
        if self.settings.is_none_or(|(known, _)| known < place) {
            let SettingsTaken { settings_hash, outcome, .. } = *event;
            self.settings = Some((place, SettingsStatus { settings_hash, outcome, taken_at: at }));
        }
    }

    pub(crate) const fn level(&self) -> CollectionLevel {
        self.level
    }

    pub(crate) fn settings(&self) -> Option<SettingsStatus> {
        self.settings.map(|(_, status)| status)
    }
}

impl View<'_> {
    /// Whether a terminal collects more than people want, as far as it has said.
    pub(crate) fn collects_too_much(&self, collecting: &Collecting) -> bool {
        let limit = self.facility.collection.last();
        limit.is_some_and(|(_, limit)| limit.most != CollectionLevel::Unknown && collecting.level > limit.most)
    }
}

#[cfg(test)]
mod tests {
    use yomitori_proto::event::{
        AgentStarted, CollectionLimited, Event, Observed, Origin, Recorded, SettingsTaken, Stated,
    };
    use yomitori_proto::id::{Boot, FacilityId, Life, Seq, TerminalId};
    use yomitori_proto::vocabulary::StartReason;

    use super::*;
    use crate::{Calendar, Facility, Rules, status};

    fn said(origin: Origin, event: impl Into<Event>, at: DateTime<Utc>) -> Recorded {
        Recorded { facility: FacilityId(uuid::Uuid::from_u128(1)), received_at: at, origin, event: event.into() }
    }

    #[test]
    fn what_is_asked_for_and_what_is_done_are_two_things() {
        let at: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
        let person = Stated { by: "Suzuki".to_owned(), why: Some("withdrawn".to_owned()), stated_at: at, id: None };
        let terminal = |seq| {
            let (terminal, life) = (TerminalId(uuid::Uuid::from_u128(2)), Life(uuid::Uuid::from_u128(3)));
            Origin::Terminal(Observed { terminal, life, seq: Seq(seq), occurred_at: at, observed_at: at, sent_at: at })
        };
        let started = AgentStarted {
            boot: Boot(uuid::Uuid::from_u128(4)),
            agent_version: "1".to_owned(),
            reason: StartReason::Boot,
            config_hash: 1,
            collection: CollectionLevel::Headers,
        };
        let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
        let mut facility = Facility::new(FacilityId(uuid::Uuid::from_u128(1)));
        facility.apply(&said(terminal(1), started, at), &rules);
        let seen = |facility: &Facility| {
            let status = status(facility, &rules, &calendar, at);
            let terminal = status.terminals[0].clone();
            (status.collection_limit.map(|limit| limit.most), terminal.collection, terminal.collects_too_much)
        };
        assert_eq!(seen(&facility), (None, CollectionLevel::Headers, false));
        let limited = CollectionLimited { most: CollectionLevel::Readers };
        facility.apply(&said(Origin::Person(person), limited, at), &rules);
        assert_eq!(seen(&facility), (Some(CollectionLevel::Readers), CollectionLevel::Headers, true));
        let taken =
            SettingsTaken { settings_hash: 9, outcome: SettingsOutcome::Applied, collection: CollectionLevel::Readers };
        facility.apply(&said(terminal(2), taken, at), &rules);
        assert_eq!(seen(&facility), (Some(CollectionLevel::Readers), CollectionLevel::Readers, false));
        let settings = status(&facility, &rules, &calendar, at).terminals[0].settings.unwrap();
        assert_eq!((settings.settings_hash, settings.outcome), (9, SettingsOutcome::Applied));
    }
}
