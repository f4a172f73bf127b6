//! One linkage folder: which files were reported, and since when it can't be read.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use sha2::{Digest, Sha256};
use yomitori_observation::{Moment, Sighting, linkage};
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::{CollectionLevel, GapSource};

use super::header::Headers;
use super::notices::{FolderIdentity, Notices, WatchId};
use crate::config::WatchedFolder;
use crate::limit::Limit;
use crate::outlet::{FileMark, Outlet, RecorderClosed, Signal};
use crate::sources::Outage;
use crate::{clock, telemetry};

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
    watch: Option<(WatchId, FolderIdentity)>,
    /// The folder can't be listed or is not watched, or notifications were lost.
    blind: Outage,
    /// What is logged already.
    logged: Option<Problem>,
    /// Files whose headers are read; empty unless the clinic has opted in and the server allows it.
    headers: Headers,
    limit: Arc<Limit>,
    /// For the tags of names.
    secret: u64,
    /// Nothing of before this instant was missed, except for what is reported.
    good_until: DateTime<Utc>,
}

struct KnownFile {
    modified: SystemTime,
    at: Instant,
    settled: bool,
}

/// Why results can be missed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Problem {
    Unreadable,
    /// It can be listed, but the system does not watch it.
    Unwatched,
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
            watch: None,
            blind: Outage::new(GapSource::Folder),
            logged: None,
            headers: Headers::default(),
            limit,
            secret: rand::random(),
            good_until: now,
        }
    }

    fn path(&self) -> &Path {
        &self.watched.path
    }

    pub(super) fn is_watched_by(&self, id: WatchId) -> bool {
        self.watch.is_some_and(|(own, _)| own == id)
    }

    /// Whether the folder is to be checked soon, because results can be missed now.
    pub(super) const fn is_blind(&self) -> bool {
        self.blind.is_open()
    }

    /// Records that the watch has ended or that notifications were lost. What happened since the folder was last known
    /// to be in order may have been missed.
    pub(super) fn watch_ended(&mut self, outlet: &Outlet) {
        self.watch = None;
        self.listed = None;
        self.blind.begin(self.good_until, outlet);
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

    /// Makes sure that the folder at the path is the one that is watched, and lists it if it may have changed.
    /// `complete_until` is up to when all notifications are here.
    pub(super) fn check(
        &mut self,
        notices: &mut Notices,
        complete_until: Option<DateTime<Utc>>,
        now: Moment,
        outlet: &Outlet,
    ) -> Result<(), RecorderClosed> {
        let problem = match self.look(notices, now, outlet)? {
            Ok(()) => None,
            Err((problem, error)) => {
                self.report_blind(notices, problem, &error, outlet);
                Some(problem)
            }
        };
        if problem.is_some() {
            self.blind.report_if_due(now.wall, outlet)?;
        } else {
            if self.logged.take().is_some() {
                telemetry::folder_readable(self.watched.folder);
            }
            self.blind.end(clock::now(), outlet)?;
            self.good_until = complete_until.map_or(self.good_until, |until| until.max(self.good_until));
        }
        if problem == Some(Problem::Unreadable) { Ok(()) } else { self.forget(now.steady, outlet) }
    }

    fn look(
        &mut self,
        notices: &mut Notices,
        now: Moment,
        outlet: &Outlet,
    ) -> Result<Result<(), (Problem, io::Error)>, RecorderClosed> {
        let (identity, modified) = match FolderIdentity::of(self.path()) {
            Ok(found) => found,
            Err(error) => return Ok(Err((Problem::Unreadable, error))),
        };
        if let Some((id, _)) = self.watch.filter(|(_, watched)| *watched != identity) {
            notices.unwatch(id);
            self.watch_ended(outlet);
        }
        // The watch starts before the listing, so that no file is missed between the two.
        let unwatched = match self.watch {
            Some(_) => None,
            None => notices.watch(self.path()).map(|id| self.watch = Some((id, identity))).err(),
        };
        let unchanged = self.listed.as_ref().is_some_and(|listed| {
            listed.settled && listed.modified == modified && now.steady - listed.at < LIST_ANYWAY
        });
        if !unchanged {
            if let Err(error) = self.list(now, outlet)? {
                return Ok(Err((Problem::Unreadable, error)));
            }
            let age = SystemTime::from(now.wall).duration_since(modified).unwrap_or_default();
            self.listed = Some(KnownFile { modified, at: now.steady, settled: age > GRAIN });
        }
        Ok(unwatched.map_or(Ok(()), |error| Err((Problem::Unwatched, error))))
    }

    fn report_blind(&mut self, notices: &mut Notices, problem: Problem, error: &io::Error, outlet: &Outlet) {
        if let Some((id, _)) = self.watch.take() {
            notices.unwatch(id);
        }
        self.listed = None;
        self.blind.begin(self.good_until, outlet);
        if self.logged != Some(problem) {
            self.logged = Some(problem);
            match problem {
                Problem::Unreadable => telemetry::folder_unreadable(self.watched.folder, error),
                Problem::Unwatched => telemetry::notifications_unavailable(self.watched.folder, error),
            }
        }
    }

    /// Ends the watch and the present gap, because nothing is to be collected any more.
    pub(super) fn pause(&mut self, notices: &mut Notices, now: DateTime<Utc>) {
        if let Some((id, _)) = self.watch.take() {
            notices.unwatch(id);
        }
        self.listed = None;
        self.good_until = now;
    }

    /// Called while nothing is to be collected: that is no gap.
    pub(super) const fn paused_until(&mut self, now: DateTime<Utc>) {
        self.good_until = now;
    }

    pub(super) fn stop(&mut self, now: DateTime<Utc>, outlet: &Outlet) -> Result<(), RecorderClosed> {
        self.headers.stop(outlet)?;
        self.blind.end(now, outlet)
    }

    fn list(&mut self, now: Moment, outlet: &Outlet) -> Result<io::Result<()>, RecorderClosed> {
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
        let mut seen = linkage::observe(self.watched.folder, &text, 0, at);
        // Two results of one second are two results, and a restored copy is none.
        seen.name_tag = seen.file_at.map(|_| name_tag(self.secret, hash));
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

/// Tells apart two files of one second. With a secret that never leaves this process: who knows the salt of the marks could
/// otherwise test whether a name that he guesses was here.
fn name_tag(secret: u64, name: u64) -> u16 {
    let digest = Sha256::new().chain_update(secret.to_be_bytes()).chain_update(name.to_be_bytes()).finalize();
    u16::from_be_bytes(*digest.first_chunk().expect("a SHA-256 digest has 32 bytes"))
}
