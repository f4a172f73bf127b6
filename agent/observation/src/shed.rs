//! What goes first when the spool is full: the least valuable, and reads last.

use yomitori_proto::event::Event;
use yomitori_proto::vocabulary::{LinkageKind, ReaderRole};

/// How long an observation is held on to: the lowest goes first, and within one worth the oldest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Worth {
    /// Files that are no results of the face reader.
    Background = 1,
    /// The state of the terminal: the newest says it all.
    Condition = 2,
    /// What somebody entered, and what says that something is missing.
    Word = 3,
    /// Taps, face results, reads that somebody saw, and the reader for phones itself.
    Read = 4,
}

impl Worth {
    /// Every worth, the first to go first.
    pub const ALL: [Self; 4] = [Self::Background, Self::Condition, Self::Word, Self::Read];
}

/// What an observation of this kind is worth.
#[must_use]
pub fn worth(event: &Event) -> Worth {
    match event {
        Event::TapObserved(_) | Event::SmartphoneReadAttested(_) => Worth::Read,
        Event::LinkageResultObserved(seen) if seen.kind == LinkageKind::FaceResult => Worth::Read,
        Event::LinkageResultObserved(_) => Worth::Background,
        Event::ReaderAttached(attached) if attached.role == ReaderRole::Phone => Worth::Read,
        Event::CollectionGap(_)
        | Event::SmartphoneReadFailed(_)
        | Event::FallbackUsed(_)
        | Event::NoticeHung(_)
        | Event::FaceReaderRestarted(_)
        | Event::EntryWithdrawn(_) => Worth::Word,
        _ => Worth::Condition,
    }
}
