//! What the service manager tells the agent and is told by it.

use yomitori_proto::vocabulary::StopReason;

/// Waits until somebody asks the agent to end.
#[cfg(unix)]
pub async fn stop_requested() -> StopReason {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("a process can listen to its signals");
    let mut interrupt = signal(SignalKind::interrupt()).expect("a process can listen to its signals");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    StopReason::Service
}

/// Waits until somebody asks the agent to end.
#[cfg(not(unix))]
pub async fn stop_requested() -> StopReason {
    // Where the console can't be listened to, the agent ends with its process.
    match tokio::signal::ctrl_c().await {
        Ok(()) => StopReason::Service,
        Err(_) => std::future::pending().await,
    }
}

/// Tells the service manager that the agent is at work.
pub(super) fn ready() {
    #[cfg(target_os = "linux")]
    told(sd_notify::notify(&[sd_notify::NotifyState::Ready]));
}

/// Tells the service manager that the agent is about to end.
pub(super) fn stopping() {
    #[cfg(target_os = "linux")]
    told(sd_notify::notify(&[sd_notify::NotifyState::Stopping]));
}

/// Tells the service manager again and again that the agent is alive, if it wants to know.
pub(super) async fn watchdog() {
    #[cfg(target_os = "linux")]
    if let Some(within) = sd_notify::watchdog_enabled() {
        let mut beat = tokio::time::interval(within / 2);
        loop {
            beat.tick().await;
            told(sd_notify::notify(&[sd_notify::NotifyState::Watchdog]));
        }
    }
    std::future::pending::<()>().await;
}

#[cfg(target_os = "linux")]
fn told(result: std::io::Result<()>) {
    if let Err(error) = result {
        crate::telemetry::service_manager_deaf(&error);
    }
}
