//! A sequential test that decides whether phones work at a facility, or whether chance and cards explain the results
//! after its taps.
//!
//! Each tap is weighed by all results that follow within the window. The quotient compares two probabilities of these
//! results. In the first case phones work: most reads succeed, the result comes after about 12 seconds, and no card
//! follows. In the second case phones never work: a card follows after about 50 seconds, or the desk uses another way,
//! and every other result is chance at the rate of the desk's results before the tap. The product of the quotients is
//! Wald's sequential probability ratio test.
//!
//! To find a facility whose phones begin to work late, a small part of the weight starts again with every tap (a
//! mixture over the first tap that works). The official software's reaction to any tap counts once, because software
//! that was never paired reacts to none.
//!
//! By Ville's inequality, at most the share `false_eligible` of the facilities without working phones pass the test,
//! for any duration, provided that the assumed delays are right.
//!
//! The module is pure arithmetic: taps and instants in, numbers out.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::rules::{Delay, RuleSet};

/// The results that followed one tap.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Trial {
    pub(crate) at: DateTime<Utc>,
    /// Delays of the results that belong to no other tap, ascending, in ms.
    pub(crate) near_ms: Vec<u32>,
    /// Delay of the joined result.
    pub(crate) delay_ms: Option<u32>,
    pub(crate) results_before: u16,
    /// The desk's usual number of results before a result, in hundredths.
    pub(crate) usual_hundredths: u32,
    /// The official software reacted to the tap.
    pub(crate) in_use: bool,
    /// The desk or the header reports a failure, so the files belong to other patients.
    pub(crate) failed: bool,
    /// Time at which the same patient tried again: from then on the later tap decides, and this one isn't weighed.
    pub(crate) retried_at: Option<DateTime<Utc>>,
}

/// The weight of a tap.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Weight {
    /// Likelihood ratio: phones work against phones never work.
    pub(crate) quotient: f64,
    /// Probability that this phone was read, if phones work.
    pub(crate) certainty: f64,
    /// A card is a more likely explanation than chance.
    pub(crate) card: bool,
    /// Expected number of results by chance or cards within the time that phones take.
    pub(crate) expected: f64,
}

/// The state of the test after some taps.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "StoredTest", into = "StoredTest")]
pub(crate) struct Test {
    /// The combined weight of all possible first taps so far.
    weight: f64,
    taps: u32,
    /// The official software reacted to one of the taps.
    taken: bool,
    /// The logarithm of the product of the quotients since the start of the run.
    run: f64,
    /// Start of the run that has not been refuted; `None` if it begins with the first tap.
    pub(crate) run_from: Option<DateTime<Utc>>,
    pub(crate) tally: Chance,
}

/// The observed against the expected number of results since the start of the run.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub(crate) struct Chance {
    pub(crate) taps: u32,
    pub(crate) seen: u32,
    pub(crate) expected: f64,
}

/// The stored form of a test: whole numbers, so that a round trip is exact to the last bit.
#[derive(Serialize, Deserialize)]
struct StoredTest {
    weight_ln_millionths: i64,
    taps: u32,
    taken: bool,
    run_millionths: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run_from: Option<DateTime<Utc>>,
    run_taps: u32,
    seen: u32,
    expected_millionths: i64,
}

const MILLION: f64 = 1e6;

impl From<Test> for StoredTest {
    fn from(test: Test) -> Self {
        let whole = |number: f64| (number * MILLION).round().clamp(-1e15, 1e15) as i64;
        Self {
            weight_ln_millionths: whole(test.weight.max(LEAST).ln()),
            taps: test.taps,
            taken: test.taken,
            run_millionths: whole(test.run),
            run_from: test.run_from,
            run_taps: test.tally.taps,
            seen: test.tally.seen,
            expected_millionths: whole(test.tally.expected),
        }
    }
}

impl From<StoredTest> for Test {
    fn from(stored: StoredTest) -> Self {
        let number = |whole: i64| whole as f64 / MILLION;
        Self {
            weight: number(stored.weight_ln_millionths).exp(),
            taps: stored.taps,
            taken: stored.taken,
            run: number(stored.run_millionths),
            run_from: stored.run_from,
            tally: Chance { taps: stored.run_taps, seen: stored.seen, expected: number(stored.expected_millionths) },
        }
    }
}

/// The minimum weight.
const LEAST: f64 = 1e-12;

/// Share of the weight for facilities whose phones begin to work later.
const LATER: f64 = 0.05;
/// Prior for the number of results: half a result.
const PRIOR: f64 = 0.5;
/// Minimum of results assumed for a desk, because a new desk's rate is unknown.
const LEAST_RESULTS: f64 = 1.5;

