//! Gives the live projection priority: a rebuild must not delay current records.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::log::kafka;
use crate::store::{Store, StoreError, progress};
use crate::{clock, config};

const LOOK_EVERY: Duration = Duration::from_millis(500);
/// The number of looks after which a record should have been folded: two seconds.
const PATIENCE: usize = 4;
/// A live projection that has not looked at the log for this long is not running, and is not waited for.
const ABSENT_AFTER: chrono::TimeDelta = chrono::TimeDelta::seconds(10);

/// Checks repeatedly whether the live projection keeps up.
pub(super) struct LiveLagGate {
    go: watch::Receiver<bool>,
    looks: JoinHandle<()>,
}

impl LiveLagGate {
    pub(super) fn begin(live: &Store, kafka: &config::Kafka) -> Self {
        let (sender, go) = watch::channel(true);
        let (live, kafka) = (live.clone(), kafka.clone());
        let looks = tokio::spawn(async move {
            let mut ends = Vec::new();
            while !sender.is_closed() {
                tokio::time::sleep(LOOK_EVERY).await;
                // An unreachable store is not waited for: the rebuild itself fails with the right error.
                let behind = look(&live, &kafka, &mut ends).await.unwrap_or(false);
                sender.send_if_modified(|go| std::mem::replace(go, !behind) == behind);
            }
        });
        Self { go, looks }
    }

    pub(super) fn waits(&self) -> bool {
        !*self.go.borrow()
    }

    /// Waits here before every piece of work.
    pub(super) fn gate(&self) -> watch::Receiver<bool> {
        self.go.clone()
    }
}

impl Drop for LiveLagGate {
    fn drop(&mut self) {
        self.looks.abort();
    }
}

/// Whether the live projection has not folded the log of two seconds ago. `ends` are the ends seen so far.
async fn look(live: &Store, kafka: &config::Kafka, ends: &mut Vec<BTreeMap<i32, i64>>) -> Result<bool, StoreError> {
    let places = progress::all(live).await?;
    let present =
        places.iter().filter_map(|place| place.checked_at).max().is_some_and(|at| clock::now() - at < ABSENT_AFTER);
    let kafka = kafka.clone();
    let asked = tokio::task::spawn_blocking(move || kafka::bounds(&kafka)).await;
    let Ok(Ok(bounds)) = asked else { return Ok(false) };
    ends.push(bounds.into_iter().map(|(partition, (_, end))| (partition, end)).collect());
    if ends.len() <= PATIENCE {
        return Ok(false);
    }
    let then = ends.remove(0);
    let behind =
        |place: &progress::Progress| then.get(&place.next.partition).is_some_and(|end| place.next.offset < *end);
    Ok(present && places.iter().any(behind))
}
