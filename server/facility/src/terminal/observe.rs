//! Taking in what an agent observed.

// A new kind of event then makes this fold decide.
#![deny(clippy::wildcard_enum_match_arm)]

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use yomitori_proto::event::{
    AgentStarted, Event, LinkageResultObserved, Observed, ReaderRoleAssigned, SoftwareVersionsObserved, TapObserved,
};
use yomitori_proto::id::{Life, Seq};
use yomitori_proto::vocabulary::{LinkageKind, Medium, ReaderRole, StartReason};

use super::{Gap, Terminal, Versions};
use crate::correlate::{File, Tap, Verdict};
use crate::desk;
use crate::evidence::{Level, Superseded, SupersededBy};
use crate::instant::later;
use crate::rules::Rules;
use crate::seen::Place;

/// An observation with all that is needed to take it in.
#[derive(Clone, Copy)]
pub(crate) struct Sighting<'a> {
    pub(crate) observed: &'a Observed,
    pub(crate) place: Place,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) rules: &'a Rules,
}

impl Terminal {
    /// Takes in one observation. What was read before changes nothing but when the terminal was last heard.
    pub(crate) fn observe(&mut self, observed: &Observed, received_at: DateTime<Utc>, event: &Event, rules: &Rules) {
        self.heard(received_at);
        if let Some(place) = self.lives.admit(observed) {
            self.take_in(Sighting { observed, place, received_at, rules }, event);
        }
    }

    fn take_in(&mut self, sighting: Sighting<'_>, event: &Event) {
        let Sighting { observed, place, .. } = sighting;
        let at = observed.occurred_at;
        match event {
            Event::AgentStarted(event) => self.agent_started(place, at, event),
            Event::TerminalRebooted(_) => self.rebooted(at),
            Event::ClockStepped(event) => {
                if event.delta_ms.unsigned_abs() > sighting.rules.at(at).clock_step_tolerance_ms {
                    let change = Change { at, by: SupersededBy::ClockStep, touches: true };
                    self.corrected(sighting, change, |terminal| terminal.window.step(place));
                }
            }
            Event::SoftwareVersionsObserved(event) => self.versions(place, event),
            Event::ComponentStateObserved(event) => {
                self.components.entry(event.component).or_default().observe(place, at, event.state);
            }
            Event::ReaderAttached(event) => self.reader_mut(event.reader).attached(place, at, event),
            Event::ReaderDetached(event) => self.reader_mut(event.reader).detached(place, at),
            Event::ReaderFlapping(event) => {
                let reader = self.reader_mut(event.reader);
                reader.flapped_at = reader.flapped_at.max(Some(at));
            }
            Event::ReaderBlocked(_) => {
                if self.blocked.is_none_or(|(known, _)| known < place) {
                    self.blocked = Some((place, at));
                }
            }
            Event::TapObserved(event) => self.tap(sighting, event),
            Event::LinkageResultObserved(event) => self.result(sighting, event),
            Event::CollectionGap(event) => {
                self.gap(Gap { from: event.from, to: event.to, source: event.source, lost: event.lost });
            }
            Event::SettingsTaken(event) => self.collecting.taken(place, at, event),
            Event::EntryWithdrawn(event) => self.withdraw((event.life, event.seq), sighting.received_at),
            Event::SmartphoneReadAttested(event) => self.enter(sighting, desk::attested(event)),
            Event::SmartphoneReadFailed(event) => self.enter(sighting, desk::failed(event)),
            Event::FallbackUsed(event) => self.enter(sighting, desk::fallback(event)),
            Event::NoticeHung(event) => self.enter(sighting, desk::notice(event)),
            Event::FaceReaderRestarted(event) => self.enter(sighting, desk::restarted(event)),
            // A terminal has no say in the rest, and of an agent's orderly end nothing follows.
            Event::AgentStopped(_)
            | Event::FacilityRegistered(_)
            | Event::FacilityCodeChanged(_)
            | Event::TerminalEnrolled(_)
            | Event::TerminalRetired(_)
            | Event::ReaderRoleAssigned(_)
            | Event::FaceReaderModelSet(_)
            | Event::ReaderPurchased(_)
            | Event::ReceptionArranged(_)
            | Event::ListingIntentSet(_)
            | Event::OptOutCallPlanned(_)
            | Event::OptOutCallMade(_)
            | Event::OptOutAcknowledged(_)
            | Event::OptOutWithdrawn(_)
            | Event::AlertAcknowledged(_)
            | Event::AlertSnoozed(_)
            | Event::MaintenanceWindowSet(_)
            | Event::RecordSkipped(_)
            | Event::CollectionLimited(_)
            | Event::RulesAdopted(_)
            | Event::ClosureSet(_)
            | Event::SnapshotImported(_)
            | Event::SnapshotReleased(_)
            | Event::ListRowDismissed(_)
            | Event::TerminalConnected(_)
            | Event::TerminalDisconnected(_)
            | Event::ListingObserved(_) => {}
        }
    }

