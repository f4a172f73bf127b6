//! One desk of a clinic: a linkage folder, the source that watches it, and what the source has reported.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use uuid::Uuid;
use yomitori_agent::config::WatchedFolder;
use yomitori_agent::limit::Limit;
use yomitori_agent::outlet::{FileMark, Outlet, Signal};
use yomitori_agent::sources::RunningSource;
use yomitori_agent::sources::linkage::start;
use yomitori_proto::event::{CollectionGap, Event, LinkageResultObserved};
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::{CollectionLevel, LinkageFolder};

pub(super) const HERE: TerminalId = TerminalId(Uuid::from_u128(1));
pub(super) const FOREVER: Duration = Duration::from_secs(30);

pub(super) struct Desk {
    pub(super) root: TempDir,
    /// The linkage folder.
    face: PathBuf,
    pub(super) limit: Arc<Limit>,
    pub(super) source: Option<RunningSource>,
    pub(super) signals: Receiver<Signal>,
    pub(super) reported: Vec<LinkageResultObserved>,
    pub(super) gaps: Vec<CollectionGap>,
    pub(super) marks: Vec<FileMark>,
    pub(super) forgotten: Vec<FileMark>,
}

impl Desk {
    pub(super) fn new() -> anyhow::Result<Self> {
        Self::at("face")
    }

    /// A desk whose folder has this path below `root`.
    pub(super) fn at(path: &str) -> anyhow::Result<Self> {
        let root = tempfile::tempdir()?;
        let face = root.path().join(path);
        fs::create_dir_all(&face)?;
        let (_, signals) = sync_channel(1);
        let (reported, marks, forgotten) = (Vec::new(), Vec::new(), Vec::new());
        let limit = allowed(root.path(), CollectionLevel::Names);
        Ok(Self { root, face, limit, source: None, signals, reported, gaps: Vec::new(), marks, forgotten })
    }

    pub(super) fn face(&self) -> PathBuf {
        self.face.clone()
    }

    pub(super) fn start(&mut self) -> anyhow::Result<()> {
        let (outlet, signals) = sync_channel(1_024);
        let watched = vec![WatchedFolder { folder: LinkageFolder::Face, path: self.face() }];
        self.signals = signals;
        self.source =
            Some(start(HERE, watched, Arc::clone(&self.limit), &self.marks, Outlet::new(outlet, Arc::default()))?);
        Ok(())
    }

    pub(super) fn stop(&mut self) {
        if let Some(source) = self.source.take() {
            source.stop().join().expect("the source ends in order");
        }
        while self.next(Duration::ZERO) {}
    }

    pub(super) fn next(&mut self, within: Duration) -> bool {
        match self.signals.recv_timeout(within) {
            Ok(Signal::Seen { sighting, mark }) => {
                assert!(sighting.occurred_at <= sighting.observed_at);
                self.marks.extend(mark);
                match sighting.event {
                    Event::LinkageResultObserved(seen) => self.reported.push(seen),
                    Event::CollectionGap(gap) => self.gaps.push(gap),
                    other => panic!("not from a folder: {other:?}"),
                }
                true
            }
            Ok(Signal::Forgotten(mark)) => {
                self.marks.retain(|known| *known != mark);
                self.forgotten.push(mark);
                true
            }
            Ok(Signal::Entered { .. }) => panic!("this test makes no entries"),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        }
    }

    /// Receives for this time.
    pub(super) fn pass(&mut self, time: Duration) {
        let began = Instant::now();
        while began.elapsed() < time {
            self.next(Duration::from_millis(5));
        }
    }

    /// Waits until `holds`.
    pub(super) fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < FOREVER, "{what}: {} reported, {} gaps", self.reported.len(), self.gaps.len());
            self.next(Duration::from_millis(20));
        }
    }

    /// Adds files until one is reported; from then on the folder is watched.
    pub(super) fn warm_up(&mut self) -> anyhow::Result<()> {
        self.start()?;
        fs::write(self.face().join("first.txt"), "")?;
        self.until("the first file", |desk| !desk.reported.is_empty());
        self.reported.clear();
        Ok(())
    }
}

pub(super) fn allowed(state_dir: &Path, level: CollectionLevel) -> Arc<Limit> {
    Arc::new(Limit::open(state_dir, level))
}

pub(super) fn name(number: usize) -> String {
    format!("OQSsiquc01res_face_1319999015{number:06}_20260401093005.xml")
}

/// The name of the result with this number that was completed at `at`.
pub(super) fn name_at(number: usize, at: DateTime<Utc>) -> String {
    let japan = at + TimeDelta::hours(9);
    format!("OQSsiquc01res_face_1319999015{number:06}_{}.xml", japan.format("%Y%m%d%H%M%S"))
}

pub(super) fn put(folder: &Path, number: usize) {
    fs::write(folder.join(name(number)), "<XmlMsg/>").expect("the folder can be written");
}
