//! The state of a facility, folded from the event log.
//!
//! * Total: every fact is accepted. Contradictions are kept and shown.
//! * Bounded: every list has a limit (see `bounds`), so the state fits in one row for any input.
//! * Independent of the order of arrival: acts are ordered by the time of the act, lists by their date, observations by
//!   their position.
//! * Terminals are independent of each other, so their facts may be interleaved in any way.

// A new kind of event must be handled explicitly.
#![deny(clippy::wildcard_enum_match_arm)]

mod correct;
mod stated;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::{Event, Observed, Origin, Recorded};
use yomitori_proto::id::{FacilityId, ReaderKey, StatementId, TerminalId};
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

/// The state of one facility according to the log.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Facility {
    pub id: FacilityId,
    pub(crate) identity: Identity,
    /// Boxed, because a B-tree node allocates space for many values even if it holds few.
    pub(crate) terminals: BTreeMap<TerminalId, Box<Terminal>>,
    pub(crate) face_readers: Statements<FaceReader>,
    /// Entries of signed-in people; each terminal has its own desk.
    pub(crate) desk: Desk,
    /// Attempts that are no longer kept individually.
    pub(crate) settled: Tally,
    /// The test over the settled attempts.
    pub(crate) test: Test,
    /// The proof that phones work here; `None` as long as it can be derived from the attempts that are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) proof: Option<Proof>,
    pub(crate) superseded: Vec<Superseded>,
    pub(crate) purchases: BTreeMap<Purchase, Statements<PurchaseRoute>>,
    pub(crate) arranged: Statements<()>,
    pub(crate) intention: Intention,
    pub(crate) opt_out: OptOut,
    pub(crate) listings: Listings,
    /// Each with its end.
    pub(crate) maintenance: Statements<DateTime<Utc>>,
    /// When the facility is closed, each with its end.
    pub(crate) closures: Statements<DateTime<Utc>>,
    pub(crate) attention: FlagStatements,
    pub(crate) collection: Statements<CollectionLimit>,
    /// Digests of the newest statements: a statement that arrives twice counts once (idempotency).
    heard: Vec<u64>,
    /// Withdrawn statements. They don't count, even if they arrive again or after their withdrawal.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    withdrawn: BTreeSet<StatementId>,
    /// Time at which the newest fact reached the server.
    pub(crate) received_at: Option<DateTime<Utc>>,
}

/// The version of the fold. It increases with every change that gives another state, or another form of it or of `Status`, for the
/// same facts. States of an earlier version are then folded again.
pub const FOLD: i32 = 8;

/// Folds `recorded` into the state of a facility. Total: every fact is accepted.
#[must_use]
pub fn fold(mut facility: Facility, recorded: &Recorded, rules: &Rules) -> Facility {
    facility.apply(recorded, rules);
    facility
}

impl Facility {
    /// A facility without facts.
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

    /// Registers the number of an observation that [`Self::apply_admitted`] will apply later. Returns whether the fact
    /// is to be applied.
    pub(crate) fn admit(&mut self, recorded: &Recorded, rules: &Rules) -> bool {
        let Origin::Terminal(observed) = &recorded.origin else { return true };
        self.continue_life(observed);
        self.terminal(observed.terminal).number(observed, recorded.received_at, rules).is_some()
    }

    /// Has the sequence numbers that another state has read, and no others.
    pub(crate) fn number_as(&mut self, other: &Self) {
        self.terminals.retain(|id, terminal| {
            terminal.lives = other.terminals.get(id).map(|other| other.lives.clone()).unwrap_or_default();
            **terminal != Terminal::default()
        });
    }

    /// Like [`Self::apply`], for an observation whose number is already registered.
    pub(crate) fn apply_admitted(&mut self, recorded: &Recorded, rules: &Rules) {
        self.take_in(recorded, rules, Admission::Given);
    }

    fn take_in(&mut self, recorded: &Recorded, rules: &Rules, admission: Admission) {
        // A fact about the log itself doesn't concern the facility.
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

    /// Every known terminal, including retired ones.
    pub fn terminals(&self) -> impl Iterator<Item = TerminalId> {
        self.terminals.keys().copied()
    }

    /// The readers that a terminal has observed, and those that have a role there.
    pub fn readers(&self, terminal: TerminalId) -> impl Iterator<Item = ReaderKey> {
        self.terminals.get(&terminal).into_iter().flat_map(|terminal| terminal.readers.keys().copied())
    }

    /// Whether a terminal is known and neither retired nor revoked.
    #[must_use]
    pub fn uses(&self, terminal: TerminalId) -> bool {
        self.terminals.get(&terminal).is_some_and(|terminal| terminal.retired_at().is_none() && !terminal.revoked)
    }

    /// Whether the observation has a number under which its terminal sent another one: two machines send as one terminal, or
    /// one went back to a copy of its disk. It is no repetition, and is kept.
    #[must_use]
    pub fn reuses(&self, observed: &Observed) -> bool {
        self.terminals.get(&observed.terminal).is_some_and(|terminal| terminal.lives.reuses(observed))
    }

    /// What arrived of the life of an observation under former identifiers of its terminal, if it is the first one under the
    /// present identifier: the highest number, and when that observation was made by the terminal's clock. A terminal that is
    /// enrolled again goes on with its life and its numbers.
    #[must_use]
    pub fn former_numbers(&self, observed: &Observed) -> Option<(u64, DateTime<Utc>)> {
        if self.terminals.get(&observed.terminal).is_some_and(|terminal| terminal.lives.knows(observed.life)) {
            return None;
        }
        let former = self.terminals.values().filter_map(|terminal| terminal.lives.last_of(observed.life)).max()?;
        (observed.seq.0 > former.0).then_some(former)
    }

    fn continue_life(&mut self, observed: &Observed) {
        if let Some(former) = self.former_numbers(observed) {
            self.terminal(observed.terminal).lives.continues(observed, former);
        }
    }

    fn terminal(&mut self, id: TerminalId) -> &mut Terminal {
        self.terminals.entry(id).or_default()
    }

    fn observe(&mut self, observed: &Observed, recorded: &Recorded, rules: &Rules, admission: Admission) {
        let (received_at, event) = (recorded.received_at, &recorded.event);
        self.continue_life(observed);
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
        let arrival = Arrival { observed, place, received_at, now, rules };
        let entries = |at| terminal.desk.has_entry_near(at, rules) || self.desk.has_entry_near(at, rules);
        let corrects = terminal.corrects(arrival, event, entries);
        let weighed = || {
            self.is_weighed_since(arrival, event).then_some(CorrectionScope { by: SupersededBy::Result, late: false })
        };
        if let Some(corrects) = corrects.or_else(weighed) {
            self.correcting(corrects, received_at, rules, |facility| {
                facility.terminal(observed.terminal).take_in(arrival, event);
                if matches!(event, Event::EntryWithdrawn(_)) {
                    facility.doubt_proof();
                }
            });
        } else {
            self.terminal(observed.terminal).take_in(arrival, event);
        }
        let terminal = self.terminal(observed.terminal);
        if terminal.too_many_taps() || terminal.desk.too_many() {
            self.settle(rules, received_at);
        }
    }
}

/// Whether the number of an observation still has to be checked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Admission {
    Asked,
    Given,
}
