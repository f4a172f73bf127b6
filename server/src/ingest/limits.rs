//! How much terminals may collect, as people have stated. Connected terminals receive a change within seconds.
//!
//! While the limits are unknown (the database is away), nothing is sent and terminals keep their last limit.

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

/// The limits as last read; a task keeps them current.
#[derive(Clone)]
pub struct Limits(watch::Receiver<Arc<BTreeMap<FacilityId, CollectionLevel>>>);

impl Limits {
    /// The limit to send to the terminals of `facility`; `None` if no one has ever stated one.
    pub fn of(&mut self, facility: FacilityId) -> Option<Settings> {
        self.0.borrow_and_update().get(&facility).copied().map(Settings::limiting)
    }

    /// Waits until the limits change.
    pub async fn changed(&mut self) {
        // The task that reads the limits has ended: the server is stopping.
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Reads the limits repeatedly until `stop`.
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
