//! Watches the terminal itself: steps of the clock, versions and programs of the official software, and readers that
//! are plugged in but not listed by PC/SC.
//!
//! Only changes are reported.

mod software;

use std::convert::Infallible;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use yomitori_observation::blocked::{Blocked, Shown};
use yomitori_observation::step::Steps;
use yomitori_proto::vocabulary::GapSource;

use super::RunningSource;
use crate::config::Software;
use crate::outlet::{Outlet, RecorderClosed};
use crate::{clock, system};
use software::{Programs, Versions};

/// A step of the clock is noticed within this time.
const TURN: Duration = Duration::from_secs(5);

/// Starts watching.
pub fn start(software: Software, outlet: Outlet) -> std::io::Result<RunningSource> {
    // Nothing is ever sent; the watcher ends when the sender is dropped.
    let (alive, stop) = sync_channel::<Infallible>(0);
    let beat = outlet.heart();
    let mut watcher = Watcher {
        versions: Versions::new(software.versions),
        programs: Programs::new(software.programs),
        steps: Steps::default(),
        blocked: Blocked::default(),
        outlet,
    };
    let thread = thread::Builder::new().name("terminal".to_owned()).spawn(move || {
        // The only error is that the recorder has ended.
        let _ = watcher.run(&stop);
    })?;
    Ok(RunningSource::new(thread, None, beat, move || drop(alive)))
}

struct Watcher {
    versions: Versions,
    programs: Programs,
    steps: Steps,
    blocked: Blocked,
    outlet: Outlet,
}

impl Watcher {
    fn run(&mut self, stop: &Receiver<Infallible>) -> Result<(), RecorderClosed> {
        let mut check_at: Option<Instant> = None;
        loop {
            self.outlet.beat();
            self.check_clock()?;
            let now = clock::moment().steady;
            if check_at.is_none_or(|at| at <= now) {
                check_at = Some(now + system::LOOK_EVERY);
                self.versions.check(&self.outlet)?;
                self.programs.check(&self.outlet)?;
                self.check_readers()?;
            }
            match stop.recv_timeout(TURN) {
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn check_clock(&mut self) -> Result<(), RecorderClosed> {
        let Some(uptime) = system::uptime() else { return Ok(()) };
        self.steps.observe(clock::now(), uptime).map_or(Ok(()), |step| self.outlet.send(step))
    }

    fn check_readers(&mut self) -> Result<(), RecorderClosed> {
        let condition = self.outlet.board().condition();
        let shown = if condition.blind.iter().any(|(source, _)| *source == GapSource::Pcsc) {
            Shown::Nothing
        } else {
            Shown::Models(condition.readers.into_values().map(|reader| reader.model).collect())
        };
        let reported = self.blocked.observe(&system::usb_devices(), &shown, clock::moment());
        reported.into_iter().try_for_each(|blocked| self.outlet.send(blocked))
    }
}
