//! Statements of people and of the server itself: facts with provenance that are appended to the log.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use yomitori_proto::decode::{self, DecodeError};
use yomitori_proto::encode;
use yomitori_proto::event::{Event, ListingObserved, LogBody, LogRecord, Origin, RecordSkipped, Recorded, Stated};
use yomitori_proto::id::{FacilityId, Instance, SnapshotId, StatementId};

use crate::clock;
use crate::log::Position;
use crate::log::kafka::{AppendError, Appender};
use crate::store::{Store, StoreError, fact, parked, progress, terminal, waiting};
use crate::telemetry;

/// How long a person waits until the pages show a statement.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);
/// How long a person waits for the projector to try parked facilities again.
const TRIED_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Why a statement was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The caller can correct it.
    #[error("the statement is not valid")]
    Invalid(#[source] DecodeError),
    #[error("failed to record the statement")]
    Append(#[from] AppendError),
}

/// Why a record was not skipped.
#[derive(Debug, thiserror::Error)]
pub enum SkipError {
    /// Another record is the first one by now: it was skipped or folded meanwhile.
    #[error("only the first waiting record of a facility can be skipped")]
    NotFirst,
    #[error(transparent)]
    State(#[from] StatementError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The progress of a recorded statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatementOutcome {
    /// The projection includes it.
    Shown,
    /// The log contains it; the projection will follow.
    Accepted,
}

/// A statement that the log contains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordedStatement {
    pub position: Position,
    facility: FacilityId,
    id: Option<StatementId>,
}

/// Records statements in the log.
#[derive(Clone)]
pub struct Operator {
    appender: Arc<Appender>,
    store: Store,
}

impl Operator {
    #[must_use]
    pub const fn new(appender: Arc<Appender>, store: Store) -> Self {
        Self { appender, store }
    }

    /// Records what a person states about a facility. The log contains it when this returns. A statement that could not
    /// be decoded again is rejected before the log, because such a record would block its facility permanently.
    ///
    /// # Errors
    /// If a text does not have the form that the log keeps, or the log did not confirm.
    pub async fn record(
        &self,
        facility: FacilityId,
        stated: Stated,
        event: Event,
    ) -> Result<RecordedStatement, StatementError> {
        let id = stated.id;
        let about_terminal = terminal::state_after(&event).is_some() || matches!(event, Event::StatementWithdrawn(_));
        let origin = Origin::Person(stated);
        let recorded = about_terminal.then(|| Recorded {
            facility,
            received_at: clock::now(),
            origin: origin.clone(),
            event: event.clone(),
        });
        let record = log_record(facility, origin, event);
        decode::log_record(&encode::log_record_bytes(&record)).map_err(StatementError::Invalid)?;
        let position = self.appender.append(&record).await?;
        if let Some(recorded) = recorded {
            self.note(&recorded, position).await;
        }
        Ok(RecordedStatement { position, facility, id })
    }

    /// Writes at once who may send. The log contains it; if the database is away, the projector writes it.
    async fn note(&self, recorded: &Recorded, position: Position) {
        let noted = async {
            let client = self.store.client().await?;
            terminal::note(&**client, recorded, position.offset).await
        };
        if let Err(error) = noted.await {
            telemetry::registry_not_written(&error);
        }
    }

    /// Records an observation of this server.
    ///
    /// # Errors
    /// If the log did not confirm.
    pub async fn record_from_server(
        &self,
        facility: FacilityId,
        instance: Instance,
        event: Event,
    ) -> Result<Position, AppendError> {
        let origin = Origin::Server { instance, stated_at: clock::now() };
        self.appender.append(&log_record(facility, origin, event)).await
    }

    /// Records what a snapshot of the ministry's list says about a facility.
    ///
    /// # Errors
    /// If the log did not confirm.
    pub async fn record_from_list(
        &self,
        facility: FacilityId,
        snapshot: SnapshotId,
        stated_at: DateTime<Utc>,
        observed: ListingObserved,
    ) -> Result<Position, AppendError> {
        let origin = Origin::List { snapshot, stated_at };
        self.appender.append(&log_record(facility, origin, observed.into())).await
    }

    /// Waits until the statement is projected, but no longer than a person would.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn wait_until_projected(&self, recorded: RecordedStatement) -> Result<StatementOutcome, StoreError> {
        let RecordedStatement { position, facility, id } = recorded;
        let outcome = self.wait_until_reached(position).await?;
        if outcome == StatementOutcome::Shown
            && let Some(id) = id
            && !fact::has_statement(&self.store, facility, id, position).await?
        {
            return Ok(StatementOutcome::Accepted);
        }
        Ok(outcome)
    }

    /// Waits until the projection has passed `position`, but no longer than a person would.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn wait_until_reached(&self, position: Position) -> Result<StatementOutcome, StoreError> {
        wait(SHOWN_WITHIN, || progress::reached(&self.store, position)).await
    }

    /// Records that a person skips the first waiting record of a parked facility permanently; the projector then folds
    /// the records behind it. The log contains the statement when this returns.
    ///
    /// # Errors
    /// If another record is the first one by now, the log did not confirm, or the database is away.
    pub async fn skip(
        &self,
        facility: FacilityId,
        record: Position,
        stated: Stated,
    ) -> Result<StatementOutcome, SkipError> {
        if waiting::first(&self.store, facility).await? != Some(record) {
            return Err(SkipError::NotFirst);
        }
        let skipped = RecordSkipped { partition: record.partition, offset: record.offset };
        self.record(facility, stated, skipped.into()).await?;
        let gone = || async { Ok(waiting::first(&self.store, facility).await? != Some(record)) };
        // The log contains it: if the database is away, the record is skipped later.
        Ok(wait(TRIED_WITHIN, gone).await.unwrap_or(StatementOutcome::Accepted))
    }

    /// Asks the projector to fold the waiting records of a facility, or of all, again. This records no statement.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn retry(&self, facility: Option<FacilityId>) -> Result<StatementOutcome, StoreError> {
        let asked_at = parked::ask(&self.store, facility).await?;
        wait(TRIED_WITHIN, || waiting::tried(&self.store, facility, asked_at)).await
    }
}

/// Waits until `done`, for at most `limit`.
async fn wait<D>(limit: Duration, done: impl Fn() -> D) -> Result<StatementOutcome, StoreError>
where
    D: Future<Output = Result<bool, StoreError>>,
{
    let until = tokio::time::Instant::now() + limit;
    loop {
        if done().await? {
            return Ok(StatementOutcome::Shown);
        }
        if tokio::time::Instant::now() >= until {
            return Ok(StatementOutcome::Accepted);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn log_record(facility: FacilityId, origin: Origin, event: Event) -> LogRecord {
    LogRecord { facility, received_at: clock::now(), body: LogBody::Statement { origin, event } }
}
