//! Records the ends of streams. While the log is away they wait, because nothing else knows of them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use yomitori_proto::event::TerminalDisconnected;

use super::streams::Disconnect;
use super::{AT_ONCE, Shared};
use crate::telemetry;
use yomitori_base::crash;

/// How long to wait after the log did not confirm.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Records each until the log has confirmed it.
pub(super) async fn record(shared: Arc<Shared>) {
    loop {
        let some = shared.streams().take_ended(AT_ONCE);
        if some.is_empty() {
            shared.ended.notified().await;
            continue;
        }
        let appended = stream::iter(some).map(|disconnect| append(&shared, disconnect)).buffer_unordered(AT_ONCE);
        let all = appended.fold(true, |all, confirmed| std::future::ready(all && confirmed)).await;
        if !all {
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }
}

/// Returns whether the log confirmed.
async fn append(shared: &Shared, disconnect: Disconnect) -> bool {
    let Disconnect { facility, terminal, session, reason } = disconnect;
    let event = TerminalDisconnected { terminal, session, reason }.into();
    crash::point("before-disconnected");
    let appended = shared.operator.record_from_server(facility, shared.instance, event).await;
    crash::point("after-disconnected");
    if let Err(error) = &appended {
        telemetry::append_failed(error);
    }
    shared.streams().was_recorded(disconnect, appended.is_ok());
    shared.recorded.notify_one();
    appended.is_ok()
}