    fn enter(&mut self, sighting: Sighting<'_>, said: desk::Said) {
        let key = Some((sighting.observed.life, sighting.observed.seq));
        self.desk.enter(said, key, sighting.received_at, sighting.rules);
    }

    fn agent_started(&mut self, place: Place, at: DateTime<Utc>, event: &AgentStarted) {
        self.collecting.started(place, event.collection);
        if self.started.is_none_or(|(known, _)| known < place) {
            self.started = Some((place, at));
            if self.agent_version.as_deref() != Some(event.agent_version.as_str()) {
                self.agent_version = Some(event.agent_version.clone());
            }
        }
        if event.reason == StartReason::Boot {
            self.booted_at = self.booted_at.max(Some(at));
        }
    }

    fn versions(&mut self, place: Place, event: &SoftwareVersionsObserved) {
        if self.versions.as_ref().is_some_and(|(known, _)| place < *known) {
            return;
        }
        let SoftwareVersionsObserved { com_app, distro_app, auth, os_build } = event;
        if let Some((known, versions)) = &mut self.versions {
            *known = place;
            versions.com_app.clone_from(com_app);
            versions.distro_app.clone_from(distro_app);
            versions.auth.clone_from(auth);
            versions.os_build.clone_from(os_build);
        } else {
            let versions = Versions {
                com_app: com_app.clone(),
                distro_app: distro_app.clone(),
                auth: auth.clone(),
                os_build: os_build.clone(),
            };
            self.versions = Some((place, versions));
        }
    }

    fn tap(&mut self, sighting: Sighting<'_>, event: &TapObserved) {
        let Sighting { observed, place, received_at, rules } = sighting;
        let at = observed.occurred_at;
        match event.medium {
            Medium::MyNumberCard | Medium::FelicaOnly | Medium::DrivingLicence | Medium::ResidentCard => return,
            Medium::OtherTypeA | Medium::OtherTypeB | Medium::Unknown => {}
        }
        match self.role(event.reader, at, place) {
            // Where nobody has said what a reader is for, the configuration may still be on its way.
            ReaderRole::Phone | ReaderRole::Unknown => {}
            ReaderRole::FaceAuth | ReaderRole::StaffLogin | ReaderRole::Other => return,
        }
        let TapObserved { reader, in_use, mute, .. } = *event;
        let tap = Tap { place, at, received_at, reader, in_use, mute };
        let change = Change { at, by: SupersededBy::Result, touches: self.window.tap_touches(&tap, rules.at(at)) };
        self.corrected(sighting, change, |terminal| terminal.window.tap(tap));
        self.settle(rules);
    }

    fn result(&mut self, sighting: Sighting<'_>, event: &LinkageResultObserved) {
        if event.kind != LinkageKind::FaceResult {
            return;
        }
        let Sighting { observed, place, rules, .. } = sighting;
        let named_at = event.file_at.filter(|at| plausible(*at, observed));
        let file = File {
            place,
            at: named_at.unwrap_or(observed.occurred_at),
            named: named_at.is_some(),
            outcome: event.outcome,
            error_code: event.error_code.clone(),
        };
        let touches = self.window.file_touches(&file, rules.at(file.at));
        let change = Change { at: file.at, by: SupersededBy::Result, touches };
        self.corrected(sighting, change, |terminal| terminal.window.file(file));
        self.settle(rules);
    }

