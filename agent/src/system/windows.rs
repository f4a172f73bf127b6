//! Windows: uses calls that an ordinary user may make and that start no program. There is no such call for scheduled
//! tasks, so the system's own tool is run at long intervals. What is not known is not reported.

#[path = "windows/calls.rs"]
mod calls;

use std::collections::BTreeMap;
use std::io;
use std::os::windows::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use windows_service::service::{ServiceAccess, ServiceState};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};
use yomitori_observation::reader::UsbId;
use yomitori_observation::windows;
use yomitori_proto::vocabulary::ComponentState;

use super::program::ProgramName;
use crate::clock;

pub(super) const LOOK_EVERY: Duration = Duration::from_secs(10);
/// A query for a task starts a program, so it is rare.
const TASKS_EVERY: Duration = Duration::from_secs(300);
const CREATE_NO_WINDOW: u32 = 0x0800_0000;
/// `ERROR_SERVICE_DOES_NOT_EXIST`.
const NO_SUCH_SERVICE: i32 = 1060;

/// A counter of the system's boot loader; a wake-up from fast start-up is not a new boot.
const BOOTS: (&str, &str) =
    (r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters", "BootId");
const VERSION: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
/// Every scheduled task has a key here, which can be found even without the right to see the task.
const TASKS: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion\Schedule\TaskCache\Tree";

/// Access for the system, administrators and the service's account. Nothing is inherited from the parent folder, which
/// every user of the terminal may read.
const PRIVATE: &str = "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;LS)";

pub(super) fn boot() -> Option<(Uuid, Duration)> {
    let boot = calls::registry_number(BOOTS.0, BOOTS.1)?;
    let digest = Sha256::digest([b"boot".as_slice(), &boot.to_be_bytes()].concat());
    Some((Uuid::from_bytes(*digest.first_chunk()?), calls::up_for()))
}

pub(super) fn uptime() -> Option<Duration> {
    Some(calls::up_for())
}

pub(super) fn version() -> Option<String> {
    let number = |name| calls::registry_number(VERSION, name);
    let build = calls::registry_text(VERSION, "CurrentBuildNumber")?;
    windows::version(
        [number("CurrentMajorVersionNumber")?, number("CurrentMinorVersionNumber")?],
        &build,
        number("UBR"),
    )
}

pub(super) fn usb_devices() -> Vec<UsbId> {
    windows::usb_devices(calls::usb_devices().iter().map(String::as_str))
}

pub(super) fn state(program: &ProgramName) -> Option<ComponentState> {
    match program {
        ProgramName::Process(name) => {
            let runs = calls::processes()?.iter().any(|process| process.eq_ignore_ascii_case(name));
            Some(if runs { ComponentState::Running } else { ComponentState::Stopped })
        }
        ProgramName::Service(name) => service(name),
        ProgramName::Task(name) => task_cached(name),
    }
}

pub(super) fn private_folder(path: &Path) -> io::Result<()> {
    std::fs::create_dir_all(path)?;
    calls::protect(path, PRIVATE)
}

fn service(name: &str) -> Option<ComponentState> {
    let manager = ServiceManager::local_computer(None::<&str>, ServiceManagerAccess::CONNECT).ok()?;
    let asked = manager.open_service(name, ServiceAccess::QUERY_STATUS).and_then(|service| service.query_status());
    match asked {
        Ok(status) => Some(match status.current_state {
            ServiceState::Running | ServiceState::StartPending | ServiceState::ContinuePending => {
                ComponentState::Running
            }
            ServiceState::Stopped | ServiceState::StopPending | ServiceState::Paused | ServiceState::PausePending => {
                ComponentState::Stopped
            }
        }),
        Err(windows_service::Error::Winapi(error)) if error.raw_os_error() == Some(NO_SUCH_SERVICE) => {
            Some(ComponentState::Missing)
        }
        Err(_) => None,
    }
}

fn task_cached(name: &str) -> Option<ComponentState> {
    static CACHE: Mutex<BTreeMap<String, (Instant, Option<ComponentState>)>> = Mutex::new(BTreeMap::new());
    let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    let now = clock::moment().steady;
    if let Some((at, state)) = cache.get(name)
        && now.saturating_duration_since(*at) < TASKS_EVERY
    {
        return *state;
    }
    let state = task(name);
    cache.insert(name.to_owned(), (now, state));
    state
}

fn task(name: &str) -> Option<ComponentState> {
    let printed = ask("schtasks.exe", &["/Query", "/XML", "/TN", name]).and_then(|printed| windows::task(&printed));
    // The tool answers the same for a missing task and for one that it may not show.
    printed.or_else(|| (!calls::registry_has(&format!(r"{TASKS}\{name}"))?).then_some(ComponentState::Missing))
}

/// The output of a program in the system's own folder; `None` if it can't be started.
fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let folder = PathBuf::from(std::env::var_os("SystemRoot")?).join("System32");
    let mut command = Command::new(folder.join(program));
    command.args(arguments).creation_flags(CREATE_NO_WINDOW).stdin(Stdio::null()).stderr(Stdio::null());
    Some(String::from_utf8_lossy(&command.output().ok()?.stdout).into_owned())
}