impl Default for Test {
    fn default() -> Self {
        // Rounded as after a round trip.
        Self { weight: 1.0 - LATER, taps: 0, taken: false, run: 0.0, run_from: None, tally: Chance::default() }
            .rounded()
    }
}

impl Delay {
    fn sigma(&self) -> f64 {
        const Z95: f64 = 1.644_853_6;
        (self.p95_s / self.median_s).ln() / Z95
    }

    fn density(&self, seconds: f64) -> f64 {
        let z = (seconds / self.median_s).ln() / self.sigma();
        (-0.5 * z * z).exp() / (seconds * self.sigma() * (2.0 * std::f64::consts::PI).sqrt())
    }

    fn share_until(&self, seconds: f64) -> f64 {
        normal((seconds / self.median_s).ln() / self.sigma())
    }
}

/// The distribution function of the normal distribution (Abramowitz and Stegun 26.2.17, within 1e-7).
fn normal(z: f64) -> f64 {
    const TERMS: [f64; 5] = [0.319_381_53, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let tail = TERMS.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    let tail = tail * (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    if z < 0.0 { tail } else { 1.0 - tail }
}

/// The shortest delay of a result, because file names have whole seconds.
const FASTEST_S: f64 = 0.5;

impl Trial {
    /// The weight by the results known `until_ms` after the tap.
    pub(crate) fn weigh(&self, set: &RuleSet, until_ms: u32) -> Weight {
        let window_s = set.correlation_to.num_milliseconds() as f64 / 1000.0;
        let until = (f64::from(until_ms) / 1000.0).clamp(FASTEST_S, window_s.max(FASTEST_S));
        let unrelated_s = set.unrelated_window.num_milliseconds() as f64 / 1000.0;
        let usual = f64::from(self.usual_hundredths) / 100.0;
        let results = f64::from(self.results_before).max(usual).max(LEAST_RESULTS) + PRIOR;
        let rate = results / unrelated_s.max(1.0);
        let phone_s = set.phone_result.p95_s;
        let card_share = set.card_after_failure;
        let expected = 1.0 - (-rate * phone_s).exp() * (1.0 - card_share * set.card_result.share_until(phone_s));
        if self.failed {
            let quotient = 1.0 - set.phone_success;
            return Weight { quotient, certainty: 0.0, card: true, expected };
        }
        let (mut phone, mut card) = (0.0, 0.0);
        for near in self.near_ms.iter().filter(|near| **near <= until_ms) {
            let seconds = (f64::from(*near) / 1000.0).max(FASTEST_S);
            phone += set.phone_result.density(seconds);
            card += set.card_result.density(seconds);
        }
        // Both are relative to the probability that every result is chance.
        let read = 1.0 - set.phone_result.share_until(until) + phone / rate;
        let failed = 1.0 - card_share * set.card_result.share_until(until) + card_share * card / rate;
        let works = set.phone_success * read;
        let fails = (1.0 - set.phone_success) * failed;
        Weight {
            quotient: (works + fails) / failed,
            certainty: works / (works + fails),
            card: card_share * card > rate,
            expected,
        }
    }

    /// The weight when the tap's own result arrives.
    pub(crate) fn at_result(&self, set: &RuleSet) -> Option<Weight> {
        self.delay_ms.map(|delay| self.weigh(set, delay))
    }

    /// The weight at the end of the window.
    pub(crate) fn at_end(&self, set: &RuleSet) -> Weight {
        self.weigh(set, u32::MAX)
    }

    fn seen(&self, set: &RuleSet) -> bool {
        !self.failed && self.delay_ms.is_some_and(|delay| f64::from(delay) <= set.phone_result.p95_s * 1000.0)
    }
}

impl Test {
    /// Adds one tap with its weight.
    pub(crate) fn add(&mut self, trial: &Trial, weight: &Weight, set: &RuleSet) {
        // The results of a refuted run were chance.
        if self.run <= set.missed_eligible.ln() {
            (self.run, self.run_from, self.tally) = (0.0, Some(trial.at), Chance::default());
        }
        let number = f64::from(self.taps.saturating_add(1));
        self.weight = ((self.weight + LATER / (number * (number + 1.0))) * weight.quotient).clamp(LEAST, 1e12);
        self.taps = self.taps.saturating_add(1);
        self.taken |= trial.in_use;
        self.run = (self.run + weight.quotient.ln()).clamp(-1e6, 1e6);
        self.tally.taps = self.tally.taps.saturating_add(1);
        self.tally.seen = self.tally.seen.saturating_add(trial.seen(set).into());
        self.tally.expected += weight.expected;
    }

    /// The test after a round trip through its stored form.
    pub(crate) fn rounded(self) -> Self {
        StoredTest::from(self).into()
    }

    /// Whether the test shows that phones work here, by the thresholds of `set`.
    pub(crate) fn passes(&self, set: &RuleSet) -> bool {
        let later = LATER / (f64::from(self.taps) + 1.0);
        let (works, never) = (set.taken_where_works, set.taken_where_never);
        let taken = if self.taken { works / never } else { (1.0 - works) / (1.0 - never) };
        (self.weight + later) * taken >= 1.0 / set.false_eligible
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rules;

    fn set() -> RuleSet {
        Rules::bundled().at(DateTime::UNIX_EPOCH).clone()
    }

    fn trial(near_ms: &[u32], results_before: u16) -> Trial {
        let at = DateTime::UNIX_EPOCH;
        Trial {
            at,
            near_ms: near_ms.to_vec(),
            delay_ms: near_ms.first().copied(),
            results_before,
            usual_hundredths: 100 * u32::from(results_before),
            in_use: true,
            failed: false,
            retried_at: None,
        }
    }

    fn after(trials: &[Trial]) -> Test {
        let set = set();
        let mut test = Test::default();
        trials.iter().for_each(|trial| test.add(trial, &trial.at_end(&set), &set));
        test
    }

    #[test]
    fn the_normal_distribution_is_that_of_the_tables() {
        for (z, expected) in [(0.0, 0.5), (1.0, 0.841_344_7), (-1.644_853_6, 0.05), (3.0, 0.998_650_1)] {
            assert!((normal(z) - expected).abs() < 1e-6, "{z}");
        }
        let delay = Delay { median_s: 12.0, p95_s: 30.0 };
        assert!((delay.share_until(12.0) - 0.5).abs() < 1e-6 && (delay.share_until(30.0) - 0.95).abs() < 1e-6);
        let steps = 1..60_000;
        let area: f64 = steps.map(|step| delay.density(f64::from(step) * 0.01) * 0.01).sum();
        assert!((area - 1.0).abs() < 1e-3, "{area}");
    }

    #[test]
    fn one_read_at_a_quiet_desk_is_enough_and_at_a_busy_one_it_is_not() {
        assert!(after(&[trial(&[8_000], 0)]).passes(&set()));
        assert!(after(&[trial(&[8_000], 2)]).passes(&set()));
        assert!(!after(&[trial(&[8_000, 38_000, 68_000, 98_000], 48)]).passes(&set()));
        assert!(!after(&[trial(&[50_000], 0)]).passes(&set()), "as late as a card");
        assert!(!after(&[trial(&[], 0)]).passes(&set()));
    }

    #[test]
    fn a_result_that_just_came_weighs_before_the_window_ends() {
        let set = set();
        let weight = trial(&[8_000], 0).at_result(&set).unwrap();
        assert!(weight.quotient > 1.0 / set.false_eligible && weight.certainty > set.read_certainty, "{weight:?}");
        // A later card reduces the weight.
        assert!(trial(&[8_000, 50_000], 0).at_end(&set).quotient < weight.quotient);
        assert_eq!(trial(&[], 0).at_result(&set), None);
    }

    #[test]
    fn failures_count_against_it_and_refute_what_came_before() {
        let failure = Trial { failed: true, ..trial(&[8_000], 0) };
        let failures = [failure.clone(), failure.clone(), failure.clone(), failure.clone()];
        let refuted = after(&[&[trial(&[40_000], 2)], &failures[..], &[trial(&[9_000], 2)]].concat());
        assert!(refuted.run_from.is_some());
        assert_eq!(refuted.tally.taps, 3);
        let held = after(&[trial(&[9_000], 2), failure]);
        assert_eq!((held.run_from, held.tally.taps, held.tally.seen), (None, 2, 1));
    }

    #[test]
    fn phones_that_begin_to_work_after_a_year_are_found() {
        let mut trials = vec![trial(&[], 2); 1000];
        trials.extend(vec![trial(&[10_000], 2); 6]);
        assert!(after(&trials).passes(&set()));
    }

    #[test]
    fn no_file_is_too_early_or_too_late_for_a_number() {
        let set = set();
        for near in [0, 1, 999, 120_000, u32::MAX] {
            let weight = trial(&[near], u16::MAX).at_end(&set);
            assert!(weight.quotient.is_finite() && weight.quotient > 0.0, "{near}: {weight:?}");
            assert!((0.0..=1.0).contains(&weight.certainty), "{near}: {weight:?}");
        }
    }
}
