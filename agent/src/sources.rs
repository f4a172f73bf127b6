//! The sources: each is a thread that sends what it sees into the outlet and does not know who receives it.

use std::sync::Arc;
use std::thread::JoinHandle;

use chrono::{DateTime, TimeDelta, Utc};
use yomitori_observation::Sighting;
use yomitori_proto::event::CollectionGap;
use yomitori_proto::vocabulary::GapSource;

use crate::outlet::{Beat, Outlet, RecorderClosed};

pub mod desk;
pub mod linkage;
pub mod pcsc;
pub mod supervisor;
pub mod terminal;

/// A running source.
pub struct RunningSource {
    thread: JoinHandle<()>,
    /// What can't be collected while the source hangs.
    collects: Option<GapSource>,
    beat: Arc<Beat>,
    stop: Box<dyn FnOnce() + Send>,
}

impl RunningSource {
    /// The source that runs in `thread` and beats at least every few seconds. `stop` asks the thread to end soon.
    #[must_use]
    pub fn new(
        thread: JoinHandle<()>,
        collects: Option<GapSource>,
        beat: Arc<Beat>,
        stop: impl FnOnce() + Send + 'static,
    ) -> Self {
        Self { thread, collects, beat, stop: Box::new(stop) }
    }

    /// Asks the source to end. The source sends its remaining sightings before its thread ends.
    #[must_use]
    pub fn stop(self) -> JoinHandle<()> {
        (self.stop)();
        self.thread
    }
}

/// A period in which a source sees nothing. It is reported when it ends, and while it lasts after half a minute and then
/// every hour, so that the server also learns of an outage that does not end.
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

impl OutageSpan {
    fn report_after(&self) -> TimeDelta {
        if self.reported_until == self.since { Outage::FIRST_REPORT } else { Outage::REPORT_EVERY }
    }
}

impl Outage {
    const FIRST_REPORT: TimeDelta = TimeDelta::seconds(30);
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
            Some(span) if now - span.reported_until >= span.report_after() => {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::sync_channel;

    use yomitori_proto::event::Event;

    use super::*;
    use crate::outlet::Signal;

    #[test]
    fn two_hours_of_outage_are_a_few_reports_without_a_hole_between_them() {
        let (sender, signals) = sync_channel(16);
        let outlet = Outlet::new(sender, Arc::default());
        let at = |seconds: i64| DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        let mut outage = Outage::new(GapSource::Pcsc);
        for second in (5..7_200).step_by(2) {
            outage.begin(at(second), &outlet);
            outage.report_if_due(at(second), &outlet).unwrap();
            assert_eq!(outlet.board().condition().blind, [(GapSource::Pcsc, at(5))]);
        }
        outage.end(at(7_200), &outlet).unwrap();
        outage.end(at(7_201), &outlet).unwrap();
        let gaps: Vec<_> = signals
            .try_iter()
            .map(|signal| match signal {
                Signal::Seen { sighting, .. } => match sighting.event {
                    Event::CollectionGap(gap) => (gap.from, gap.to),
                    other => panic!("{other:?}"),
                },
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(gaps, [(at(5), at(35)), (at(35), at(3_635)), (at(3_635), at(7_200))]);
    }
}
