//! Watches the readers through PC/SC. It only watches: it never connects to a card and never sends a command.
//!
//! * A context that failed is never used again: pcsc-lite keeps answering `NoService` on it even after the service is
//!   back.
//! * The wait is bounded and the readers are listed every turn, because a reader that arrives between listing and
//!   waiting would be missed otherwise.
//! * If the call always returns at once, the loop does not spin; if it hangs, the supervisor reports the gap.

mod readers;

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use pcsc::{Context, Error, Scope};
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::GapSource;

use super::{Outage, RunningSource};
use crate::config::RoleRules;
use crate::outlet::{Outlet, RecorderClosed};
use crate::{clock, telemetry};
use readers::Readers;

/// The longest wait for a change.
const TURN: Duration = Duration::from_secs(1);
/// The pause after a call that returned at once without a change.
const PAUSE: Duration = Duration::from_millis(100);
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(2);

/// Starts watching for `terminal`.
pub fn start(terminal: TerminalId, roles: RoleRules, outlet: Outlet) -> std::io::Result<RunningSource> {
    // Nothing is ever sent; the watcher ends when the sender is dropped.
    let (alive, stop) = sync_channel::<Infallible>(0);
    let (context, beat) = (Arc::new(Mutex::new(None)), outlet.heart());
    let mut watcher = Watcher {
        readers: Readers::new(terminal, roles),
        outlet,
        stop,
        context: Arc::clone(&context),
        outage: Outage::new(GapSource::Pcsc),
    };
    let thread = thread::Builder::new().name("pcsc".to_owned()).spawn(move || {
        // The only error is that the recorder has ended.
        let _ = watcher.run();
    })?;
    Ok(RunningSource::new(thread, Some(GapSource::Pcsc), beat, move || {
        drop(alive);
        let context: Option<Context> = context.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(context) = context {
            // If this fails, the wait ends by itself within a turn.
            let _ = context.cancel();
        }
    }))
}

struct Watcher {
    readers: Readers,
    outlet: Outlet,
    stop: Receiver<Infallible>,
    /// The present context, whose wait can be interrupted.
    context: Arc<Mutex<Option<Context>>>,
    outage: Outage,
}

/// Why watching on a context ended.
enum ContextEnd {
    Stopped,
    Lost(Error),
}

impl Watcher {
    fn run(&mut self) -> Result<(), RecorderClosed> {
        let mut retry = FIRST_RETRY;
        let mut logged = false;
        let started_at = clock::moment();
        loop {
            let lost = match Context::establish(Scope::System) {
                Ok(context) => {
                    *self.context.lock().unwrap_or_else(PoisonError::into_inner) = Some(context.clone());
                    let (end, worked) = self.follow(&context)?;
                    retry = if worked { FIRST_RETRY } else { retry };
                    logged &= !worked;
                    match end {
                        ContextEnd::Stopped => break,
                        ContextEnd::Lost(error) => error,
                    }
                }
                Err(error) => error,
            };
            self.outlet.beat();
            if !logged {
                telemetry::pcsc_lost(lost);
                logged = true;
            }
            let now = clock::moment();
            self.outage.begin(if self.readers.is_new() { started_at.wall } else { now.wall }, &self.outlet);
            self.readers.service_lost(now, &self.outlet)?;
            self.outage.report_if_due(now.wall, &self.outlet)?;
            if self.stopped_within(retry) {
                break;
            }
            retry = (retry * 2).min(LAST_RETRY);
        }
        let now = clock::moment();
        self.readers.stop(now, &self.outlet)?;
        self.outage.end(now.wall, &self.outlet)
    }

    /// Watches on `context` for as long as it works; also returns whether it ever did.
    fn follow(&mut self, context: &Context) -> Result<(ContextEnd, bool), RecorderClosed> {
        let (mut worked, mut empty_turns) = (false, 0);
        loop {
            let began = clock::moment();
            let names = match context.list_readers_owned() {
                Ok(names) => names,
                Err(Error::NoReadersAvailable) => Vec::new(),
                Err(error) => return Ok((ContextEnd::Lost(error), worked)),
            };
            // It has answered. Before, nothing is certain.
            self.outlet.beat();
            if !worked {
                worked = true;
                if self.outage.is_open() {
                    telemetry::pcsc_answers();
                    self.outage.end(began.wall, &self.outlet)?;
                }
            }
            self.readers.update(&names, began, &self.outlet)?;
            let until_due = self.readers.deadline().map(|due| due.saturating_duration_since(began.steady));
            let changed = match context.get_status_change(until_due.unwrap_or(TURN).min(TURN), self.readers.states()) {
                Ok(()) => self.readers.read_states(clock::moment()),
                Err(Error::Timeout | Error::Cancelled) => true,
                // The reader was removed after it was listed.
                Err(Error::UnknownReader | Error::ReaderUnavailable) => false,
                Err(error) => return Ok((ContextEnd::Lost(error), worked)),
            };
            let now = clock::moment();
            self.readers.report_ended(now, &self.outlet)?;
            empty_turns = if changed { 0 } else { empty_turns + 1 };
            if self.stopped_within(if empty_turns > 1 { PAUSE } else { Duration::ZERO }) {
                return Ok((ContextEnd::Stopped, worked));
            }
        }
    }

    fn stopped_within(&self, time: Duration) -> bool {
        match self.stop.recv_timeout(time) {
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        }
    }
}
