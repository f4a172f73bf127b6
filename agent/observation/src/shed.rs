//! What is removed first when the spool is full: the least valuable observations first, reads last.

use yomitori_proto::event::Event;
use yomitori_proto::vocabulary::{LinkageKind, ReaderRole};

/// The worth of an observation: the lowest is removed first, and within one worth the oldest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Worth {
    /// Files that are not results of the face reader.
    Background = 1,
    /// The state of the terminal, where only the newest matters.
    Condition = 2,
    /// Entries of people, and reports about gaps.
    Word = 3,
    /// Taps, face results, attested reads, and the reader for phones itself.
    Read = 4,
}

impl Worth {
    /// Every worth, the lowest first.
    pub const ALL: [Self; 4] = [Self::Background, Self::Condition, Self::Word, Self::Read];
}

/// The worth of an observation of this kind.
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
