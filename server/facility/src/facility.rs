//! A facility, folded from the log.
//!
//! * Total: a fact is never refused. What contradicts is kept and shown.
//! * Bounded: every list has a limit (see `bounds`), so the state of a facility fits in one row whatever it is sent.
//! * Acts count by when they were done, lists by their date, observations by their place: in any order of arrival.
//! * No terminal looks at another, so terminals may be interleaved in any way.

// A new kind of event then makes this fold decide.
#![deny(clippy::wildcard_enum_match_arm)]

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::{Event, Observed, Origin, Recorded, Stated};
use yomitori_proto::id::{FacilityId, SnapshotId, StatementId, TerminalId};
use yomitori_proto::vocabulary::{Purchase, PurchaseRoute};

use crate::attempt::{Graded, Key, Proof};
use crate::bounded;
use crate::bounds::{CLOSURES, HEARD, MAINTENANCE, STATED, SUPERSEDED, WITHDRAWN};
use crate::collection::CollectionLimit;
use crate::desk::{self, Desk, Entry};
use crate::discrepancy::Attention;
use crate::equipment::FaceReader;
use crate::evidence::{Level, Superseded, SupersededBy, Tally};
use crate::identity::Identity;
use crate::instant::later;
use crate::intent::Intention;
use crate::listing::Listings;
use crate::opt_out::OptOut;
use crate::rules::Rules;
use crate::seen::Place;
use crate::stamp::Stamp;
use crate::statements::Statements;
use crate::terminal::{Corrects, Sighting, Terminal};
use crate::weigh::Test;

/// What the log says of one facility.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Facility {
    pub id: FacilityId,
    pub(crate) identity: Identity,
    /// Boxed: a map of few makes room for many.
    pub(crate) terminals: BTreeMap<TerminalId, Box<Terminal>>,
    pub(crate) face_readers: Statements<FaceReader>,
    /// What signed-in people entered; each terminal has its own.
    pub(crate) desk: Desk,
    /// Attempts that are no longer kept one by one.
    pub(crate) settled: Tally,
    /// How they weigh.
    pub(crate) test: Test,
    /// Phones are known to work here; absent where that follows from what is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proof: Option<Proof>,
    pub(crate) superseded: Vec<Superseded>,
    pub(crate) purchases: BTreeMap<Purchase, Statements<PurchaseRoute>>,
    pub(crate) arranged: Statements<()>,
    pub(crate) intention: Intention,
    pub(crate) opt_out: OptOut,
    pub(crate) listings: Listings,
    /// Each until an instant.
    pub(crate) maintenance: Statements<DateTime<Utc>>,
    /// When it is closed, each until an instant.
    pub(crate) closures: Statements<DateTime<Utc>>,
    pub(crate) attention: Attention,
    pub(crate) collection: Statements<CollectionLimit>,
    /// Digests of the newest statements: one that arrives twice counts once.
    heard: Vec<u64>,
    /// Statements that don't count, also where they come again, or later than their withdrawal.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    withdrawn: BTreeSet<StatementId>,
    /// When the newest fact reached the server.
    pub(crate) received_at: Option<DateTime<Utc>>,
}

/// The version of the fold. It rises with every change by which the same facts come to another state, or to one that is
/// written otherwise: what an older version made is then folded anew.
pub const FOLD: i32 = 5;

/// What the log says of one facility once `recorded` has been read too. Total: a fact is never refused.
#[must_use]
pub fn fold(mut facility: Facility, recorded: &Recorded, rules: &Rules) -> Facility {
    facility.apply(recorded, rules);
    facility
}

impl Facility {
    /// A facility of which the log says nothing.
    #[must_use]
    pub fn new(id: FacilityId) -> Self {
        Self {
            id,
            identity: Identity::default(),
            terminals: BTreeMap::new(),
            face_readers: Statements::default(),
            desk: Desk::default(),
            settled: Tally::default(),
            test: Test::default(),
            proof: None,
            superseded: Vec::new(),
            purchases: BTreeMap::new(),
            arranged: Statements::default(),
            intention: Intention::default(),
            opt_out: OptOut::default(),
            listings: Listings::default(),
            maintenance: Statements::default(),
            closures: Statements::default(),
            attention: Attention::default(),
            collection: Statements::default(),
            heard: Vec::new(),
            withdrawn: BTreeSet::new(),
            received_at: None,
        }
    }

    /// [`fold`] in place.
    pub fn apply(&mut self, recorded: &Recorded, rules: &Rules) {
        self.take_in(recorded, rules, Admission::Asked);
    }

