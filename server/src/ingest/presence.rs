//! Tracks connected terminals without an event per heartbeat: each instance holds a lease, and its terminals count as
//! connected while it does. When a lease expires, any other instance records in the log that those terminals are gone.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use yomitori_proto::event::TerminalDisconnected;
use yomitori_proto::id::Instance;
use yomitori_proto::vocabulary::DisconnectReason;

use crate::ingest::operator::Operator;
use crate::store::{Store, connection, lease};
use crate::telemetry;

const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Long enough for several failed renewals before the terminals of an instance count as gone.
const LEASE_FOR: Duration = Duration::from_secs(10);
const ORPHANS_AT_ONCE: i64 = 1000;

/// Holds the lease of `instance` and cleans up after lost instances, until `stop`.
pub async fn watch(store: Store, operator: Operator, instance: Instance, stop: CancellationToken) {
    let mut tick = tokio::time::interval(RENEW_EVERY);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => {}
        }
        if let Err(error) = lease::renew(&store, instance, LEASE_FOR).await {
            telemetry::lease_not_renewed(&error);
            continue;
        }
        match connection::orphans(&store, ORPHANS_AT_ONCE).await {
            Ok(orphans) => {
                for orphan in orphans {
                    let gone = TerminalDisconnected {
                        terminal: orphan.terminal,
                        session: orphan.session,
                        reason: DisconnectReason::InstanceLost,
                    };
                    // The next tick retries what failed.
                    if let Err(error) = operator.record_from_server(orphan.facility, instance, gone.into()).await {
                        telemetry::append_failed(&error);
                        break;
                    }
                }
            }
            Err(error) => telemetry::lease_not_renewed(&error),
        }
    }
}

/// Returns the lease, after the streams have ended.
pub async fn leave(store: &Store, instance: Instance) {
    if let Err(error) = lease::release(store, instance).await {
        telemetry::lease_not_renewed(&error);
    }
}
