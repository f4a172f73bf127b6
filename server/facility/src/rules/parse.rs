//! Parses a rules document and collects every mistake instead of stopping at the first.

use std::sync::Arc;

use chrono::{DateTime, Duration, Utc};
use toml::{Table, Value};

use super::{Burst, Delay, RuleSet, Rules};
use crate::evidence::Level;

/// One mistake in a rules document.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RuleError {
    #[error("the rules are not valid TOML: {0}")]
    Syntax(String),
    #[error("`{place}` is missing")]
    Missing { place: String },
    #[error("`{place}` is unknown: is it misspelt?")]
    Unknown { place: String },
    #[error("`{place}` must be {expected}")]
    Wrong { place: String, expected: &'static str },
}

pub(super) fn parse(document: &str) -> Result<Rules, Vec<RuleError>> {
    let table: Table = document.parse().map_err(|error: toml::de::Error| vec![RuleError::Syntax(error.to_string())])?;
    let mut top = Fields::new(table, String::new());
    let version = top.number("version", 1, u64::from(u32::MAX));
    let mut mistakes = Vec::new();
    let mut sets = Vec::new();
    match top.take("set") {
        None => {}
        Some(Value::Array(list)) if !list.is_empty() => {
            for (index, value) in list.into_iter().enumerate() {
                let place = format!("set[{index}].");
                match value {
                    Value::Table(table) => sets.push(set(Fields::new(table, place), &mut mistakes)),
                    _ => mistakes.push(RuleError::Wrong { place, expected: "a table" }),
                }
            }
        }
        Some(_) => top.wrong("set", "at least one table `[[set]]`"),
    }
    top.finish(&mut mistakes);
    sets.sort_by_key(|(set, _)| set.effective_at);
    if sets.windows(2).any(|pair| pair[0].0.effective_at == pair[1].0.effective_at) {
        mistakes.push(RuleError::Wrong {
            place: "set".to_owned(),
            expected: "a list in which no `effective_at` occurs twice",
        });
    }
    if mistakes.is_empty() {
        let version = u32::try_from(version).unwrap_or(u32::MAX);
        let (sets, documents): (Vec<_>, Vec<_>) = sets.into_iter().unzip();
        Ok(Rules { version, sets, document: canonical(version, documents) })
    } else {
        Err(mistakes)
    }
}

/// The canonical document: every field once, with defaults for missing fields, and the sets by their dates.
fn canonical(version: u32, sets: Vec<Table>) -> Arc<str> {
    let sets = sets.into_iter().map(Value::Table).collect();
    Table::from_iter([("version".to_owned(), version.into()), ("set".to_owned(), Value::Array(sets))])
        .to_string()
        .into()
}

/// Ten years: no duration in the rules is longer.
const YEARS_S: u64 = 10 * 366 * 86_400;

fn set(mut fields: Fields, mistakes: &mut Vec<RuleError>) -> (RuleSet, Table) {
    let set = RuleSet {
        effective_at: fields.instant("effective_at"),
        counts_since: fields.instant("counts_since"),
        level_that_suffices: fields.level("level_that_suffices"),
        correlation_from: fields.seconds("correlation_from_s"),
        correlation_to: fields.seconds("correlation_to_s"),
        require_in_use: fields.flag("require_in_use"),
        phone_present_ms: fields.number_or("phone_present_ms", 0, 60_000, 500),
        phone_result: fields.delay(["phone_result_median_s", "phone_result_p95_s"], [12, 28]),
        card_result: fields.delay(["card_result_median_s", "card_result_p95_s"], [50, 114]),
        phone_success: fields.percent("phone_success_percent", 70),
        card_after_failure: fields.percent("card_after_failure_percent", 75),
        taken_where_works: fields.percent("taken_where_works_percent", 66),
        taken_where_never: fields.percent("taken_where_never_percent", 20),
        unrelated_window: fields.seconds_or("unrelated_window_s", 1800),
        retry_within: fields.seconds_or("retry_within_s", 45),
        read_certainty: fields.percent("read_certainty_percent", 90),
        false_eligible: fields.percent("false_eligible_percent", 8),
        missed_eligible: fields.percent("missed_eligible_percent", 5),
        entry_before: fields.seconds_or("entry_before_s", 60),
        entry_after: fields.seconds_or("entry_after_s", 180),
        late_window: fields.seconds("late_window_s"),
        clock_step_tolerance_ms: fields.number("clock_step_tolerance_ms", 0, YEARS_S),
        clock_offset_warn_ms: fields.number("clock_offset_warn_s", 1, YEARS_S) * 1000,
        stale_after_opening_days: fields.days("stale_after_opening_days"),
        silent_after_opening_days: fields.days("silent_after_opening_days"),
        gap_shown: Duration::days(fields.days("gap_shown_days").into()),
        flapping_shown: fields.seconds("flapping_shown_s"),
        reader_grace: fields.seconds("reader_grace_s"),
        cannot_serve_opening_days: fields.days("cannot_serve_opening_days"),
        succeeded_not_listed: Duration::days(fields.days("succeeded_not_listed_days").into()),
        opt_out_stale: Duration::days(fields.days("opt_out_stale_days").into()),
        failure_burst: fields.burst(["failure_burst_count", "failure_burst_s", "failure_burst_shown_s"]),
        reboot_loop: fields.burst(["reboot_loop_count", "reboot_loop_s", "reboot_loop_shown_s"]),
        unfit_reader_models: fields.words("unfit_reader_models"),
    };
    if set.correlation_from > set.correlation_to {
        fields.wrong("correlation_from_s", "at most `correlation_to_s`");
    }
    if set.stale_after_opening_days > set.silent_after_opening_days {
        fields.wrong("stale_after_opening_days", "at most `silent_after_opening_days`");
    }
    let document = fields.finish(mistakes);
    (set, document)
}

