//! The sequence numbers of a terminal that have been read: duplicates are detected and holes stay visible.
//!
//! The numbers of each life are kept as runs, so usually one run grows. Lives are ordered by the times of their
//! observations at the terminal, independent of their order in the log.

use std::collections::VecDeque;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::Observed;
use yomitori_proto::id::{Life, Seq};

use crate::bounds::{DIGESTS, LIVES, RUNS};
use crate::instant::later;

/// The position of an observation among all observations of the terminal. Only the order of lives depends on a clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(from = "(u32, u64)", into = "(u32, u64)")]
pub(crate) struct SeqPosition {
    /// Ascending in the order of lives, with space for lives that are inserted between.
    pub(crate) life: u32,
    pub(crate) seq: Seq,
}

impl From<(u32, u64)> for SeqPosition {
    fn from((life, seq): (u32, u64)) -> Self {
        Self { life, seq: Seq(seq) }
    }
}

impl From<SeqPosition> for (u32, u64) {
    fn from(place: SeqPosition) -> Self {
        (place.life, place.seq.0)
    }
}

/// The lives of one terminal, ascending.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Lives {
    lives: Vec<LifeNumbers>,
    /// Time of the last observation of the forgotten lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten_until: Option<DateTime<Utc>>,
    /// Arrival of the newest observation whose number another observation had used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reused_at: Option<DateTime<Utc>>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct LifeNumbers {
    id: Life,
    number: u32,
    /// Time of the first observation that arrived.
    began_at: DateTime<Utc>,
    /// Ascending, with at least one number missing between neighbours.
    runs: Vec<Run>,
    /// A hole was dropped, see [`RUNS`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    given_up: bool,
    /// Digests of the newest observations.
    digests: VecDeque<(u64, u32)>,
}

/// A run: every number in [from, to] has been read.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Run {
    from: u64,
    to: u64,
    /// Times of the first and the last observation of the run, by the terminal's clock.
    began_at: DateTime<Utc>,
    at: DateTime<Utc>,
}

/// Numbers of one life that were never read, although later ones were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hole {
    pub life: Life,
    pub from: Seq,
    pub to: Seq,
    /// Times of the observations before and after the hole.
    pub after: Option<DateTime<Utc>>,
    pub before: DateTime<Utc>,
}

/// The number of the first life, and the space between two.
const FIRST: u32 = 1 << 31;
const ROOM: u32 = 1 << 16;
/// Minimum by which a second observation of a number must follow the end of the run to be recognized as another one.
const LATER: Duration = Duration::seconds(1);

impl Lives {
    /// Returns the position of a new observation, or `None` if it has been read before. `made_at` is the best known
    /// time of the observation, which may differ from the terminal's clock.
    pub(crate) fn admit(
        &mut self,
        observed: &Observed,
        made_at: DateTime<Utc>,
        received_at: DateTime<Utc>,
    ) -> Option<SeqPosition> {
        let index = match self.lives.iter().rposition(|seen| seen.id == observed.life) {
            Some(index) => index,
            None => self.begin(observed.life, made_at)?,
        };
        let seen = &mut self.lives[index];
        let digest = digest(observed);
        if seen.insert(observed.seq.0, observed.observed_at) {
            seen.digests.push_back((observed.seq.0, digest));
            if seen.digests.len() > DIGESTS {
                seen.digests.pop_front();
            }
            return Some(SeqPosition { life: seen.number, seq: observed.seq });
        }
        if seen.is_another(observed, digest) {
            self.reused_at = self.reused_at.max(Some(received_at));
        }
        None
    }

    /// Begins the life of an observation after what arrived of it under the former identifier of the terminal, whose numbers
    /// are not missing here. A number that was used there is another observation, and says nothing.
    pub(crate) fn continues(&mut self, observed: &Observed, former: (u64, DateTime<Utc>)) {
        let (to, at) = former;
        if let Some(index) = self.begin(observed.life, observed.observed_at) {
            self.lives[index].runs.push(Run { from: 1, to, began_at: at, at });
        }
    }

    /// The highest number of a life, and the time of that observation by the terminal's clock.
    pub(crate) fn last_of(&self, life: Life) -> Option<(u64, DateTime<Utc>)> {
        let run = self.lives.iter().rfind(|seen| seen.id == life)?.runs.last()?;
        Some((run.to, run.at))
    }

    /// Whether the observation certainly uses a number that another one had. Only the digests tell: after a step of the clock a
    /// repetition can seem to be later than what followed it.
    pub(crate) fn reuses(&self, observed: &Observed) -> bool {
        let seen = self.lives.iter().rfind(|seen| seen.id == observed.life);
        let known = seen.and_then(|seen| seen.digests.iter().find(|(number, _)| *number == observed.seq.0));
        known.is_some_and(|(_, known)| *known != digest(observed))
    }

    /// The position of an observation that has been admitted.
    pub(crate) fn place(&self, observed: &Observed) -> Option<SeqPosition> {
        let seen = self.lives.iter().find(|seen| seen.id == observed.life)?;
        Some(SeqPosition { life: seen.number, seq: observed.seq })
    }

