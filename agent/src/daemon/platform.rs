//! What the service manager tells the agent and is log_failure by it.

use yomitori_base::stop;
use yomitori_proto::vocabulary::StopReason;

/// Waits until somebody asks the agent to end.
pub async fn stop_requested() -> StopReason {
    stop::requested().await;
    StopReason::Service
}

/// Tells the service manager that the agent is at work.
pub(super) fn ready() {
    #[cfg(target_os = "linux")]
    log_failure(sd_notify::notify(&[sd_notify::NotifyState::Ready]));
}

/// Tells the service manager that the agent is about to end.
pub(super) fn stopping() {
    #[cfg(target_os = "linux")]
    log_failure(sd_notify::notify(&[sd_notify::NotifyState::Stopping]));
}

/// Tells the service manager again and again that the agent is alive, if it wants to know.
pub(super) async fn watchdog() {
    #[cfg(target_os = "linux")]
    if let Some(within) = sd_notify::watchdog_enabled() {
        let mut beat = tokio::time::interval(within / 2);
        loop {
            beat.tick().await;
            log_failure(sd_notify::notify(&[sd_notify::NotifyState::Watchdog]));
        }
    }
    std::future::pending::<()>().await;
}

#[cfg(target_os = "linux")]
fn log_failure(result: std::io::Result<()>) {
    if let Err(error) = result {
        crate::telemetry::notify_service_manager_failed(&error);
    }
}
