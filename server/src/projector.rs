//! Folds the log into the store: every record once, in the order of the partition.
//!
//! Facts, states, high-water marks and the position in the log are written in one transaction, so that a crash at any
//! point leaves either all of a batch or nothing. Two checks decide who owns a partition: a session lock, so that
//! instances share the work, and the expected position, so that an instance that lost its lock unnoticed cannot write.

mod batch;
pub mod history_builder;
mod intake;
mod lag;
mod owner;
mod paused;
mod policy;
pub mod rebuild;
mod refold;
mod retry;
mod row;
mod state;
pub mod verify;

use std::cmp::Ordering;
use std::time::Duration;

use futures_util::FutureExt as _;
use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use tokio_util::sync::CancellationToken;
use yomitori_facility::FOLD;

use crate::config;
use crate::log::kafka::{Reader, TopicError};
use crate::log::{self, Position, topic};
use crate::store::generation::{self, Generation};
use crate::store::policy::Policy;
use crate::store::{Store, StoreError, progress};
use crate::{clock, telemetry};

use self::batch::{Batch, FoldedBatch, RawRecord};
use self::intake::Intake;
use self::lag::LagReport;
use self::owner::Owner;
use self::paused::Paused;
use self::policy::CurrentPolicy;
use self::rebuild::{Rebuild, RebuildError, RebuildProgress};
use self::refold::Refold;
use self::retry::Retry;
use self::state::States;

/// At most this many records are folded in one transaction. During catch-up, a facility is written once for many of
/// them.
const BATCH_RECORDS: usize = 20_000;
const BATCH_BYTES: usize = 8 << 20;
/// After this long without a record, the projector looks for facilities that time alone has changed, and for free
/// partitions.
const IDLE: Duration = Duration::from_millis(500);
/// How often the ends of the log are written to the store.
const CHECK_EVERY: Duration = Duration::from_secs(2);
/// The number of records after which a rebuild reports its progress again.
const TELL_EVERY: u64 = 1_000_000;
/// How long partitions that were claimed are waited for: a log that answers has been compared by then.
const COMPARED_WITHIN: Duration = Duration::from_secs(3);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Why the projection paused.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    #[error("failed to read the log")]
    Log(#[from] KafkaError),
    #[error("failed to find the log")]
    Topic(#[from] TopicError),
    #[error("failed to write the projection")]
    Store(#[from] StoreError),
    #[error("failed to write {records} records from offset {} of partition {}", first.offset, first.partition)]
    Refused { records: usize, first: Position, source: StoreError },
    #[error("partition {partition} is owned by another instance")]
    Fenced { partition: i32 },
    #[error("failed to hold the locks of the partitions")]
    Locks(#[source] tokio_postgres::Error),
    #[error("failed to read partition {partition} of the log: Kafka does not answer")]
    Silent { partition: i32 },
    #[error(
        "the database was written by version {found} of the fold, and this program has version {FOLD}; run the \
        newer program"
    )]
    Newer { found: i32 },
    #[error("failed to rebuild the projection with this version of the program")]
    Rebuild(#[source] Box<RebuildError>),
}

/// Projects until `stop`. After a failure it pauses, and resumes from the last commit.
pub async fn run(store: Store, kafka: config::Kafka, stop: CancellationToken) {
    let mut projector = Projector {
        store,
        kafka,
        intake: Intake::new(BATCH_RECORDS),
        lag: LagReport::default(),
        settings_reported: false,
    };
    while !stop.is_cancelled() {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = projector.project() => ended,
        };
        if let Err(error) = ended.or_else(|error| projector.intake.refuse(error)) {
            telemetry::projection_failed(&error);
            projector.lag.none_known();
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(PAUSE_AFTER_FAILURE) => {}
            }
        }
    }
}

struct Projector {
    store: Store,
    kafka: config::Kafka,
    intake: Intake,
    lag: LagReport,
    settings_reported: bool,
}

