//! Watches the sources from outside, because a source that hangs in a call of the system can't report that itself.
//!
//! * A source that hangs is reported as a gap while it hangs, and the others go on.
//! * A source whose thread ends by itself (a fault of the program) ends the agent, so that the service manager restarts
//!   it.

use std::convert::Infallible;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use yomitori_observation::Moment;

use super::{Outage, RunningSource};
use crate::outlet::{Beat, Outlet, RecorderClosed};
use crate::{clock, telemetry};

/// How often the sources are checked.
const TURN: Duration = Duration::from_secs(1);
/// A source that has not beaten for this long hangs.
const HANGS: Duration = Duration::from_secs(10);

/// The running sources, and the thread that watches them.
pub struct Supervisor {
    sources: Arc<Mutex<Vec<RunningSource>>>,
    ended: oneshot::Receiver<String>,
    /// Nothing is ever sent; the thread ends when this is dropped.
    _running: SyncSender<Infallible>,
}

impl Supervisor {
    /// Watches `sources` and sends gaps into `outlet`. `works` is called every second, as long as this works itself.
    pub fn start(
        sources: Vec<RunningSource>,
        outlet: Outlet,
        works: impl FnMut() + Send + 'static,
    ) -> io::Result<Self> {
        let (running, stop) = sync_channel(0);
        let (ending, ended) = oneshot::channel();
        let watched = sources.iter().map(Watched::new).collect();
        let sources = Arc::new(Mutex::new(sources));
        let mut watch = Watch { watched, sources: Arc::clone(&sources), outlet, works };
        thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
            // The only error is that the recorder has ended.
            if let Ok(Some(name)) = watch.run(&stop) {
                // Nobody asks any more while the agent stops.
                let _ = ending.send(name);
            }
        })?;
        Ok(Self { sources, ended, _running: running })
    }

    /// Waits until a source has ended by itself; its name.
    pub async fn source_ended(&mut self) -> String {
        match (&mut self.ended).await {
            Ok(name) => name,
            Err(_) => "supervisor".to_owned(),
        }
    }

    /// Ends the watch; the sources go on.
    #[must_use]
    pub fn release(self) -> Vec<RunningSource> {
        std::mem::take(&mut *lock(&self.sources))
    }
}

fn lock(sources: &Mutex<Vec<RunningSource>>) -> MutexGuard<'_, Vec<RunningSource>> {
    sources.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Watch<W> {
    watched: Vec<Watched>,
    sources: Arc<Mutex<Vec<RunningSource>>>,
    outlet: Outlet,
    works: W,
}

impl<W: FnMut()> Watch<W> {
    /// Watches until a source has ended, or until it is asked to end itself.
    fn run(&mut self, stop: &Receiver<Infallible>) -> Result<Option<String>, RecorderClosed> {
        while stop.recv_timeout(TURN) == Err(RecvTimeoutError::Timeout) {
            let ended = lock(&self.sources).iter().position(|source| source.thread.is_finished());
            if let Some(ended) = ended {
                return Ok(Some(self.watched[ended].name.clone()));
            }
            for watched in &mut self.watched {
                watched.check(clock::moment(), &self.outlet)?;
            }
            (self.works)();
        }
        // What still hangs is not reported by itself when it is asked to stop.
        for silence in self.watched.iter_mut().filter_map(|watched| watched.silence.as_mut()) {
            silence.end(clock::now(), &self.outlet)?;
        }
        Ok(None)
    }
}

struct Watched {
    name: String,
    beat: Arc<Beat>,
    hangs: bool,
    silence: Option<Outage>,
}

impl Watched {
    fn new(source: &RunningSource) -> Self {
        let name = source.thread.thread().name().unwrap_or("unnamed").to_owned();
        let silence = source.collects.map(Outage::new);
        Self { name, beat: Arc::clone(&source.beat), hangs: false, silence }
    }

    fn check(&mut self, now: Moment, outlet: &Outlet) -> Result<(), RecorderClosed> {
        let last = self.beat.last();
        let hangs = now.steady.saturating_duration_since(last.steady) >= HANGS;
        if hangs != self.hangs {
            self.hangs = hangs;
            if hangs { telemetry::source_hangs(&self.name) } else { telemetry::source_answers(&self.name) }
        }
        let Some(silence) = &mut self.silence else { return Ok(()) };
        if hangs {
            silence.begin(last.wall, outlet);
            silence.report_if_due(now.wall, outlet)
        } else {
            silence.end(now.wall, outlet)
        }
    }
}
