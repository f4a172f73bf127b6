//! A terminal that was enrolled again sends what it had kept under its new identifier. If it never learned that a batch is
//! in the log, it sends that batch too, and the projector takes it for new, because it knows repetitions by terminal.
//! Therefore what is there already under a former identifier is left out here.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;
use yomitori_proto::event::Observation;
use yomitori_proto::uplink::{Hello, Peer};

use crate::store::repetition::{self, ObservationMark};
use crate::store::{Store, StoreError, facility};
use crate::telemetry;

/// How long a terminal waits for the projection to come to its enrolment. For a facility that is parked, a person has to act
/// first; the terminal keeps what it has, and comes again.
const FOLDED_WITHIN: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What is in the log under former identifiers of a terminal.
#[derive(Default)]
pub(super) struct FormerObservations(BTreeSet<ObservationMark>);

impl FormerObservations {
    /// Reads it for a terminal that says `hello`.
    ///
    /// The enrolment is behind those observations in the log, since all facts of a facility are in one partition. Once it
    /// is folded, they are in the database. `None` if it is not folded yet: nobody knows what would come twice.
    ///
    /// # Errors
    /// If the database is away.
    pub(super) async fn read(store: &Store, peer: Peer, hello: &Hello) -> Result<Option<Self>, StoreError> {
        if hello.former.is_empty() {
            return Ok(Some(Self::default()));
        }
        let began = Instant::now();
        while !facility::state(store, peer.facility).await?.is_some_and(|state| state.uses(peer.terminal)) {
            if began.elapsed() > FOLDED_WITHIN {
                telemetry::enrolment_not_folded(peer);
                return Ok(None);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        let (life, from) = (hello.life, hello.first_unacknowledged);
        Ok(Some(Self(repetition::sent_as(store, peer.facility, &hello.former, life, from).await?)))
    }

    /// Removes what is in the log already.
    pub(super) fn remove_from(&self, observations: &mut Vec<Observation>) {
        observations.retain(|one| !self.0.contains(&(one.seq, one.occurred_at, one.observed_at)));
    }
}
