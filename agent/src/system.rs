//! What the operating system says of the terminal: its boot, its devices, its programs by name and state. Names only, no
//! command lines; nothing is changed, and nothing is asked for that needs more than an ordinary user.

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
mod of;
#[cfg(windows)]
#[path = "system/windows.rs"]
mod of;
#[cfg(not(any(target_os = "linux", windows)))]
#[path = "system/other.rs"]
mod of;

/// How often devices and programs may be looked for, so that nobody notices.
pub const LOOK_EVERY: Duration = of::LOOK_EVERY;

/// The present boot, and when it was, where the system tells. Where it doesn't, every start of the agent counts as one.
#[must_use]
pub fn boot() -> (Boot, Option<DateTime<Utc>>) {
    match of::boot() {
        Some((boot, ago)) => (Boot(boot), Some(clock::now() - TimeDelta::from_std(ago).unwrap_or_default())),
        None => (Boot(Uuid::new_v4()), None),
    }
}

/// How long the system has been up, sleep included.
#[must_use]
pub fn running() -> Option<Duration> {
    of::running()
}

/// The version of the system.
#[must_use]
pub fn version() -> Option<String> {
    of::version()
}

/// The devices on USB, each kind once.
#[must_use]
pub fn usb_devices() -> Vec<UsbId> {
    of::usb_devices()
}

/// What a program does, where that can be told.
#[must_use]
pub fn state(program: &ProgramName) -> Option<ComponentState> {
    of::state(program)
}

/// Makes the folder at `path` for what only the agent and administrators may read. Where the installation does that (a
/// package of Debian gives the folder to the agent's user), it is only made.
pub fn private_folder(path: &Path) -> io::Result<()> {
    of::private_folder(path)
}
