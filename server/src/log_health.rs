//! Whether Kafka answers and has the topic that was folded. `/healthz` and `/metrics` show it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use yomitori_base::error::chain;

use crate::log::kafka::{self, Appender, TopicError};
use crate::store::{Store, pause, progress};
use crate::{config, telemetry};

/// How often Kafka is asked.
const ASK_EVERY: Duration = Duration::from_secs(5);

/// What was last learned of the log.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum LogHealth {
    /// Kafka was not asked yet.
    #[default]
    Unknown,
    Ok,
    /// Kafka does not answer.
    Away {
        error: String,
    },
    /// Kafka answers, but its topic is not the one that was folded.
    Changed {
        error: String,
    },
}

/// Asks until `stop`.
pub fn watch(
    appender: Arc<Appender>,
    kafka: config::Kafka,
    store: Store,
    stop: CancellationToken,
) -> watch::Receiver<LogHealth> {
    let (sender, health) = watch::channel(LogHealth::Unknown);
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(ASK_EVERY);
        while stop.run_until_cancelled(tick.tick()).await.is_some() {
            let health = ask(&appender, &kafka, &store).await;
            telemetry::log_reachable(!matches!(health, LogHealth::Away { .. }));
            sender.send_replace(health);
        }
    });
    health
}

async fn ask(appender: &Arc<Appender>, kafka: &config::Kafka, store: &Store) -> LogHealth {
    let asked = Arc::clone(appender);
    let found = tokio::task::spawn_blocking(move || asked.partitions()).await.expect("asking Kafka does not panic");
    let same = match found {
        Ok(found) => match progress::partitions(store).await {
            Ok(Some(folded)) => kafka::same_partitions(kafka, found, folded),
            Ok(None) | Err(_) => Ok(()),
        },
        Err(error) => Err(error),
    };
    match same {
        // The projector compared what was folded; without the database only Kafka itself can be judged.
        Ok(()) => match pause::difference(store).await {
            Ok(Some(error)) => LogHealth::Changed { error },
            Ok(None) | Err(_) => LogHealth::Ok,
        },
        Err(error @ TopicError::Unreachable { .. }) => LogHealth::Away { error: chain(&error) },
        Err(error) => LogHealth::Changed { error: chain(&error) },
    }
}
