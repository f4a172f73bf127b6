//! What the operating system reports about the terminal: its boot, its devices, and its programs by name and state.
//! Command lines are not read, nothing is changed, and an ordinary user's rights are enough.

use std::io;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;
use yomitori_observation::reader::UsbId;
use yomitori_proto::id::Boot;
use yomitori_proto::vocabulary::ComponentState;

use crate::clock;
pub use program::ProgramName;

mod program;

#[cfg(target_os = "linux")]
#[path = "system/linux.rs"]
mod platform;
#[cfg(windows)]
#[path = "system/windows.rs"]
mod platform;
#[cfg(not(any(target_os = "linux", windows)))]
#[path = "system/other.rs"]
mod platform;

/// How often devices and programs may be queried without a noticeable load.
pub const LOOK_EVERY: Duration = platform::LOOK_EVERY;

/// The present boot and its time. If the system does not report it, every start of the agent counts as a boot.
#[must_use]
pub fn boot() -> (Boot, Option<DateTime<Utc>>) {
    match platform::boot() {
        Some((boot, ago)) => (Boot(boot), Some(clock::now() - TimeDelta::from_std(ago).unwrap_or_default())),
        None => (Boot(Uuid::new_v4()), None),
    }
}

/// How long the system has been up, including sleep.
#[must_use]
pub fn uptime() -> Option<Duration> {
    platform::uptime()
}

/// The version of the operating system.
#[must_use]
pub fn version() -> Option<String> {
    platform::version()
}

/// The USB devices, each kind once.
#[must_use]
pub fn usb_devices() -> Vec<UsbId> {
    platform::usb_devices()
}

/// The state of a program; `None` if it is not known.
#[must_use]
pub fn state(program: &ProgramName) -> Option<ComponentState> {
    platform::state(program)
}

/// Creates the folder at `path`, readable by the agent and administrators only. On systems where the installation sets
/// the rights (the Debian package gives the folder to the agent's user), the folder is only created.
pub fn private_folder(path: &Path) -> io::Result<()> {
    platform::private_folder(path)
}
