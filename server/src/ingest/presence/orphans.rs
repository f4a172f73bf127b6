//! Reports the terminals of instances that lost their lease.

use std::collections::HashSet;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio_util::sync::CancellationToken;
use yomitori_proto::event::TerminalDisconnected;
use yomitori_proto::id::Session;
use yomitori_proto::vocabulary::DisconnectReason;

use super::{AT_ONCE, LEASE_FOR, RENEW_EVERY, Shared};
use crate::store::connection::{self, OrphanStream};
use crate::telemetry;

const ORPHANS_AT_ONCE: i64 = 1000;

/// Reports until `stop`. An instance that had no lease of its own a moment ago reports nobody: all may have lost theirs
/// together.
pub(super) async fn report(shared: Arc<Shared>, stop: CancellationToken) {
    // Reported, but still connected by what has been folded.
    let mut reported: HashSet<Session> = HashSet::new();
    let mut tick = tokio::time::interval(RENEW_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        match connection::orphans(&shared.store, shared.instance, LEASE_FOR, ORPHANS_AT_ONCE).await {
            Ok(orphans) => {
                let there: HashSet<Session> = orphans.iter().map(|orphan| orphan.session).collect();
                reported.retain(|session| there.contains(session));
                let new: Vec<_> = orphans.into_iter().filter(|orphan| !reported.contains(&orphan.session)).collect();
                let told: Vec<Option<Session>> =
                    stream::iter(new).map(|orphan| append(&shared, orphan)).buffer_unordered(AT_ONCE).collect().await;
                reported.extend(told.into_iter().flatten());
            }
            Err(error) => telemetry::orphans_not_read(&error),
        }
    }
}

/// Returns the session if the log has it; the next tick tries the others again.
async fn append(shared: &Shared, orphan: OrphanStream) -> Option<Session> {
    let OrphanStream { terminal, facility, session } = orphan;
    let gone = TerminalDisconnected { terminal, session, reason: DisconnectReason::InstanceLost };
    match shared.operator.record_from_server(facility, shared.instance, gone.into()).await {
        Ok(_) => Some(session),
        Err(error) => {
            telemetry::append_failed(&error);
            None
        }
    }
}
