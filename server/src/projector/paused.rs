//! Partitions of this instance that are not read, because the log is not the one that was folded or can't be read there.
//! The others are folded further.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::owner::Owner;
use super::{LOOK_AGAIN_EVERY, ProjectionError};
use crate::log::identity;
use crate::store::{Store, progress};
use crate::{config, telemetry};
use yomitori_base::error::chain;

/// The paused partitions, with the reason for each.
#[derive(Default)]
pub(super) struct Paused {
    partitions: BTreeMap<i32, String>,
    looked_at: Option<Instant>,
}

impl Paused {
    pub(super) fn contains(&self, partition: i32) -> bool {
        self.partitions.contains_key(&partition)
    }

    /// Whether paused partitions should be looked at again.
    pub(super) fn is_due(&self) -> bool {
        !self.partitions.is_empty() && self.looked_at.is_none_or(|at| at.elapsed() >= LOOK_AGAIN_EVERY)
    }

    /// Compares the partitions of this instance with the log; returns whether others are paused than before.
    pub(super) async fn look(
        &mut self,
        store: &Store,
        kafka: &config::Kafka,
        owner: &Owner,
    ) -> Result<bool, ProjectionError> {
        let mut folded = progress::folded(store).await?;
        folded.retain(|folded| owner.owns(folded.next.partition));
        let mut found = BTreeMap::new();
        for (partition, error) in identity::differences(kafka, &folded).await? {
            let reason = chain(&error);
            // One line for each change: a partition may stay paused for days.
            if self.partitions.get(&partition) != Some(&reason) {
                telemetry::partition_paused(partition, &error);
            }
            found.insert(partition, reason);
        }
        let changed = !found.keys().eq(self.partitions.keys());
        for partition in self.partitions.keys().filter(|partition| !found.contains_key(partition)) {
            telemetry::partition_resumed(*partition);
        }
        telemetry::partitions_paused(found.len());
        self.partitions = found;
        self.looked_at = Some(Instant::now());
        Ok(changed)
    }
}
