//! Folds the log into the store: every record once, in the order of its partition.
//!
//! Facts, states, high-water marks and the place in the log are written in one transaction, so that a crash at any point
//! leaves either all of a batch or nothing. Who owns a partition is settled twice: by a session lock, so that two
//! instances share the work, and by the expected place, so that one that lost its lock without knowing can't write.

mod batch;
mod owner;
mod row;
mod state;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use rdkafka::Message as _;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use tokio_util::sync::CancellationToken;
use yomitori_facility::{Calendar, Rules};

use crate::config;
use crate::log::kafka::{Reader, TopicError};
use crate::log::{self, Position};
use crate::store::{Store, StoreError, progress};
use crate::{clock, telemetry};

use self::batch::{Batch, Taken};
use self::owner::Owner;
use self::state::States;

/// Records folded in one transaction at most.
const BATCH_RECORDS: usize = 4000;
/// Without a record for this long, look whether time alone changed a facility, and whether a partition is free.
const IDLE: Duration = Duration::from_millis(500);
/// How often the store is told where the log ends.
const CHECK_EVERY: Duration = Duration::from_secs(2);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Why the projection paused.
#[derive(Debug, thiserror::Error)]
pub enum ProjectionError {
    #[error("read the log")]
    Log(#[from] KafkaError),
    #[error("find the log")]
    Topic(#[from] TopicError),
    #[error("write what follows from the log")]
    Store(#[from] StoreError),
    #[error("partition {partition} is owned by another instance")]
    Fenced { partition: i32 },
    #[error("hold the locks of the partitions")]
    Locks(#[source] tokio_postgres::Error),
}

/// What a facility's row is computed with.
pub struct Ground {
    pub rules: Rules,
    pub calendar: Calendar,
}

impl Ground {
    /// What comes with this version of the program.
    #[must_use]
    pub fn bundled() -> Self {
        Self { rules: Rules::bundled(), calendar: Calendar::bundled() }
    }
}

/// Projects until `stop`. A failure pauses it; it goes on from the last commit.
pub async fn run(store: Store, kafka: config::Kafka, ground: Arc<Ground>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let mut projector = Projector { store: store.clone(), kafka: kafka.clone(), ground: Arc::clone(&ground) };
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = projector.project() => ended,
        };
        if let Err(error) = ended {
            telemetry::projection_failed(&error);
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
    ground: Arc<Ground>,
}

impl Projector {
    /// Projects until something fails. All that is remembered in here is forgotten then.
    async fn project(&mut self) -> Result<(), ProjectionError> {
        let kafka = self.kafka.clone();
        let count = tokio::task::spawn_blocking(move || log::kafka::partitions(&kafka))
            .await
            .expect("asking for the partitions does not panic")?;
        let mut owner = Owner::connect(&self.store, count).await?;
        let reader = log::kafka::reader(&self.kafka)?;
        let mut states = States::open(&self.store).await?;
        let mut swept_at = tokio::time::Instant::now();
        let mut checked_at = swept_at;
        owner.claim(&self.store).await?;
        self.read_owned(&reader, &owner)?;
        loop {
            let taken = next_batch(&reader).await?;
            if !taken.is_empty() {
                let batch = Batch::decode(taken);
                batch.fold_and_commit(&self.store, &self.ground, &mut states, &mut owner).await?;
            }
            if swept_at.elapsed() >= IDLE {
                swept_at = tokio::time::Instant::now();
                state::sweep(&self.store, &self.ground, &mut states, &owner).await?;
                if owner.claim(&self.store).await? {
                    self.read_owned(&reader, &owner)?;
                }
                if checked_at.elapsed() >= CHECK_EVERY {
                    checked_at = tokio::time::Instant::now();
                    self.check(&reader, &owner).await?;
                }
            }
        }
    }

    fn read_owned(&self, reader: &Reader, owner: &Owner) -> Result<(), KafkaError> {
        let positions: Vec<Position> = owner.positions().collect();
        for position in &positions {
            telemetry::partition_taken(*position);
        }
        log::kafka::read_from(reader, &self.kafka.topic, &positions)
    }

    /// Says how far behind the log the store is, in the metrics and in the store itself.
    async fn check(&self, reader: &Reader, owner: &Owner) -> Result<(), StoreError> {
        let end =
            |next: Position| Some(Position { offset: reader.context().of(next.partition)?.max(next.offset), ..next });
        let ends: Vec<Position> = owner.positions().filter_map(end).collect();
        let behind = owner.positions().filter_map(|next| Some(end(next)?.offset - next.offset)).sum();
        telemetry::lag(behind, if behind > 0 { owner.seconds_behind(clock::now()) } else { 0.0 });
        progress::checked(&self.store, &ends, clock::now()).await
    }
}

/// Waits for a record, then takes what else is there already.
async fn next_batch(reader: &Reader) -> Result<Vec<Taken>, KafkaError> {
    let mut taken = Vec::new();
    let Ok(first) = tokio::time::timeout(IDLE, reader.recv()).await else { return Ok(taken) };
    taken.push(take(&first?));
    while taken.len() < BATCH_RECORDS {
        match reader.recv().now_or_never() {
            Some(message) => taken.push(take(&message?)),
            None => break,
        }
    }
    Ok(taken)
}

fn take(message: &rdkafka::message::BorrowedMessage<'_>) -> Taken {
    Taken {
        position: Position { partition: message.partition(), offset: message.offset() },
        key: message.key().unwrap_or_default().to_vec(),
        payload: message.payload().unwrap_or_default().to_vec(),
    }
}
