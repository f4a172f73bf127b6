//! Reads the headers of result files, if the clinic has opted in (`collection.level = "headers"`). Otherwise none of
//! this runs.
//!
//! A file is read byte by byte and no further than its outcome, so that no byte of a patient's element is read. It is
//! opened only if it is an ordinary file, without any lock, and may be moved or deleted meanwhile.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use yomitori_observation::header::{Header, Reading};
use yomitori_observation::{Moment, Sighting};
use yomitori_proto::event::{Event, LinkageResultObserved};
use yomitori_proto::vocabulary::ReadOutcome;

use crate::outlet::{FileMark, Outlet, RecorderClosed, Signal};

/// How soon a file that is still being written is read again.
const AGAIN: Duration = Duration::from_millis(20);
/// A file that takes longer than this to write is not a result.
const GIVE_UP: Duration = Duration::from_secs(2);

/// A file that was seen and whose header is not complete yet.
struct PendingHeader {
    path: PathBuf,
    seen: LinkageResultObserved,
    sighting: Sighting,
    mark: FileMark,
    since: Instant,
    again_at: Instant,
}

/// The result of reading a header.
enum HeaderState {
    Complete(Header),
    /// The file ends within the header; this is what it says so far.
    Unfinished(Header),
    /// The file is gone or is not an ordinary file.
    Gone,
}

/// The files whose headers are not complete yet.
#[derive(Default)]
pub(super) struct Headers(Vec<PendingHeader>);

impl Headers {
    /// Adds the result at `path`; it is reported once its outcome is known or can't be read.
    pub(super) fn add(
        &mut self,
        path: PathBuf,
        seen: LinkageResultObserved,
        sighting: Sighting,
        mark: FileMark,
        now: Moment,
        outlet: &Outlet,
    ) -> Result<(), RecorderClosed> {
        self.0.push(PendingHeader { path, seen, sighting, mark, since: now.steady, again_at: now.steady });
        self.poll(now, outlet)
    }

    /// When [`Headers::poll`] must be called next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().map(|waiting| waiting.again_at).min()
    }

    /// Reads the headers that are due.
    pub(super) fn poll(&mut self, now: Moment, outlet: &Outlet) -> Result<(), RecorderClosed> {
        let due = |waiting: &mut PendingHeader| waiting.again_at <= now.steady;
        let mut unfinished = Vec::new();
        for mut waiting in self.0.extract_if(.., due) {
            match read_header(&waiting.path) {
                HeaderState::Unfinished(_) if now.steady.saturating_duration_since(waiting.since) < GIVE_UP => {
                    waiting.again_at = now.steady + AGAIN;
                    unfinished.push(waiting);
                }
                HeaderState::Complete(header) | HeaderState::Unfinished(header) => waiting.report(header, outlet)?,
                HeaderState::Gone => waiting.report(unreadable(), outlet)?,
            }
        }
        self.0.append(&mut unfinished);
        Ok(())
    }

    /// Reports the waiting files with what is known of them; called when the agent stops.
    pub(super) fn stop(&mut self, outlet: &Outlet) -> Result<(), RecorderClosed> {
        self.0.drain(..).try_for_each(|waiting| match read_header(&waiting.path) {
            HeaderState::Complete(header) | HeaderState::Unfinished(header) => waiting.report(header, outlet),
            HeaderState::Gone => waiting.report(unreadable(), outlet),
        })
    }
}

impl PendingHeader {
    fn report(self, header: Header, outlet: &Outlet) -> Result<(), RecorderClosed> {
        let Self { seen, mut sighting, mark, .. } = self;
        let Header { outcome, error_code } = header;
        sighting.event = Event::LinkageResultObserved(LinkageResultObserved { outcome, error_code, ..seen });
        outlet.signal(Signal::Seen { sighting, mark: Some(mark) })
    }
}

const fn unreadable() -> Header {
    Header { outcome: ReadOutcome::Unreadable, error_code: None }
}

fn read_header(path: &std::path::Path) -> HeaderState {
    // The official software writes neither links nor pipes.
    if !fs::symlink_metadata(path).is_ok_and(|file| file.is_file()) {
        return HeaderState::Gone;
    }
    let Ok(mut file) = File::open(path) else { return HeaderState::Gone };
    let mut reading = Reading::default();
    let mut byte = [0];
    loop {
        match file.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => {
                if let Some(header) = reading.take(byte[0]) {
                    return HeaderState::Complete(header);
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return HeaderState::Gone,
        }
    }
    HeaderState::Unfinished(reading.end())
}
