//! The reads of a whole facility, and the time since which they suffice.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Doubt, Grade, Level, sum};
use crate::attempt::Attempts;
use crate::evidence::tally::{Count, Tally};
use crate::rules::Rules;
use crate::view::View;
use crate::weigh::Chance;

/// All reads and attempts of a facility.
pub(crate) struct Total {
    pub(crate) attempts: Attempts,
    levels: BTreeMap<Level, Count>,
    pub(crate) recent: u32,
    pub(crate) tests: u32,
    /// Reads before the date from which reads count.
    pub(crate) too_early: u32,
    /// Reads that may have succeeded and that no entry denies.
    pub(crate) plausible: Option<Count>,
    /// Time since which the facility qualifies by the rules in force, and the level that qualifies it.
    pub(crate) sufficed: Option<(DateTime<Utc>, Level)>,
    /// Some reads sufficed under earlier rules.
    pub(crate) sufficed_before: bool,
}

impl View<'_> {
    pub(crate) fn total(&self) -> Total {
        let facility = self.facility;
        let attempts = facility.attempts(self.rules, |at| self.passed(at));
        let mut tally: Tally = facility.settled.clone();
        // Settled attempts precede the run that proved phones to work, if that run began with an attempt that is still
        // kept.
        let first = attempts.list.first().map(|attempt| attempt.at);
        let began = attempts.proof.and_then(|proof| proof.from);
        if facility.proof.is_none() && began.zip(first).is_some_and(|(began, first)| first <= began) {
            tally.refute();
        }
        for attempt in &attempts.list {
            tally.add(attempt.grade, attempt.at, self.rules);
            tally.tests = tally.tests.saturating_add(attempt.test.into());
        }
        let works = attempts.proof.is_some();
        let levels = tally.levels(works);
        let doubtful =
            if works { vec![Grade::Doubtful] } else { vec![Grade::Doubtful, Grade::Clean, Grade::CleanConfirmed] };
        let doubtful: Vec<Count> = doubtful.into_iter().filter_map(|grade| tally.grade(grade)).collect();
        let proved = attempts.proof.map(|proof| proof.at);
        let now = self.now();
        let sufficed = sufficed(&levels, proved, self.rules, now);
        let sufficed_before = sufficed.is_none() && sufficed_once(&levels, proved, self.rules, now);
        Total {
            recent: tally.recent(works, |at| self.passed(at)),
            tests: tally.tests,
            too_early: tally.too_early,
            plausible: sum(&doubtful),
            attempts,
            levels,
            sufficed,
            sufficed_before,
        }
    }
}

impl Total {
    pub(crate) fn level(&self, level: Level) -> Option<Count> {
        self.levels.get(&level).copied()
    }

    /// The reads that are claimed.
    pub(crate) fn reads(&self) -> Option<Count> {
        sum(self.levels.iter().filter(|(level, _)| level.is_read()).map(|(_, count)| count))
    }

    /// The strongest level.
    pub(crate) fn best(&self) -> Option<Level> {
        self.levels.last_key_value().map(|(level, _)| *level)
    }

    pub(crate) fn sufficed_at(&self) -> Option<DateTime<Utc>> {
        self.sufficed.map(|(at, _)| at)
    }

    /// The doubts about attempts that are kept and not claimed, the most frequent first.
    pub(crate) fn doubts(&self) -> Vec<(Doubt, u32)> {
        let mut doubts: BTreeMap<Doubt, u32> = BTreeMap::new();
        for doubt in self.attempts.list.iter().filter_map(|attempt| attempt.doubt) {
            *doubts.entry(doubt).or_default() += 1;
        }
        let mut doubts: Vec<_> = doubts.into_iter().collect();
        doubts.sort_by_key(|(doubt, count)| (std::cmp::Reverse(*count), *doubt));
        doubts
    }

    /// The observed number of results against the number expected by chance.
    pub(crate) const fn chance(&self) -> Chance {
        self.attempts.test.tally
    }
}

/// Time at which a read of at least `level` first counted. A pair is distinguished from chance only after the proof.
fn first(
    levels: &BTreeMap<Level, Count>,
    proved: Option<DateTime<Utc>>,
    level: Level,
) -> Option<(DateTime<Utc>, Level)> {
    let known_at = |level: Level, count: &Count| match level {
        Level::Correlated | Level::HeaderConfirmed => {
            proved.map_or(count.first_at, |proved| proved.max(count.first_at))
        }
        Level::TapOnly | Level::Plausible | Level::Attested => count.first_at,
    };
    let counts = levels.range(level..);
    counts.map(|(level, count)| (known_at(*level, count), *level)).min_by_key(|(at, _)| *at)
}

/// Time since which reads suffice without interruption, under the rules of each period, and the strongest level of
/// those reads.
fn sufficed(
    levels: &BTreeMap<Level, Count>,
    proved: Option<DateTime<Utc>>,
    rules: &Rules,
    now: DateTime<Utc>,
) -> Option<(DateTime<Utc>, Level)> {
    let mut since: Option<DateTime<Utc>> = None;
    for (set, from, until) in rules.periods().take_while(|(_, from, _)| from.is_none_or(|from| from <= now)) {
        let read = first(levels, proved, set.level_that_suffices).map(|(at, _)| at);
        let read = read.filter(|at| until.is_none_or(|until| *at < until));
        since = match (since, read) {
            (_, None) => None,
            (Some(since), Some(_)) => Some(since),
            (None, Some(at)) => Some(from.map_or(at, |from| at.max(from))),
        };
    }
    let strongest = levels.last_key_value().map(|(level, _)| *level)?;
    since.map(|since| (since, strongest))
}

/// Whether reads sufficed under earlier rules.
fn sufficed_once(
    levels: &BTreeMap<Level, Count>,
    proved: Option<DateTime<Utc>>,
    rules: &Rules,
    now: DateTime<Utc>,
) -> bool {
    let mut periods = rules.periods().take_while(|(_, from, _)| from.is_none_or(|from| from <= now));
    periods.any(|(set, _, until)| {
        let read = first(levels, proved, set.level_that_suffices);
        read.is_some_and(|(at, _)| until.is_none_or(|until| at < until))
    })
}
