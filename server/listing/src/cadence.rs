//! How often the list appears and how long it takes to follow us: measured from what was imported, as nobody publishes it.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use yomitori_proto::id::FacilityId;

/// A snapshot that was applied.
#[derive(Debug, Clone)]
pub struct AppliedSnapshot {
    pub source: String,
    pub coverage: String,
    pub as_of: DateTime<Utc>,
    pub imported_at: DateTime<Utc>,
    /// Those of the facilities asked for that it names.
    pub listed: BTreeSet<FacilityId>,
}

/// Spans in days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Days {
    pub count: usize,
    pub median: f64,
    pub longest: f64,
}

/// How one kind of list appears.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kind {
    pub source: String,
    pub coverage: String,
    pub snapshots: usize,
    pub newest_as_of: DateTime<Utc>,
    /// From one snapshot's date to the next one's.
    pub interval: Option<Days>,
    /// From a snapshot's date to its import.
    pub import_delay: Option<Days>,
}

/// From something here to what the list made of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lag {
    /// The number of days after which the list followed. It did so at some time since the snapshot before: this is the longest it can
    /// have taken.
    pub followed: Option<Days>,
    /// The shortest it can have taken: until the last snapshot in which it had not.
    pub at_least: Option<Days>,
    /// The list has not followed yet.
    pub waiting: usize,
    /// The list had it before us, so nothing can be measured.
    pub before: usize,
}

/// What is measured.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cadence {
    pub kinds: Vec<Kind>,
    /// First local success → first listed.
    pub listed_after_success: Lag,
    /// Opt-out acknowledged → gone from the list.
    pub gone_after_acknowledgement: Lag,
}

/// Measures. `successes` and `acknowledgements` say when each of the facilities first succeeded, and last had its opt-out
/// acknowledged.
#[must_use]
pub fn measure(
    snapshots: &[AppliedSnapshot],
    successes: &[(FacilityId, DateTime<Utc>)],
    acknowledgements: &[(FacilityId, DateTime<Utc>)],
) -> Cadence {
    let mut sorted: Vec<&AppliedSnapshot> = snapshots.iter().collect();
    sorted.sort_by_key(|seen| seen.as_of);
    Cadence {
        kinds: kinds(&sorted),
        listed_after_success: after_success(&sorted, successes),
        gone_after_acknowledgement: after_acknowledgement(&sorted, acknowledgements),
    }
}

fn kinds(sorted: &[&AppliedSnapshot]) -> Vec<Kind> {
    let mut by_kind: BTreeMap<(&str, &str), Vec<&AppliedSnapshot>> = BTreeMap::new();
    for seen in sorted {
        by_kind.entry((&seen.source, &seen.coverage)).or_default().push(seen);
    }
    let kind = |((source, coverage), all): ((&str, &str), Vec<&AppliedSnapshot>)| {
        let steps = all.iter().zip(all.iter().skip(1)).map(|(one, next)| days(one.as_of, next.as_of)).collect();
        let delays = all.iter().map(|seen| days(seen.as_of, seen.imported_at)).collect();
        Some(Kind {
            source: source.to_owned(),
            coverage: coverage.to_owned(),
            snapshots: all.len(),
            newest_as_of: all.last()?.as_of,
            interval: Days::of(steps),
            import_delay: Days::of(delays),
        })
    };
    by_kind.into_iter().filter_map(kind).collect()
}

fn after_success(sorted: &[&AppliedSnapshot], successes: &[(FacilityId, DateTime<Utc>)]) -> Lag {
    let mut spans = Intervals::default();
    for (facility, at) in successes {
        match sorted.iter().find(|seen| seen.listed.contains(facility)) {
            None => spans.waiting += 1,
            Some(first) if first.as_of < *at => spans.before += 1,
            Some(first) => {
                let earlier = same_kind(sorted, first).take_while(|seen| seen.as_of < first.as_of);
                spans.followed(*at, first.as_of, earlier.last().map(|seen| seen.as_of));
            }
        }
    }
    spans.lag()
}

