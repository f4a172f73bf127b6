//! Watches linkage folders by file names alone. No file is opened unless the clinic has opted in to `headers`.
//!
//! * A result may exist for a tenth of a second only, so the name in the operating system's notification is enough.
//! * A watch ends with all that may make the path lead elsewhere, and with every error (`notices`). The folder is then
//!   watched again within a tenth of a second, or within a second of its return. In between results can be missed, so
//!   that time is reported as a gap.
//! * Notifications can be lost (overflow, network shares), so a folder that has changed is also listed every second.
//! * A file is reported once, also over restarts: its mark is stored together with the report.
//! * The server's limit ([`Limit`]) is read before every check, so that it applies at once.

mod folder;
mod header;
mod notices;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::{CollectionLevel, GapSource};

use super::RunningSource;
use crate::config::WatchedFolder;
use crate::limit::Limit;
use crate::outlet::{FileMark, Outlet, RecorderClosed};
use crate::{clock, telemetry};
use folder::Folder;
use notices::{Batch, Notice, Notices};

/// How often a folder is checked in addition to the notifications.
const RESCAN: Duration = Duration::from_secs(1);
/// How often a folder is checked that was just lost: it may be back or replaced at once.
const RESCAN_LOST: Duration = Duration::from_millis(100);
/// After this time a lost folder is checked as often as any other.
const LOST_LONG: Duration = Duration::from_secs(10);

/// Starts watching for `terminal`, as far as `limit` allows. `marks` are the files that were reported before.
pub fn start(
    terminal: TerminalId,
    watched: Vec<WatchedFolder>,
    limit: Arc<Limit>,
    marks: &[FileMark],
    outlet: Outlet,
) -> std::io::Result<RunningSource> {
    let folders =
        watched.into_iter().map(|watched| Folder::new(terminal, watched, Arc::clone(&limit), marks, clock::now()));
    let folders = folders.collect::<Vec<_>>();
    let (notices, stopper) = Notices::new()?;
    let beat = outlet.heart();
    let thread = thread::Builder::new().name("linkage".to_owned()).spawn(move || {
        let level = limit.level();
        let mut watcher = Watcher { folders, outlet, notices, limit, level, lost_at: None };
        // The only error is that the recorder has ended.
        let _ = watcher.run();
    })?;
    Ok(RunningSource::new(thread, Some(GapSource::Folder), beat, move || stopper.stop()))
}

struct Watcher {
    folders: Vec<Folder>,
    outlet: Outlet,
    notices: Notices,
    limit: Arc<Limit>,
    /// The level that was allowed at the last check.
    level: CollectionLevel,
    /// When a watch ended the last time.
    lost_at: Option<Instant>,
}

impl Watcher {
    fn run(&mut self) -> Result<(), RecorderClosed> {
        let mut rescan_at = clock::moment().steady;
        while !self.notices.is_stopped() {
            self.outlet.beat();
            self.apply_limit()?;
            let now = clock::moment();
            for folder in &mut self.folders {
                folder.poll_headers(now, &self.outlet)?;
            }
            let deadline = self.folders.iter().filter_map(Folder::deadline).min();
            let wait = deadline.map_or(rescan_at, |at| at.min(rescan_at)).saturating_duration_since(now.steady);
            let Batch { notices, complete_until } = self.notices.wait(wait);
            self.apply_limit()?;
            for notice in notices {
                if self.take(notice)? == Watching::Ended {
                    let now = clock::moment().steady;
                    (self.lost_at, rescan_at) = (Some(now), now);
                }
            }
            if clock::moment().steady >= rescan_at {
                self.check(complete_until)?;
                rescan_at = clock::moment().steady + self.rescan_within();
            }
        }
        let now = clock::now();
        self.folders.iter_mut().try_for_each(|folder| folder.stop(now, &self.outlet))
    }

    fn check(&mut self, complete_until: Option<DateTime<Utc>>) -> Result<(), RecorderClosed> {
        for folder in &mut self.folders {
            if self.level < CollectionLevel::Names {
                folder.paused_until(clock::now());
            } else {
                folder.check(&mut self.notices, complete_until, clock::moment(), &self.outlet)?;
            }
        }
        Ok(())
    }

    fn rescan_within(&self) -> Duration {
        let now = clock::moment().steady;
        let lost = self.lost_at.is_some_and(|at| now.saturating_duration_since(at) < LOST_LONG);
        if lost && self.folders.iter().any(Folder::is_blind) { RESCAN_LOST } else { RESCAN }
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
                    folder.pause(&mut self.notices, now);
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, notice: Notice) -> Result<Watching, RecorderClosed> {
        match notice {
            Notice::File(id, name) => {
                if let Some(folder) = self.folders.iter_mut().find(|folder| folder.is_watched_by(id)) {
                    folder.file_named(&name, clock::moment(), &self.outlet)?;
                }
                return Ok(Watching::Goes);
            }
            Notice::Ended(id) => {
                let ended = self.folders.iter_mut().filter(|folder| folder.is_watched_by(id));
                ended.for_each(|folder| folder.watch_ended(&self.outlet));
            }
            Notice::Overflow => {
                telemetry::notifications_lost();
                self.folders.iter_mut().for_each(|folder| folder.watch_ended(&self.outlet));
            }
        }
        Ok(Watching::Ended)
    }
}

/// Whether a notification ended a watch.
#[derive(PartialEq, Eq)]
enum Watching {
    Goes,
    Ended,
}
