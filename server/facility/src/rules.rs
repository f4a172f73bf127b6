//! Rules that may change, as data with a version and effective dates.
//!
//! A [`RuleSet`] is complete in itself: past decisions are evaluated by the set of their time. The document is
//! published through the log (`RulesAdopted`), so a document with a mistake is rejected as a whole, with a list of all
//! mistakes.

mod parse;

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, Duration, Utc};

use crate::evidence::Level;
use crate::instant::later;

pub use parse::RuleError;

/// All rule sets: past, present and future.
#[derive(Clone, PartialEq, Debug)]
pub struct Rules {
    version: u32,
    /// Ascending by `effective_at`, never empty.
    sets: Vec<RuleSet>,
    /// See [`Rules::document`].
    document: Arc<str>,
}

/// The rules from one instant on.
#[derive(Clone, PartialEq, Debug)]
pub struct RuleSet {
    pub effective_at: DateTime<Utc>,
    pub counts_since: DateTime<Utc>,
    pub level_that_suffices: Level,
    pub correlation_from: Duration,
    pub correlation_to: Duration,
    pub require_in_use: bool,
    /// A shorter tap is no phone that is being read, in ms.
    pub phone_present_ms: u64,
    /// Delay of a phone's own result.
    pub phone_result: Delay,
    /// Delay of the result of the card that is used after a phone failed.
    pub card_result: Delay,
    /// Share of phones that are read if phones work, and share of failures after which the card is used; 0 to 1.
    pub phone_success: f64,
    pub card_after_failure: f64,
    /// Share of facilities at which the official software reacts to a phone's taps: if phones work, and if they never
    /// work; 0 to 1.
    pub taken_where_works: f64,
    pub taken_where_never: f64,
    /// Period before a tap in which unrelated results are counted.
    pub unrelated_window: Duration,
    /// A tap on the same reader this soon after one without a result is the same patient's.
    pub retry_within: Duration,
    /// Least probability at which a pair is a read.
    pub read_certainty: f64,
    /// Error rates of the sequential test: the share of facilities without working phones that may pass it, and the
    /// threshold below which a run of taps is refuted.
    pub false_eligible: f64,
    pub missed_eligible: f64,
    /// Limits for the time between a tap and its desk entry: before, and after the tap.
    pub entry_before: Duration,
    pub entry_after: Duration,
    pub late_window: Duration,
    pub clock_step_tolerance_ms: u64,
    pub clock_offset_warn_ms: u64,
    pub stale_after_opening_days: u32,
    pub silent_after_opening_days: u32,
    pub gap_shown: Duration,
    pub reader_grace: Duration,
    pub flapping_shown: Duration,
    pub cannot_serve_opening_days: u32,
    pub succeeded_not_listed: Duration,
    pub opt_out_stale: Duration,
    pub failure_burst: Burst,
    pub reboot_loop: Burst,
    pub unfit_reader_models: Vec<String>,
}

/// A lognormal delay: half of the delays are at most the median, 95 of 100 at most the other value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Delay {
    pub median_s: f64,
    pub p95_s: f64,
}

/// `count` events within `within`; the burst is shown until `shown` after the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Burst {
    pub count: usize,
    pub within: Duration,
    pub shown: Duration,
}

static BUNDLED: LazyLock<Rules> =
    LazyLock::new(|| Rules::parse(Rules::BUNDLED).expect("the bundled rules are parsed by a test"));

impl RuleSet {
    /// The instant after which no file or entry can belong to a tap at `at`. File names have whole seconds.
    pub(crate) fn over_at(&self, at: DateTime<Utc>) -> DateTime<Utc> {
        later(at, self.correlation_to + Duration::seconds(1))
    }
}

impl Rules {
    /// The document of the rules that ship with this version.
    pub const BUNDLED: &str = include_str!("../data/rules.toml");

    /// The rules that ship with this version.
    #[must_use]
    pub fn bundled() -> Self {
        BUNDLED.clone()
    }

    /// Parses a document, or returns every mistake in it.
    pub fn parse(document: &str) -> Result<Self, Vec<RuleError>> {
        parse::parse(document)
    }

    /// The version that the document states.
    #[must_use]
    pub const fn version(&self) -> u32 {
        self.version
    }

    /// The canonical document: equal rules have equal documents, independent of order and comments.
    #[must_use]
    pub fn document(&self) -> &str {
        &self.document
    }

    /// The set in force at `at`; before the first set, the first.
    #[must_use]
    pub fn at(&self, at: DateTime<Utc>) -> &RuleSet {
        self.sets.iter().rev().find(|set| set.effective_at <= at).unwrap_or(&self.sets[0])
    }

