//! What people state, and what the server itself states: facts with provenance, accepted and ordered by the log.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use yomitori_proto::decode::{self, DecodeError};
use yomitori_proto::encode;
use yomitori_proto::event::{Event, ListingObserved, LogBody, LogRecord, Origin, RecordSkipped, Stated};
use yomitori_proto::id::{FacilityId, Instance, SnapshotId};

use crate::clock;
use crate::log::Position;
use crate::log::kafka::{AppendError, Appender};
use crate::store::{Store, StoreError, parked, progress, waiting};

/// How long a person waits to see what they entered.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);
/// How long a person waits for the projector to try parked facilities again.
const TRIED_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Why a statement was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// Whoever states it can mend it.
    #[error("the statement is not valid")]
    Invalid(#[source] DecodeError),
    #[error("failed to record the statement")]
    Append(#[from] AppendError),
}

/// Why a record was not left out.
#[derive(Debug, thiserror::Error)]
pub enum SkipError {
    /// Somebody was faster, or it could be followed meanwhile.
    #[error("only the first waiting record of a facility can be skipped")]
    NotFirst,
    #[error(transparent)]
    State(#[from] StatementError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How far a statement got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatementOutcome {
    /// What one reads now has it.
    Shown,
    /// It is in the log; the projection will follow.
    Accepted,
}

/// Takes statements.
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

    /// Records what a person says of a facility. It is in the log when this returns. What could not be read back from
    /// the log never enters it: the record would stop its facility for good.
    ///
    /// # Errors
    /// Where a text is not of the form that the log keeps, or where the log did not confirm.
    pub async fn record(&self, facility: FacilityId, stated: Stated, event: Event) -> Result<Position, StatementError> {
        let record = log_record(facility, Origin::Person(stated), event);
        decode::log_record(&encode::log_record_bytes(&record)).map_err(StatementError::Invalid)?;
        Ok(self.appender.append(&record).await?)
    }

    /// Records what this server noticed.
    ///
    /// # Errors
    /// Where the log did not confirm.
    pub async fn record_from_server(
        &self,
        facility: FacilityId,
        instance: Instance,
        event: Event,
    ) -> Result<Position, AppendError> {
        let origin = Origin::Server { instance, stated_at: clock::now() };
        self.appender.append(&log_record(facility, origin, event)).await
    }

    /// Records what a snapshot of the ministry's list says of a facility.
    ///
    /// # Errors
    /// Where the log did not confirm.
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

    /// Waits until what stands at `position` can be read, for as long as a person would.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn wait_until_projected(&self, position: Position) -> Result<StatementOutcome, StoreError> {
        wait(SHOWN_WITHIN, || progress::reached(&self.store, position)).await
    }

    /// Leaves the first waiting record of a parked facility out for good, as a person says; what waited behind it is then
    /// tried by the projector. It is in the log when this returns.
    ///
    /// # Errors
    /// Where another record is the first by now, or the log did not confirm, or the database is away.
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
        // It is in the log; where the database is away, it will be left out later.
        Ok(wait(TRIED_WITHIN, gone).await.unwrap_or(StatementOutcome::Accepted))
    }

    /// Asks the projector to fold the waiting records of a facility, or of all, once more. Nothing is stated by it.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn retry(&self, facility: Option<FacilityId>) -> Result<StatementOutcome, StoreError> {
        let asked_at = parked::ask(&self.store, facility).await?;
        wait(TRIED_WITHIN, || waiting::tried(&self.store, facility, asked_at)).await
    }
}

/// Waits until `done`, for `limit` at most.
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
