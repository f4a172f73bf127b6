//! One linkage folder: which files were reported, and since when it can't be read.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use yomitori_observation::{Moment, Sighting, linkage};
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::{CollectionLevel, GapSource};

use super::header::Headers;
use crate::config::WatchedFolder;
use crate::limit::Limit;
use crate::outlet::{FileMark, Outlet, RecorderClosed, Signal};
use crate::sources::Outage;
use crate::telemetry;

/// How long a mark is kept after its file has gone: the notification may come after a listing that has already reported
/// the file.
const FORGET_AFTER: Duration = Duration::from_secs(10);
/// A folder that changed this recently may change again without a new time stamp.
const GRAIN: Duration = Duration::from_secs(3);
/// How often a folder without a new time stamp is listed anyway, because some shares do not update it.
const LIST_ANYWAY: Duration = Duration::from_secs(60);

pub(super) struct Folder {
    watched: WatchedFolder,
    terminal: TerminalId,
    id: u64,
    /// The files that were reported, each with the time since when it is missing.
    reported: BTreeMap<u64, Option<Instant>>,
    listed: Option<KnownFile>,
    is_watched: bool,
    logged_unwatchable: bool,
    /// The folder can't be read.
    missing: Outage,
    /// Notifications of the folder were lost.
    lost: Outage,
    /// Files whose headers are read; empty unless the clinic has opted in and the server allows it.
    headers: Headers,
    limit: Arc<Limit>,
    /// When the folder was last checked without a problem.
    last_good_at: DateTime<Utc>,
}

struct KnownFile {
    modified: SystemTime,
    at: Instant,
    settled: bool,
}

impl Folder {
    pub(super) fn new(
        terminal: TerminalId,
        watched: WatchedFolder,
        limit: Arc<Limit>,
        marks: &[FileMark],
        now: DateTime<Utc>,
    ) -> Self {
        let id = salted(terminal, 0, watched.path.as_os_str().as_encoded_bytes());
        let reported = marks.iter().filter(|mark| mark.folder == id).map(|mark| (mark.name, None)).collect();
        Self {
            watched,
            terminal,
            id,
            reported,
            listed: None,
            is_watched: false,
            logged_unwatchable: false,
            missing: Outage::new(GapSource::Folder),
            lost: Outage::new(GapSource::Folder),
            headers: Headers::default(),
            limit,
            last_good_at: now,
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.watched.path
    }

    pub(super) const fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// Records the result of an attempt to watch the folder.
    pub(super) fn set_watched(&mut self, tried: notify::Result<()>) {
        self.is_watched = tried.is_ok();
        if let Err(error) = tried
            && !self.logged_unwatchable
        {
            self.logged_unwatchable = true;
            telemetry::notifications_unavailable(&error);
        }
    }

    /// Records that the watch has ended.
    pub(super) fn clear_watched(&mut self) {
        self.is_watched = false;
        self.listed = None;
    }

    pub(super) fn notifications_lost(&mut self, outlet: &Outlet) {
        self.lost.begin(self.last_good_at, outlet);
        self.listed = None;
    }

    /// Handles a notification about a file.
    pub(super) fn file_named(&mut self, name: &OsStr, now: Moment, outlet: &Outlet) -> Result<(), RecorderClosed> {
        self.report(name, |now| now, now, outlet)
    }

    /// When [`Folder::poll_headers`] must be called next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.headers.deadline()
    }

    /// Reads the headers of files that were not complete before.
    pub(super) fn poll_headers(&mut self, now: Moment, outlet: &Outlet) -> Result<(), RecorderClosed> {
        self.headers.poll(now, outlet)
    }

    /// When the folder last changed; `None` if it can't be read.
    pub(super) fn check(&mut self, now: Moment, outlet: &Outlet) -> Result<Option<SystemTime>, RecorderClosed> {
        match fs::metadata(self.path()).and_then(|folder| folder.modified()) {
            Ok(modified) => Ok(Some(modified)),
            Err(error) => self.report_missing(&error, now, outlet).map(|()| None),
        }
    }

