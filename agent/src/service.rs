//! The agent as a Windows service. It is installed in one step: the package hands over the server's address and a token
//! ([`handover`]), and the service enrols with them at its first start ([`readiness`]).
//!
//! On Linux, systemd starts `yomitori-agent run` once a technician has enrolled the terminal.

#[cfg(windows)]
pub mod event_log;
pub mod handover;
#[cfg(windows)]
pub mod manager;
pub mod readiness;
#[cfg(windows)]
pub mod setup;

/// The name in the service manager and the event log; the package's `ServiceInstall` uses the same.
pub const NAME: &str = "YomitoriAgent";