impl Projector {
    /// Projects until something fails; everything held in memory is dropped then.
    async fn project(&mut self) -> Result<(), ProjectionError> {
        let count = log::kafka::count_partitions(&self.kafka).await?;
        if let Some(folded) = progress::partitions(&self.store).await? {
            log::kafka::same_partitions(&self.kafka, count, folded)?;
        }
        self.report_settings().await?;
        let live = self.generation().await?;
        let mut owner = Owner::connect(&self.store, live.number, count).await?;
        let reader = log::kafka::reader(&self.kafka)?;
        let mut folded = None;
        owner.claim(&self.store).await?;
        let mut paused = Paused::default();
        paused.look(&self.store, &self.kafka, &owner, COMPARED_WITHIN).await?;
        // The previous owner may have parked records until it lost the partition.
        let mut states = States::open(&self.store).await?;
        let mut current = CurrentPolicy::now(&self.store).await?;
        let (mut refold, mut retry) = (Refold::default(), Retry::default());
        let mut swept_at = tokio::time::Instant::now();
        let mut checked_at = swept_at;
        self.read_owned(&reader, &owner, &paused)?;
        refold.begin();
        retry.begin(&states);
        loop {
            // Rows that are due and retries wait only for the records that have arrived.
            let busy = folded.is_some() || refold.pending() || retry.pending();
            let wait = if busy { Duration::ZERO } else { IDLE };
            let next = fold_next(&self.store, &reader, wait, &self.intake, &current.policy, &mut states, &mut owner);
            let (written, next) = tokio::join!(write(&self.store, folded.take()), next);
            if written? {
                self.intake.written();
            }
            folded = next?;
            retry.after(folded.as_ref());
            let idle = swept_at.elapsed() >= IDLE;
            if idle || refold.pending() || retry.pending() || states.too_many() {
                // The steps below read the store.
                write(&self.store, folded.take()).await?;
                states.trim();
            }
            if refold.pending() {
                refold.step(&self.store, &current.policy, &owner).await?;
            }
            if retry.pending() {
                retry.step(&self.store, &current.policy, &mut states, &owner).await?;
            }
            if idle {
                swept_at = tokio::time::Instant::now();
                if current.renew(&self.store).await? {
                    telemetry::policy_changed(current.policy.rules.version());
                    states.forget();
                    refold.begin();
                }
                state::sweep(&self.store, &current.policy, &mut states, &owner).await?;
                if owner.claim(&self.store).await? {
                    paused.look(&self.store, &self.kafka, &owner, COMPARED_WITHIN).await?;
                    // The memory of a partition is stale once another instance has held it.
                    states = States::open(&self.store).await?;
                    self.read_owned(&reader, &owner, &paused)?;
                    refold.begin();
                    retry.begin(&states);
                } else if paused.look(&self.store, &self.kafka, &owner, Duration::ZERO).await? {
                    self.read_owned(&reader, &owner, &paused)?;
                }
                retry.look(&self.store, &mut states, &owner).await?;
                if checked_at.elapsed() >= CHECK_EVERY {
                    checked_at = tokio::time::Instant::now();
                    log::kafka::same_partitions(&self.kafka, reader.context().partitions().unwrap_or(count), count)?;
                    self.check(&reader, &owner, &paused).await?;
                }
            }
        }
    }

    /// Reports settings of the topic that lose facts or put them at risk, once for each start.
    async fn report_settings(&mut self) -> Result<(), ProjectionError> {
        if !self.settings_reported {
            let problems = topic::problems(&self.kafka).await?;
            let (losing, risky): (Vec<_>, Vec<_>) = problems.iter().partition(|problem| problem.loses_facts);
            for (problems, loses_facts) in [(losing, true), (risky, false)] {
                if !problems.is_empty() {
                    telemetry::topic_settings(&topic::report(&self.kafka, problems), loses_facts);
                }
            }
            self.settings_reported = true;
        }
        Ok(())
    }