    /// Lists the folder if it may have changed.
    pub(super) fn rescan(&mut self, modified: SystemTime, now: Moment, outlet: &Outlet) -> Result<(), RecorderClosed> {
        let unchanged = self.listed.as_ref().is_some_and(|listed| {
            listed.settled && listed.modified == modified && now.steady - listed.at < LIST_ANYWAY
        });
        if !unchanged {
            if let Err(error) = self.list(now, outlet)? {
                return self.report_missing(&error, now, outlet);
            }
            let age = SystemTime::from(now.wall).duration_since(modified).unwrap_or_default();
            self.listed = Some(KnownFile { modified, at: now.steady, settled: age > GRAIN });
            self.lost.end(now.wall, outlet)?;
            if self.missing.is_open() {
                telemetry::folder_readable(self.watched.folder);
                self.missing.end(now.wall, outlet)?;
            }
        }
        self.last_good_at = now.wall;
        self.forget(now.steady, outlet)
    }

    pub(super) fn stop(&mut self, now: DateTime<Utc>, outlet: &Outlet) -> Result<(), RecorderClosed> {
        self.headers.stop(outlet)?;
        self.lost.end(now, outlet)?;
        self.missing.end(now, outlet)
    }

    fn report_missing(&mut self, error: &std::io::Error, now: Moment, outlet: &Outlet) -> Result<(), RecorderClosed> {
        self.listed = None;
        if !self.missing.is_open() {
            telemetry::folder_unreadable(self.watched.folder, error);
            self.missing.begin(self.last_good_at, outlet);
        }
        self.missing.report_if_due(now.wall, outlet)
    }

    fn list(&mut self, now: Moment, outlet: &Outlet) -> Result<std::io::Result<()>, RecorderClosed> {
        let entries = match fs::read_dir(self.path()) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        for missed_since in self.reported.values_mut() {
            missed_since.get_or_insert(now.steady);
        }
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(error) => return Ok(Err(error)),
            };
            if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                let modified = |now| {
                    let modified = entry.metadata().and_then(|file| file.modified());
                    modified.map_or(now, DateTime::from)
                };
                self.report(&entry.file_name(), modified, now, outlet)?;
            }
        }
        Ok(Ok(()))
    }

    fn report(
        &mut self,
        name: &OsStr,
        occurred_at: impl FnOnce(DateTime<Utc>) -> DateTime<Utc>,
        now: Moment,
        outlet: &Outlet,
    ) -> Result<(), RecorderClosed> {
        let text = name.to_string_lossy();
        let hash = salted(self.terminal, self.id, text.as_bytes());
        if let Some(missed_since) = self.reported.get_mut(&hash) {
            *missed_since = None;
            return Ok(());
        }
        let at = now.wall;
        // A restored file can carry any time, so an implausible one is replaced.
        let occurred_at = yomitori_proto::time::truncate(occurred_at(at));
        let occurred_at = if (at - TimeDelta::days(31)..=at).contains(&occurred_at) { occurred_at } else { at };
        self.reported.insert(hash, None);
        // The file appeared while collection was paused, so it is never reported.
        if self.limit.collection_was_paused_at(occurred_at) {
            return Ok(());
        }
        let seen = linkage::observe(self.watched.folder, &text, 0, at);
        let mark = FileMark { folder: self.id, name: hash };
        let sighting = Sighting { occurred_at, observed_at: at, event: seen.clone().into() };
        if self.limit.level() == CollectionLevel::Headers && linkage::has_header(seen.kind) {
            self.headers.add(self.watched.path.join(name), seen, sighting, mark, now, outlet)
        } else {
            outlet.signal(Signal::Seen { sighting, mark: Some(mark) })
        }
    }

    fn forget(&mut self, now: Instant, outlet: &Outlet) -> Result<(), RecorderClosed> {
        let is_over = |missed: &Option<Instant>| missed.is_some_and(|since| now - since >= FORGET_AFTER);
        for (name, _) in self.reported.extract_if(.., |_, missed| is_over(missed)) {
            outlet.signal(Signal::Forgotten(FileMark { folder: self.id, name }))?;
        }
        Ok(())
    }
}

fn salted(terminal: TerminalId, folder: u64, bytes: &[u8]) -> u64 {
    let digest = Sha256::new()
        .chain_update(terminal.0.as_bytes())
        .chain_update(folder.to_be_bytes())
        .chain_update(bytes)
        .finalize();
    u64::from_be_bytes(*digest.first_chunk().expect("a SHA-256 digest has 32 bytes"))
}
