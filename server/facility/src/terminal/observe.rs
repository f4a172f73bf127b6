//! Applies the observations of an agent.

// A new kind of event must be handled explicitly.
#![deny(clippy::wildcard_enum_match_arm)]

use chrono::{DateTime, Duration, Utc};
use yomitori_proto::event::{
    AgentStarted, ClockStepped, Event, LinkageResultObserved, Observed, ReaderAttached, ReaderRoleAssigned,
    SoftwareVersionsObserved, TapObserved,
};
use yomitori_proto::id::{Life, Seq, StatementId};
use yomitori_proto::vocabulary::{CollectionLevel, LinkageKind, Medium, ReaderRole, StartReason};

use super::{Gap, Terminal, Versions};
use crate::correlate::{File, Tap};
use crate::desk::{self, DeskEntry};
use crate::evidence::SupersededBy;
use crate::instant::later;
use crate::rules::Rules;
use crate::seen::SeqPosition;
use crate::stamp::{ClockStep, Stamp, is_live, plausible_offset_ms, wrong_by};

/// An observation with the context that is needed to apply it.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) observed: &'a Observed,
    pub(crate) place: SeqPosition,
    pub(crate) received_at: DateTime<Utc>,
    /// Time at which the newest fact of the facility reached the server.
    pub(crate) now: DateTime<Utc>,
    pub(crate) rules: &'a Rules,
}

/// The kind of correction that an observation may cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CorrectionScope {
    pub(crate) by: SupersededBy,
    /// The event happened long before the newest known one.
    pub(crate) late: bool,
}

impl Terminal {
    /// Returns the position of a new observation. A duplicate only updates the time at which the terminal was last
    /// heard.
    pub(crate) fn admit(
        &mut self,
        observed: &Observed,
        received_at: DateTime<Utc>,
        rules: &Rules,
    ) -> Option<SeqPosition> {
        self.heard(received_at);
        self.number(observed, received_at, rules)
    }

    /// Like [`Self::admit`], without an update of that time.
    pub(crate) fn number(
        &mut self,
        observed: &Observed,
        received_at: DateTime<Utc>,
        rules: &Rules,
    ) -> Option<SeqPosition> {
        let (place, at) = (SeqPosition::default(), observed.observed_at);
        let (offset_ms, measured) = wrong_by(observed, received_at, self.clock.offset_ms);
        let made_at = Stamp { place, at, received_at, offset_ms, measured }.true_at(rules.at(at));
        self.lives.admit(observed, made_at, received_at)
    }

    /// The correction that an observation may cause; `None` if it only adds information.
    ///
    /// `entries` reports whether there is a desk entry that may belong to a tap at an instant.
    #[expect(clippy::wildcard_enum_match_arm, reason = "a new kind of observation corrects nothing by default")]
    pub(crate) fn corrects(
        &self,
        arrival: Arrival<'_>,
        event: &Event,
        entries: impl Fn(DateTime<Utc>) -> bool,
    ) -> Option<CorrectionScope> {
        let Arrival { observed, place, now, rules, .. } = arrival;
        let at = observed.occurred_at;
        let (at, touches, is_file) = match event {
            Event::TapObserved(event) if !may_be_phone(event.medium) => return None,
            Event::TapObserved(_) => {
                if entries(self.true_at(arrival, at)) {
                    return Some(CorrectionScope { by: SupersededBy::Result, late: false });
                }
                // A late tap counts at its own time, even without a file.
                (at, true, false)
            }
            Event::LinkageResultObserved(event) => {
                let file = file(arrival, event)?;
                // A late file may also show that the desk was busier than assumed.
                (file.at, self.window.file_matters(file.at, rules.at(file.at)), true)
            }
            Event::ReaderAttached(event) => {
                // It may also show that a tap was on one of two readers of the same model.
                let concerns = |tap: &Tap| tap.reader == event.reader || event.model.is_some();
                let later = |tap: &Tap| place < tap.stamp.place && concerns(tap);
                let touches = self.window.taps.iter().any(later);
                return touches.then_some(CorrectionScope { by: SupersededBy::Role, late: true });
            }
            Event::ClockStepped(_) => {
                return Some(CorrectionScope { by: SupersededBy::ClockStep, late: self.is_late(place, at, rules) });
            }
            Event::SmartphoneReadFailed(_) | Event::FallbackUsed(_) => {
                let entry = entry(self, arrival, event)?;
                let touches = self.has_pair_near(entry.stamp.true_at(rules.at(entry.stamp.at)), rules);
                return touches.then_some(CorrectionScope { by: SupersededBy::Entry, late: false });
            }
            Event::EntryWithdrawn(_) => return Some(CorrectionScope { by: SupersededBy::Withdrawn, late: false }),
            _ => return None,
        };
        // Even an observation in order may arrive after the end of a window that it belongs to.
        let over = || is_file && self.is_over_between(self.true_at(arrival, at), now, rules);
        if !touches || (self.window.in_order(place, at, now, rules.at(at)) && !over()) {
            return None;
        }
        Some(CorrectionScope { by: SupersededBy::Result, late: self.is_late(place, at, rules) })
    }

