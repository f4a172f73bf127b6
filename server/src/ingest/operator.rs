//! What people state, and what the server itself states: facts with provenance, accepted and ordered by the log.

use std::sync::Arc;
use std::time::Duration;

use yomitori_proto::event::{Event, LogBody, LogRecord, Origin, Stated};
use yomitori_proto::id::{FacilityId, Instance};

use crate::clock;
use crate::log::Position;
use crate::log::kafka::{AppendError, Appender};
use crate::store::{Store, StoreError, progress};

/// How long a person waits to see what they entered.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);
const LOOK_EVERY: Duration = Duration::from_millis(10);

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

    /// Records what a person says of a facility. It is in the log when this returns.
    ///
    /// # Errors
    /// Where the log did not confirm.
    pub async fn state(&self, facility: FacilityId, stated: Stated, event: Event) -> Result<Position, AppendError> {
        self.append(facility, Origin::Person(stated), event).await
    }

    /// Records what this server noticed.
    ///
    /// # Errors
    /// Where the log did not confirm.
    pub async fn notice(&self, facility: FacilityId, instance: Instance, event: Event) -> Result<Position, AppendError> {
        self.append(facility, Origin::Server { instance, stated_at: clock::now() }, event).await
    }

    async fn append(&self, facility: FacilityId, origin: Origin, event: Event) -> Result<Position, AppendError> {
        let body = LogBody::Statement { origin, event };
        self.appender.append(&LogRecord { facility, received_at: clock::now(), body }).await
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
