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

/// Notifies the service manager that the agent works, each time that it is called, if the watchdog is enabled.
pub(super) fn works() -> impl FnMut() + Send + 'static {
    #[cfg(target_os = "linux")]
    let watched = sd_notify::watchdog_enabled().is_some();
    move || {
        #[cfg(target_os = "linux")]
        if watched {
            log_failure(sd_notify::notify(&[sd_notify::NotifyState::Watchdog]));
        }
    }
}

#[cfg(target_os = "linux")]
fn log_failure(result: std::io::Result<()>) {
    if let Err(error) = result {
        crate::telemetry::notify_service_manager_failed(&error);
    }
}
