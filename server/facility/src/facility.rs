//! A facility, folded from the log.
//!
//! * Total: a fact is never refused. What contradicts is kept and shown.
//! * Bounded: every list has a limit, so the state of a facility fits in one row whatever it is sent.
//! * No terminal looks at another, so terminals may be interleaved in any way.

// A new kind of event then makes this fold decide.
#![deny(clippy::wildcard_enum_match_arm)]

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::{Event, Origin, Recorded, Stated};
use yomitori_proto::id::{FacilityId, SnapshotId, TerminalId};
use yomitori_proto::vocabulary::{Purchase, PurchaseRoute};

use crate::bounded;
use crate::collection::CollectionLimit;
use crate::desk::{self, Desk};
use crate::discrepancy::Attention;
use crate::equipment::FaceReader;
use crate::identity::Identity;
use crate::intent::Intention;
use crate::listing::Listings;
use crate::opt_out::OptOut;
use crate::rules::Rules;
use crate::terminal::Terminal;

/// What the log says of one facility.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Facility {
    pub id: FacilityId,
    pub(crate) identity: Identity,
    /// Boxed: a map of few makes room for many.
    pub(crate) terminals: BTreeMap<TerminalId, Box<Terminal>>,
    pub(crate) face_reader: Option<FaceReader>,
    /// What signed-in people entered; each terminal has its own.
    pub(crate) desk: Desk,
    pub(crate) purchases: BTreeMap<Purchase, (DateTime<Utc>, PurchaseRoute)>,
    pub(crate) arranged_at: Option<DateTime<Utc>>,
    pub(crate) intention: Intention,
    pub(crate) opt_out: OptOut,
    pub(crate) listings: Listings,
    pub(crate) maintenance: BTreeSet<(DateTime<Utc>, DateTime<Utc>)>,
    pub(crate) attention: Attention,
    /// What was asked for last.
    #[serde(default)]
    pub(crate) collection: Option<CollectionLimit>,
    /// Digests of the newest statements: one that arrives twice counts once.
    heard: Vec<u64>,
    /// When the newest fact reached the server.
    pub(crate) received_at: Option<DateTime<Utc>>,
}

const HEARD: usize = 32;
const MAINTENANCE: usize = 16;

