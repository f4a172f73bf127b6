//! Which partitions of this instance are read. One is read once it was compared with what was folded of it; where the log
//! is another one or can't be read, that partition is paused and looked at again, and the others are folded further.
//! Comparisons run beside the projection: a broker that does not answer holds up nothing but its own partitions.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::ProjectionError;
use super::owner::Owner;
use crate::log::Position;
use crate::log::identity::{self, IdentityError};
use crate::store::pause::{self, PartitionPause};
use crate::store::{Store, progress};
use crate::{config, telemetry};
use yomitori_base::error::chain;

/// How many partitions are compared at once: each with a connection of its own.
const AT_ONCE: usize = 8;
/// How often a partition is looked at again whose log is another one: a person has to act.
const LOOK_AGAIN_IF_DIFFERENT: Duration = Duration::from_secs(10);
/// How often a partition is looked at again that could not be read: mostly this passes by itself.
const LOOK_AGAIN_IF_UNREADABLE: Duration = Duration::from_secs(1);

/// The owned partitions that are read, those that are paused, and those that are being compared.
#[derive(Default)]
pub(super) struct Paused {
    read: BTreeSet<i32>,
    paused: BTreeMap<i32, Pause>,
    compared: BTreeSet<i32>,
    comparisons: JoinSet<(i32, Result<u64, IdentityError>)>,
}

struct Pause {
    reason: String,
    look_again_at: Instant,
}

impl Paused {
    pub(super) fn is_read(&self, partition: i32) -> bool {
        self.read.contains(&partition)
    }

    /// Takes the results of the comparisons, waiting up to `wait` for those that run, and begins those that are due.
    /// Returns whether other partitions are to be read than before.
    pub(super) async fn look(
        &mut self,
        store: &Store,
        kafka: &config::Kafka,
        owner: &Owner,
        wait: Duration,
    ) -> Result<bool, ProjectionError> {
        let until = Instant::now() + wait;
        let before = self.read.clone();
        self.read.retain(|partition| owner.owns(*partition));
        self.paused.retain(|partition, _| owner.owns(*partition));
        self.begin(store, kafka, owner).await?;
        while !self.comparisons.is_empty() {
            let next = match self.comparisons.try_join_next() {
                Some(next) => next,
                None => match timeout_at(until, self.comparisons.join_next()).await {
                    Ok(Some(next)) => next,
                    Ok(None) | Err(_) => break,
                },
            };
            let (partition, result) = next.expect("the comparison does not panic");
            self.compared.remove(&partition);
            if let Some(next) = owner.position(partition) {
                self.take(store, next, result).await?;
            }
            self.begin(store, kafka, owner).await?;
        }
        telemetry::partitions_paused(self.paused.len());
        Ok(self.read != before)
    }

    /// Begins the comparisons that are due.
    async fn begin(&mut self, store: &Store, kafka: &config::Kafka, owner: &Owner) -> Result<(), ProjectionError> {
        let now = Instant::now();
        let is_due = |partition: &i32| {
            !self.read.contains(partition)
                && !self.compared.contains(partition)
                && self.paused.get(partition).is_none_or(|pause| pause.look_again_at <= now)
        };
        let due = owner.positions().map(|next| next.partition).filter(is_due);
        let due: BTreeSet<i32> = due.take(AT_ONCE.saturating_sub(self.compared.len())).collect();
        if due.is_empty() {
            return Ok(());
        }
        for folded in progress::folded(store).await? {
            if due.contains(&folded.next.partition) {
                let kafka = kafka.clone();
                self.compared.insert(folded.next.partition);
                self.comparisons.spawn_blocking(move || (folded.next.partition, identity::compare(&kafka, folded)));
            }
        }
        Ok(())
    }

    async fn take(
        &mut self,
        store: &Store,
        next: Position,
        result: Result<u64, IdentityError>,
    ) -> Result<(), ProjectionError> {
        let partition = next.partition;
        let was = self.paused.remove(&partition);
        let error = match result {
            Ok(deleted) => {
                match was {
                    Some(_) => telemetry::partition_resumed(partition),
                    None => telemetry::partition_taken(next),
                }
                if deleted > 0 {
                    telemetry::records_deleted(partition, deleted);
                }
                // Also of a former owner.
                pause::end(store, partition).await?;
                self.read.insert(partition);
                return Ok(());
            }
            Err(error) => error,
        };
        let (reason, differs) = (chain(&error), error.is_difference());
        // One line for each change: a partition may stay paused for days.
        if was.is_none_or(|was| was.reason != reason) {
            telemetry::partition_paused(partition, &error, differs);
            pause::begin(store, &PartitionPause { partition, reason: reason.clone(), differs }).await?;
        }
        let again = if differs { LOOK_AGAIN_IF_DIFFERENT } else { LOOK_AGAIN_IF_UNREADABLE };
        self.paused.insert(partition, Pause { reason, look_again_at: Instant::now() + again });
        Ok(())
    }
}
