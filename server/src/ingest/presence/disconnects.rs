//! Records the ends of streams. While the log is away they wait here, because nothing else knows of them.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;
use tokio::sync::mpsc;
use yomitori_proto::event::TerminalDisconnected;
use yomitori_proto::id::{FacilityId, Session, TerminalId};
use yomitori_proto::vocabulary::DisconnectReason;

use super::{AGAIN_AFTER, AT_ONCE, Shared};
use crate::telemetry;

/// The end of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disconnect {
    pub(super) facility: FacilityId,
    pub(super) terminal: TerminalId,
    pub(super) session: Session,
    pub(super) reason: DisconnectReason,
}

/// Records each until the log has confirmed it. There are at most as many as streams were open.
pub(super) async fn record(shared: Arc<Shared>, mut queue: mpsc::UnboundedReceiver<Disconnect>) {
    let mut waiting: VecDeque<Disconnect> = VecDeque::new();
    loop {
        if waiting.is_empty() {
            let Some(next) = queue.recv().await else { return };
            waiting.push_back(next);
        }
        while let Ok(next) = queue.try_recv() {
            waiting.push_back(next);
        }
        let some = waiting.drain(..waiting.len().min(AT_ONCE));
        let failed: Vec<Disconnect> = stream::iter(some)
            .map(|disconnect| append(&shared, disconnect))
            .buffer_unordered(AT_ONCE)
            .filter_map(std::future::ready)
            .collect()
            .await;
        if !failed.is_empty() {
            waiting.extend(failed);
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}

/// Returns it if the log did not confirm.
async fn append(shared: &Shared, disconnect: Disconnect) -> Option<Disconnect> {
    let Disconnect { facility, terminal, session, reason } = disconnect;
    let event = TerminalDisconnected { terminal, session, reason }.into();
    match shared.operator.record_from_server(facility, shared.instance, event).await {
        Ok(_) => {
            shared.streams().to_record -= 1;
            None
        }
        Err(error) => {
            telemetry::append_failed(&error);
            Some(disconnect)
        }
    }
}
