//! Which observations of a terminal have been read: duplicates are told apart, holes stay visible.
//!
//! Per life the sequence numbers seen so far are kept as runs, so that in the usual case one run grows. A life comes before
//! another where its terminal observed it before, whichever of them the log names first.

use std::collections::VecDeque;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::Observed;
use yomitori_proto::id::{Life, Seq};

use crate::bounds::{DIGESTS, LIVES, RUNS};
use crate::instant::later;

/// Where an observation stands among all of its terminal: independent of every clock but for the order of lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(from = "(u32, u64)", into = "(u32, u64)")]
pub(crate) struct SeqPosition {
    /// Ascending in the order of lives; the numbers leave room for lives that come between.
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
    /// Until when lives that are forgotten observed something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forgotten_until: Option<DateTime<Utc>>,
    /// When the newest observation came whose number another one had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reused_at: Option<DateTime<Utc>>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct LifeNumbers {
    id: Life,
    number: u32,
    /// When the first observation that arrived was made.
    began_at: DateTime<Utc>,
    /// Ascending, with at least one number missing between neighbours.
    runs: Vec<Run>,
    /// A hole was given up, see [`RUNS`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    given_up: bool,
    /// Digests of the newest observations.
    digests: VecDeque<(u64, u32)>,
}

/// Every number in [from, to] has been seen.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
struct Run {
    from: u64,
    to: u64,
    /// When the first and the last of them were observed, by the terminal's clock.
    began_at: DateTime<Utc>,
    at: DateTime<Utc>,
}

/// Numbers of one life that were never seen although later ones were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hole {
    pub life: Life,
    pub from: Seq,
    pub to: Seq,
    /// When the observation before the hole was made, and the one behind it.
    pub after: Option<DateTime<Utc>>,
    pub before: DateTime<Utc>,
}

/// The number of the first life, and the room between two.
const FIRST: u32 = 1 << 31;
const ROOM: u32 = 1 << 16;
/// Two observations of one number are another where the second was made this much later than a number behind it.
const LATER: Duration = Duration::seconds(1);

impl Lives {
    /// The place of an observation that is new; `None` for one that has been read before. `made_at` is when it was made, as
    /// far as that is known better than by the terminal's clock.
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

    /// Where an observation stands that has been admitted.
    pub(crate) fn place(&self, observed: &Observed) -> Option<SeqPosition> {
        let seen = self.lives.iter().find(|seen| seen.id == observed.life)?;
        Some(SeqPosition { life: seen.number, seq: observed.seq })
    }

    /// Where the life stands that was just named first; `None` where one that old may have been forgotten.
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
        // Two machines go on from one spool while it is new.
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

    /// The last observation of the present life before which nothing is missing: where, and when by the terminal's clock.
    pub(crate) fn complete_until(&self) -> Option<(SeqPosition, DateTime<Utc>)> {
        let seen = self.lives.last()?;
        let run = seen.runs.first().filter(|run| run.from <= 1)?;
        Some((SeqPosition { life: seen.number, seq: Seq(run.to) }, run.at))
    }

    /// What is missing, the oldest life first, and where the observation behind it stands; by the terminal's clock.
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

    /// Whether anything is missing, or was given up.
    pub(crate) fn incomplete(&self) -> bool {
        let complete =
            |seen: &LifeNumbers| seen.runs.len() <= 1 && seen.runs.iter().all(|run| run.from <= 1) && !seen.given_up;
        !self.lives.iter().all(complete)
    }

    /// When a number was last used for a second observation: two machines go on from one spool.
    pub(crate) const fn reused_at(&self) -> Option<DateTime<Utc>> {
        self.reused_at
    }
}

/// What tells two observations of one number apart: when they were made.
fn digest(observed: &Observed) -> u32 {
    let mixed = observed.occurred_at.timestamp_micros().wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed())
        ^ observed.observed_at.timestamp_micros();
    let mixed = mixed.cast_unsigned();
    u32::try_from((mixed ^ (mixed >> 32)) & u64::from(u32::MAX)).unwrap_or_default()
}

impl LifeNumbers {
    /// Whether a number that was read before was that of another observation, as far as that can be told.
    fn is_another(&self, observed: &Observed, digest: u32) -> bool {
        let seq = observed.seq.0;
        if let Some((_, known)) = self.digests.iter().find(|(number, _)| *number == seq) {
            return *known != digest;
        }
        let run = self.runs.iter().find(|run| (run.from..=run.to).contains(&seq));
        run.is_some_and(|run| run.to > seq && later(run.at, LATER) < observed.observed_at)
    }

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