    /// The corrected time of an event that the terminal's clock places at `at`.
    fn true_at(&self, arrival: Arrival<'_>, at: DateTime<Utc>) -> DateTime<Utc> {
        self.stamp(arrival, at).true_at(arrival.rules.at(at))
    }

    /// The stamp of an instant by the terminal's clock.
    fn stamp(&self, arrival: Arrival<'_>, at: DateTime<Utc>) -> Stamp {
        let Arrival { observed, place, received_at, .. } = arrival;
        let (offset_ms, measured) = wrong_by(observed, received_at, self.clock.offset_at(place));
        Stamp { place, at, received_at, offset_ms, measured }
    }

    /// Start of an observation's effect on the test whether phones work here; `None` if it has no effect.
    #[expect(clippy::wildcard_enum_match_arm, reason = "only taps and results are weighed")]
    pub(crate) fn weighs_from(&self, arrival: Arrival<'_>, event: &Event) -> Option<DateTime<Utc>> {
        let at = match event {
            Event::TapObserved(event) => may_be_phone(event.medium).then_some(arrival.observed.occurred_at),
            Event::LinkageResultObserved(event) => file(arrival, event).map(|file| file.at),
            _ => None,
        };
        at.map(|at| self.true_at(arrival, at))
    }

    /// Whether the window of a tap ended in [from, to].
    pub(crate) fn is_over_between(&self, from: DateTime<Utc>, to: DateTime<Utc>, rules: &Rules) -> bool {
        self.window.taps.iter().any(|tap| {
            let set = rules.at(tap.stamp.at);
            (from..=to).contains(&set.over_at(tap.stamp.true_at(set)))
        })
    }

    /// Whether a result arrived in [from, to].
    pub(crate) fn has_result_between(&self, from: DateTime<Utc>, to: DateTime<Utc>, rules: &Rules) -> bool {
        self.window.files().iter().any(|file| {
            let offset_ms = self.clock.offset_at(file.place);
            let stamp = Stamp { place: file.place, at: file.at, received_at: to, offset_ms, measured: false };
            (from..=to).contains(&stamp.true_at(rules.at(file.at)))
        })
    }

    fn is_late(&self, place: SeqPosition, at: DateTime<Utc>, rules: &Rules) -> bool {
        let newest_at = self.window.newest_at(place, &self.clock);
        newest_at.is_some_and(|newest_at| later(at, rules.at(at).late_window) < newest_at)
    }

