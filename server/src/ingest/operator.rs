//! What people state, and what the server itself states: facts with provenance, accepted and ordered by the log.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use yomitori_proto::decode::{self, DecodeError};
use yomitori_proto::encode;
use yomitori_proto::event::{Event, ListingObserved, LogBody, LogRecord, Origin, Stated};
use yomitori_proto::id::{FacilityId, Instance, SnapshotId};

use crate::clock;
use crate::log::Position;
use crate::log::kafka::{AppendError, Appender};
use crate::store::{Store, StoreError, progress};

/// How long a person waits to see what they entered.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Why a statement was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Whoever states it can mend it.
    #[error("state what can't be recorded")]
    Unfit(#[source] DecodeError),
    #[error("record it")]
    Append(#[from] AppendError),
}

/// How far a statement got.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answered {
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
    pub async fn state(&self, facility: FacilityId, stated: Stated, event: Event) -> Result<Position, StateError> {
        let record = record(facility, Origin::Person(stated), event);
        decode::log_record(&encode::log_record_bytes(&record)).map_err(StateError::Unfit)?;
        Ok(self.appender.append(&record).await?)
    }

    /// Records what this server noticed.
    ///
    /// # Errors
    /// Where the log did not confirm.
    pub async fn notice(
        &self,
        facility: FacilityId,
        instance: Instance,
        event: Event,
    ) -> Result<Position, AppendError> {
        let origin = Origin::Server { instance, stated_at: clock::now() };
        self.appender.append(&record(facility, origin, event)).await
    }

    /// Records what a snapshot of the ministry's list says of a facility.
    ///
    /// # Errors
    /// Where the log did not confirm.
    pub async fn relay(
        &self,
        facility: FacilityId,
        snapshot: SnapshotId,
        stated_at: DateTime<Utc>,
        observed: ListingObserved,
    ) -> Result<Position, AppendError> {
        let origin = Origin::List { snapshot, stated_at };
        self.appender.append(&record(facility, origin, observed.into())).await
    }

    /// Waits until what stands at `position` can be read, for as long as a person would.
    ///
    /// # Errors
    /// Where the database is away.
    pub async fn shown(&self, position: Position) -> Result<Answered, StoreError> {
        let until = tokio::time::Instant::now() + SHOWN_WITHIN;
        loop {
            if progress::reached(&self.store, position).await? {
                return Ok(Answered::Shown);
            }
            if tokio::time::Instant::now() >= until {
                return Ok(Answered::Accepted);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

fn record(facility: FacilityId, origin: Origin, event: Event) -> LogRecord {
    LogRecord { facility, received_at: clock::now(), body: LogBody::Statement { origin, event } }
}
