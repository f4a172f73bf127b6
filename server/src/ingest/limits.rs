//! How much terminals may collect, as people have said, brought to those that are connected within seconds.
//!
//! While it is not known (the database is away), terminals are told nothing, and keep to what they were told before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use yomitori_proto::id::FacilityId;
use yomitori_proto::uplink::Settings;
use yomitori_proto::vocabulary::CollectionLevel;

use crate::store::{Store, limit};
use crate::telemetry;

const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What is known now; it changes by itself.
#[derive(Clone)]
pub struct Limits(watch::Receiver<Arc<BTreeMap<FacilityId, CollectionLevel>>>);

impl Limits {
    /// What the terminals of `facility` are to be told; nothing where nobody has ever said so.
    pub fn of(&mut self, facility: FacilityId) -> Option<Settings> {
        self.0.borrow_and_update().get(&facility).copied().map(Settings::limiting)
    }

    /// Waits until something else is known than when it was asked for last.
    pub async fn changed(&mut self) {
        // Nobody looks any more: the server ends.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Looks again and again until `stop`.
pub fn watch(store: Store, stop: CancellationToken) -> Limits {
    let (known, limits) = watch::channel(Arc::default());
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        loop {
            tick.tick().await;
            match limit::all(&store).await {
                Ok(all) => {
                    known.send_if_modified(|before| {
                        let is_new = **before != all;
                        if is_new {
                            *before = Arc::new(all);
                        }
                        is_new
                    });
                }
                Err(error) => telemetry::limits_unknown(&error),
            }
        }
    }));
    Limits(limits)
}
