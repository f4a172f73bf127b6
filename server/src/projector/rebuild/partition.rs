//! Folds one partition from the position of the new generation to the end of a span.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::Message as _;
use rdkafka::message::BorrowedMessage;
use tokio::sync::watch;
use tokio::task::block_in_place;
use tokio::time::Instant;
use tokio_postgres::Transaction;
use yomitori_proto::id::{FacilityId, Life, TerminalId};

use super::super::batch::{Batch, BatchSize, Outcome};
use super::super::intake::Intake;
use super::super::state::States;
use super::super::{ProjectionError, row};
use crate::log::Position;
use crate::log::kafka::{self, Replayer};
use crate::store::connection::ConnectionChanges;
use crate::store::generation::Generation;
use crate::store::parked::ParkedRecord;
use crate::store::policy::Policy;
use crate::store::received::{LifeGap, ReceivedLife};
use crate::store::{QueryContext as _, Store, facility, fact, parked, progress, received};
use crate::{clock, config};
use yomitori_base::crash;

/// Records folded at once.
pub(in crate::projector) const AT_ONCE: usize = 20_000;
const BYTES_AT_ONCE: usize = 16 << 20;
/// Rows written at once.
const ROWS_AT_ONCE: usize = 2_000;
/// The results are written at least this often, so that an interruption costs little.
const WRITE_EVERY: Duration = Duration::from_secs(60);
/// After this long without a record, the log counts as unreachable.
const SILENCE: Duration = Duration::from_secs(10);

/// A range of records of one partition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::projector) struct Span {
    pub(in crate::projector) from: Position,
    /// The offset after the last record.
    pub(in crate::projector) to: i64,
}

impl Span {
    pub(in crate::projector) fn records(&self) -> u64 {
        u64::try_from(self.to - self.from.offset).unwrap_or(0)
    }
}

/// The state that all workers of a rebuild share.
pub(super) struct WorkerContext {
    pub(super) shadow: Store,
    pub(super) kafka: config::Kafka,
    pub(super) policy: Policy,
    pub(super) generation: Generation,
    /// Open while the live projection keeps up.
    pub(super) gate: Option<watch::Receiver<bool>>,
    pub(super) done: Arc<AtomicU64>,
}

impl WorkerContext {
    pub(super) async fn fold(self: Arc<Self>, span: Span) -> Result<(), ProjectionError> {
        let mut reader = kafka::replayer(&self.kafka, span.from)?;
        let mut states = States::open(&self.shadow).await?;
        let mut from = span.from;
        let mut intake = Intake::new(AT_ONCE);
        while from.offset < span.to {
            match self.write(&reader, &mut states, Span { from, to: span.to }, &intake).await {
                Ok(next) => {
                    from = next;
                    intake.written();
                    states.trim();
                }
                Err(error) => {
                    intake.refuse(error)?;
                    states = States::open(&self.shadow).await?;
                    reader = kafka::replayer(&self.kafka, from)?;
                }
            }
        }
        Ok(())
    }

    /// Folds for a while and writes the result in one transaction; returns the next offset.
    async fn write(
        &self,
        reader: &Replayer,
        states: &mut States,
        span: Span,
        intake: &Intake,
    ) -> Result<Position, ProjectionError> {
        let mut tried = Tried::default();
        let written = self.attempt(reader, states, span, intake, &mut tried).await;
        written.map_err(|error| {
            self.done.fetch_sub(tried.counted, Ordering::Relaxed);
            match tried.size {
                Some(size) => size.refused(error),
                None => error,
            }
        })
    }

    async fn attempt(
        &self,
        reader: &Replayer,
        states: &mut States,
        span: Span,
        intake: &Intake,
        tried: &mut Tried,
    ) -> Result<Position, ProjectionError> {
        let Span { from, to } = span;
        let mut client = self.shadow.client().await?;
        let transaction = client.transaction().await.context("begin to write a generation")?;
        let mut next = from;
        let mut last = None;
        let mut changes = Changes::default();
        let until = Instant::now() + WRITE_EVERY;
        while next.offset < to && Instant::now() < until && tried.may_take(intake) {
            if let Some(mut gate) = self.gate.clone() {
                // The holder of the gate has ended, and so has the rebuild.
                gate.wait_for(|open| *open).await.ok();
            }
            let (batch, after) = block_in_place(|| take(reader, Span { from: next, to }, intake))?;
            tried.take(&batch);
            last = batch.last(from.partition).or(last);
            let (facilities, lives) = batch.touched();
            states.load(&self.shadow, &self.policy, &facilities, &lives).await?;
            let mut outcome = block_in_place(|| batch.fold(&self.policy, states));
            crash::point("rebuild-after-fold");
            if self.generation.with_facts {
                fact::copy(&transaction, &outcome.facts).await?;
            }
            changes.take(&mut outcome);
            states.keep(outcome.facilities, outcome.lives, outcome.newly_parked);
            let read = Span { from: next, to: after }.records();
            self.done.fetch_add(read, Ordering::Relaxed);
            tried.counted += read;
            next.offset = after;
        }
        self.write_rows(&transaction, &changes.facilities, states, from.partition).await?;
        changes.connections.write(&transaction).await?;
        received::write(&transaction, &changes.lives, &changes.gaps).await?;
        let now = clock::now();
        parked::park(&transaction, &changes.parked, now).await?;
        if !progress::advance(&transaction, self.generation.number, from, next.offset, last, now).await? {
            return Err(ProjectionError::Fenced { partition: from.partition });
        }
        crash::point("rebuild-before-commit");
        transaction.commit().await.context("commit a part of a generation")?;
        crash::point("rebuild-after-commit");
        Ok(next)
    }

