//! What watches: each source is a thread that tells what it sees and knows nothing of where that goes.

use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;

use chrono::{DateTime, TimeDelta, Utc};
use yomitori_observation::Sighting;
use yomitori_proto::event::CollectionGap;
use yomitori_proto::vocabulary::GapSource;

pub mod linkage;
pub mod pcsc;

/// What a source tells.
#[derive(Clone, PartialEq, Debug)]
pub enum Signal {
    /// It saw something. A mark is remembered together with it, so that the same file is told once.
    Seen { sighting: Sighting, mark: Option<Mark> },
    /// What a mark stood for is gone.
    Forgotten(Mark),
}

/// A file that was told: salted hashes of its folder and its name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mark {
    pub folder: u64,
    pub name: u64,
}

/// Where sources tell what they see. Full, it makes them wait.
#[derive(Clone, Debug)]
pub struct Outlet(SyncSender<Signal>);

/// The recorder is gone: the source may end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Closed;

impl Outlet {
    #[must_use]
    pub const fn new(signals: SyncSender<Signal>) -> Self {
        Self(signals)
    }

    /// Tells what was seen.
    pub fn tell(&self, sighting: Sighting) -> Result<(), Closed> {
        self.signal(Signal::Seen { sighting, mark: None })
    }

    /// Tells of a file, or that a mark is no longer needed.
    pub fn signal(&self, signal: Signal) -> Result<(), Closed> {
        self.0.send(signal).map_err(|_| Closed)
    }
}

/// A source at work.
pub struct Running {
    thread: JoinHandle<()>,
    stop: Box<dyn FnOnce() + Send>,
}

impl Running {
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
    since: Option<DateTime<Utc>>,
}

impl Outage {
    const TOLD_EVERY: TimeDelta = TimeDelta::hours(1);

    const fn none(source: GapSource) -> Self {
        Self { source, since: None }
    }

    const fn stands(&self) -> bool {
        self.since.is_some()
    }

    fn began(&mut self, at: DateTime<Utc>) {
        self.since.get_or_insert(at);
    }

    fn goes_on(&mut self, now: DateTime<Utc>, outlet: &Outlet) -> Result<(), Closed> {
        match self.since {
            Some(since) if now - since >= Self::TOLD_EVERY => {
                self.ended(now, outlet)?;
                self.began(now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn ended(&mut self, now: DateTime<Utc>, outlet: &Outlet) -> Result<(), Closed> {
        let Some(from) = self.since.take() else { return Ok(()) };
        outlet.tell(Sighting::now(now, CollectionGap { source: self.source, from, to: now.max(from), lost: None }))
    }
}
