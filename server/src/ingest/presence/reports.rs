//! Corrects the log where it says that a terminal is gone whose stream is open here. That happens to an instance that was
//! stopped for longer than its lease and goes on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use yomitori_proto::event::TerminalConnected;
use yomitori_proto::id::{Session, TerminalId};
use yomitori_proto::vocabulary::DisconnectReason;

use super::streams::Compared;
use super::{AT_ONCE, Shared};
use crate::store::{StoreError, connection, progress};
use crate::telemetry;

const COMPARE_EVERY: Duration = Duration::from_secs(5);
/// Others report the terminals of an instance only while it has no lease; what they reported is folded within this time.
const COMPARED_FOR: Duration = Duration::from_secs(600);

/// Compares the open streams with the database until `stop`, for some time after this instance had no lease.
pub(super) async fn check(shared: Arc<Shared>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(COMPARE_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        if Instant::now() > shared.without_lease_at() + COMPARED_FOR {
            continue;
        }
        match missing(&shared).await {
            Ok(missing) => stream::iter(missing).for_each_concurrent(AT_ONCE, |wrong| correct(&shared, wrong)).await,
            Err(error) => telemetry::orphans_not_read(&error),
        }
    }
}

/// The open streams that were folded and whose terminals are nevertheless not connected, by any stream.
async fn missing(shared: &Shared) -> Result<Vec<Compared>, StoreError> {
    let ours = shared.streams().to_compare(Instant::now());
    if ours.is_empty() {
        return Ok(Vec::new());
    }
    // The progress first: what is folded afterwards can only add streams.
    let folded: HashMap<i32, i64> =
        progress::all(&shared.store).await?.iter().map(|p| (p.next.partition, p.next.offset)).collect();
    let terminals: Vec<TerminalId> = ours.iter().map(|stream| stream.connected.terminal).collect();
    let there = connection::connected(&shared.store, &terminals).await?;
    let is_folded =
        |stream: &Compared| folded.get(&stream.position.partition).is_some_and(|next| *next > stream.position.offset);
    Ok(ours.into_iter().filter(|ours| is_folded(ours) && !there.contains(&ours.connected.terminal)).collect())
}

/// Connects the terminal once more, in a new session: what others say of the old one no longer matters.
async fn correct(shared: &Shared, wrong: Compared) {
    let connected = TerminalConnected { session: Session(Uuid::now_v7()), ..wrong.connected };
    let event = connected.clone().into();
    match shared.operator.record_from_server(wrong.facility, shared.instance, event).await {
        Ok(position) => {
            telemetry::presence_corrected(connected.terminal, connected.session);
            let open = shared.streams().corrected(wrong.began, connected.clone(), position, Instant::now());
            if !open {
                // It ended meanwhile, and its end was recorded for the session of before.
                shared.disconnect(wrong.facility, &connected, DisconnectReason::Lost);
            }
        }
        Err(error) => telemetry::append_failed(&error),
    }
}
