//! Windows: the tools that come with it, each asked for one thing. What they print is read by
//! [`yomitori_observation::windows`].

use std::os::windows::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use yomitori_observation::reader::UsbId;
use yomitori_observation::windows;
use yomitori_proto::vocabulary::ComponentState;

use super::ProgramName;
use crate::clock;

/// Each look starts programs.
pub(super) const LOOK_EVERY: Duration = Duration::from_secs(300);
const CREATE_NO_WINDOW: u32 = 0x0800_0000;

/// Of the present boot; a fast start-up is no new one.
static BOOT: LazyLock<Option<(String, Option<String>)>> =
    LazyLock::new(|| windows::boot(&ask(r"wbem\wmic.exe", &["os", "get", "LastBootUpTime,Version"])?));

/// The agent is started with the system, so the boot was just now.
pub(super) fn boot() -> Option<(Uuid, Duration)> {
    let (stamp, _) = BOOT.as_ref()?;
    Some((Uuid::from_bytes(*Sha256::digest(stamp).first_chunk()?), Duration::ZERO))
}

/// The counter behind [`Instant`] goes on in sleep, so the time since the agent's first look is as good.
pub(super) fn running() -> Option<Duration> {
    static BEGAN: LazyLock<Instant> = LazyLock::new(|| clock::moment().steady);
    Some(clock::moment().steady.saturating_duration_since(*BEGAN))
}

pub(super) fn version() -> Option<String> {
    BOOT.as_ref()?.1.clone()
}

pub(super) fn usb_devices() -> Vec<UsbId> {
    let printed = ask(r"wbem\wmic.exe", &["path", "Win32_PnPEntity", "where", "Present=TRUE", "get", "DeviceID"]);
    windows::usb_devices(&printed.unwrap_or_default())
}

pub(super) fn state(program: &ProgramName) -> Option<ComponentState> {
    match program {
        ProgramName::Process(name) => {
            let filter = format!("IMAGENAME eq {name}");
            Some(windows::process(&ask("tasklist.exe", &["/NH", "/FO", "CSV", "/FI", &filter])?, name))
        }
        ProgramName::Service(name) => windows::service(&ask("sc.exe", &["query", name])?),
        ProgramName::Task(name) => Some(windows::task(&ask("schtasks.exe", &["/Query", "/XML", "/TN", name])?)),
    }
}

/// What a program of the system's own folder prints; nothing where it can't be started.
fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let folder = PathBuf::from(std::env::var_os("SystemRoot")?).join("System32");
    let mut command = Command::new(folder.join(program));
    command.args(arguments).creation_flags(CREATE_NO_WINDOW).stdin(Stdio::null()).stderr(Stdio::null());
    Some(String::from_utf8_lossy(&command.output().ok()?.stdout).into_owned())
}