    /// Changes what the pairs follow from, and records what evidence that had been shown is corrected by it.
    fn corrected(&mut self, sighting: Sighting<'_>, change: Change, make: impl FnOnce(&mut Self)) {
        let Sighting { place, received_at, rules, .. } = sighting;
        let set = rules.at(change.at);
        let adds_only = change.by == SupersededBy::Result && self.window.in_order(place, change.at, received_at, set);
        if !change.touches || adds_only {
            make(self);
            return;
        }
        let newest_at = self.window.newest_at(place);
        let late = newest_at.is_some_and(|newest_at| later(change.at, set.late_window) < newest_at);
        let before = self.levels(rules);
        make(self);
        self.supersede_changed(&before, rules, Correction { received_at, late, by: change.by });
    }

    /// A person says what a reader is for.
    pub(crate) fn assign(
        &mut self,
        event: &ReaderRoleAssigned,
        at: DateTime<Utc>,
        received_at: DateTime<Utc>,
        rules: &Rules,
    ) {
        let before = self.levels(rules);
        self.reader_mut(event.reader).assign(at, event.role);
        self.supersede_changed(&before, rules, Correction { received_at, late: false, by: SupersededBy::Role });
    }

    /// Where evidence falls, that is said. Where it changes otherwise, that is said if the change comes late, or if what
    /// it corrects had been shown for longer than the late window.
    fn supersede_changed(&mut self, before: &Levels, rules: &Rules, correction: Correction) {
        let after = self.levels(rules);
        let fell = fell(before, &after);
        let Correction { received_at, late, by } = correction;
        for (place, (tap, now)) in after {
            let was = before.get(&place).and_then(|(_, level)| *level);
            let set = rules.at(tap.at);
            let shown_until = later(tap.received_at, set.late_window + set.correlation_to);
            let late = late || (before.contains_key(&place) && shown_until < received_at);
            let corrects = was != now && was.max(now) > Some(Level::TapOnly);
            if corrects && (late || (fell && now < was)) {
                let by = if late && by == SupersededBy::Result { SupersededBy::Late } else { by };
                self.supersede(Superseded { read_at: tap.read_at(), received_at, was, now, by });
            }
        }
    }

    fn levels(&self, rules: &Rules) -> Levels {
        let level = |verdict| match verdict {
            Verdict::Elsewhere => None,
            Verdict::Alone | Verdict::Failed => Some(Level::TapOnly),
            Verdict::Read(level) => Some(level),
        };
        let verdicts = self.verdicts(rules).into_iter();
        verdicts.map(|(tap, verdict)| (tap.place, (*tap, level(verdict)))).collect()
    }

    /// Takes back an entry of the desk page.
    pub(crate) fn withdraw(&mut self, key: (Life, Seq), received_at: DateTime<Utc>) {
        let read = self.desk.withdraw(key).filter(|entry| entry.says_read()).map(|entry| entry.at);
        if let Some(read_at) = read {
            let was = Some(Level::Attested);
            self.supersede(Superseded { read_at, received_at, was, now: None, by: SupersededBy::Withdrawn });
        }
    }
}

/// Each tap that is not settled, and its level.
type Levels = BTreeMap<Place, (Tap, Option<Level>)>;

/// What may have changed evidence.
#[derive(Clone, Copy)]
struct Correction {
    received_at: DateTime<Utc>,
    /// It happened long before what had been observed by then.
    late: bool,
    by: SupersededBy,
}

/// What is about to change.
#[derive(Clone, Copy)]
struct Change {
    at: DateTime<Utc>,
    by: SupersededBy,
    /// It may make or part a pair.
    touches: bool,
}

/// Whether there are fewer reads of some level or above than before.
fn fell(before: &Levels, after: &Levels) -> bool {
    let reads = |levels: &Levels, least| levels.values().filter(|(_, level)| *level >= Some(least)).count();
    [Level::Correlated, Level::HeaderConfirmed].into_iter().any(|least| reads(after, least) < reads(before, least))
}

/// A result can't be named after an instant that had not come when it was seen: then its clock is another one.
fn plausible(named_at: DateTime<Utc>, observed: &Observed) -> bool {
    named_at <= later(observed.observed_at, NAMED_AHEAD)
}

const NAMED_AHEAD: Duration = Duration::seconds(5);
