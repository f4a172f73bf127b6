//! Verifies the store against the log: the log is read from its first record and folded again in memory, and everything
//! that the projector wrote is compared with the result. Nothing is changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use tokio::task::block_in_place;
use yomitori_facility::{Facility, StoredJson as _};
use yomitori_proto::id::FacilityId;

use super::batch::Outcome;
use super::intake::Intake;
use super::rebuild::partition::{self, Span, take};
use super::rebuild::{RebuildError, RebuildProgress};
use super::state::States;
use crate::config;
use crate::log::Position;
use crate::log::kafka;
use crate::store::completeness::Hole;
use crate::store::fact::StoredFact;
use crate::store::policy::{self, Policy};
use crate::store::received::LifeGap;
use crate::store::snapshot::DbSnapshot;
use crate::store::{Store, StoreError, parked};

/// Facilities and lives compared at once.
const AT_ONCE: usize = 1000;
/// At most this many differences are listed; the others are counted.
const NAMED: usize = 1000;

/// What was compared, and the differences between log and store.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Report {
    pub records: u64,
    pub facts: u64,
    /// Repeated facts, which are dropped as they should be.
    pub repeated: u64,
    pub facilities: u64,
    /// Facilities folded by other rules than those in force, which are about to be folded again: not compared.
    pub behind: u64,
    /// Records of the log that are not folded yet: not compared.
    pub unfolded: u64,
    pub disagreements: u64,
    /// The first differences.
    pub named: Vec<Disagreement>,
}

/// One difference between store and log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Disagreement {
    /// The log contains the fact, the store does not.
    FactMissing { partition: i32, offset: i64, place: i32, kind: &'static str, facility: FacilityId },
    /// The store contains the fact, the log does not.
    FactInvented { partition: i32, offset: i64, place: i32, kind: &'static str, facility: FacilityId },
    /// Both contain a fact at this position, with different contents.
    FactDiffers { partition: i32, offset: i64, place: i32, kind: &'static str, facility: FacilityId },
    /// The log contains the facility, the store does not.
    FacilityMissing { facility: FacilityId },
    /// The store contains the facility, the log does not.
    FacilityInvented { facility: FacilityId },
    /// The state differs from the fold of the facts.
    FacilityDiffers { facility: FacilityId, field: String },
    /// What has arrived of a life, or what is missing of it, differs from the numbers in the log.
    LifeDiffers { terminal: String, life: String, log: u64, store: Option<u64> },
    /// A record that cannot be folded is not parked, or one that can be is.
    ParkedDiffers { partition: i32, offset: i64, in_store: bool },
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FactMissing { partition, offset, place, kind, facility } => {
                write!(f, "{kind} of {facility} at {partition}:{offset}.{place} is missing in the store")
            }
            Self::FactInvented { partition, offset, place, kind, facility } => {
                write!(f, "{kind} of {facility} at {partition}:{offset}.{place} is in the store and not in the log")
            }
            Self::FactDiffers { partition, offset, place, kind, facility } => {
                write!(f, "{kind} of {facility} at {partition}:{offset}.{place} differs in the store")
            }
            Self::FacilityMissing { facility } => write!(f, "facility {facility} is missing in the store"),
            Self::FacilityInvented { facility } => write!(f, "facility {facility} is in the store and not in the log"),
            Self::FacilityDiffers { facility, field } => {
                write!(f, "the state of facility {facility} differs from the folded facts, first at `{field}`")
            }
            Self::LifeDiffers { terminal, life, log, store } => {
                let store = store.map_or_else(|| "none".to_owned(), |seq| seq.to_string());
                write!(
                    f,
                    "what has arrived of life {life} of {terminal} differs: the last observation is {log} in the log \
                     and {store} in the store"
                )
            }
            Self::ParkedDiffers { partition, offset, in_store: true } => {
                write!(f, "the record at {partition}:{offset} is parked although it can be folded")
            }
            Self::ParkedDiffers { partition, offset, in_store: false } => {
                write!(f, "the record at {partition}:{offset} cannot be folded and is not parked")
            }
        }
    }
}

