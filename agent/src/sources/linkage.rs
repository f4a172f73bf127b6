//! Watches linkage folders by file names alone. No file is opened unless the clinic has opted in to `header`.
//!
//! * A result may exist for a tenth of a second only, so the name in the operating system's notification is enough.
//! * Notifications can be lost (overflow, network shares), so a folder that has changed is also listed every second.
//! * A file is reported once, also over restarts: its mark is stored together with the report.
//! * The server's limit ([`Limit`]) is read before every check, so that it applies at once.

mod folder;
mod header;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use notify::event::{CreateKind, ModifyKind, RenameMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::CollectionLevel;

use super::RunningSource;
use crate::config::WatchedFolder;
use crate::limit::Limit;
use crate::outlet::{FileMark, Outlet, RecorderClosed};
use crate::{clock, telemetry};
use folder::Folder;

/// How often a folder is checked in addition to the notifications.
const RESCAN: Duration = Duration::from_secs(1);
/// At most this many notifications wait; further ones are replaced by a listing of the folder.
const QUEUE: usize = 4_096;

/// Starts watching for `terminal`, as far as `limit` allows. `marks` are the files that were reported before.
pub fn start(
    terminal: TerminalId,
    watched: Vec<WatchedFolder>,
    limit: Arc<Limit>,
    marks: &[FileMark],
    outlet: Outlet,
) -> std::io::Result<RunningSource> {
    let (wake, woken) = sync_channel(QUEUE);
    let folders =
        watched.into_iter().map(|watched| Folder::new(terminal, watched, Arc::clone(&limit), marks, clock::now()));
    let folders = folders.collect::<Vec<_>>();
    let notifications = wake.clone();
    let thread = thread::Builder::new().name("linkage".to_owned()).spawn(move || {
        let paths = folders.iter().map(|folder| folder.path().to_owned()).collect();
        let level = limit.level();
        let mut watcher = Watcher { folders, outlet, notify: notify(paths, notifications), limit, level };
        // The only error is that the recorder has ended.
        let _ = watcher.run(&woken);
    })?;
    Ok(RunningSource::new(thread, move || {
        // The send fails if the thread has already ended.
        let _ = wake.send(FolderEvent::Stop);
    }))
}

enum FolderEvent {
    File(PathBuf),
    /// Notifications were lost.
    Overflow,
    /// A watched folder itself was removed.
    FolderGone(PathBuf),
    Stop,
}

struct Watcher {
    folders: Vec<Folder>,
    outlet: Outlet,
    /// `None` if the operating system offers no notifications; the folders are then only listed.
    notify: Option<RecommendedWatcher>,
    limit: Arc<Limit>,
    /// The level that was allowed at the last check.
    level: CollectionLevel,
}

impl Watcher {
    fn run(&mut self, woken: &Receiver<FolderEvent>) -> Result<(), RecorderClosed> {
        let mut rescan_at = Instant::now();
        loop {
            self.apply_limit()?;
            let now = clock::moment();
            for folder in &mut self.folders {
                folder.poll_headers(now, &self.outlet)?;
            }
            let deadline = self.folders.iter().filter_map(Folder::deadline).min();
            let wait = deadline.map_or(rescan_at, |at| at.min(rescan_at)).saturating_duration_since(now.steady);
            match woken.recv_timeout(wait) {
                Ok(FolderEvent::File(path)) => self.file_named(&path)?,
                Ok(FolderEvent::Overflow) => {
                    telemetry::notifications_lost();
                    self.folders.iter_mut().for_each(|folder| folder.notifications_lost(&self.outlet));
                }
                Ok(FolderEvent::FolderGone(path)) => {
                    self.folders.iter_mut().filter(|folder| folder.path() == path).for_each(Folder::clear_watched);
                }
                Ok(FolderEvent::Stop) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) if clock::moment().steady < rescan_at => {}
                Err(RecvTimeoutError::Timeout) if self.is_paused() => rescan_at = clock::moment().steady + RESCAN,
                Err(RecvTimeoutError::Timeout) => {
                    for folder in &mut self.folders {
                        let there = folder.check(clock::moment(), &self.outlet)?;
                        if let Some(notify) = &mut self.notify {
                            update_watch(notify, folder, there.is_some());
                        }
                        // The watch starts before the listing, so that no file is missed between the two.
                        if let Some(modified) = there {
                            folder.rescan(modified, clock::moment(), &self.outlet)?;
                        }
                    }
                    rescan_at = clock::moment().steady + RESCAN;
                }
            }
        }
        let now = clock::now();
        self.folders.iter_mut().try_for_each(|folder| folder.stop(now, &self.outlet))
    }

    /// Applies the present limit; stops collecting what is no longer allowed.
    fn apply_limit(&mut self) -> Result<(), RecorderClosed> {
        let level = self.limit.level();
        let before = std::mem::replace(&mut self.level, level);
        if level < before {
            let now = clock::now();
            for folder in &mut self.folders {
                folder.stop(now, &self.outlet)?;
                if level < CollectionLevel::Names {
                    if let Some(notify) = &mut self.notify {
                        update_watch(notify, folder, false);
                    }
                    folder.clear_watched();
                }
            }
        }
        Ok(())
    }

    /// Whether not even names may be collected.
    fn is_paused(&self) -> bool {
        self.level < CollectionLevel::Names
    }

    fn file_named(&mut self, path: &Path) -> Result<(), RecorderClosed> {
        self.apply_limit()?;
        if self.is_paused() {
            return Ok(());
        }
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        let folder = self.folders.iter_mut().find(|folder| folder.path() == parent);
        folder.map_or(Ok(()), |folder| folder.file_named(name, clock::moment(), &self.outlet))
    }
}

fn notify(folders: Vec<PathBuf>, wake: SyncSender<FolderEvent>) -> Option<RecommendedWatcher> {
    let handler = move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return send(&wake, FolderEvent::Overflow) };
        if event.need_rescan() {
            send(&wake, FolderEvent::Overflow);
        }
        let path = match event.kind {
            EventKind::Create(kind) if kind != CreateKind::Folder => event.paths.into_iter().next(),
            EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Any)) => event.paths.into_iter().next(),
            EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
                let gone = event.paths.into_iter().filter(|path| folders.contains(path));
                return gone.for_each(|path| send(&wake, FolderEvent::FolderGone(path)));
            }
            _ => None,
        };
        path.into_iter().for_each(|path| send(&wake, FolderEvent::File(path)));
    };
    match RecommendedWatcher::new(handler, notify::Config::default()) {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            telemetry::notifications_unavailable(&error);
            None
        }
    }
}

fn send(wake: &SyncSender<FolderEvent>, what: FolderEvent) {
    // The send fails if the watcher has ended.
    let _ = wake.send(what);
}

/// Starts or ends the watch on a folder that has appeared or gone.
fn update_watch(notify: &mut RecommendedWatcher, folder: &mut Folder, is_there: bool) {
    if folder.is_watched() == is_there {
        return;
    }
    // If the folder was removed or replaced, the old watch is dead, and the system may already have dropped it.
    let _ = notify.unwatch(folder.path());
    if is_there {
        folder.set_watched(notify.watch(folder.path(), RecursiveMode::NonRecursive));
    }
}
