//! A system that the agent does not support yet: it reports nothing.

use std::io;
use std::path::Path;
use std::time::Duration;

use uuid::Uuid;
use yomitori_observation::reader::UsbId;
use yomitori_proto::vocabulary::ComponentState;

use super::program::ProgramName;

pub(super) const LOOK_EVERY: Duration = Duration::from_secs(3_600);

pub(super) const fn boot() -> Option<(Uuid, Duration)> {
    None
}

pub(super) const fn uptime() -> Option<Duration> {
    None
}

pub(super) const fn version() -> Option<String> {
    None
}

pub(super) const fn usb_devices() -> Vec<UsbId> {
    Vec::new()
}

pub(super) const fn state(_program: &ProgramName) -> Option<ComponentState> {
    None
}

pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)
}