    /// Takes in the numbers of observations that will be applied by [`Self::apply_admitted`]; says of each fact whether it
    /// is to be applied.
    pub(crate) fn admit(&mut self, recorded: &Recorded, rules: &Rules) -> bool {
        let Origin::Terminal(observed) = &recorded.origin else { return true };
        self.terminal(observed.terminal).number(observed, recorded.received_at, rules).is_some()
    }

    /// Takes over which observations another one has read.
    pub(crate) fn number_as(&mut self, other: &Self) {
        for (id, terminal) in &mut self.terminals {
            if let Some(other) = other.terminals.get(id) {
                terminal.lives.clone_from(&other.lives);
            }
        }
    }

    /// The same as [`Self::apply`] of an observation whose number is known already.
    pub(crate) fn apply_admitted(&mut self, recorded: &Recorded, rules: &Rules) {
        self.take_in(recorded, rules, Admission::Given);
    }

    /// Takes back what is still to come: an entry of the terminal that says so, or of those whose life a person named; or a
    /// statement.
    pub(crate) fn take_back(&mut self, recorded: &Recorded, rules: &Rules) {
        if let Event::StatementWithdrawn(event) = &recorded.event {
            self.withdraw_statement(event.statement, rules);
        }
        let Event::EntryWithdrawn(event) = &recorded.event else { return };
        let key = (event.life, event.seq);
        match &recorded.origin {
            Origin::Terminal(observed) => self.terminal(observed.terminal).withdraw(key),
            Origin::Person(_) | Origin::Server { .. } | Origin::List { .. } => {
                let knowing = self.terminals.values_mut().filter(|terminal| terminal.lives.knows(event.life));
                knowing.for_each(|terminal| terminal.withdraw(key));
            }
        }
    }

    fn take_in(&mut self, recorded: &Recorded, rules: &Rules, admission: Admission) {
        // What is said of the log itself says nothing of the facility.
        if recorded.facility != self.id || matches!(recorded.event, Event::RecordSkipped(_)) {
            return;
        }
        self.received_at = self.received_at.max(Some(recorded.received_at));
        match &recorded.origin {
            Origin::Terminal(observed) => self.observe(observed, recorded, rules, admission),
            Origin::Person(_) | Origin::Server { .. } | Origin::List { .. } => {
                if self.is_news(recorded) {
                    self.stated_correcting(recorded, rules);
                }
            }
        }
    }

    fn terminal(&mut self, id: TerminalId) -> &mut Terminal {
        self.terminals.entry(id).or_default()
    }

    fn observe(&mut self, observed: &Observed, recorded: &Recorded, rules: &Rules, admission: Admission) {
        let (received_at, event) = (recorded.received_at, &recorded.event);
        let terminal = self.terminals.entry(observed.terminal).or_default();
        let place = match admission {
            Admission::Asked => terminal.admit(observed, received_at, rules),
            Admission::Given => {
                terminal.heard(received_at);
                terminal.lives.place(observed)
            }
        };
        let Some(place) = place else { return };
        let now = self.received_at.unwrap_or(received_at);
        let sighting = Sighting { observed, place, received_at, now, rules };
        let entries = |at| terminal.desk.has_entry_near(at, rules) || self.desk.has_entry_near(at, rules);
        let corrects = terminal.corrects(sighting, event, entries);
        let weighed =
            || self.is_weighed_since(sighting, event).then_some(Corrects { by: SupersededBy::Result, late: false });
        if let Some(corrects) = corrects.or_else(weighed) {
            self.correcting(corrects, received_at, rules, |facility| {
                facility.terminal(observed.terminal).take_in(sighting, event);
                if matches!(event, Event::EntryWithdrawn(_)) {
                    facility.doubt_proof();
                }
            });
        } else {
            self.terminal(observed.terminal).take_in(sighting, event);
        }
        let terminal = self.terminal(observed.terminal);
        if terminal.too_many_taps() || terminal.desk.too_many() {
            self.settle(rules, received_at);
        }
    }

    /// Whether phones working here has been weighed for an instant at which this observation should have been known: taps of
    /// all terminals are weighed together, and one may be heard later than another of what happened before.
    fn is_weighed_since(&self, sighting: Sighting<'_>, event: &Event) -> bool {
        let Sighting { observed: Observed { terminal: own, .. }, now, rules, .. } = sighting;
        let from = self.terminals.get(own).and_then(|terminal| terminal.weighs_from(sighting, event));
        let Some(from) = from.filter(|_| self.proof.is_none()) else { return false };
        self.terminals.iter().any(|(id, terminal)| {
            terminal.is_over_between(from, now, rules) || (id != own && terminal.has_result_between(from, now, rules))
        })
    }

