//! Linux: one queue of the kernel for all folders, in which everything is in the order in which it happened.
//!
//! With a folder each directory on the way to it is watched, so that a way that leads elsewhere for a moment is
//! noticed. A directory that the agent may not list can't be watched; there, only the check every second notices.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use inotify::{EventMask, Inotify, WatchDescriptor, WatchMask};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};

use super::{Batch, Notice, WatchId, route};
use crate::clock;

const QUEUE: Token = Token(0);
const STOP: Token = Token(1);
/// At most about this many notifications are handled at a time.
const BATCH: usize = 1_024;
/// A change is visible in the file system a moment before its notification is in the queue.
const VISIBLE_EARLIER: TimeDelta = TimeDelta::milliseconds(10);
/// For some hundred notifications.
const BUFFER: usize = 32 * 1024;

/// The notifications of the system, and the watches.
pub(crate) struct KernelNotices {
    poll: Poll,
    events: Events,
    /// `None` if the system offers no queue; then nothing can be watched.
    queue: Option<Inotify>,
    buffer: Vec<u8>,
    watches: Vec<Watch>,
    next_id: u64,
    stopped: Arc<AtomicBool>,
    /// The last batch ended before the queue did.
    more: bool,
}

struct Watch {
    id: WatchId,
    folder: WatchDescriptor,
    /// Directories on the way, each with the name of the next one.
    way: Vec<(WatchDescriptor, OsString)>,
}

/// Ends the waiting of [`KernelNotices`].
pub(crate) struct KernelStopper(Arc<AtomicBool>, Waker);

impl KernelStopper {
    pub(crate) fn stop(&self) {
        self.0.store(true, Ordering::Release);
        // If this fails, the wait ends by itself within a second.
        let _ = self.1.wake();
    }
}

