//! Folds the whole log again, into a generation beside the live one, which continues meanwhile.
//!
//! As many partitions as there are cores are folded at once; only their facilities are in memory. The result of a
//! partition is written in one transaction with its position in the log, so an interrupted rebuild resumes there. Facts
//! do not depend on the fold: they are reused, and the new generation never overtakes the live one. If the store has
//! none, or its facts are not trustworthy, the rebuild writes its own and reads to the end of the log.

mod live_lag;
pub(super) mod partition;
mod swap;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rdkafka::error::KafkaError;
use tokio::task::JoinSet;
use yomitori_facility::FOLD;

use self::live_lag::LiveLagGate;
use self::partition::{Span, WorkerContext};
use super::ProjectionError;
use crate::log::Position;
use crate::log::kafka::{self, TopicError};
use crate::store::generation::{self, Generation};
use crate::store::lock::ExclusiveLock;
use crate::store::policy::{self, Policy};
use crate::store::{Store, StoreError, parked, progress};
use crate::{clock, config};

/// The lock of a rebuild: two would write into the same generation.
const LOCK: i64 = 0x596f_6d69_0002;
/// A generation counts as built when the live one is at most this many records ahead.
const CLOSE: u64 = 20_000;
const TELL_EVERY: Duration = Duration::from_millis(500);

/// Why no generation was built.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    #[error("failed to rebuild the projection")]
    Projection(#[from] ProjectionError),
    #[error("failed to build a generation")]
    Store(#[from] StoreError),
    #[error("failed to find the log")]
    Topic(#[from] TopicError),
    #[error("failed to read the log")]
    Log(#[from] KafkaError),
    #[error("another rebuild is running; wait for it, or end it")]
    Running,
    #[error("there is no generation beside the live one; run `yomitori-server rebuild` first")]
    Nothing,
    #[error(
        "the generation beside the live one is not valid: other rules hold since, or another version built it; \
         run `yomitori-server rebuild` first"
    )]
    Other,
    #[error(
        "partition {partition} of the log is needed from record {wanted} and begins at {begins}: earlier records were \
         deleted (restore the topic from its backup; its retention must be unlimited)"
    )]
    Shortened { partition: i32, wanted: i64, begins: i64 },
    #[error(
        "partition {partition} of the log is needed up to record {wanted} and ends at {ends} (is it the right topic, or was it \
         restored from an older backup?)"
    )]
    Lost { partition: i32, wanted: i64, ends: i64 },
    #[error("the generations are at different positions of the log; try again")]
    Apart,
}

/// The progress, in records of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RebuildProgress {
    pub done: u64,
    pub of: u64,
    /// The rebuild waits for the live projection.
    pub waits: bool,
}

/// A generation that is being built, or is built and waits for the swap.
pub struct Rebuild {
    live: Store,
    shadow: Store,
    kafka: config::Kafka,
    policy: Policy,
    generation: Generation,
    /// An earlier call began it, and this one resumes it.
    resumed: bool,
    /// The lock ends with the connection.
    _lock: ExclusiveLock,
}

impl Rebuild {
    /// Resumes what an earlier call began, or begins. The generation has its own facts if `with_facts`, or if the
    /// store has folded nothing yet.
    ///
    /// # Errors
    /// If another rebuild runs, or the database is away.
    pub async fn begin(live: &Store, kafka: &config::Kafka, with_facts: bool) -> Result<Self, RebuildError> {
        let lock = lock(live).await?;
        // Waiting records have no facts to reuse, and this program may be able to fold them.
        let with_facts = with_facts
            || progress::all(live).await?.iter().all(|place| place.next.offset == 0)
            || !parked::facilities(live).await?.is_empty();
        if let Some(found) = generation::shadow(live).await?
            && found.with_facts == with_facts
            && found.number > generation::live(live).await?.number
            && let Some(policy) = policy_of(live, found).await?
        {
            return Self::of(live, kafka, policy, found, true, lock);
        }
        let begun = generation::begin(live, FOLD, with_facts, clock::now()).await?;
        let policy = policy::at(live, begun.begun_at).await?;
        Self::of(live, kafka, policy, begun, false, lock)
    }

    /// Opens the generation that was built, or that was live before the last swap.
    ///
    /// # Errors
    /// If there is none, it was folded by other rules, another rebuild runs, or the database is away.
    pub async fn open(live: &Store, kafka: &config::Kafka) -> Result<Self, RebuildError> {
        let lock = lock(live).await?;
        let found = generation::shadow(live).await?.ok_or(RebuildError::Nothing)?;
        let policy = policy_of(live, found).await?.ok_or(RebuildError::Other)?;
        Self::of(live, kafka, policy, found, true, lock)
    }

    /// Deletes the generation beside the live one; returns whether there was one.
    ///
    /// # Errors
    /// If another rebuild runs, because its generation must not disappear. If the database is away.
    pub async fn forget(live: &Store) -> Result<bool, RebuildError> {
        let _lock = lock(live).await?;
        Ok(generation::forget(live).await?)
    }

