//! Why a spool can't be opened or used.

use std::io::{self, ErrorKind};
use std::path::PathBuf;

use yomitori_proto::id::FacilityId;

/// Why the spool can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another agent is running in `{state_dir}` (stop it, or give this one its own `state_dir`)")]
    InUse { state_dir: PathBuf },
    #[error("the spool has format {format} of a newer agent (install that version again)")]
    Newer { format: u64 },
    #[error("the spool is broken")]
    Broken,
    #[error("the spool belongs to another facility")]
    OtherOwner {
        /// `None` if only an older version has opened it.
        facility: Option<FacilityId>,
    },
    #[error("failed to read or write `{path}` (check that it belongs to the agent's user and that the disk has room)")]
    File { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

/// The spool can't be read or written, because the disk is full or broken.
#[derive(Debug, thiserror::Error)]
#[error(
    "failed to read or write the spool (check that the disk has room; a broken file is set aside at the next start)"
)]
pub struct SpoolError(#[source] pub(super) Box<redb::Error>);

impl SpoolError {
    /// Whether the disk is full. This may be temporary; until then less is stored.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let Self(cause) = self;
        matches!(&**cause, redb::Error::Io(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
    }
}

impl<E: Into<redb::Error>> From<E> for SpoolError {
    fn from(error: E) -> Self {
        Self(Box::new(error.into()))
    }
}
