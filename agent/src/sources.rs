//! What watches: each source is a thread that tells what it sees and knows nothing of where that goes.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::oneshot;
use yomitori_observation::Sighting;
use yomitori_proto::event::CollectionGap;
use yomitori_proto::id::Seq;
use yomitori_proto::vocabulary::GapSource;

use crate::condition::ConditionBoard;

pub mod desk;
pub mod linkage;
pub mod pcsc;
pub mod terminal;

/// What a source tells.
#[derive(Debug)]
pub enum Signal {
    /// It saw something. A mark is remembered together with it, so that the same file is told once.
    Seen { sighting: Sighting, mark: Option<FileMark> },
    /// Somebody entered something, and waits until it is kept.
    Entered { sighting: Sighting, kept: oneshot::Sender<Seq> },
    /// What a mark stood for is gone.
    Forgotten(FileMark),
}

/// A file that was told: salted hashes of its folder and its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileMark {
    pub folder: u64,
    pub name: u64,
}

/// Where sources tell what they see. Full, it makes them wait.
#[derive(Clone, Debug)]
pub struct Outlet {
    signals: SyncSender<Signal>,
    board: Arc<ConditionBoard>,
}

/// The recorder is gone: the source may end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecorderClosed;

impl Outlet {
    /// What is told goes into `signals`; `board` learns on the way how the terminal is.
    #[must_use]
    pub const fn new(signals: SyncSender<Signal>, board: Arc<ConditionBoard>) -> Self {
        Self { signals, board }
    }

    /// Tells what was seen.
    pub fn tell(&self, sighting: Sighting) -> Result<(), RecorderClosed> {
        self.signal(Signal::Seen { sighting, mark: None })
    }

    /// Tells what was seen, without waiting for room.
    pub fn try_tell(&self, sighting: Sighting) -> Result<(), RecorderClosed> {
        self.board.saw(&sighting);
        self.signals.try_send(Signal::Seen { sighting, mark: None }).map_err(|_| RecorderClosed)
    }

    /// Tells of a file, or that a mark is no longer needed.
    pub fn signal(&self, signal: Signal) -> Result<(), RecorderClosed> {
        if let Signal::Seen { sighting, .. } = &signal {
            self.board.saw(sighting);
        }
        self.signals.send(signal).map_err(|_| RecorderClosed)
    }

    /// Hands in what somebody entered, without waiting for room: who stands at a desk is told at once that it did not
    /// work. The number comes once the entry is kept.
    pub fn enter(&self, sighting: Sighting) -> Result<oneshot::Receiver<Seq>, RecorderClosed> {
        let (kept, receipt) = oneshot::channel();
        self.signals.try_send(Signal::Entered { sighting, kept }).map_err(|_| RecorderClosed)?;
        Ok(receipt)
    }

    /// How the terminal is.
    #[must_use]
    pub fn board(&self) -> &ConditionBoard {
        &self.board
    }
}

/// A source at work.
pub struct RunningSource {
    thread: JoinHandle<()>,
    stop: Box<dyn FnOnce() + Send>,
}

impl RunningSource {
    /// `stop` makes the thread end soon.
    #[must_use]
    pub fn new(thread: JoinHandle<()>, stop: impl FnOnce() + Send + 'static) -> Self {
        Self { thread, stop: Box::new(stop) }
    }

    /// Asks the source to end. What it still has to tell comes before its thread ends.
    #[must_use]
    pub fn stop(self) -> JoinHandle<()> {
        (self.stop)();
        self.thread
    }
}

/// A time in which a source sees nothing. It is told when it ends, and every hour while it lasts, so that the centre
/// knows of one that has no end.
#[derive(Debug)]
struct Outage {
    source: GapSource,
    stands: Option<OutageSpan>,
}

#[derive(Clone, Copy, Debug)]
struct OutageSpan {
    since: DateTime<Utc>,
    told_until: DateTime<Utc>,
}

impl Outage {
    const TOLD_EVERY: TimeDelta = TimeDelta::hours(1);

    const fn none(source: GapSource) -> Self {
        Self { source, stands: None }
    }

    const fn stands(&self) -> bool {
        self.stands.is_some()
    }

    fn began(&mut self, at: DateTime<Utc>, outlet: &Outlet) {
        if self.stands.is_none() {
            self.stands = Some(OutageSpan { since: at, told_until: at });
            outlet.board.blind(self.source, at);
        }
    }

    fn goes_on(&mut self, now: DateTime<Utc>, outlet: &Outlet) -> Result<(), RecorderClosed> {
        match &mut self.stands {
            Some(stands) if now - stands.told_until >= Self::TOLD_EVERY => {
                let from = std::mem::replace(&mut stands.told_until, now);
                self.told(from, now, outlet)
            }
            _ => Ok(()),
        }
    }

    fn ended(&mut self, now: DateTime<Utc>, outlet: &Outlet) -> Result<(), RecorderClosed> {
        let Some(OutageSpan { since, told_until }) = self.stands.take() else { return Ok(()) };
        outlet.board.sees(self.source, since);
        self.told(told_until, now, outlet)
    }

    fn told(&self, from: DateTime<Utc>, now: DateTime<Utc>, outlet: &Outlet) -> Result<(), RecorderClosed> {
        outlet.tell(Sighting::now(now, CollectionGap { source: self.source, from, to: now.max(from), lost: None }))
    }
}
