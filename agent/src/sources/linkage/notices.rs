//! What the operating system reports about watched folders: files that appear, and that a watch has ended.
//!
//! A watch belongs to the folder that was at the path when it began, not to the path. It ends by itself as soon as the
//! path may lead elsewhere: the folder or one of its parents was renamed, deleted, replaced or unmounted, or the system
//! reports an error of any kind. After that nothing of the former folder is reported.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use chrono::{DateTime, Utc};

#[cfg(target_os = "linux")]
#[path = "notices/inotify.rs"]
mod platform;
#[cfg(not(target_os = "linux"))]
#[path = "notices/notify.rs"]
mod platform;

#[cfg(target_os = "linux")]
mod route;

#[cfg(target_os = "linux")]
pub(super) use platform::KernelNotices as Notices;
#[cfg(not(target_os = "linux"))]
pub(super) use platform::LibraryNotices as Notices;

/// A watch on one folder. A folder that is watched again gets another one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct WatchId(u64);

/// One notification.
#[derive(Debug)]
pub(super) enum Notice {
    /// A file appeared under this name.
    File(WatchId, OsString),
    /// The watch has ended.
    Ended(WatchId),
    /// Notifications were lost, also some about the end of a watch. All watches have ended.
    Overflow,
}

/// The notifications that have come.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) notices: Vec<Notice>,
    /// Everything that happened before this instant was in this batch or an earlier one; `None` if more is waiting.
    pub(super) complete_until: Option<DateTime<Utc>>,
}

/// Which folder is at a path: another one at the same path differs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FolderIdentity {
    /// The device and the number on it. Not every system gives them; there, the time tells two folders apart.
    number: Option<(u64, u64)>,
    created: Option<SystemTime>,
}

impl FolderIdentity {
    /// The folder at `path`, and when it last changed.
    pub(super) fn of(path: &Path) -> io::Result<(Self, SystemTime)> {
        let folder = std::fs::metadata(path)?;
        if !folder.is_dir() {
            return Err(io::ErrorKind::NotADirectory.into());
        }
        #[cfg(unix)]
        let number = {
            use std::os::unix::fs::MetadataExt as _;
            Some((folder.dev(), folder.ino()))
        };
        #[cfg(not(unix))]
        let number = None;
        Ok((Self { number, created: folder.created().ok() }, folder.modified()?))
    }
}
