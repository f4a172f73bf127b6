//! How many records are written at once. A batch that PostgreSQL refuses is halved until the record is found that it
//! refuses; that record blocks its facility and no other.

use std::collections::BTreeMap;

use super::ProjectionError;
use crate::log::Position;
use crate::store::StoreError;
use crate::store::parked::REFUSED;
use crate::telemetry;
use yomitori_base::error::chain;

/// What to take next from the log.
#[derive(Debug)]
pub(super) struct Intake {
    most: usize,
    at_most: usize,
    refused: BTreeMap<Position, String>,
}

impl Intake {
    /// Takes up to `most` records at once.
    pub(super) const fn new(most: usize) -> Self {
        Self { most, at_most: most, refused: BTreeMap::new() }
    }

    /// Also counts `refused` as refused, as an earlier run found out.
    pub(super) fn knowing(self, refused: BTreeMap<Position, String>) -> Self {
        Self { refused, ..self }
    }

    /// How many records may be taken now.
    pub(super) const fn at_most(&self) -> usize {
        self.at_most
    }

    /// Whether a refused record is being looked for.
    pub(super) const fn is_narrow(&self) -> bool {
        self.at_most < self.most
    }

    /// The records that PostgreSQL refused, with the reason.
    pub(super) const fn refused(&self) -> &BTreeMap<Position, String> {
        &self.refused
    }

    /// A batch was written: the next one may be larger.
    pub(super) fn written(&mut self) {
        self.at_most = self.most.min(self.at_most.saturating_mul(2));
    }

    /// Learns from a refusal; the records have to be read again.
    ///
    /// # Errors
    /// Any other error is returned unchanged.
    pub(super) fn refuse(&mut self, error: ProjectionError) -> Result<(), ProjectionError> {
        let ProjectionError::Refused { records, first, source } = error else { return Err(error) };
        if records > 1 {
            self.at_most = (records / 2).min(self.at_most);
        } else {
            telemetry::record_refused(first, &source);
            self.refused.insert(first, refusal(&source));
        }
        Ok(())
    }
}

/// Why a record waits that PostgreSQL refused.
pub(super) fn refusal(error: &StoreError) -> String {
    format!("{REFUSED}{}", chain(error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(offset: usize) -> Position {
        Position { partition: 0, offset: i64::try_from(offset).unwrap() }
    }

    proptest! {
        /// Whichever records are refused, all others are written, and it takes few attempts.
        #[test]
        fn the_refused_records_are_found(all in 1..5000_usize, bad in proptest::collection::btree_set(0..5000_usize, 0..4)) {
            let bad: Vec<usize> = bad.into_iter().filter(|record| *record < all).collect();
            let mut intake = Intake::new(2000);
            let (mut next, mut attempts) = (0, 0);
            while next < all {
                attempts += 1;
                let end = all.min(next + intake.at_most());
                let stands = |offset: &&usize| !intake.refused().contains_key(&record(**offset));
                if bad.iter().filter(stands).any(|offset| (next..end).contains(offset)) {
                    let source = StoreError::Panicked;
                    let refusal = ProjectionError::Refused { records: end - next, first: record(next), source };
                    prop_assert!(intake.refuse(refusal).is_ok());
                } else {
                    next = end;
                    intake.written();
                }
            }
            let found: Vec<Position> = intake.refused().keys().copied().collect();
            prop_assert_eq!(found, bad.iter().map(|offset| record(*offset)).collect::<Vec<_>>());
            prop_assert!(attempts <= 20 + bad.len() * 140, "{attempts}");
        }
    }

    #[test]
    fn another_error_is_returned() {
        let mut intake = Intake::new(10);
        let error = intake.refuse(ProjectionError::Fenced { partition: 3 });
        assert!(matches!(error, Err(ProjectionError::Fenced { partition: 3 })));
        assert!(!intake.is_narrow() && intake.refused().is_empty());
    }
}
