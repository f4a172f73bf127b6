//! The sources' way out: every source sends its signals into an [`Outlet`], and the recorder receives them. Neither side
//! knows the other.

use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use tokio::sync::oneshot;
use yomitori_observation::Sighting;
use yomitori_proto::id::Seq;

use crate::condition::ConditionBoard;

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
    pub fn send(&self, sighting: Sighting) -> Result<(), RecorderClosed> {
        self.signal(Signal::Seen { sighting, mark: None })
    }

    /// Tells what was seen, without waiting for room.
    pub fn try_send(&self, sighting: Sighting) -> Result<(), RecorderClosed> {
        self.board.observe(&sighting);
        self.signals.try_send(Signal::Seen { sighting, mark: None }).map_err(|_| RecorderClosed)
    }

    /// Tells of a file, or that a mark is no longer needed.
    pub fn signal(&self, signal: Signal) -> Result<(), RecorderClosed> {
        if let Signal::Seen { sighting, .. } = &signal {
            self.board.observe(sighting);
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
