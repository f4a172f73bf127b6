//! Statements of people, of the server and of the ministry's list about a facility, and their withdrawal.

// A new kind of event must be handled explicitly.
#![deny(clippy::wildcard_enum_match_arm)]

use std::io;

use yomitori_proto::event::{Event, Origin, Recorded, Speaker, Stated};
use yomitori_proto::id::{SnapshotId, StatementId};

use super::Facility;
use crate::bounded;
use crate::bounds::{CLOSURES, HEARD, MAINTENANCE, STATED, WITHDRAWN};
use crate::collection::CollectionLimit;
use crate::desk::{self, Desk, DeskEntry};
use crate::equipment::FaceReader;
use crate::evidence::SupersededBy;
use crate::rules::Rules;
use crate::seen::SeqPosition;
use crate::stamp::Stamp;
use crate::terminal::{CorrectionScope, Terminal};
use crate::weigh::Test;

impl Facility {
    /// Withdraws a fact that may not have arrived yet: a desk entry of the same terminal or, if a person withdraws it,
    /// of the terminals with that life; or a statement.
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

    /// Whether a statement has not been read before.
    pub(super) fn is_news(&mut self, recorded: &Recorded) -> bool {
        if let Origin::Person(Stated { id: Some(id), .. }) = &recorded.origin
            && self.withdrawn.contains(id)
        {
            if let Event::FacilityRegistered(event) = &recorded.event {
                self.identity.never_had(&event.codes);
            } else if let Event::FacilityCodeChanged(event) = &recorded.event {
                self.identity.never_had(&event.new);
            }
            return false;
        }
        let digest = digest(recorded);
        if self.heard.contains(&digest) {
            return false;
        }
        bounded::push(&mut self.heard, digest, HEARD);
        true
    }

    /// Applies a statement, and records which evidence it corrects.
    pub(super) fn stated_correcting(&mut self, recorded: &Recorded, rules: &Rules) {
        let by = corrected_by(&recorded.event);
        match by {
            Some(by) => self.correcting(CorrectionScope { by, late: false }, recorded.received_at, rules, |facility| {
                facility.stated(recorded, rules);
            }),
            None => self.stated(recorded, rules),
        }
        if self.desk.too_many() {
            self.settle(rules, recorded.received_at);
        }
    }

    /// Removes a statement as if it had never been made, as far as it is kept individually.
    fn withdraw_statement(&mut self, id: StatementId, rules: &Rules) {
        bounded::insert_once(&mut self.withdrawn, id, WITHDRAWN);
        self.identity.withdraw(id);
        self.terminals.values_mut().for_each(|terminal| terminal.withdraw_statement(id, rules));
        // A terminal that existed only in the withdrawn statement is unknown again.
        let nothing = Terminal::default();
        self.terminals.retain(|_, terminal| **terminal != nothing);
        self.face_readers.withdraw(id);
        self.purchases.values_mut().for_each(|statements| _ = statements.withdraw(id));
        self.purchases.retain(|_, statements| !statements.is_empty());
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

    /// Whether withdrawing a statement would change anything. It would not if the statement is forgotten or was never
    /// made.
    #[must_use]
    pub fn can_withdraw(&self, id: StatementId, rules: &Rules) -> bool {
        let mut without = self.clone();
        without.withdraw_statement(id, rules);
        without.withdrawn.clone_from(&self.withdrawn);
        without != *self
    }

    /// Removes the proof that phones work if it rested only on an attested read that was withdrawn.
    pub(super) fn doubt_proof(&mut self) {
        let attested = || {
            let desks = self.terminals.values().map(|terminal| &terminal.desk).chain([&self.desk]);
            desks.flat_map(Desk::entries).any(DeskEntry::says_read)
        };
        if self.proof.is_some_and(|proof| proof.attested) && !self.settled.has_attested() && !attested() {
            // Settled pairs that counted because of the proof are no longer reads; later pairs are weighed again.
            (self.proof, self.test) = (None, Test::default());
            self.settled.refute();
        }
    }

    fn stated(&mut self, recorded: &Recorded, rules: &Rules) {
        let at = recorded.occurred_at();
        let anonymous = Stated { by: String::new(), why: None, stated_at: at, id: None };
        let stated = if let Origin::Person(stated) = &recorded.origin { stated } else { &anonymous };
        let id = stated.id;
        match &recorded.event {
            Event::FacilityRegistered(event) => self.identity.registered(event, stated),
            Event::FacilityCodeChanged(event) => self.identity.code_changed(event, stated),
            Event::TerminalEnrolled(event) => self.terminal(event.terminal).set_in_use(at, true, id),
            Event::TerminalRetired(event) => self.terminal(event.terminal).set_in_use(at, false, id),
            // What another holder of its key sends does not count either.
            Event::TerminalRevoked(event) => self.terminal(event.terminal).set_in_use(at, false, id),
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
                if let Some((at, kind)) = desk::desk_statement(&recorded.event) {
                    let received_at = recorded.received_at;
                    let stamp = Stamp { place: SeqPosition::default(), at, received_at, offset_ms: 0, measured: true };
                    self.desk.enter(DeskEntry { stamp, key: None, id, kind });
                }
            }
            Event::EntryWithdrawn(event) => {
                for terminal in self.terminals.values_mut().filter(|terminal| terminal.lives.knows(event.life)) {
                    terminal.withdraw((event.life, event.seq));
                }
                self.doubt_proof();
            }
            // Events that only a terminal observes, and facts about the fleet or the log.
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
            | Event::UnknownKind(_)
            // Who may send is decided at the door; what was observed meanwhile is as true as ever.
            | Event::TerminalSuspended(_)
            | Event::TerminalResumed(_)
            | Event::RecordSkipped(_)
            | Event::RulesAdopted(_)
            | Event::SnapshotImported(_)
            | Event::SnapshotReleased(_)
            | Event::ListRowDismissed(_) => {}
        }
    }
}

