//! Counting reads by level and day: adding is commutative, so no order of terminals or arrivals shows.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::Level;
use crate::instant::{local, tokyo};
use crate::rules::Rules;

/// Reads and attempts.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    levels: BTreeMap<Level, Count>,
    /// Successful reads per day in Japan, the newest days only.
    days: BTreeMap<NaiveDate, u32>,
    /// The first read whose level sufficed by the rules of its day.
    sufficed_at: Option<DateTime<Utc>>,
    /// Reads before they counted.
    pub(crate) too_early: u32,
    pub(crate) tests: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) count: u32,
    pub(crate) first_at: DateTime<Utc>,
    pub(crate) last_at: DateTime<Utc>,
}

/// How many days "in the last 30 days" needs, and one for the one that is ending.
const DAYS: usize = 32;
const RECENT: u64 = 30;

impl Count {
    fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.first_at = self.first_at.min(other.first_at);
        self.last_at = self.last_at.max(other.last_at);
    }
}

impl Tally {
    /// One read or attempt at `at`.
    pub(crate) fn add(&mut self, level: Level, at: DateTime<Utc>, rules: &Rules) {
        let set = rules.at(at);
        if at < set.counts_since {
            self.too_early = self.too_early.saturating_add(u32::from(level > Level::TapOnly));
            return;
        }
        self.put(level, Count { count: 1, first_at: at, last_at: at });
        if level > Level::TapOnly {
            self.day(local(at).date_naive(), 1);
        }
        if level >= set.level_that_suffices {
            self.suffice(at);
        }
    }

    /// All of `other`.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (level, count) in &other.levels {
            self.put(*level, *count);
        }
        for (date, count) in &other.days {
            self.day(*date, *count);
        }
        if let Some(at) = other.sufficed_at {
            self.suffice(at);
        }
        self.too_early = self.too_early.saturating_add(other.too_early);
        self.tests = self.tests.saturating_add(other.tests);
    }

    fn put(&mut self, level: Level, count: Count) {
        self.levels.entry(level).and_modify(|known| known.add(count)).or_insert(count);
    }

    fn day(&mut self, date: NaiveDate, count: u32) {
        let known = self.days.entry(date).or_default();
        *known = known.saturating_add(count);
        while self.days.len() > DAYS {
            self.days.pop_first();
        }
    }

    fn suffice(&mut self, at: DateTime<Utc>) {
        self.sufficed_at = Some(self.sufficed_at.map_or(at, |known| known.min(at)));
    }

    pub(crate) fn level(&self, level: Level) -> Option<Count> {
        self.levels.get(&level).copied()
    }

    /// The reads, all levels above a mere tap together.
    pub(crate) fn reads(&self) -> Option<Count> {
        let mut reads = self.levels.iter().filter(|(level, _)| **level > Level::TapOnly).map(|(_, count)| *count);
        let first = reads.next()?;
        Some(reads.fold(first, |mut sum, count| {
            sum.add(count);
            sum
        }))
    }

    /// The strongest level of a read.
    pub(crate) fn best(&self) -> Option<Level> {
        self.levels.last_key_value().map(|(level, _)| *level)
    }

    pub(crate) const fn sufficed_at(&self) -> Option<DateTime<Utc>> {
        self.sufficed_at
    }

    /// Reads in the last 30 days; `passed` tells whether an instant has passed.
    pub(crate) fn recent(&self, passed: impl Fn(DateTime<Utc>) -> bool) -> u32 {
        let leaves_at = |date: NaiveDate| {
            let end = date.checked_add_days(Days::new(RECENT))?.and_hms_opt(0, 0, 0)?;
            end.and_local_timezone(tokyo()).single().map(|at| at.to_utc())
        };
        let recent = self.days.iter().filter(|(date, _)| leaves_at(**date).is_some_and(|at| !passed(at)));
        recent.fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_days_are_kept() {
        let mut tally = Tally::default();
        let first: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
        (0..40).for_each(|day| tally.add(Level::Correlated, first + chrono::TimeDelta::days(day), &Rules::bundled()));
        assert_eq!(tally.days.len(), DAYS);
        assert_eq!(tally.days.first_key_value().map(|(date, _)| date.to_string()), Some("2026-04-09".to_owned()));
        assert_eq!(tally.reads().map(|count| count.count), Some(40));
    }
}
