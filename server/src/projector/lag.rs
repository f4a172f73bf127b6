//! How far the projection of each owned partition is behind the log, as `/metrics` shows it. While the end of a partition
//! is not known, its lag in seconds grows, so that an alert on it also fires when Kafka or the database is away.

use std::collections::BTreeMap;

use tokio::time::Instant;

use crate::telemetry;

/// When the end of each owned partition was last known.
#[derive(Default)]
pub(super) struct LagReport(BTreeMap<i32, Instant>);

impl LagReport {
    /// Keeps only the owned partitions: another instance reports the others.
    pub(super) fn keep(&mut self, owns: impl Fn(i32) -> bool) {
        self.0.retain(|partition, _| owns(*partition));
    }

    /// The lag of `partition`, whose end was just read.
    pub(super) fn known(&mut self, partition: i32, records: i64, seconds: f64) {
        self.0.insert(partition, Instant::now());
        telemetry::lag(partition, records);
        telemetry::lag_seconds(partition, seconds);
    }

    /// The end of `partition` is not known: it is paused, or its broker does not answer.
    pub(super) fn unknown(&mut self, partition: i32) {
        let since = self.0.entry(partition).or_insert_with(Instant::now);
        telemetry::lag_seconds(partition, since.elapsed().as_secs_f64());
    }

    /// The projection has failed: no partition is read until it resumes.
    pub(super) fn none_known(&self) {
        telemetry::partitions_paused(self.0.len());
        for (partition, since) in &self.0 {
            telemetry::lag_seconds(*partition, since.elapsed().as_secs_f64());
        }
    }
}