/// Compares the store, as it is now, with the log.
///
/// # Errors
/// If the log or the database is away, or the log lacks records that the store has folded.
pub async fn verify(
    store: &Store,
    kafka: &config::Kafka,
    progressed: &mut (dyn FnMut(RebuildProgress) + Send),
) -> Result<Report, RebuildError> {
    let snapshot = DbSnapshot::open(store).await?;
    // In this order: the snapshot begins with its first query, and the log keeps growing.
    let places = snapshot.places().await?;
    let asked = kafka.clone();
    let bounds = tokio::task::spawn_blocking(move || kafka::bounds(&asked)).await.expect("asking does not panic")?;
    let next: BTreeMap<i32, i64> = places.iter().map(|place| (place.partition, place.offset)).collect();
    let unfolded = bounds.iter().map(|(partition, (_, ends))| ends - next.get(partition).copied().unwrap_or(0));
    let unfolded = unfolded.map(|records| u64::try_from(records).unwrap_or(0)).sum();
    let mut spans = Vec::new();
    for place in places.into_iter().filter(|place| place.offset > 0) {
        let (partition, to) = (place.partition, place.offset);
        let (begins, ends) = bounds.get(&partition).copied().unwrap_or((0, 0));
        if to > ends {
            return Err(RebuildError::Lost { partition, wanted: to, ends });
        }
        if begins > 0 {
            return Err(RebuildError::Shortened { partition, wanted: 0, begins });
        }
        spans.push(Span { from: Position { partition, offset: 0 }, to });
    }
    let of = spans.iter().map(Span::records).sum();
    let policy = policy::now(store).await?;
    let skipped = parked::skipped(store).await?;
    let intake = Intake::new(partition::AT_ONCE).knowing(parked::refused(store).await?);
    let mut verifying =
        Verifier { snapshot, policy, skipped, intake, report: Report { unfolded, ..Report::default() } };
    for span in spans {
        verifying.partition(kafka, span, &mut |done| progressed(RebuildProgress { done, of, waits: false })).await?;
    }
    Ok(verifying.report)
}

struct Verifier {
    snapshot: DbSnapshot,
    policy: Policy,
    skipped: BTreeSet<(FacilityId, Position)>,
    /// What PostgreSQL refused can't be seen by folding in memory.
    intake: Intake,
    report: Report,
}

impl Verifier {
    async fn partition(
        &mut self,
        kafka: &config::Kafka,
        span: Span,
        progressed: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), RebuildError> {
        let reader = kafka::replayer(kafka, span.from)?;
        let mut states = States::without(self.skipped.clone());
        let (mut parked, mut gaps) = (BTreeSet::new(), Vec::new());
        let mut next = span.from;
        while next.offset < span.to {
            let (batch, after) = block_in_place(|| take(&reader, Span { from: next, to: span.to }, &self.intake))?;
            let outcome = block_in_place(|| batch.fold(&self.policy, &states));
            let in_store = self.snapshot.facts(next, after).await?;
            self.facts(&outcome, in_store);
            parked.extend(outcome.parked.iter().map(|parked| parked.position.offset));
            self.report.records += Span { from: next, to: after }.records();
            gaps.extend(outcome.gaps);
            states.keep(outcome.facilities, outcome.lives, outcome.newly_parked);
            next.offset = after;
            progressed(self.report.records);
        }
        let in_store = self.snapshot.parked(span.from.partition).await?;
        for offset in parked.symmetric_difference(&in_store) {
            let in_store = in_store.contains(offset);
            self.found(Disagreement::ParkedDiffers { partition: span.from.partition, offset: *offset, in_store });
        }
        self.facilities(span.from.partition, states.facilities()).await?;
        self.lives(&states, gaps).await
    }

