//! What watches: each source is a thread that tells what it sees and knows nothing of where that goes.

use std::thread::JoinHandle;

use chrono::{DateTime, TimeDelta, Utc};
use yomitori_observation::Sighting;
use yomitori_proto::event::CollectionGap;
use yomitori_proto::vocabulary::GapSource;

use crate::outlet::{Outlet, RecorderClosed};

pub mod desk;
pub mod linkage;
pub mod pcsc;
pub mod terminal;

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

/// A time in which a source sees nothing. It is told when it ends, and every hour while it lasts, so that the server
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
            outlet.board().blind(self.source, at);
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
        outlet.board().sees(self.source, since);
        self.told(told_until, now, outlet)
    }

    fn told(&self, from: DateTime<Utc>, now: DateTime<Utc>, outlet: &Outlet) -> Result<(), RecorderClosed> {
        outlet.tell(Sighting::now(now, CollectionGap { source: self.source, from, to: now.max(from), lost: None }))
    }
}
