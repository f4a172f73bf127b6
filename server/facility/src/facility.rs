//! A facility, folded from the log.
//!
//! * Total: a fact is never refused. What contradicts is kept and shown.
//! * Bounded: every list has a limit (see `bounds`), so the state of a facility fits in one row whatever it is sent.
//! * Acts count by when they were done, lists by their date, observations by their place: in any order of arrival.
//! * No terminal looks at another, so terminals may be interleaved in any way.

// A new kind of event then makes this fold decide.
#![deny(clippy::wildcard_enum_match_arm)]

mod correct;
mod stated;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::{Event, Observed, Origin, Recorded};
use yomitori_proto::id::{FacilityId, StatementId, TerminalId};
use yomitori_proto::vocabulary::{Purchase, PurchaseRoute};

use crate::attempt::Proof;
use crate::collection::CollectionLimit;
use crate::desk::Desk;
use crate::discrepancy::FlagStatements;
use crate::equipment::FaceReader;
use crate::evidence::{Superseded, SupersededBy, Tally};
use crate::identity::Identity;
use crate::intent::Intention;
use crate::listing::Listings;
use crate::opt_out::OptOut;
use crate::rules::Rules;
use crate::statements::Statements;
use crate::terminal::{Arrival, CorrectionScope, Terminal};
use crate::weigh::Test;

pub use stated::withdrawable;

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
    pub(crate) attention: FlagStatements,
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
            attention: FlagStatements::default(),
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

    /// Every terminal that is known, those that are retired too.
    pub fn terminals(&self) -> impl Iterator<Item = TerminalId> {
        self.terminals.keys().copied()
    }

    /// Whether a terminal is known and neither retired nor revoked.
    #[must_use]
    pub fn uses(&self, terminal: TerminalId) -> bool {
        self.terminals.get(&terminal).is_some_and(|terminal| terminal.retired_at().is_none() && !terminal.revoked)
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
        let sighting = Arrival { observed, place, received_at, now, rules };
        let entries = |at| terminal.desk.has_entry_near(at, rules) || self.desk.has_entry_near(at, rules);
        let corrects = terminal.corrects(sighting, event, entries);
        let weighed = || {
            self.is_weighed_since(sighting, event).then_some(CorrectionScope { by: SupersededBy::Result, late: false })
        };
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
}

/// Whether an observation's number is still to be asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admission {
    Asked,
    Given,
}
