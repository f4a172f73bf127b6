//! One state of the ministry's list as it was received: which one it is, and whether it may be believed.

use std::error::Error;
use std::fmt;

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use yomitori_facility::Text;
use yomitori_proto::id::SnapshotId;
use yomitori_proto::time::JAPAN;

use yomitori_proto::coverage::Coverage;

/// What makes a snapshot this one: the same file with the same words is the same snapshot, however often it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotIdentity {
    /// Where the file is from.
    pub source: String,
    pub coverage: Coverage,
    pub as_of: DateTime<Utc>,
    pub sha256: [u8; 32],
}

impl SnapshotIdentity {
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

/// Its date has not come yet: no facility would believe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatedAhead {
    pub as_of: DateTime<Utc>,
}

impl DatedAhead {
    /// What is the matter, and what to do.
    #[must_use]
    pub fn text(&self) -> Text {
        let at = self.as_of.with_timezone(&JAPAN).format("%Y-%m-%d %H:%M");
        Text::new(
            format!("リストの日付（{at}）が未来です。リストに書かれた日付を、なければ入手した日を指定してください。"),
            format!(
                "The list is dated {at}, which has not come yet: give the date that stands in it, or else the day on which you got it."
            ),
        )
    }
}

impl fmt::Display for DatedAhead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        write!(f, "{} / {}", text.ja, text.en)
    }
}

impl Error for DatedAhead {}

/// Refuses a list that is dated later than `now`.
///
/// # Errors
/// Where it is.
pub fn dated(as_of: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), DatedAhead> {
    if as_of > now { Err(DatedAhead { as_of }) } else { Ok(()) }
}

/// Why a snapshot is kept and not believed: it has far fewer rows than the last of its coverage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shrinkage {
    pub rows: usize,
    pub before: usize,
}

/// Below this part of the last one's rows, in percent, a snapshot is doubtful.
const ENOUGH_PERCENT: usize = 90;

/// Whether `rows` are too few after a snapshot of `before`.
#[must_use]
pub const fn shrunken(rows: usize, before: Option<usize>) -> Option<Shrinkage> {
    match before {
        Some(before) if rows.saturating_mul(100) < before.saturating_mul(ENOUGH_PERCENT) => {
            Some(Shrinkage { rows, before })
        }
        Some(_) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_of_today_at_the_latest() {
        let now: DateTime<Utc> = "2026-04-09T15:00:00Z".parse().unwrap();
        for (later_s, taken) in [(-1, true), (0, true), (1, false), (86_400, false)] {
            assert_eq!(dated(now + chrono::Duration::seconds(later_s), now).is_ok(), taken, "{later_s} s later");
        }
        // The day that is named is Japan's.
        let message = dated(now + chrono::Duration::days(365), now).unwrap_err().to_string();
        assert!(
            message.contains("2027-04-10 00:00") && message.contains("give the date that stands in it"),
            "{message}"
        );
    }

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
        let one = SnapshotIdentity::new("mhlw".to_owned(), Coverage::Full, at, b"rows");
        assert_eq!(one.id(), SnapshotIdentity::new("mhlw".to_owned(), Coverage::Full, at, b"rows").id());
        let others = [
            SnapshotIdentity::new("mhlw2".to_owned(), Coverage::Full, at, b"rows"),
            SnapshotIdentity::new("mhlw".to_owned(), Coverage::Query("full".to_owned()), at, b"rows"),
            SnapshotIdentity::new("mhlw".to_owned(), Coverage::Full, at + chrono::Duration::days(1), b"rows"),
            SnapshotIdentity::new("mhlw".to_owned(), Coverage::Full, at, b"other rows"),
        ];
        assert!(others.iter().all(|other| other.id() != one.id()));
    }
}