    /// Makes a change, and records what evidence that had been shown is corrected by it: where evidence falls, that is said.
    /// Where it changes otherwise, that is said if the change comes late, or if what it corrects had been shown for longer
    /// than the late window.
    fn correcting(
        &mut self,
        Corrects { by, late }: Corrects,
        received_at: DateTime<Utc>,
        rules: &Rules,
        change: impl FnOnce(&mut Self),
    ) {
        let now = self.received_at.unwrap_or(received_at);
        let seen = |facility: &Self| facility.attempts(rules, |at| at <= now).levels();
        let before = seen(self);
        change(self);
        let after = seen(self);
        let fell = Shown::of(&after).fell_from(&Shown::of(&before));
        let keys: BTreeSet<&Key> = before.keys().chain(after.keys()).collect();
        for key in keys {
            let (was, now) = (before.get(key), after.get(key));
            let Some(Graded { at: read_at, known_at, .. }) = was.or(now) else { continue };
            let moved = fell && was.zip(now).is_some_and(|(was, now)| was.at != now.at);
            let (was, now) = (was.map(|graded| graded.level), now.map(|graded| graded.level));
            if (was == now && !moved) || was.max(now) <= Some(Level::TapOnly) {
                continue;
            }
            let set = rules.at(*read_at);
            let shown_until = later(*known_at, set.late_window + set.correlation_to);
            let late = late || (was.is_some() && by == SupersededBy::Result && shown_until < received_at);
            if late || (fell && (now < was || moved)) {
                let by = if late && by == SupersededBy::Result { SupersededBy::Late } else { by };
                let entry = Superseded { read_at: *read_at, received_at, was, now, by };
                bounded::push(&mut self.superseded, entry, SUPERSEDED);
            }
        }
    }

    /// Whether a statement has not been read before.
    fn is_news(&mut self, recorded: &Recorded) -> bool {
        if let Origin::Person(Stated { id: Some(id), .. }) = &recorded.origin
            && self.withdrawn.contains(id)
        {
            return false;
        }
        let digest = digest(recorded);
        if self.heard.contains(&digest) {
            return false;
        }
        bounded::push(&mut self.heard, digest, HEARD);
        true
    }

    /// What is stated, with what it corrects.
    fn stated_correcting(&mut self, recorded: &Recorded, rules: &Rules) {
        let by = corrected_by(&recorded.event);
        match by {
            Some(by) => self.correcting(Corrects { by, late: false }, recorded.received_at, rules, |facility| {
                facility.stated(recorded, rules);
            }),
            None => self.stated(recorded, rules),
        }
        if self.desk.too_many() {
            self.settle(rules, recorded.received_at);
        }
    }

    /// Makes a statement one that was never made, as far as it is kept by itself.
    fn withdraw_statement(&mut self, id: StatementId, rules: &Rules) {
        bounded::insert_once(&mut self.withdrawn, id, WITHDRAWN);
        self.identity.withdraw(id);
        self.terminals.values_mut().for_each(|terminal| terminal.withdraw_statement(id, rules));
        self.face_readers.withdraw(id);
        self.purchases.values_mut().for_each(|said| _ = said.withdraw(id));
        self.purchases.retain(|_, said| !said.is_empty());
        self.arranged.withdraw(id);
        self.intention.withdraw(id);
        self.opt_out.withdraw(id);
        self.attention.withdraw(id);
        self.maintenance.withdraw(id);
        self.closures.withdraw(id);
        self.collection.withdraw(id);
        self.desk.withdraw_statement(id);
        self.doubt_proof();
    }

    /// Phones are not known to work any more where only an attested read said so, and it was withdrawn.
    fn doubt_proof(&mut self) {
        let attested = || {
            let desks = self.terminals.values().map(|terminal| &terminal.desk).chain([&self.desk]);
            desks.flat_map(Desk::entries).any(Entry::says_read)
        };
        if self.proof.is_some_and(|proof| proof.from.is_none()) && !self.settled.has_attested() && !attested() {
            self.proof = None;
            self.settled.refute();
        }
    }

