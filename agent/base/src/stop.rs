//! The request to stop: a signal from the service manager, or Ctrl+C.

/// Waits until this process is asked to stop.
///
/// # Panics If the process can't listen to its signals.
#[cfg(unix)]
pub async fn requested() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).expect("a process can listen to its signals");
    let mut interrupt = signal(SignalKind::interrupt()).expect("a process can listen to its signals");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// Waits until this process is asked to stop.
#[cfg(not(unix))]
pub async fn requested() {
    // If the console can't be listened to, only the end of the process stops the program.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