/// The fields of one table. Each is taken once; the remaining ones are mistakes. A mistake gives an arbitrary value,
/// which is never used because the document is rejected.
struct Fields {
    table: Table,
    /// The fields taken, including defaults.
    read: Table,
    prefix: String,
    mistakes: Vec<RuleError>,
}

impl Fields {
    fn new(table: Table, prefix: String) -> Self {
        Self { table, read: Table::new(), prefix, mistakes: Vec::new() }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let value = self.table.remove(name);
        match &value {
            Some(value) => drop(self.read.insert(name.to_owned(), value.clone())),
            None => self.mistakes.push(RuleError::Missing { place: format!("{}{name}", self.prefix) }),
        }
        value
    }

    fn wrong(&mut self, name: &str, expected: &'static str) {
        self.mistakes.push(RuleError::Wrong { place: format!("{}{name}", self.prefix), expected });
    }

    /// Takes a field through `read`; a mistake gives `otherwise`.
    fn read<T>(&mut self, name: &str, expected: &'static str, otherwise: T, read: impl Fn(&Value) -> Option<T>) -> T {
        let Some(value) = self.take(name) else { return otherwise };
        read(&value).unwrap_or_else(|| {
            self.wrong(name, expected);
            otherwise
        })
    }

    fn number(&mut self, name: &str, least: u64, most: u64) -> u64 {
        self.read(name, "a whole number, not negative and not out of range", least, |value| {
            u64::try_from(value.as_integer()?).ok().filter(|number| (least..=most).contains(number))
        })
    }

    /// A number that documents written before this field existed don't have.
    fn number_or(&mut self, name: &str, least: u64, most: u64, absent: u64) -> u64 {
        if self.table.contains_key(name) {
            return self.number(name, least, most);
        }
        self.read.insert(name.to_owned(), Value::Integer(i64::try_from(absent).unwrap_or(i64::MAX)));
        absent
    }

    fn seconds_or(&mut self, name: &str, absent: u64) -> Duration {
        let seconds = self.number_or(name, 1, 86_400, absent);
        Duration::seconds(i64::try_from(seconds).unwrap_or_default())
    }

    fn percent(&mut self, name: &str, absent: u64) -> f64 {
        let percent = self.number_or(name, 1, 99, absent);
        f64::from(u32::try_from(percent).unwrap_or_default()) / 100.0
    }

    fn delay(&mut self, [median, p95]: [&str; 2], absent: [u64; 2]) -> Delay {
        let [median_s, p95_s] = [(median, absent[0]), (p95, absent[1])]
            .map(|(name, absent)| u32::try_from(self.number_or(name, 1, 3600, absent)).unwrap_or(1));
        if p95_s <= median_s {
            self.wrong(p95, "more than the median");
        }
        Delay { median_s: median_s.into(), p95_s: p95_s.into() }
    }

    fn seconds(&mut self, name: &str) -> Duration {
        let seconds = self.number(name, 0, YEARS_S);
        Duration::seconds(i64::try_from(seconds).unwrap_or_default())
    }

    fn days(&mut self, name: &str) -> u32 {
        u32::try_from(self.number(name, 1, 3660)).unwrap_or(1)
    }

    fn burst(&mut self, [count, within, shown]: [&str; 3]) -> Burst {
        let count = usize::try_from(self.number(count, 2, 16)).unwrap_or(2);
        Burst { count, within: self.seconds(within), shown: self.seconds(shown) }
    }

    fn flag(&mut self, name: &str) -> bool {
        self.read(name, "true or false", false, Value::as_bool)
    }

    fn instant(&mut self, name: &str) -> DateTime<Utc> {
        self.read(name, "an instant such as \"2025-09-19T00:00:00+09:00\"", DateTime::UNIX_EPOCH, |value| match value {
            Value::String(text) => text.parse().ok(),
            Value::Datetime(datetime) => datetime.to_string().parse().ok(),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Array(_) | Value::Table(_) => None,
        })
    }

    fn level(&mut self, name: &str) -> Level {
        self.read(name, "tap_only, plausible, correlated, header_confirmed or attested", Level::Attested, |value| {
            Level::from_key(value.as_str()?)
        })
    }

    fn words(&mut self, name: &str) -> Vec<String> {
        self.read(name, "a list of texts", Vec::new(), |value| {
            value.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
        })
    }

    fn finish(mut self, mistakes: &mut Vec<RuleError>) -> Table {
        mistakes.append(&mut self.mistakes);
        mistakes.extend(self.table.keys().map(|key| RuleError::Unknown { place: format!("{}{key}", self.prefix) }));
        self.read
    }
}