    async fn write_rows(
        &self,
        transaction: &Transaction<'_>,
        changed: &BTreeSet<FacilityId>,
        states: &States,
        partition: i32,
    ) -> Result<(), ProjectionError> {
        let changed: Vec<FacilityId> = changed.iter().copied().collect();
        for some in changed.chunks(ROWS_AT_ONCE) {
            let now = clock::now();
            let row = |id: &FacilityId| row::row(&states.facility(*id), partition, &self.policy, now);
            let rows = block_in_place(|| some.iter().map(row).collect::<Result<Vec<_>, _>>())?;
            facility::write(transaction, &rows).await?;
        }
        Ok(())
    }
}

/// What is written beside facts and rows.
#[derive(Default)]
struct Changes {
    facilities: BTreeSet<FacilityId>,
    lives: BTreeMap<(TerminalId, Life), ReceivedLife>,
    gaps: Vec<LifeGap>,
    parked: Vec<ParkedRecord>,
    connections: ConnectionChanges,
}

impl Changes {
    fn take(&mut self, outcome: &mut Outcome) {
        self.facilities.extend(outcome.facilities.keys());
        self.lives.extend(outcome.lives.iter().map(|(life, received)| (*life, received.clone())));
        self.gaps.append(&mut outcome.gaps);
        self.parked.append(&mut outcome.parked);
        outcome.facts.iter().for_each(|stored| self.connections.take(&stored.recorded));
    }
}

/// What an attempt to write has taken from the log so far.
#[derive(Default)]
struct Tried {
    size: Option<BatchSize>,
    /// The offsets that were added to the progress.
    counted: u64,
}

impl Tried {
    fn take(&mut self, batch: &Batch) {
        let Some(more) = batch.size() else { return };
        let before = self.size.unwrap_or(BatchSize { records: 0, first: more.first });
        self.size = Some(BatchSize { records: before.records + more.records, ..before });
    }

    /// Where a refused record is being looked for, one batch is a whole transaction.
    const fn may_take(&self, intake: &Intake) -> bool {
        self.size.is_none() || !intake.is_narrow()
    }
}

/// Reads the next records of `span`; returns the offset after them.
pub(in crate::projector) fn take(
    reader: &Replayer,
    span: Span,
    intake: &Intake,
) -> Result<(Batch, i64), ProjectionError> {
    let (mut taken, mut bytes, mut next) = (Vec::new(), 0, span.from.offset);
    while next < span.to && taken.len() < intake.at_most() && bytes < BYTES_AT_ONCE {
        let message = next_of(reader, span.from.partition)?;
        if message.offset() >= span.to {
            next = span.to;
            break;
        }
        next = message.offset() + 1;
        let record = super::super::take(&message);
        bytes += record.payload.len();
        taken.push(record);
    }
    Ok((Batch::decode(taken, intake.refused()), next))
}

/// The next record. librdkafka reports a temporary loss of all brokers as an error too, so only a long silence counts.
fn next_of(reader: &Replayer, partition: i32) -> Result<BorrowedMessage<'_>, ProjectionError> {
    // Reads the clock only after an error, because this runs once per record.
    let mut until = None;
    loop {
        let wait = until.map_or(SILENCE, |until: Instant| until.saturating_duration_since(Instant::now()));
        match reader.poll(wait) {
            None => return Err(ProjectionError::Silent { partition }),
            Some(Err(error)) if kafka::passes(&error) => {
                until.get_or_insert_with(|| Instant::now() + SILENCE);
            }
            Some(message) => return Ok(message?),
        }
    }
}
