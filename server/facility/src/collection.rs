//! The collection level: the limit that people set for the facility, and the level that each terminal reports.
//!
//! A limit can only reduce what a terminal's own configuration allows. The two may differ, so both are shown.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::{SettingsTaken, Stated};
use yomitori_proto::vocabulary::{CollectionLevel, SettingsOutcome};

use crate::seen::SeqPosition;
use crate::view::View;

/// A limit that a person has set for the facility.
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

/// The collection level of a terminal, and its answer to the last settings.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Collecting {
    level: CollectionLevel,
    /// Position of that report.
    said: Option<SeqPosition>,
    settings: Option<(SeqPosition, SettingsStatus)>,
}

/// The last settings that a terminal has answered.
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
    /// Whether a terminal reports a higher collection level than the limit.
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

    fn fact(origin: Origin, event: impl Into<Event>, at: DateTime<Utc>) -> Recorded {
        Recorded { facility: FacilityId(uuid::Uuid::from_u128(1)), received_at: at, origin, event: event.into() }
    }

    #[test]
    fn the_limit_and_the_reported_level_are_independent() {
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
        facility.apply(&fact(terminal(1), started, at), &rules);
        let seen = |facility: &Facility| {
            let status = status(facility, &rules, &calendar, at);
            let terminal = status.terminals[0].clone();
            (status.collection_limit.map(|limit| limit.most), terminal.collection, terminal.collects_too_much)
        };
        assert_eq!(seen(&facility), (None, CollectionLevel::Headers, false));
        let limited = CollectionLimited { most: CollectionLevel::Readers };
        facility.apply(&fact(Origin::Person(person), limited, at), &rules);
        assert_eq!(seen(&facility), (Some(CollectionLevel::Readers), CollectionLevel::Headers, true));
        let taken =
            SettingsTaken { settings_hash: 9, outcome: SettingsOutcome::Applied, collection: CollectionLevel::Readers };
        facility.apply(&fact(terminal(2), taken, at), &rules);
        assert_eq!(seen(&facility), (Some(CollectionLevel::Readers), CollectionLevel::Readers, false));
        let settings = status(&facility, &rules, &calendar, at).terminals[0].settings.unwrap();
        assert_eq!((settings.settings_hash, settings.outcome), (9, SettingsOutcome::Applied));
    }
}