    fn stated(&mut self, recorded: &Recorded, rules: &Rules) {
        let at = recorded.occurred_at();
        let nobody = Stated { by: String::new(), why: None, stated_at: at, id: None };
        let stated = if let Origin::Person(stated) = &recorded.origin { stated } else { &nobody };
        let id = stated.id;
        match &recorded.event {
            Event::FacilityRegistered(event) => self.identity.registered(event, stated),
            Event::FacilityCodeChanged(event) => self.identity.code_changed(event, stated),
            Event::TerminalEnrolled(event) => self.terminal(event.terminal).set_in_use(at, true, id),
            Event::TerminalRetired(event) => self.terminal(event.terminal).set_in_use(at, false, id),
            Event::ReaderRoleAssigned(event) => self.terminal(event.terminal).assign(event, at, id, rules),
            Event::FaceReaderModelSet(event) => {
                let (model, phone_native) = (event.model.clone(), event.phone_native);
                self.face_readers.state(at, FaceReader { model, phone_native, stated_at: at }, id, STATED);
            }
            Event::ReaderPurchased(event) => {
                self.purchases.entry(event.item).or_default().state(at, event.route, id, STATED);
            }
            Event::ReceptionArranged(event) => self.arranged.state(event.arranged_at, (), id, STATED),
            Event::ListingIntentSet(event) => {
                self.intention.set(event.intent, stated);
                self.opt_out.intent_set(event.intent, stated);
            }
            Event::OptOutCallPlanned(event) => self.opt_out.planned(event.planned_at, stated),
            Event::OptOutCallMade(event) => {
                self.opt_out.called(event.called_at, event.reference.clone(), stated);
            }
            Event::OptOutAcknowledged(event) => self.opt_out.acknowledged(event.acknowledged_at, stated),
            Event::OptOutWithdrawn(event) => self.opt_out.withdrawn(event.withdrawn_at, stated),
            Event::AlertAcknowledged(event) => self.attention.acknowledged(&event.flag, stated),
            Event::AlertSnoozed(event) => self.attention.snoozed(&event.flag, event.until, stated),
            Event::MaintenanceWindowSet(event) => self.maintenance.state(event.from, event.to, id, MAINTENANCE),
            Event::ClosureSet(event) => self.closures.state(event.from, event.to, id, CLOSURES),
            Event::CollectionLimited(event) => {
                self.collection.state(at, CollectionLimit::stated(event.most, stated), id, STATED);
            }
            Event::StatementWithdrawn(event) => self.withdraw_statement(event.statement, rules),
            Event::TerminalConnected(event) => self.terminal(event.terminal).connected(at, event),
            Event::TerminalDisconnected(event) => {
                self.terminal(event.terminal).disconnected(event.session, at, event.reason);
            }
            Event::ListingObserved(event) => {
                let snapshot = match recorded.origin {
                    Origin::List { snapshot, .. } => snapshot,
                    Origin::Person(_) | Origin::Server { .. } | Origin::Terminal(_) => SnapshotId(uuid::Uuid::nil()),
                };
                self.listings.observed(snapshot, event, recorded.received_at, &self.identity, &mut self.opt_out);
            }
            Event::SmartphoneReadAttested(_)
            | Event::SmartphoneReadFailed(_)
            | Event::FallbackUsed(_)
            | Event::NoticeHung(_)
            | Event::FaceReaderRestarted(_) => {
                if let Some((at, kind)) = desk::said(&recorded.event) {
                    let received_at = recorded.received_at;
                    let stamp = Stamp { place: Place::default(), at, received_at, offset_ms: 0 };
                    self.desk.enter(Entry { stamp, key: None, id, kind });
                }
            }
            Event::EntryWithdrawn(event) => {
                for terminal in self.terminals.values_mut().filter(|terminal| terminal.lives.knows(event.life)) {
                    terminal.withdraw((event.life, event.seq));
                }
                self.doubt_proof();
            }
            // What only a terminal observes, and what is said of the fleet or of the log.
            Event::AgentStarted(_)
            | Event::AgentStopped(_)
            | Event::TerminalRebooted(_)
            | Event::ClockStepped(_)
            | Event::SoftwareVersionsObserved(_)
            | Event::ComponentStateObserved(_)
            | Event::ReaderAttached(_)
            | Event::ReaderDetached(_)
            | Event::ReaderFlapping(_)
            | Event::ReaderBlocked(_)
            | Event::TapObserved(_)
            | Event::LinkageResultObserved(_)
            | Event::CollectionGap(_)
            | Event::SettingsTaken(_)
            | Event::RecordSkipped(_)
            | Event::RulesAdopted(_)
            | Event::SnapshotImported(_)
            | Event::SnapshotReleased(_)
            | Event::ListRowDismissed(_) => {}
        }
    }
}