    /// The live generation. If an older version of the fold made it, this one builds a new generation first; the old
    /// one is shown until then.
    async fn generation(&self) -> Result<Generation, ProjectionError> {
        let live = generation::live(&self.store).await?;
        match live.fold.cmp(&FOLD) {
            Ordering::Equal => Ok(live),
            Ordering::Greater => Err(ProjectionError::Newer { found: live.fold }),
            Ordering::Less if generation::adopt(&self.store, FOLD).await? => Ok(generation::live(&self.store).await?),
            Ordering::Less => {
                telemetry::rebuilding(live.fold, FOLD);
                let mut told = RebuildProgress { done: 0, of: 0, waits: false };
                let progressed = &mut |now: RebuildProgress| {
                    if now.done.saturating_sub(told.done) >= TELL_EVERY || now.of != told.of {
                        telemetry::rebuilt_so_far(now.done, now.of);
                        told = now;
                    }
                };
                let failed = |error| ProjectionError::Rebuild(Box::new(error));
                let rebuild = Rebuild::begin(&self.store, &self.kafka, false).await.map_err(failed)?;
                rebuild.swap(progressed).await.map_err(failed)?;
                generation::forget(&self.store).await?;
                telemetry::rebuilt(FOLD);
                Ok(generation::live(&self.store).await?)
            }
        }
    }

    /// Reads the partitions of this instance that are not paused.
    fn read_owned(&self, reader: &Reader, owner: &Owner, paused: &Paused) -> Result<(), KafkaError> {
        let positions: Vec<Position> = owner.positions().filter(|next| paused.is_read(next.partition)).collect();
        log::kafka::read_from(reader, &self.kafka.topic, &positions)
    }

    /// Reports the lag behind the log, in the metrics and in the store. Of a partition that is paused, or whose broker does
    /// not answer, nothing is written: what the store says of it becomes old.
    async fn check(&mut self, reader: &Reader, owner: &Owner, paused: &Paused) -> Result<(), StoreError> {
        self.lag.keep(|partition| owner.owns(partition));
        let mut ends = Vec::new();
        for next in owner.positions() {
            let partition = next.partition;
            match reader.context().of(partition).filter(|_| paused.is_read(partition)) {
                Some(end) => {
                    let offset = end.max(next.offset);
                    let behind = offset - next.offset;
                    let seconds = if behind > 0 { owner.seconds_behind(partition, clock::now()) } else { 0.0 };
                    self.lag.known(partition, behind, seconds);
                    ends.push(Position { offset, ..next });
                }
                None => self.lag.unknown(partition),
            }
        }
        progress::checked(&self.store, &ends, clock::now()).await
    }
}

/// Folds the records that arrive within `wait`.
async fn fold_next(
    store: &Store,
    reader: &Reader,
    wait: Duration,
    intake: &Intake,
    policy: &Policy,
    states: &mut States,
    owner: &mut Owner,
) -> Result<Option<FoldedBatch>, ProjectionError> {
    let taken = next_batch(reader, wait, intake.at_most()).await?;
    Batch::decode(taken, intake.refused()).fold_ahead(store, policy, states, owner).await
}

/// Returns whether there was anything to write.
async fn write(store: &Store, folded: Option<FoldedBatch>) -> Result<bool, ProjectionError> {
    match folded {
        Some(folded) => folded.write(store).await.map(|()| true),
        None => Ok(false),
    }
}

/// Waits for a record, then adds those that are available already.
async fn next_batch(reader: &Reader, wait: Duration, at_most: usize) -> Result<Vec<RawRecord>, KafkaError> {
    let mut taken = Vec::new();
    let Ok(first) = tokio::time::timeout(wait, reader.recv()).await else { return Ok(taken) };
    taken.push(take(&first?));
    let mut bytes = 0;
    while taken.len() < at_most && bytes < BATCH_BYTES {
        let Some(message) = reader.recv().now_or_never() else { break };
        let next = take(&message?);
        bytes += next.payload.len();
        taken.push(next);
    }
    Ok(taken)
}

fn take(message: &rdkafka::message::BorrowedMessage<'_>) -> RawRecord {
    RawRecord {
        position: Position { partition: message.partition(), offset: message.offset() },
        key: message.key().unwrap_or_default().to_vec(),
        payload: message.payload().unwrap_or_default().to_vec(),
    }
}