/// The kind of correction that a statement may cause.
#[expect(clippy::wildcard_enum_match_arm, reason = "a new kind of statement corrects nothing by default")]
const fn corrected_by(event: &Event) -> Option<SupersededBy> {
    match event {
        Event::ReaderRoleAssigned(_) => Some(SupersededBy::Role),
        Event::TerminalRetired(_) | Event::TerminalRevoked(_) | Event::TerminalEnrolled(_) => {
            Some(SupersededBy::Retired)
        }
        Event::EntryWithdrawn(_) | Event::StatementWithdrawn(_) => Some(SupersededBy::Withdrawn),
        Event::SmartphoneReadFailed(_) | Event::FallbackUsed(_) => Some(SupersededBy::Entry),
        _ => None,
    }
}

/// Whether a statement of this kind can be withdrawn as if it had not been made. Operations on the log, adopted
/// rules, and who may send are replaced by later ones instead.
#[must_use]
pub const fn withdrawable(event: &Event) -> bool {
    let followed = matches!(
        event,
        Event::EntryWithdrawn(_)
            | Event::StatementWithdrawn(_)
            | Event::TerminalSuspended(_)
            | Event::TerminalResumed(_)
            | Event::TerminalRevoked(_)
            | Event::RecordSkipped(_)
            | Event::RulesAdopted(_)
            | Event::SnapshotImported(_)
            | Event::SnapshotReleased(_)
    );
    matches!(event.speaker(), Speaker::Person | Speaker::Anyone) && !followed
}

/// FNV-1a over a statement's identifier. Without an identifier, it covers the contents and the author but not the time
/// of arrival.
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
    written.expect("facts have only text keys, and writing to the hasher never fails");
    digest.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::EXAMPLE;

    #[test]
    fn every_kind_that_can_be_withdrawn_is_kept_individually() {
        let (rules, id) = (Rules::bundled(), StatementId(uuid::Uuid::from_u128(7)));
        let facts = EXAMPLE.lines().map(|line| serde_json::from_str::<Recorded>(line).unwrap());
        // Dismissed rows are the fleet's, which has no state.
        let of_facility = |recorded: &Recorded| !matches!(recorded.event, Event::ListRowDismissed(_));
        for mut recorded in facts.filter(|recorded| withdrawable(&recorded.event) && of_facility(recorded)) {
            let at = recorded.occurred_at();
            recorded.origin = Origin::Person(Stated { by: "Sato".to_owned(), why: None, stated_at: at, id: Some(id) });
            let mut facility = Facility::new(recorded.facility);
            facility.apply(&recorded, &rules);
            assert!(facility.can_withdraw(id, &rules), "{}", recorded.event.kind());
        }
    }
}