/// What a statement may correct.
#[expect(clippy::wildcard_enum_match_arm, reason = "a new kind of statement corrects nothing until somebody says so")]
const fn corrected_by(event: &Event) -> Option<SupersededBy> {
    match event {
        Event::ReaderRoleAssigned(_) => Some(SupersededBy::Role),
        Event::TerminalRetired(_) | Event::TerminalEnrolled(_) => Some(SupersededBy::Retired),
        Event::EntryWithdrawn(_) | Event::StatementWithdrawn(_) => Some(SupersededBy::Withdrawn),
        Event::SmartphoneReadFailed(_) | Event::FallbackUsed(_) => Some(SupersededBy::Entry),
        _ => None,
    }
}

/// Whether an observation's number is still to be asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admission {
    Asked,
    Given,
}

/// What is shown of evidence: how many reads, from when on, how strong; the same of what is plausible.
struct Shown {
    best: Option<Level>,
    counts: [(u32, Option<DateTime<Utc>>); 4],
}

impl Shown {
    fn of(levels: &BTreeMap<Key, Graded>) -> Self {
        let least = [Level::Plausible, Level::Correlated, Level::HeaderConfirmed, Level::Attested];
        let counts = least.map(|least| {
            let reads = levels.values().filter(|graded| graded.level >= least);
            reads.fold((0, None), |(count, first): (u32, Option<DateTime<Utc>>), graded| {
                (count + 1, Some(first.map_or(graded.at, |first| first.min(graded.at))))
            })
        });
        Self { best: levels.values().map(|graded| graded.level).max(), counts }
    }

    fn fell_from(&self, before: &Self) -> bool {
        let counts = self.counts.iter().zip(&before.counts);
        let fewer = counts.map(|((count, first), (was, was_first))| {
            count < was || was_first.is_some_and(|was| first.is_none_or(|first| was < first))
        });
        self.best < before.best || fewer.into_iter().any(|fewer| fewer)
    }
}

/// Whether a statement of this kind is as if it had not been made once it is withdrawn. What is done with the log itself, and
/// rules that were adopted, are followed by others instead.
#[must_use]
pub const fn withdrawable(event: &Event) -> bool {
    match event {
        Event::SmartphoneReadAttested(_)
        | Event::SmartphoneReadFailed(_)
        | Event::FallbackUsed(_)
        | Event::NoticeHung(_)
        | Event::FaceReaderRestarted(_)
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
        | Event::CollectionLimited(_)
        | Event::ClosureSet(_) => true,
        Event::AgentStarted(_)
        | Event::AgentStopped(_)
        | Event::TerminalRebooted(_)
        | Event::ClockStepped(_)
        | Event::SoftwareVersionsObserved(_)
        | Event::ComponentStateObserved(_)
        | Event::ReaderAttached(_)
        | Event::ReaderDetached(_)
        | Event::ReaderFlapping(_)
        | Event::ReaderBlocked(_)
        | Event::TapObserved(_)
        | Event::LinkageResultObserved(_)
        | Event::CollectionGap(_)
        | Event::SettingsTaken(_)
        | Event::EntryWithdrawn(_)
        | Event::StatementWithdrawn(_)
        | Event::RecordSkipped(_)
        | Event::RulesAdopted(_)
        | Event::SnapshotImported(_)
        | Event::SnapshotReleased(_)
        | Event::ListRowDismissed(_)
        | Event::TerminalConnected(_)
        | Event::TerminalDisconnected(_)
        | Event::ListingObserved(_) => false,
    }
}

/// FNV-1a over a statement's identifier; where it has none, over what is said and by whom, but not over when it arrived.
fn digest(recorded: &Recorded) -> u64 {
    struct Digest(u64);

    impl io::Write for Digest {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            const PRIME: u64 = 0x0100_0000_01b3;
            self.0 = bytes.iter().fold(self.0, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let mut digest = Digest(0xcbf2_9ce4_8422_2325);
    let written = if let Origin::Person(Stated { id: Some(id), .. }) = &recorded.origin {
        serde_json::to_writer(&mut digest, id)
    } else {
        serde_json::to_writer(&mut digest, &(&recorded.origin, &recorded.event))
    };
    written.expect("facts have no map with other keys than texts, and the writer never fails");
    digest.0
}
