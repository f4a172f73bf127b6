//! The sources' way out: every source sends its signals into an [`Outlet`], and the recorder receives them. Neither side
//! knows the other.

use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use yomitori_observation::{Moment, Sighting};
use yomitori_proto::id::Seq;

use crate::clock;
use crate::condition::ConditionBoard;

/// A message from a source to the recorder.
#[derive(Debug)]
pub enum Signal {
    /// The source saw something. The mark is stored together with it, so that the same file is reported once.
    Seen { sighting: Sighting, mark: Option<FileMark> },
    /// A person entered something and waits until it is stored.
    Entered { sighting: Sighting, kept: oneshot::Sender<Seq> },
    /// The file of this mark no longer exists.
    Forgotten(FileMark),
}

/// A file that was reported: salted hashes of the folder and the name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FileMark {
    pub folder: u64,
    pub name: u64,
}

/// When a source last showed that it still works.
#[derive(Debug)]
pub struct Beat(Mutex<Moment>);

impl Default for Beat {
    fn default() -> Self {
        Self(Mutex::new(clock::moment()))
    }
}

impl Beat {
    /// The last beat.
    #[must_use]
    pub fn last(&self) -> Moment {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = clock::moment();
    }
}

/// The channel into which sources send what they see. A full channel makes them wait.
#[derive(Clone, Debug)]
pub struct Outlet {
    signals: SyncSender<Signal>,
    board: Arc<ConditionBoard>,
    beat: Arc<Beat>,
}

/// The recorder has ended, so the source may end as well.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecorderClosed;

impl Outlet {
    /// Sends into `signals`, and updates `board` with each sighting.
    #[must_use]
    pub fn new(signals: SyncSender<Signal>, board: Arc<ConditionBoard>) -> Self {
        Self { signals, board, beat: Arc::default() }
    }

    /// The outlet of one source, with a beat of its own.
    #[must_use]
    pub fn of_source(&self) -> Self {
        Self { beat: Arc::default(), ..self.clone() }
    }

    /// Records that the source that uses this outlet works.
    pub fn beat(&self) {
        self.beat.now();
    }

    /// The beat of the source that uses this outlet.
    #[must_use]
    pub fn heart(&self) -> Arc<Beat> {
        Arc::clone(&self.beat)
    }

    /// Sends a sighting; waits while the channel is full.
    pub fn send(&self, sighting: Sighting) -> Result<(), RecorderClosed> {
        self.signal(Signal::Seen { sighting, mark: None })
    }

    /// Sends a sighting, and fails where the channel is full.
    pub fn try_send(&self, sighting: Sighting) -> Result<(), RecorderClosed> {
        self.board.observe(&sighting);
        self.signals.try_send(Signal::Seen { sighting, mark: None }).map_err(|_| RecorderClosed)
    }

    /// Sends any signal, such as a file with its mark or a mark that is no longer needed.
    pub fn signal(&self, signal: Signal) -> Result<(), RecorderClosed> {
        if let Signal::Seen { sighting, .. } = &signal {
            self.board.observe(sighting);
        }
        self.signals.send(signal).map_err(|_| RecorderClosed)?;
        self.beat();
        Ok(())
    }

    /// Sends an entry of the desk, and fails where the channel is full, so that the person at the desk sees the failure
    /// at once. The receipt gives the number once the entry is stored.
    pub fn enter(&self, sighting: Sighting) -> Result<oneshot::Receiver<Seq>, RecorderClosed> {
        let (kept, receipt) = oneshot::channel();
        self.signals.try_send(Signal::Entered { sighting, kept }).map_err(|_| RecorderClosed)?;
        Ok(receipt)
    }

    /// The present condition of the terminal.
    #[must_use]
    pub fn board(&self) -> &ConditionBoard {
        &self.board
    }
}