/// The version of the fold. It rises with every change by which the same facts come to another state, or to one that is
/// written otherwise: what an older version made is then folded anew.
pub const FOLD: i32 = 2;

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
            face_reader: None,
            desk: Desk::default(),
            purchases: BTreeMap::new(),
            arranged_at: None,
            intention: Intention::default(),
            opt_out: OptOut::default(),
            listings: Listings::default(),
            maintenance: BTreeSet::new(),
            attention: Attention::default(),
            collection: None,
            heard: Vec::new(),
            received_at: None,
        }
    }

    /// [`fold`] in place.
    pub fn apply(&mut self, recorded: &Recorded, rules: &Rules) {
        // What is said of the log itself says nothing of the facility.
        if recorded.facility != self.id || matches!(recorded.event, Event::RecordSkipped(_)) {
            return;
        }
        self.received_at = self.received_at.max(Some(recorded.received_at));
        match &recorded.origin {
            Origin::Terminal(observed) => {
                let terminal = self.terminals.entry(observed.terminal).or_default();
                terminal.observe(observed, recorded.received_at, &recorded.event, rules);
            }
            Origin::Person(_) | Origin::Server { .. } | Origin::List { .. } => {
                if self.is_news(recorded) {
                    self.stated(recorded, rules);
                }
            }
        }
    }

    /// Whether a statement has not been read before.
    fn is_news(&mut self, recorded: &Recorded) -> bool {
        let digest = digest(recorded);
        if self.heard.contains(&digest) {
            return false;
        }
        bounded::push(&mut self.heard, digest, HEARD);
        true
    }

    fn stated(&mut self, recorded: &Recorded, rules: &Rules) {
        let at = recorded.occurred_at();
        let nobody = Stated { by: String::new(), why: None, stated_at: at };
        let stated = if let Origin::Person(stated) = &recorded.origin { stated } else { &nobody };
        match &recorded.event {
            Event::FacilityRegistered(event) => self.identity.registered(event, at),
            Event::FacilityCodeChanged(event) => self.identity.code_changed(event),
            Event::TerminalEnrolled(event) => {
                let terminal = self.terminals.entry(event.terminal).or_default();
                (terminal.enrolled_at, terminal.retired_at) = (Some(at), None);
            }
            Event::TerminalRetired(event) => {
                self.terminals.entry(event.terminal).or_default().retired_at = Some(at);
            }
            Event::ReaderRoleAssigned(event) => {
                let terminal = self.terminals.entry(event.terminal).or_default();
                terminal.assign(event, at, recorded.received_at, rules);
            }
            Event::FaceReaderModelSet(event) => {
                let (model, phone_native) = (event.model.clone(), event.phone_native);
                self.face_reader = Some(FaceReader { model, phone_native, stated_at: at });
            }
            Event::ReaderPurchased(event) => {
                self.purchases.entry(event.item).or_insert((at, event.route)).1 = event.route;
            }
            Event::ReceptionArranged(event) => self.arranged_at = Some(event.arranged_at),
            Event::ListingIntentSet(event) => {
                self.intention.set(event.intent, stated);
                self.opt_out.intent_set(event.intent);
            }
            Event::OptOutCallPlanned(event) => self.opt_out.planned(event.planned_at),
            Event::OptOutCallMade(event) => {
                self.opt_out.called(event.called_at, event.reference.clone(), stated);
                self.reflect();
            }
            Event::OptOutAcknowledged(event) => {
                self.opt_out.acknowledged(event.acknowledged_at);
                self.reflect();
            }
            Event::OptOutWithdrawn(event) => self.opt_out.withdrawn(event.withdrawn_at),
            Event::AlertAcknowledged(event) => self.attention.acknowledged(&event.flag, stated),
            Event::AlertSnoozed(event) => self.attention.snoozed(&event.flag, event.until, stated),
            Event::MaintenanceWindowSet(event) => {
                bounded::insert_once(&mut self.maintenance, (event.from, event.to), MAINTENANCE);
            }
            Event::CollectionLimited(event) => self.collection = Some(CollectionLimit::stated(event.most, stated)),
            Event::TerminalConnected(event) => {
                let terminal = self.terminals.entry(event.terminal).or_default();
                terminal.connected(at, event);
            }
            Event::TerminalDisconnected(event) => {
                let terminal = self.terminals.entry(event.terminal).or_default();
                terminal.disconnected(event.session, at, event.reason);
            }
            Event::ListingObserved(event) => {
                let snapshot = match recorded.origin {
                    Origin::List { snapshot, .. } => snapshot,
                    Origin::Person(_) | Origin::Server { .. } | Origin::Terminal(_) => SnapshotId(uuid::Uuid::nil()),
                };
                let sight = self.listings.observed(snapshot, event, &self.identity);
                if sight.covers(&self.identity) || sight.listed {
                    self.opt_out.list_observed(&sight, &self.listings.listing(&self.identity));
                }
            }
            Event::SmartphoneReadAttested(event) => self.entered(desk::attested(event), recorded, rules),
            Event::SmartphoneReadFailed(event) => self.entered(desk::failed(event), recorded, rules),
            Event::FallbackUsed(event) => self.entered(desk::fallback(event), recorded, rules),
            Event::NoticeHung(event) => self.entered(desk::notice(event), recorded, rules),
            Event::FaceReaderRestarted(event) => self.entered(desk::restarted(event), recorded, rules),
            Event::EntryWithdrawn(event) => {
                for terminal in self.terminals.values_mut().filter(|terminal| terminal.lives.knows(event.life)) {
                    terminal.withdraw((event.life, event.seq), recorded.received_at);
                }
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
            | Event::ClosureSet(_)
            | Event::SnapshotImported(_)
            | Event::SnapshotReleased(_)
            | Event::ListRowDismissed(_) => {}
        }
    }

    /// A call may be recorded after the list that reflects it was read.
    fn reflect(&mut self) {
        if let Some(sight) = self.listings.newest_absence(&self.identity) {
            self.opt_out.list_observed(sight, &self.listings.listing(&self.identity));
        }
    }

    fn entered(&mut self, said: desk::Said, recorded: &Recorded, rules: &Rules) {
        self.desk.enter(said, None, recorded.received_at, rules);
    }
}

/// FNV-1a over what is said and by whom, but not over when it arrived.
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
    serde_json::to_writer(&mut digest, &(&recorded.origin, &recorded.event))
        .expect("facts have no map with other keys than texts, and the writer never fails");
    digest.0
}
