//! The agent as a service of Windows. Installed in one step: the package hands over the server's address and a token
//! ([`handover`]), and the service begins by enrolling with them ([`readiness`]).
//!
//! On Linux systemd starts `yomitori-agent run`, once a technician has enrolled the terminal.

pub mod handover;
pub mod readiness;

#[cfg(windows)]
mod event_log;
#[cfg(windows)]
mod manager;
#[cfg(windows)]
mod setup;

#[cfg(windows)]
pub use {event_log::EventLog, manager::run, setup::set_up};

/// The name that the service manager and the event log know; the package's `ServiceInstall` says the same.
pub const NAME: &str = "YomitoriAgent";