fn after_acknowledgement(sorted: &[&AppliedSnapshot], acknowledgements: &[(FacilityId, DateTime<Utc>)]) -> Lag {
    let mut spans = Intervals::default();
    for (facility, at) in acknowledgements {
        // Gone can only be seen in the kinds of list that had named it.
        let Some(last) = sorted.iter().rev().find(|seen| seen.listed.contains(facility)) else { continue };
        let gone = same_kind(sorted, last).find(|seen| seen.as_of > last.as_of);
        match gone {
            None => spans.waiting += 1,
            Some(gone) if gone.as_of < *at => spans.before += 1,
            Some(gone) => spans.followed(*at, gone.as_of, Some(last.as_of)),
        }
    }
    spans.lag()
}

fn same_kind<'a>(
    sorted: &'a [&'a AppliedSnapshot],
    of: &'a AppliedSnapshot,
) -> impl Iterator<Item = &'a AppliedSnapshot> {
    sorted.iter().copied().filter(|seen| seen.source == of.source && seen.coverage == of.coverage)
}

#[derive(Default)]
struct Intervals {
    followed: Vec<f64>,
    at_least: Vec<f64>,
    waiting: usize,
    before: usize,
}

impl Intervals {
    fn followed(&mut self, at: DateTime<Utc>, seen: DateTime<Utc>, not_yet: Option<DateTime<Utc>>) {
        self.followed.push(days(at, seen));
        self.at_least.push(not_yet.map_or(0.0, |not_yet| days(at, not_yet).max(0.0)));
    }

    fn lag(self) -> Lag {
        let Self { followed, at_least, waiting, before } = self;
        Lag { followed: Days::of(followed), at_least: Days::of(at_least), waiting, before }
    }
}

impl Days {
    fn of(mut spans: Vec<f64>) -> Option<Self> {
        spans.sort_by(f64::total_cmp);
        let (low, high) = (spans.get(spans.len().saturating_sub(1) / 2)?, spans.get(spans.len() / 2)?);
        Some(Self { count: spans.len(), median: f64::midpoint(*low, *high), longest: *spans.last()? })
    }
}

fn days(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    (to - from).as_seconds_f64() / 86_400.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(number: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::Duration::days(number)
    }

    fn facility(number: u128) -> FacilityId {
        FacilityId(uuid::Uuid::from_u128(number))
    }

    fn seen(as_of: i64, listed: &[u128]) -> AppliedSnapshot {
        AppliedSnapshot {
            source: "mhlw".to_owned(),
            coverage: "full".to_owned(),
            as_of: day(as_of),
            imported_at: day(as_of + 2),
            listed: listed.iter().map(|number| facility(*number)).collect(),
        }
    }

    #[test]
    fn lags_are_measured_between_what_happened_here_and_the_snapshot_that_shows_it() {
        let snapshots = [seen(30, &[1, 2, 4]), seen(0, &[2, 4]), seen(10, &[2, 4]), seen(40, &[1, 2])];
        let successes = [(facility(1), day(12)), (facility(2), day(5)), (facility(3), day(1))];
        let acknowledgements = [(facility(4), day(20)), (facility(1), day(35)), (facility(9), day(1))];
        let measured = measure(&snapshots, &successes, &acknowledgements);
        let kind = &measured.kinds[0];
        assert_eq!((kind.snapshots, kind.newest_as_of), (4, day(40)));
        assert_eq!(kind.interval, Some(Days { count: 3, median: 10.0, longest: 20.0 }));
        assert_eq!(kind.import_delay, Some(Days { count: 4, median: 2.0, longest: 2.0 }));
        let listed = &measured.listed_after_success;
        assert_eq!(listed.followed, Some(Days { count: 1, median: 18.0, longest: 18.0 }));
        assert_eq!(listed.at_least, Some(Days { count: 1, median: 0.0, longest: 0.0 }));
        assert_eq!((listed.waiting, listed.before), (1, 1));
        let gone = &measured.gone_after_acknowledgement;
        assert_eq!(gone.followed, Some(Days { count: 1, median: 20.0, longest: 20.0 }));
        assert_eq!(gone.at_least, Some(Days { count: 1, median: 10.0, longest: 10.0 }));
        assert_eq!((gone.waiting, gone.before), (1, 0));
    }
}