    fn of(
        live: &Store,
        kafka: &config::Kafka,
        policy: Policy,
        generation: Generation,
        resumed: bool,
        lock: ExclusiveLock,
    ) -> Result<Self, RebuildError> {
        let (live, shadow) = (live.clone(), live.shadow()?);
        Ok(Self { live, shadow, kafka: kafka.clone(), policy, generation, resumed, _lock: lock })
    }

    /// Whether an earlier call began it.
    #[must_use]
    pub const fn resumed(&self) -> bool {
        self.resumed
    }

    /// Whether the generation has its own facts.
    #[must_use]
    pub const fn with_facts(&self) -> bool {
        self.generation.with_facts
    }

    /// Folds until the live generation is hardly ahead, and reports the progress to `progressed`.
    ///
    /// # Errors
    /// If the log or the database is away, or the log has lost records. What was written stays, so that a later call
    /// resumes.
    pub async fn build(&self, progressed: &mut (dyn FnMut(RebuildProgress) + Send)) -> Result<(), RebuildError> {
        let gate = LiveLagGate::begin(&self.live, &self.kafka);
        loop {
            let spans = self.spans(&self.live).await?;
            let left: u64 = spans.iter().map(Span::records).sum();
            self.fold(spans, Some(&gate), progressed).await?;
            if left <= CLOSE {
                return Ok(());
            }
        }
    }

    /// The records to fold in each partition: up to the position of the live generation, or to the end of the log.
    async fn spans(&self, live: &Store) -> Result<Vec<Span>, RebuildError> {
        // In this order, because the live generation advances and must not be ahead of ends that were read earlier.
        let folded: BTreeMap<i32, i64> =
            progress::all(live).await?.into_iter().map(|place| (place.next.partition, place.next.offset)).collect();
        let kafka = self.kafka.clone();
        let bounds =
            tokio::task::spawn_blocking(move || kafka::bounds(&kafka)).await.expect("asking does not panic")?;
        let count = i32::try_from(bounds.len()).unwrap_or(i32::MAX);
        if let Some(before) = progress::partitions(&self.shadow).await? {
            kafka::same_partitions(&self.kafka, count, before)?;
        }
        let mut spans = Vec::new();
        for (partition, (begins, ends)) in bounds {
            let from = progress::start(&self.shadow, partition, count).await?.offset;
            let to = if self.with_facts() { ends } else { folded.get(&partition).copied().unwrap_or(0) };
            if to > ends {
                return Err(RebuildError::Lost { partition, wanted: to, ends });
            }
            if from < to && from < begins {
                return Err(RebuildError::Shortened { partition, wanted: from, begins });
            }
            spans.push(Span { from: Position { partition, offset: from }, to });
        }
        Ok(spans)
    }

    async fn fold(
        &self,
        mut spans: Vec<Span>,
        gate: Option<&LiveLagGate>,
        progressed: &mut (dyn FnMut(RebuildProgress) + Send),
    ) -> Result<(), RebuildError> {
        // The longest first, so that the cores finish at about the same time.
        spans.retain(|span| span.records() > 0);
        spans.sort_by_key(Span::records);
        let done = Arc::new(AtomicU64::new(0));
        let of = spans.iter().map(Span::records).sum();
        let waits = || gate.is_some_and(LiveLagGate::waits);
        let job = Arc::new(WorkerContext {
            shadow: self.shadow.clone(),
            kafka: self.kafka.clone(),
            policy: self.policy.clone(),
            generation: self.generation,
            gate: gate.map(LiveLagGate::gate),
            done: Arc::clone(&done),
        });
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let mut workers = JoinSet::new();
        let mut tick = tokio::time::interval(TELL_EVERY);
        loop {
            while workers.len() < cores
                && let Some(span) = spans.pop()
            {
                workers.spawn(Arc::clone(&job).fold(span));
            }
            tokio::select! {
                ended = workers.join_next() => match ended {
                    Some(ended) => ended.expect("a worker does not panic")?,
                    None => break,
                },
                _ = tick.tick() => progressed(RebuildProgress { done: done.load(Ordering::Relaxed), of, waits: waits() }),
            }
        }
        progressed(RebuildProgress { done: of, of, waits: false });
        Ok(())
    }
}

/// The policy by which a generation is folded: the one in force when it was begun. `None` if its rows have another
/// policy or another version of the fold, so that this program cannot use it.
async fn policy_of(live: &Store, generation: Generation) -> Result<Option<Policy>, StoreError> {
    let policy = policy::at(live, generation.begun_at).await?;
    let other = generation::has_rows_of_another(live, policy.hash).await?;
    Ok((generation.fold == FOLD && !other).then_some(policy))
}

async fn lock(store: &Store) -> Result<ExclusiveLock, RebuildError> {
    let lock = ExclusiveLock::take(store, LOCK).await;
    lock.map_err(|source| RebuildError::Projection(ProjectionError::Locks(source)))?.ok_or(RebuildError::Running)
}