    /// Every set, with its start (`None` for the first) and its end.
    pub(crate) fn periods(&self) -> impl Iterator<Item = (&RuleSet, Option<DateTime<Utc>>, Option<DateTime<Utc>>)> {
        self.sets.iter().enumerate().map(|(index, set)| {
            let from = (index > 0).then_some(set.effective_at);
            (set, from, self.sets.get(index + 1).map(|next| next.effective_at))
        })
    }

    /// The instants at which one set replaces another.
    pub(crate) fn changes(&self) -> impl Iterator<Item = DateTime<Utc>> {
        self.sets.iter().skip(1).map(|set| set.effective_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundled_rules_are_those_of_the_notice() {
        assert_eq!(Rules::parse(&Rules::BUNDLED.replace("version = 1", "version = 7")).unwrap().version(), 7);
        let rules = Rules::bundled();
        let set = rules.at("2026-04-01T00:00:00Z".parse().unwrap());
        assert_eq!(set.counts_since, "2025-09-18T15:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!(set.level_that_suffices, Level::Correlated);
        assert_eq!((set.correlation_from, set.correlation_to), (Duration::zero(), Duration::seconds(120)));
        assert!(!set.require_in_use);
    }

    #[test]
    fn a_later_set_applies_from_its_date() {
        let bundled = Rules::BUNDLED;
        let (_, set) = bundled.split_once("[[set]]").unwrap();
        let later = set
            .replace("2025-01-01T00:00:00+09:00", "2026-04-01T00:00:00+09:00")
            .replace("level_that_suffices = \"correlated\"", "level_that_suffices = \"header_confirmed\"");
        let rules = Rules::parse(&format!("{bundled}\n[[set]]{later}")).unwrap();
        let level = |at: &str| rules.at(at.parse().unwrap()).level_that_suffices;
        assert_eq!(level("2026-03-31T14:59:59Z"), Level::Correlated);
        assert_eq!(level("2026-03-31T15:00:00Z"), Level::HeaderConfirmed);
        assert_eq!(rules.changes().count(), 1);
    }

    #[test]
    fn the_canonical_document_differs_only_if_a_rule_does() {
        let rules = Rules::bundled();
        assert_eq!(Rules::parse(rules.document()).unwrap(), rules);
        let commented = Rules::BUNDLED.replace("require_in_use", "# a remark\nrequire_in_use");
        assert_eq!(Rules::parse(&commented).unwrap().document(), rules.document());
        let absent = Rules::BUNDLED.replace("retry_within_s = 45\n", "");
        assert_eq!(Rules::parse(&absent).unwrap().document(), rules.document(), "a default is written out");
        let numbers =
            rules.document().lines().filter_map(|line| line.split_once(" = ")?.1.parse::<u64>().ok().map(|_| line));
        let changed =
            |line: &str| Rules::parse(&rules.document().replace(line, &format!("{line}1"))).map(|it| it == rules);
        assert!(numbers.clone().count() > 30);
        assert!(numbers.map(changed).all(|same| same != Ok(true)));
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let document = include_str!("../data/rules.toml")
            .replace("\"correlated\"", "\"surely\"")
            .replace("correlation_to_s = 120", "correlation_to_s = -1")
            .replace("require_in_use", "require_in_usee");
        let mistakes: Vec<String> = Rules::parse(&document).unwrap_err().iter().map(ToString::to_string).collect();
        assert_eq!(mistakes.len(), 4, "{mistakes:#?}");
        assert!(mistakes.iter().any(|mistake| mistake.contains("require_in_usee")));
    }

    #[test]
    fn a_document_that_is_no_toml_is_one_mistake() {
        assert_eq!(Rules::parse("version = ").unwrap_err().len(), 1);
        assert!(!Rules::parse("").unwrap_err().is_empty());
    }

    #[test]
    fn values_out_of_range_are_rejected() {
        let with = |was: &str, is: &str| Rules::parse(&Rules::BUNDLED.replace(was, is));
        assert!(with("correlation_to_s = 120", "correlation_to_s = 316224000").is_ok(), "ten years");
        assert!(with("correlation_to_s = 120", "correlation_to_s = 316224001").is_err());
        assert!(with("correlation_from_s = 0", "correlation_from_s = 120").is_ok());
        assert!(with("correlation_from_s = 0", "correlation_from_s = 121").is_err());
        assert!(Rules::parse("version = 1\nset = []").is_err());
        let offset = |rules: Rules| rules.at("2026-04-01T00:00:00Z".parse().unwrap()).clock_offset_warn_ms;
        assert_eq!(offset(Rules::bundled()), 120_000);
    }
}
