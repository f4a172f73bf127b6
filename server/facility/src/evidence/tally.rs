//! Counts of reads by grade and day. Addition is commutative, so the order of terminals and arrivals has no effect.

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::Level;
use crate::instant::local;
use crate::rules::Rules;
use yomitori_proto::time::JAPAN;

/// The class of a single attempt. Whether a pair counts as a read also depends on the whole facility, see `weigh`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grade {
    /// A failure that people saw, without a tap: no evidence.
    Stated,
    /// No result followed.
    TapOnly,
    /// A result followed, but the desk entered a failure or a fallback.
    Denied,
    /// A result followed, but something else explains it too.
    Doubtful,
    /// A result followed, and only chance could explain it.
    Clean,
    /// The same, and its header reports success.
    CleanConfirmed,
    Attested,
}

impl Grade {
    /// The level of the grade, depending on whether phones are known to work.
    pub(crate) const fn level(self, works: bool) -> Level {
        match self {
            Self::Stated | Self::TapOnly => Level::TapOnly,
            Self::Clean if works => Level::Correlated,
            Self::CleanConfirmed if works => Level::HeaderConfirmed,
            Self::Denied | Self::Doubtful | Self::Clean | Self::CleanConfirmed => Level::Plausible,
            Self::Attested => Level::Attested,
        }
    }

    /// Whether the grade counts as a read: if phones are known to work, and if not.
    const fn counts(self) -> (bool, bool) {
        (matches!(self, Self::Clean | Self::CleanConfirmed | Self::Attested), matches!(self, Self::Attested))
    }
}

/// Counts of reads and attempts.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    grades: BTreeMap<Grade, Count>,
    /// Reads per day in Japan: if phones are known to work, and if not. Only the newest days are kept.
    days: BTreeMap<NaiveDate, (u32, u32)>,
    /// Reads before the date from which reads count.
    pub(crate) too_early: u32,
    pub(crate) tests: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) count: u32,
    pub(crate) first_at: DateTime<Utc>,
    pub(crate) last_at: DateTime<Utc>,
}

/// Days needed for "in the last 30 days", including the current one.
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
    /// Adds one read or attempt at `at`.
    pub(crate) fn add(&mut self, grade: Grade, at: DateTime<Utc>, rules: &Rules) {
        if grade == Grade::Stated {
            return;
        }
        if at < rules.at(at).counts_since {
            self.too_early = self.too_early.saturating_add(u32::from(grade > Grade::Doubtful));
            return;
        }
        self.put(grade, Count { count: 1, first_at: at, last_at: at });
        if grade > Grade::Doubtful {
            let (works, else_) = grade.counts();
            let known = self.days.entry(local(at).date_naive()).or_default();
            known.0 = known.0.saturating_add(works.into());
            known.1 = known.1.saturating_add(else_.into());
            while self.days.len() > DAYS {
                self.days.pop_first();
            }
        }
    }

    /// Whether one of the reads was attested.
    pub(crate) fn has_attested(&self) -> bool {
        self.grades.contains_key(&Grade::Attested)
    }

    /// Downgrades pairs: the test has refuted them as chance.
    pub(crate) fn refute(&mut self) {
        for grade in [Grade::Clean, Grade::CleanConfirmed] {
            if let Some(count) = self.grades.remove(&grade) {
                self.put(Grade::Doubtful, count);
            }
        }
        for (works, otherwise) in self.days.values_mut() {
            *works = *otherwise;
        }
    }

    fn put(&mut self, grade: Grade, count: Count) {
        self.grades.entry(grade).and_modify(|known| known.add(count)).or_insert(count);
    }

    pub(crate) fn grade(&self, grade: Grade) -> Option<Count> {
        self.grades.get(&grade).copied()
    }

    /// Counts by level, depending on whether phones are known to work.
    pub(crate) fn levels(&self, works: bool) -> BTreeMap<Level, Count> {
        let mut levels: BTreeMap<Level, Count> = BTreeMap::new();
        for (grade, count) in &self.grades {
            levels.entry(grade.level(works)).and_modify(|known| known.add(*count)).or_insert(*count);
        }
        levels
    }

    /// Reads in the last 30 days; `passed` reports whether an instant has passed.
    pub(crate) fn recent(&self, works: bool, passed: impl Fn(DateTime<Utc>) -> bool) -> u32 {
        let leaves_at = |date: NaiveDate| {
            let end = date.checked_add_days(Days::new(RECENT))?.and_hms_opt(0, 0, 0)?;
            end.and_local_timezone(JAPAN).single().map(|at| at.to_utc())
        };
        let counts = self.days.iter().map(|(date, (there, otherwise))| (date, if works { *there } else { *otherwise }));
        let recent = counts.filter(|(date, count)| *count > 0 && leaves_at(**date).is_some_and(|at| !passed(at)));
        recent.fold(0, |sum, (_, count)| sum.saturating_add(count))
    }
}

/// The sum of all counts.
pub(crate) fn sum<'a>(counts: impl IntoIterator<Item = &'a Count>) -> Option<Count> {
    let mut counts = counts.into_iter().copied();
    let first = counts.next()?;
    Some(counts.fold(first, |mut sum, count| {
        sum.add(count);
        sum
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first() -> DateTime<Utc> {
        "2026-04-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_newest_days_are_kept() {
        let mut tally = Tally::default();
        (0..40).for_each(|day| tally.add(Grade::Clean, first() + chrono::TimeDelta::days(day), &Rules::bundled()));
        assert_eq!(tally.days.len(), DAYS);
        assert_eq!(tally.days.first_key_value().map(|(date, _)| date.to_string()), Some("2026-04-09".to_owned()));
        assert_eq!(tally.levels(true)[&Level::Correlated].count, 40);
        assert_eq!((tally.recent(true, |_| false), tally.recent(false, |_| false)), (32, 0));
    }

    #[test]
    fn a_refuted_pair_stays_chance() {
        let mut tally = Tally::default();
        for grade in [Grade::Clean, Grade::CleanConfirmed, Grade::Attested, Grade::Doubtful] {
            tally.add(grade, first(), &Rules::bundled());
        }
        tally.refute();
        let levels = tally.levels(true);
        assert_eq!(levels.keys().copied().collect::<Vec<_>>(), [Level::Plausible, Level::Attested]);
        assert_eq!((levels[&Level::Plausible].count, tally.recent(true, |_| false)), (3, 1));
    }
}
