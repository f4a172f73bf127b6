//! The agent as a service of Windows. Installed in one step: the package hands over the server's address and a token
//! ([`handover`]), and the service begins by enrolling with them ([`readiness`]).
//!
//! On Linux systemd starts `yomitori-agent run`, once a technician has enrolled the terminal.

#[cfg(windows)]
pub mod event_log;
pub mod handover;
#[cfg(windows)]
pub mod manager;
pub mod readiness;
#[cfg(windows)]
pub mod setup;

/// The name that the service manager and the event log know; the package's `ServiceInstall` says the same.
pub const NAME: &str = "YomitoriAgent";
