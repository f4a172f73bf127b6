//! Windows and other systems: a watcher of the library for each watch, so that a watch that has ended can report nothing
//! more.
//!
//! On Windows the library ends a watch at most errors without a notification; only its second channel shows that. Parents
//! need no watch there: a folder in which something is open can't be renamed away, and a share that is gone is an error.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use chrono::{DateTime, Utc};
use notify::event::{CreateKind, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecursiveMode, Watcher};

use super::{Batch, Notice, WatchId};
use crate::clock;

/// At most this many notifications wait; more are an overflow.
const QUEUE: usize = 16 * 1024;
/// At most this many notifications are handled at a time.
const BATCH: usize = 1_024;

/// The notifications of the system, and the watches.
pub(crate) struct LibraryNotices {
    notices: Receiver<Option<Notice>>,
    sender: SyncSender<Option<Notice>>,
    /// A notification found the queue full.
    overflowed: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
    watches: Vec<(WatchId, Watching)>,
    next_id: u64,
    /// When the queue was empty the last time: what the library still held then has come by now.
    emptied_at: Option<DateTime<Utc>>,
}

/// Ends the waiting of [`LibraryNotices`].
pub(crate) struct LibraryStopper(Arc<AtomicBool>, SyncSender<Option<Notice>>);

impl LibraryStopper {
    pub(crate) fn stop(&self) {
        self.0.store(true, Ordering::Release);
        // A full queue wakes the receiver as well.
        let _ = self.1.try_send(None);
    }
}

impl LibraryNotices {
    #[expect(clippy::unnecessary_wraps, reason = "on Linux it can fail")]
    pub(crate) fn new() -> io::Result<(Self, LibraryStopper)> {
        let (sender, notices) = sync_channel(QUEUE);
        let stopped = Arc::new(AtomicBool::new(false));
        let stopper = LibraryStopper(Arc::clone(&stopped), sender.clone());
        let (overflowed, watches, next_id, emptied_at) = (Arc::default(), Vec::new(), 0, None);
        Ok((Self { notices, sender, overflowed, stopped, watches, next_id, emptied_at }, stopper))
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Waits at most for `time` until there are notifications.
    pub(crate) fn wait(&mut self, time: Duration) -> Batch {
        let first = self.notices.recv_timeout(time).ok();
        let now = clock::now();
        let rest = self.notices.try_iter().take(BATCH);
        let mut notices: Vec<Notice> = first.into_iter().chain(rest).flatten().collect();
        let complete_until = if notices.len() < BATCH { self.emptied_at.replace(now) } else { None };
        let dead: Vec<WatchId> = self.watches.iter().filter(|(_, watch)| watch.is_dead()).map(|(id, _)| *id).collect();
        notices.extend(dead.into_iter().map(Notice::Ended));
        if self.overflowed.swap(false, Ordering::AcqRel) {
            self.watches.clear();
            notices.push(Notice::Overflow);
        }
        let mut over = Vec::new();
        notices.retain(|notice| match notice {
            Notice::Ended(id) => {
                over.push(*id);
                true
            }
            Notice::File(id, _) => !over.contains(id),
            Notice::Overflow => true,
        });
        over.into_iter().for_each(|id| self.unwatch(id));
        Batch { notices, complete_until }
    }

    /// Watches the folder that is at `path` now.
    pub(crate) fn watch(&mut self, path: &Path) -> io::Result<WatchId> {
        let id = WatchId(self.next_id);
        self.next_id += 1;
        let (sender, overflowed, own) = (self.sender.clone(), Arc::clone(&self.overflowed), path.to_owned());
        let handler = move |event: notify::Result<Event>| {
            for notice in read(id, &own, event) {
                // The library's thread must not wait, because a watch is set and ended by it.
                if let Err(TrySendError::Full(_)) = sender.try_send(Some(notice)) {
                    overflowed.store(true, Ordering::Release);
                }
            }
        };
        let watching = Watching::start(handler, path).map_err(|error| match error.kind {
            notify::ErrorKind::Io(error) => error,
            notify::ErrorKind::PathNotFound => io::ErrorKind::NotFound.into(),
            _ => io::Error::other("the system can't watch it"),
        })?;
        self.watches.push((id, watching));
        Ok(id)
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&mut self, id: WatchId) {
        self.watches.retain(|(known, _)| *known != id);
    }
}

/// What an event of the library means for the folder at `own`.
fn read(id: WatchId, own: &Path, event: notify::Result<Event>) -> Vec<Notice> {
    // Any error means that something was or will be missed.
    let Ok(event) = event else { return vec![Notice::Ended(id)] };
    if event.need_rescan() {
        return vec![Notice::Ended(id)];
    }
    match event.kind {
        EventKind::Create(kind) if kind != CreateKind::Folder => files(id, event),
        EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Any)) => files(id, event),
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => {
            event.paths.iter().filter(|path| *path == own).map(|_| Notice::Ended(id)).collect()
        }
        _ => Vec::new(),
    }
}

fn files(id: WatchId, event: Event) -> Vec<Notice> {
    let names: Vec<OsString> = event.paths.iter().filter_map(|path| Some(path.file_name()?.to_owned())).collect();
    names.into_iter().map(|name| Notice::File(id, name)).collect()
}

/// A watcher of the library with one watch; dropping it ends the watch.
#[cfg(windows)]
struct Watching {
    _watcher: notify::ReadDirectoryChangesWatcher,
    ended: Receiver<notify::windows::MetaEvent>,
}

#[cfg(windows)]
impl Watching {
    fn start(handler: impl FnMut(notify::Result<Event>) + Send + 'static, path: &Path) -> notify::Result<Self> {
        // The library asks for this kind of channel. It carries one message for the start and one for the end.
        let (meta, ended) = std::sync::mpsc::channel();
        let mut watcher = notify::ReadDirectoryChangesWatcher::create(Arc::new(std::sync::Mutex::new(handler)), meta)?;
        watcher.watch(path, RecursiveMode::NonRecursive)?;
        Ok(Self { _watcher: watcher, ended })
    }

    /// Whether the library has ended the watch.
    fn is_dead(&self) -> bool {
        self.ended.try_iter().any(|event| event == notify::windows::MetaEvent::SingleWatchComplete)
    }
}

#[cfg(not(windows))]
struct Watching {
    _watcher: notify::RecommendedWatcher,
}

#[cfg(not(windows))]
impl Watching {
    fn start(handler: impl FnMut(notify::Result<Event>) + Send + 'static, path: &Path) -> notify::Result<Self> {
        let mut watcher = notify::RecommendedWatcher::new(handler, notify::Config::default())?;
        watcher.watch(path, RecursiveMode::NonRecursive)?;
        Ok(Self { _watcher: watcher })
    }

    #[expect(clippy::unused_self, reason = "on Windows it looks")]
    const fn is_dead(&self) -> bool {
        false
    }
}