impl KernelNotices {
    pub(crate) fn new() -> io::Result<(Self, KernelStopper)> {
        let poll = Poll::new()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let stopper = KernelStopper(Arc::clone(&stopped), Waker::new(poll.registry(), STOP)?);
        // Without a queue every watch fails, and that is reported.
        let queue = Inotify::init().ok();
        if let Some(queue) = &queue {
            poll.registry().register(&mut SourceFd(&queue.as_raw_fd()), QUEUE, Interest::READABLE)?;
        }
        let (events, buffer) = (Events::with_capacity(4), vec![0; BUFFER]);
        let (watches, next_id, more) = (Vec::new(), 0, false);
        Ok((Self { poll, events, queue, buffer, watches, next_id, stopped, more }, stopper))
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// Waits at most for `time` until there are notifications.
    pub(crate) fn wait(&mut self, time: Duration) -> Batch {
        let time = if self.more { Duration::ZERO } else { time };
        // An interrupted wait is a short one.
        let _ = self.poll.poll(&mut self.events, Some(time));
        let mut notices = Vec::new();
        loop {
            let before = clock::now() - VISIBLE_EARLIER;
            match self.read(&mut notices) {
                Ok(()) if notices.len() < BATCH => {}
                Ok(()) => {
                    self.more = true;
                    return Batch { notices, complete_until: None };
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    if error.kind() != io::ErrorKind::WouldBlock {
                        self.overflow(&mut notices);
                    }
                    self.more = false;
                    return Batch { notices, complete_until: Some(before) };
                }
            }
        }
    }

    /// Reads some notifications. An empty queue is the error `WouldBlock`.
    fn read(&mut self, notices: &mut Vec<Notice>) -> io::Result<()> {
        let Some(queue) = &mut self.queue else { return Err(io::ErrorKind::WouldBlock.into()) };
        let (mut overflow, mut over) = (false, Vec::new());
        for event in queue.read_events(&mut self.buffer)? {
            overflow |= event.mask.contains(EventMask::Q_OVERFLOW);
            for watch in &self.watches {
                if over.contains(&watch.id) {
                    continue;
                }
                if watch.ends_with(&event) {
                    over.push(watch.id);
                    notices.push(Notice::Ended(watch.id));
                } else if let Some(name) = watch.file(&event) {
                    notices.push(Notice::File(watch.id, name.to_owned()));
                }
            }
        }
        over.into_iter().for_each(|id| self.unwatch(id));
        if overflow {
            self.overflow(notices);
        }
        Ok(())
    }

    /// What was lost may have been about the end of a watch.
    fn overflow(&mut self, notices: &mut Vec<Notice>) {
        notices.push(Notice::Overflow);
        let ids: Vec<WatchId> = self.watches.iter().map(|watch| watch.id).collect();
        ids.into_iter().for_each(|id| self.unwatch(id));
    }

    /// Watches the folder that is at `path` now.
    pub(crate) fn watch(&mut self, path: &Path) -> io::Result<WatchId> {
        let steps = route::steps(path)?;
        let Some(queue) = &self.queue else { return Err(io::ErrorKind::Unsupported.into()) };
        let mask = WatchMask::CREATE
            | WatchMask::MOVE
            | WatchMask::DELETE
            | WatchMask::DELETE_SELF
            | WatchMask::MOVE_SELF
            | WatchMask::ONLYDIR;
        // The way comes first: from here on nothing on it changes without a notification. If it changed just before,
        // the watch is on another folder, and the next check finds that.
        let mut way = Vec::new();
        for (directory, next) in steps {
            match queue.watches().add(&directory, mask) {
                Ok(descriptor) => way.push((descriptor, next)),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
                Err(error) => return Err(self.give_up(way, error)),
            }
        }
        let folder = match queue.watches().add(path, mask) {
            Ok(folder) => folder,
            Err(error) => return Err(self.give_up(way, error)),
        };
        let id = WatchId(self.next_id);
        self.next_id += 1;
        self.watches.push(Watch { id, folder, way });
        Ok(id)
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&mut self, id: WatchId) {
        if let Some(place) = self.watches.iter().position(|watch| watch.id == id) {
            let Watch { folder, way, .. } = self.watches.swap_remove(place);
            self.release(way.into_iter().map(|(descriptor, _)| descriptor).chain([folder]));
        }
    }

    fn give_up(&self, way: Vec<(WatchDescriptor, OsString)>, error: io::Error) -> io::Error {
        self.release(way.into_iter().map(|(descriptor, _)| descriptor));
        error
    }

    /// Ends the watches of the kernel that no folder needs any more; two folders share those on their way.
    fn release(&self, descriptors: impl Iterator<Item = WatchDescriptor>) {
        let Some(queue) = &self.queue else { return };
        for descriptor in descriptors {
            if !self.watches.iter().any(|watch| watch.needs(&descriptor)) {
                // The kernel has dropped it already if the directory is gone.
                let _ = queue.watches().remove(descriptor);
            }
        }
    }
}

impl Watch {
    fn needs(&self, descriptor: &WatchDescriptor) -> bool {
        self.folder == *descriptor || self.way.iter().any(|(directory, _)| directory == descriptor)
    }

    /// Whether the path may lead elsewhere from here on.
    fn ends_with(&self, event: &inotify::Event<&OsStr>) -> bool {
        let gone = EventMask::MOVE_SELF | EventMask::DELETE_SELF | EventMask::UNMOUNT | EventMask::IGNORED;
        if event.mask.intersects(gone) {
            return self.needs(&event.wd);
        }
        self.way.iter().any(|(directory, next)| *directory == event.wd && event.name == Some(next.as_os_str()))
    }

    /// The name of the file that appeared in the folder.
    fn file<'a>(&self, event: &inotify::Event<&'a OsStr>) -> Option<&'a OsStr> {
        let appeared = event.mask.intersects(EventMask::CREATE | EventMask::MOVED_TO);
        let is_file = !event.mask.contains(EventMask::ISDIR);
        event.name.filter(|_| self.folder == event.wd && appeared && is_file)
    }
}