    /// Applies an observation that was admitted.
    pub(crate) fn take_in(&mut self, arrival: Arrival<'_>, event: &Event) {
        let Arrival { observed, place, .. } = arrival;
        let stamp = self.stamp(arrival, observed.occurred_at);
        match event {
            Event::AgentStarted(event) => self.agent_started(stamp, event),
            Event::TerminalRebooted(_) => self.rebooted(stamp),
            Event::ClockStepped(event) => self.clock_stepped(arrival, event),
            Event::SoftwareVersionsObserved(event) => self.versions(place, event),
            Event::ComponentStateObserved(event) => {
                self.components.entry(event.component).or_default().observe(stamp, event.state);
            }
            Event::ReaderAttached(event) => self.reader_attached(stamp, event),
            Event::ReaderDetached(event) => self.reader_mut(event.reader).detached(stamp),
            Event::ReaderFlapping(event) => self.reader_mut(event.reader).flapped(stamp),
            Event::ReaderBlocked(_) => {
                if self.blocked.is_none_or(|known| known.place < place) {
                    self.blocked = Some(stamp);
                }
            }
            Event::TapObserved(event) => self.tap(arrival, event),
            Event::LinkageResultObserved(event) => self.result(arrival, event),
            Event::CollectionGap(event) => {
                self.gap(stamp, Gap { from: event.from, to: event.to, source: event.source, lost: event.lost });
            }
            Event::SettingsTaken(event) => {
                let taken_at = stamp.true_at(arrival.rules.at(stamp.at));
                self.collecting.taken(place, taken_at, event);
            }
            Event::EntryWithdrawn(event) => self.withdraw((event.life, event.seq)),
            Event::SmartphoneReadAttested(_)
            | Event::SmartphoneReadFailed(_)
            | Event::FallbackUsed(_)
            | Event::NoticeHung(_)
            | Event::FaceReaderRestarted(_) => {
                if let Some(entry) = entry(self, arrival, event) {
                    self.desk.enter(entry);
                }
            }
            // A terminal has no authority over the other events. An orderly stop of the agent, and what only a later
            // version understands, have no effect.
            Event::AgentStopped(_)
            | Event::UnknownKind(_)
            | Event::FacilityRegistered(_)
            | Event::FacilityCodeChanged(_)
            | Event::TerminalEnrolled(_)
            | Event::TerminalRetired(_)
            | Event::TerminalSuspended(_)
            | Event::TerminalResumed(_)
            | Event::TerminalRevoked(_)
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
            | Event::StatementWithdrawn(_)
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

    fn clock_stepped(&mut self, arrival: Arrival<'_>, event: &ClockStepped) {
        let Arrival { observed, place, rules, .. } = arrival;
        if event.delta_ms.unsigned_abs() <= rules.at(observed.occurred_at).clock_step_tolerance_ms {
            return;
        }
        let step = ClockStep { place, delta_ms: plausible_offset_ms(event.delta_ms), live: is_live(observed) };
        self.stepped(&step);
    }

    fn reader_attached(&mut self, stamp: Stamp, event: &ReaderAttached) {
        let place = stamp.place;
        self.reader_mut(event.reader).attached(stamp, event);
        let later = |tap: &&mut Tap| {
            tap.reader == event.reader
                && place < tap.stamp.place
                && tap.configured.is_none_or(|(known, _)| known < place)
        };
        for tap in self.window.taps.iter_mut().filter(later) {
            tap.configured = Some((place, event.role));
        }
    }

    fn agent_started(&mut self, stamp: Stamp, event: &AgentStarted) {
        self.collecting.started(stamp.place, event.collection);
        if self.started.is_none_or(|known| known.place < stamp.place) {
            self.started = Some(stamp);
            if self.agent_version.as_deref() != Some(event.agent_version.as_str()) {
                self.agent_version = Some(event.agent_version.clone());
            }
        }
        if event.reason == StartReason::Boot {
            self.booted(stamp);
        }
    }

    fn versions(&mut self, place: SeqPosition, event: &SoftwareVersionsObserved) {
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

    fn tap(&mut self, arrival: Arrival<'_>, event: &TapObserved) {
        let Arrival { observed, place, rules, .. } = arrival;
        let at = observed.occurred_at;
        if !may_be_phone(event.medium) {
            return;
        }
        let TapObserved { reader, present_ms, in_use, mute, .. } = *event;
        let set = rules.at(at);
        let stamp = self.stamp(arrival, at);
        let known = self.readers.get(&reader);
        let tap = Tap {
            stamp,
            reader,
            present_ms,
            in_use,
            mute,
            configured: known.and_then(|reader| reader.configured(Some(place))),
            assigned: known.and_then(|reader| reader.assigned(|from| from <= stamp.true_at(set))),
            results_before: 0,
            usual_hundredths: 0,
            blind: self.collecting.level() == CollectionLevel::Readers,
            settled: None,
        };
        // The tap is kept if its role may still change: a configuration may still arrive, and a statement may be
        // withdrawn.
        if tap.configured.is_some_and(|(_, role)| for_others(role)) && for_others(tap.role()) {
            return;
        }
        if !for_others(tap.role())
            && in_use
            && !tap.too_short(set)
            && self.first_taken.is_none_or(|first| place < first)
        {
            self.first_taken = Some(place);
        }
        self.window.tap(tap, set);
    }

    fn result(&mut self, arrival: Arrival<'_>, event: &LinkageResultObserved) {
        if let Some(file) = file(arrival, event) {
            let set = arrival.rules.at(file.at);
            self.window.file(file, set);
            self.settle_files(arrival.rules);
        }
    }

    /// Applies a person's assignment of a role to a reader, from `at` on.
    pub(crate) fn assign(
        &mut self,
        event: &ReaderRoleAssigned,
        at: DateTime<Utc>,
        id: Option<StatementId>,
        rules: &Rules,
    ) {
        let ReaderRoleAssigned { reader, role, .. } = *event;
        self.reader_mut(reader).assign(at, role, id);
        let from_then_on = |tap: &&mut Tap| {
            tap.reader == reader
                && at <= tap.stamp.true_at(rules.at(tap.stamp.at))
                && tap.assigned.is_none_or(|known| known <= (at, role))
        };
        for tap in self.window.taps.iter_mut().filter(from_then_on) {
            tap.assigned = Some((at, role));
        }
    }

    /// Withdraws an entry of the desk page.
    pub(crate) fn withdraw(&mut self, key: (Life, Seq)) {
        self.desk.withdraw(key);
    }
}

/// Whether a reader with this role is certainly not for phones.
pub(crate) const fn for_others(role: ReaderRole) -> bool {
    matches!(role, ReaderRole::FaceAuth | ReaderRole::StaffLogin | ReaderRole::Other)
}

const fn may_be_phone(medium: Medium) -> bool {
    match medium {
        Medium::MyNumberCard | Medium::FelicaOnly | Medium::DrivingLicence | Medium::ResidentCard => false,
        Medium::OtherTypeA | Medium::OtherTypeB | Medium::Unknown => true,
    }
}

/// The desk entry in an event.
fn entry(terminal: &Terminal, arrival: Arrival<'_>, event: &Event) -> Option<DeskEntry> {
    let observed = arrival.observed;
    let (at, kind) = desk::desk_statement(event)?;
    let stamp = terminal.stamp(arrival, at);
    Some(DeskEntry { stamp, key: Some((observed.life, observed.seq)), id: None, kind })
}

/// The result file of a face reader in an event, if it is one.
fn file(arrival: Arrival<'_>, event: &LinkageResultObserved) -> Option<File> {
    let Arrival { observed, place, .. } = arrival;
    if event.kind != LinkageKind::FaceResult {
        return None;
    }
    let named_at = event.file_at.filter(|at| plausible(*at, observed));
    Some(File {
        place,
        at: named_at.unwrap_or(observed.occurred_at),
        named: named_at.is_some(),
        outcome: event.outcome,
        error_code: event.error_code.clone(),
        tag: event.name_tag,
        taken: false,
    })
}

/// Whether the time in a file's name lies before its observation. A later time comes from another clock.
fn plausible(named_at: DateTime<Utc>, observed: &Observed) -> bool {
    named_at <= later(observed.observed_at, NAMED_AHEAD)
}

const NAMED_AHEAD: Duration = Duration::seconds(5);
