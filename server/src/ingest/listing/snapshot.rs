//! One state of the ministry's list as it was received: which one it is, and whether it may be believed.

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use yomitori_proto::id::SnapshotId;

use super::coverage::Coverage;

/// What makes a snapshot this one: the same file with the same words is the same snapshot, however often it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Where the file is from.
    pub source: String,
    pub coverage: Coverage,
    pub as_of: DateTime<Utc>,
    pub sha256: [u8; 32],
}

impl Identity {
    #[must_use]
    pub fn new(source: String, coverage: Coverage, as_of: DateTime<Utc>, file: &[u8]) -> Self {
        Self { source, coverage, as_of, sha256: Sha256::digest(file).into() }
    }

    /// The same wherever it is computed.
    #[must_use]
    pub fn id(&self) -> SnapshotId {
        const NAMESPACE: Uuid = Uuid::from_u128(0x2d7b_91c6_40e5_4f0a_8c1d_77a3_5e92_b014);
        let mut name = Vec::new();
        for part in [self.source.as_bytes(), self.coverage.to_string().as_bytes(), &self.sha256] {
            name.extend_from_slice(&(part.len() as u64).to_be_bytes());
            name.extend_from_slice(part);
        }
        name.extend_from_slice(&self.as_of.timestamp_micros().to_be_bytes());
        SnapshotId(Uuid::new_v5(&NAMESPACE, &name))
    }
}

/// Why a snapshot is kept and not believed: it has far fewer rows than the last of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shrunken {
    pub rows: usize,
    pub before: usize,
}

/// Below this part of the last one's rows, in percent, a snapshot is doubtful.
const ENOUGH_PERCENT: usize = 90;

/// Whether `rows` are too few after a snapshot of `before`.
#[must_use]
pub const fn shrunken(rows: usize, before: Option<usize>) -> Option<Shrunken> {
    match before {
        Some(before) if rows.saturating_mul(100) < before.saturating_mul(ENOUGH_PERCENT) => {
            Some(Shrunken { rows, before })
        }
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_nine_tenths_is_shrunken() {
        let table = [
            (90, Some(100), false),
            (89, Some(100), true),
            (0, Some(1), true),
            (5, None, false),
            (200, Some(100), false),
        ];
        for (rows, before, expected) in table {
            assert_eq!(shrunken(rows, before).is_some(), expected, "{rows} after {before:?}");
        }
    }

    #[test]
    fn a_snapshot_is_known_by_all_that_describes_it() {
        let at = DateTime::UNIX_EPOCH;
        let one = Identity::new("mhlw".to_owned(), Coverage::Full, at, b"rows");
        assert_eq!(one.id(), Identity::new("mhlw".to_owned(), Coverage::Full, at, b"rows").id());
        let others = [
            Identity::new("mhlw2".to_owned(), Coverage::Full, at, b"rows"),
            Identity::new("mhlw".to_owned(), Coverage::Query("full".to_owned()), at, b"rows"),
            Identity::new("mhlw".to_owned(), Coverage::Full, at + chrono::Duration::days(1), b"rows"),
            Identity::new("mhlw".to_owned(), Coverage::Full, at, b"other rows"),
        ];
        assert!(others.iter().all(|other| other.id() != one.id()));
    }
}