    async fn lives(&mut self, states: &States, gaps: Vec<LifeGap>) -> Result<(), RebuildError> {
        let by_life = |gaps: Vec<LifeGap>| {
            let mut sorted: BTreeMap<_, BTreeMap<_, LifeGap>> = BTreeMap::new();
            for gap in gaps {
                let place = (gap.seq, matches!(gap.hole, Hole::Missing { .. }));
                sorted.entry((gap.terminal, gap.life)).or_default().insert(place, gap);
            }
            sorted
        };
        let gaps = by_life(gaps);
        let lives: Vec<_> = states.lives().collect();
        for some in lives.chunks(AT_ONCE) {
            let names: Vec<_> = some.iter().map(|(life, _)| **life).collect();
            let in_store = self.snapshot.lives(&names).await?;
            let gaps_in_store = by_life(self.snapshot.gaps(&names).await?);
            for (life, received) in some {
                if in_store.get(life) != Some(received) || gaps_in_store.get(life) != gaps.get(life) {
                    self.found(Disagreement::LifeDiffers {
                        terminal: life.0.to_string(),
                        life: life.1.to_string(),
                        log: received.seq.0,
                        store: in_store.get(life).map(|received| received.seq.0),
                    });
                }
            }
        }
        Ok(())
    }

    fn facts(&mut self, outcome: &Outcome, in_store: Vec<StoredFact>) {
        self.report.facts += outcome.facts.len() as u64;
        self.report.repeated += outcome.duplicates as u64;
        let place = |stored: &StoredFact| (stored.position, stored.index_in_record);
        let mut in_store: BTreeMap<_, StoredFact> =
            in_store.into_iter().map(|stored| (place(&stored), stored)).collect();
        for expected in &outcome.facts {
            let StoredFact { position: Position { partition, offset }, index_in_record: at, recorded } = expected;
            let (partition, offset, at) = (*partition, *offset, *at);
            let (kind, facility) = (recorded.event.kind(), recorded.facility);
            match in_store.remove(&place(expected)) {
                Some(found) if found == *expected => {}
                Some(_) => self.found(Disagreement::FactDiffers { partition, offset, place: at, kind, facility }),
                None => self.found(Disagreement::FactMissing { partition, offset, place: at, kind, facility }),
            }
        }
        for StoredFact { position: Position { partition, offset }, index_in_record, recorded } in in_store.into_values()
        {
            let (kind, facility) = (recorded.event.kind(), recorded.facility);
            self.found(Disagreement::FactInvented { partition, offset, place: index_in_record, kind, facility });
        }
    }

    async fn facilities(
        &mut self,
        partition: i32,
        expected: &BTreeMap<FacilityId, Facility>,
    ) -> Result<(), RebuildError> {
        let mut missing: BTreeSet<FacilityId> = expected.keys().copied().collect();
        let mut after = None;
        loop {
            let limit = i64::try_from(AT_ONCE).unwrap_or(i64::MAX);
            let in_store = self.snapshot.facilities(partition, after, limit).await?;
            let Some(last) = in_store.last() else { break };
            after = Some(last.facility);
            for in_store in in_store {
                self.report.facilities += 1;
                missing.remove(&in_store.facility);
                match expected.get(&in_store.facility) {
                    None => self.found(Disagreement::FacilityInvented { facility: in_store.facility }),
                    Some(_) if in_store.policy_hash != self.policy.hash => self.report.behind += 1,
                    Some(expected) => self.state(expected, &in_store.state)?,
                }
            }
        }
        for facility in missing {
            self.found(Disagreement::FacilityMissing { facility });
        }
        Ok(())
    }

    fn state(&mut self, expected: &Facility, in_store: &Value) -> Result<(), StoreError> {
        let broken = |source| StoreError::Broken { what: "a facility's state", source };
        let log: Value = expected.to_json().and_then(|state| serde_json::from_str(&state)).map_err(broken)?;
        if log != *in_store {
            let differs = |field: &&String| log.get(field.as_str()) != in_store.get(field.as_str());
            let fields = [&log, in_store].into_iter().filter_map(Value::as_object).flat_map(|fields| fields.keys());
            let field = fields.clone().find(differs).cloned().unwrap_or_default();
            self.found(Disagreement::FacilityDiffers { facility: expected.id, field });
        }
        Ok(())
    }

    fn found(&mut self, disagreement: Disagreement) {
        self.report.disagreements += 1;
        if self.report.named.len() < NAMED {
            self.report.named.push(disagreement);
        }
    }
}
