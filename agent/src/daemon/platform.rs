//! The exchange with the service manager: its request to stop, and our notifications.

use yomitori_base::stop;
use yomitori_proto::vocabulary::StopReason;

/// Waits until the agent is asked to end.
pub async fn stop_requested() -> StopReason {
    stop::requested().await;
    StopReason::Service
}

/// Notifies the service manager that the agent is running.
pub(super) fn ready() {
    #[cfg(target_os = "linux")]
    log_failure(sd_notify::notify(&[sd_notify::NotifyState::Ready]));
}

/// Notifies the service manager that the agent is about to end.
pub(super) fn stopping() {
    #[cfg(target_os = "linux")]
    log_failure(sd_notify::notify(&[sd_notify::NotifyState::Stopping]));
}

/// Notifies the service manager regularly that the agent is alive, if its watchdog is enabled.
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
