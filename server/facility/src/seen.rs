//! Which observations of a terminal have been read: duplicates are told apart, holes stay visible.
//!
//! Per life the sequence numbers seen so far are kept as runs, so that in the usual case one run grows.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::Observed;
use yomitori_proto::id::{Life, Seq};

use crate::bounded;

/// Where an observation stands among all of its terminal: independent of every clock. Lives are numbered in the order in
/// which the log first names them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) life: u32,
    pub(crate) seq: Seq,
}

/// The lives of one terminal.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Lives {
    next: u32,
    lives: Vec<Seen>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Seen {
    id: Life,
    number: u32,
    /// Ascending, with at least one number missing between neighbours.
    runs: Vec<Run>,
}

/// Every number in [from, to] has been seen.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Run {
    from: u64,
    to: u64,
    /// When the last of them was observed, by the terminal's clock.
    at: DateTime<Utc>,
}

/// Numbers of one life that were never seen although later ones were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Hole {
    pub from: Seq,
    pub to: Seq,
}

/// A spool is seldom born anew; older lives than this many send nothing any more.
const LIVES: usize = 16;
/// Where a life has more holes than this, the oldest are given up.
const RUNS: usize = 32;

impl Lives {
    /// The place of an observation that is new; `None` for one that has been read before.
    pub(crate) fn admit(&mut self, observed: &Observed) -> Option<Place> {
        let index = match self.lives.iter().rposition(|seen| seen.id == observed.life) {
            Some(index) => index,
            None => self.begin(observed.life),
        };
        let seen = &mut self.lives[index];
        let place = Place { life: seen.number, seq: observed.seq };
        seen.insert(observed.seq.0, observed.observed_at).then_some(place)
    }

    fn begin(&mut self, id: Life) -> usize {
        let life = Seen { id, number: self.next, runs: Vec::with_capacity(1) };
        bounded::push(&mut self.lives, life, LIVES);
        self.next = self.next.saturating_add(1);
        self.lives.len() - 1
    }

    pub(crate) fn knows(&self, life: Life) -> bool {
        self.lives.iter().any(|seen| seen.id == life)
    }

    /// Up to when nothing is missing in the present life.
    pub(crate) fn complete_until(&self) -> Option<DateTime<Utc>> {
        self.lives.last()?.runs.first().filter(|run| run.from <= 1).map(|run| run.at)
    }

    /// What is missing in the present life.
    pub(crate) fn holes(&self) -> Vec<Hole> {
        let Some(seen) = self.lives.last() else { return Vec::new() };
        let mut next = 1;
        let mut holes = Vec::new();
        for run in &seen.runs {
            if run.from > next {
                holes.push(Hole { from: Seq(next), to: Seq(run.from - 1) });
            }
            next = run.to.saturating_add(1);
        }
        holes
    }
}

impl Seen {
    fn insert(&mut self, seq: u64, at: DateTime<Utc>) -> bool {
        // The usual cases first: the next number, or one that the last run holds.
        if let Some(last) = self.runs.last_mut() {
            if seq.checked_sub(1) == Some(last.to) {
                (last.to, last.at) = (seq, at);
                return true;
            }
            if (last.from..=last.to).contains(&seq) {
                return false;
            }
        }
        let index = self.runs.partition_point(|run| run.to < seq);
        if self.runs.get(index).is_some_and(|run| run.from <= seq) {
            return false;
        }
        let joins_right = self.runs.get(index).is_some_and(|run| run.from - 1 == seq);
        let joins_left = index > 0 && self.runs[index - 1].to.checked_add(1) == Some(seq);
        match (joins_left, joins_right) {
            (true, true) => {
                let right = self.runs.remove(index);
                let left = &mut self.runs[index - 1];
                (left.to, left.at) = (right.to, right.at);
            }
            (true, false) => {
                let left = &mut self.runs[index - 1];
                (left.to, left.at) = (seq, at);
            }
            (false, true) => self.runs[index].from = seq,
            (false, false) => self.runs.insert(index, Run { from: seq, to: seq, at }),
        }
        if self.runs.len() > RUNS {
            let lowest = self.runs.remove(0);
            self.runs[0].from = lowest.from;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(seqs: &[u64]) -> (Seen, Vec<bool>) {
        let mut seen = Seen { id: Life(uuid::Uuid::nil()), number: 0, runs: Vec::new() };
        let new = seqs.iter().map(|seq| seen.insert(*seq, DateTime::UNIX_EPOCH)).collect();
        (seen, new)
    }

    fn runs(seqs: &[u64]) -> Vec<(u64, u64)> {
        seen(seqs).0.runs.iter().map(|run| (run.from, run.to)).collect()
    }

    #[test]
    fn numbers_in_order_are_one_run() {
        assert_eq!(runs(&[1, 2, 3, 4]), [(1, 4)]);
    }

    #[test]
    fn a_duplicate_is_never_new() {
        assert_eq!(
            seen(&[1, 2, 5, 1, 2, 5, 3, 3, 4, 4]).1,
            [true, true, true, false, false, false, true, false, true, false]
        );
    }

    #[test]
    fn any_order_gives_the_same_runs() {
        assert_eq!(runs(&[4, 1, 3, 7, 2, 9]), [(1, 4), (7, 7), (9, 9)]);
        assert_eq!(runs(&[9, 7, 4, 3, 2, 1]), [(1, 4), (7, 7), (9, 9)]);
    }

    #[test]
    fn the_numbers_at_the_ends_don_t_overflow() {
        assert_eq!(runs(&[u64::MAX, 0, u64::MAX, 1, u64::MAX - 1]), [(0, 1), (u64::MAX - 1, u64::MAX)]);
    }

    #[test]
    fn too_many_holes_give_up_the_oldest() {
        let odd: Vec<u64> = (0..100).map(|n| 2 * n + 1).collect();
        let runs = runs(&odd);
        assert_eq!(runs.len(), RUNS);
        assert_eq!((runs[0].0, runs[RUNS - 1]), (1, (199, 199)));
    }

    #[test]
    fn a_life_is_known_once_it_has_said_something() {
        let life = |number: u128| Life(uuid::Uuid::from_u128(number));
        let mut lives = Lives::default();
        assert!(!lives.knows(life(1)));
        lives.begin(life(1));
        assert!(lives.knows(life(1)) && !lives.knows(life(2)));
    }
}