    /// Inserts a new life and returns its index; `None` if it is so old that it may have been forgotten.
    fn begin(&mut self, id: Life, made_at: DateTime<Utc>) -> Option<usize> {
        if self.forgotten_until.is_some_and(|until| made_at <= until) {
            return None;
        }
        let index = self.lives.iter().rposition(|seen| seen.began_at <= made_at).map_or(0, |index| index + 1);
        let before = index.checked_sub(1).map(|index| self.lives[index].number);
        let behind = self.lives.get(index).map(|seen| seen.number);
        let number = match (before, behind) {
            (None, None) => FIRST,
            (Some(before), None) => before.saturating_add(ROOM.min((u32::MAX - before) / 2)),
            (None, Some(behind)) => behind - ROOM.min(behind / 2),
            (Some(before), Some(behind)) => before.midpoint(behind),
        };
        let digests = VecDeque::new();
        let life = LifeNumbers { id, number, began_at: made_at, runs: Vec::with_capacity(1), given_up: false, digests };
        self.lives.insert(index, life);
        // A copied spool is only detected while its life is new.
        let newest = self.lives.len().saturating_sub(2);
        self.lives[..newest].iter_mut().for_each(|old| old.digests = VecDeque::new());
        if self.lives.len() > LIVES {
            let oldest = self.lives.remove(0);
            let until = oldest.runs.iter().map(|run| run.at).max();
            self.forgotten_until = self.forgotten_until.max(until);
            return index.checked_sub(1);
        }
        Some(index)
    }

    pub(crate) fn knows(&self, life: Life) -> bool {
        self.lives.iter().any(|seen| seen.id == life)
    }

    /// The last observation of the current life before which nothing is missing: its position, and its time by the
    /// terminal's clock.
    pub(crate) fn complete_until(&self) -> Option<(SeqPosition, DateTime<Utc>)> {
        let seen = self.lives.last()?;
        let run = seen.runs.first().filter(|run| run.from <= 1)?;
        Some((SeqPosition { life: seen.number, seq: Seq(run.to) }, run.at))
    }

    /// The holes, oldest life first, each with the position of the observation after it; times by the terminal's clock.
    pub(crate) fn holes(&self) -> Vec<(SeqPosition, Hole)> {
        let mut holes = Vec::new();
        for seen in &self.lives {
            let (mut next, mut after) = (1, None);
            for run in &seen.runs {
                if run.from > next {
                    let (from, to) = (Seq(next), Seq(run.from - 1));
                    let behind = SeqPosition { life: seen.number, seq: Seq(run.from) };
                    holes.push((behind, Hole { life: seen.id, from, to, after, before: run.began_at }));
                }
                (next, after) = (run.to.saturating_add(1), Some(run.at));
            }
        }
        holes
    }

    /// Whether a number is missing, or a hole was dropped.
    pub(crate) fn incomplete(&self) -> bool {
        let complete =
            |seen: &LifeNumbers| seen.runs.len() <= 1 && seen.runs.iter().all(|run| run.from <= 1) && !seen.given_up;
        !self.lives.iter().all(complete)
    }

    /// Time at which a number was last used for a second observation: two machines use a copy of one spool.
    pub(crate) const fn reused_at(&self) -> Option<DateTime<Utc>> {
        self.reused_at
    }
}

/// Digest of the observation's times, which distinguishes two observations with the same number.
fn digest(observed: &Observed) -> u32 {
    let mixed = observed.occurred_at.timestamp_micros().wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed())
        ^ observed.observed_at.timestamp_micros();
    let mixed = mixed.cast_unsigned();
    u32::try_from((mixed ^ (mixed >> 32)) & u64::from(u32::MAX)).unwrap_or_default()
}

impl LifeNumbers {
    /// Whether a number that was read before belonged to another observation, if that can be determined.
    fn is_another(&self, observed: &Observed, digest: u32) -> bool {
        let seq = observed.seq.0;
        if let Some((_, known)) = self.digests.iter().find(|(number, _)| *number == seq) {
            return *known != digest;
        }
        let run = self.runs.iter().find(|run| (run.from..=run.to).contains(&seq));
        run.is_some_and(|run| run.to > seq && later(run.at, LATER) < observed.observed_at)
    }

    fn insert(&mut self, seq: u64, at: DateTime<Utc>) -> bool {
        // The usual cases come first: the next number, or one in the last run.
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
            (false, true) => (self.runs[index].from, self.runs[index].began_at) = (seq, at),
            (false, false) => self.runs.insert(index, Run { from: seq, to: seq, began_at: at, at }),
        }
        if self.runs.len() > RUNS {
            let lowest = self.runs.remove(0);
            (self.runs[0].from, self.runs[0].began_at) = (lowest.from, lowest.began_at);
            self.given_up = true;
        }
        true
    }
}

#[cfg(test)]
mod tests;
