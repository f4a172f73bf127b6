//! Linux: reads files of the kernel and systemd, so that no program has to be started.

use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use uuid::Uuid;
use yomitori_observation::reader::UsbId;
use yomitori_observation::version;
use yomitori_proto::vocabulary::ComponentState;

use super::program::ProgramName;

pub(super) const LOOK_EVERY: Duration = Duration::from_secs(10);

const USB: &str = "/sys/bus/usb/devices";
/// The kernel truncates process names to this length.
const LONGEST_NAME: usize = 15;
/// A running service has a folder here, in either version of control groups.
const RUNNING: [&str; 2] = ["/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/systemd/system.slice"];
const ENABLED_TIMERS: [&str; 2] =
    ["/etc/systemd/system/timers.target.wants", "/run/systemd/system/timers.target.wants"];
const UNITS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

pub(super) fn boot() -> Option<(Uuid, Duration)> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?.trim().parse().ok()?;
    Some((boot, uptime()?))
}

pub(super) fn uptime() -> Option<Duration> {
    let uptime = fs::read_to_string("/proc/uptime").ok()?;
    Duration::try_from_secs_f64(uptime.split_whitespace().next()?.parse().ok()?).ok()
}

pub(super) fn version() -> Option<String> {
    version::kernel(&fs::read_to_string("/proc/sys/kernel/osrelease").ok()?)
}

pub(super) fn usb_devices() -> Vec<UsbId> {
    let hex = |path: &Path| u16::from_str_radix(fs::read_to_string(path).ok()?.trim(), 16).ok();
    let folders = fs::read_dir(USB).into_iter().flatten().flatten().map(|entry| entry.path());
    // Interfaces have folders too, but without identifiers.
    let devices = folders
        .filter_map(|folder| Some(UsbId { vid: hex(&folder.join("idVendor"))?, pid: hex(&folder.join("idProduct"))? }));
    let mut devices: Vec<_> = devices.collect();
    devices.sort_unstable();
    devices.dedup();
    devices
}

pub(super) fn state(program: &ProgramName) -> Option<ComponentState> {
    let exists = |folders: &[&str], name: &str| folders.iter().any(|folder| Path::new(folder).join(name).exists());
    let unit = |runs: &[&str], name: String| {
        if exists(runs, &name) {
            ComponentState::Running
        } else if exists(&UNITS, &name) {
            ComponentState::Stopped
        } else {
            ComponentState::Missing
        }
    };
    Some(match program {
        ProgramName::Process(name) if runs(name) => ComponentState::Running,
        ProgramName::Process(_) => ComponentState::Stopped,
        ProgramName::Service(name) => unit(&RUNNING, format!("{name}.service")),
        ProgramName::Task(name) => unit(&ENABLED_TIMERS, format!("{name}.timer")),
    })
}

fn runs(name: &str) -> bool {
    let name = name.as_bytes();
    let name = name.get(..LONGEST_NAME).unwrap_or(name);
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = processes.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit));
    let names = processes.filter_map(|process| fs::read(process.path().join("comm")).ok());
    names.into_iter().any(|comm| comm.strip_suffix(b"\n").unwrap_or(&comm) == name)
}

pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}
