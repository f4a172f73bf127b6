//! The sources: each is a thread that sends what it sees into the outlet and does not know who receives it.

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

/// A running source.
pub struct RunningSource {
    thread: JoinHandle<()>,
    stop: Box<dyn FnOnce() + Send>,
}

impl RunningSource {
    /// `stop` asks the thread to end soon.
    #[must_use]
    pub fn new(thread: JoinHandle<()>, stop: impl FnOnce() + Send + 'static) -> Self {
        Self { thread, stop: Box::new(stop) }
    }

    /// Asks the source to end. The source sends its remaining sightings before its thread ends.
    #[must_use]
    pub fn stop(self) -> JoinHandle<()> {
        (self.stop)();
        self.thread
    }
}

/// A period in which a source sees nothing. It is reported when it ends, and every hour while it lasts, so that the
/// server also learns of an outage that does not end.
#[derive(Debug)]
struct Outage {
    source: GapSource,
    span: Option<OutageSpan>,
}

#[derive(Clone, Copy, Debug)]
struct OutageSpan {
    since: DateTime<Utc>,
    reported_until: DateTime<Utc>,
}

impl Outage {
    const REPORT_EVERY: TimeDelta = TimeDelta::hours(1);

    const fn new(source: GapSource) -> Self {
        Self { source, span: None }
    }

    const fn is_open(&self) -> bool {
        self.span.is_some()
    }

    fn begin(&mut self, at: DateTime<Utc>, outlet: &Outlet) {
        if self.span.is_none() {
            self.span = Some(OutageSpan { since: at, reported_until: at });
            outlet.board().set_blind(self.source, at);
        }
    }

    fn report_if_due(&mut self, now: DateTime<Utc>, outlet: &Outlet) -> Result<(), RecorderClosed> {
        match &mut self.span {
            Some(span) if now - span.reported_until >= Self::REPORT_EVERY => {
                let from = std::mem::replace(&mut span.reported_until, now);
                self.report(from, now, outlet)
            }
            _ => Ok(()),
        }
    }

    fn end(&mut self, now: DateTime<Utc>, outlet: &Outlet) -> Result<(), RecorderClosed> {
        let Some(OutageSpan { since, reported_until }) = self.span.take() else { return Ok(()) };
        outlet.board().clear_blind(self.source, since);
        self.report(reported_until, now, outlet)
    }

    fn report(&self, from: DateTime<Utc>, now: DateTime<Utc>, outlet: &Outlet) -> Result<(), RecorderClosed> {
        outlet.send(Sighting::now(now, CollectionGap { source: self.source, from, to: now.max(from), lost: None }))
    }
}
