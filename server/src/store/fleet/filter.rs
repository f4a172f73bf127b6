//! Filters and orders of facilities, as SQL.

use std::collections::BTreeMap;

use tokio_postgres::types::ToSql;
use unicode_normalization::UnicodeNormalization as _;
use yomitori_facility::{Flag, Severity, Word as _};
use yomitori_proto::code::Prefecture;

/// An axis by which rows can be filtered.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Axis {
    Eligible,
    Evidence,
    Level,
    OptOut,
    Intent,
    Listing,
    Equipment,
    Freshness,
}

impl Axis {
    pub const ALL: [Self; 8] = [
        Self::Eligible,
        Self::Evidence,
        Self::Level,
        Self::OptOut,
        Self::Intent,
        Self::Listing,
        Self::Equipment,
        Self::Freshness,
    ];

    /// The name of the column, which is the key of the axis.
    #[must_use]
    pub const fn column(self) -> &'static str {
        match self {
            Self::Eligible => "eligible",
            Self::Evidence => "evidence",
            Self::Level => "evidence_level",
            Self::OptOut => "opt_out",
            Self::Intent => "intent",
            Self::Listing => "listing",
            Self::Equipment => "equipment",
            Self::Freshness => "freshness",
        }
    }
}

/// The facilities that do not want to be listed, at any stage of the process.
pub const OPTED_OUT_SOMEHOW: &str = "(intent = 'do_not_want' OR opt_out NOT IN ('not_needed', 'withdrawn'))";

/// A filter of facilities; the default matches all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// All of these words must match.
    pub words: Vec<SearchWord>,
    pub prefecture: Option<Prefecture>,
    pub axes: BTreeMap<Axis, &'static str>,
    pub opted_out_somehow: bool,
    /// A raised discrepancy flag.
    pub flag: Option<String>,
    /// Any flag of this severity.
    pub severity: Option<Severity>,
}

/// One word of a search: part of a code, name, prefecture or address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SearchWord(String);

impl SearchWord {
    /// The words of a search text, in any width and case; codes may contain hyphens.
    #[must_use]
    pub fn all(typed: &str) -> Vec<Self> {
        let normal: String = typed.nfkc().collect::<String>().to_lowercase();
        // PostgreSQL's text cannot contain NUL, so no row can match it.
        let normal = normal.replace('\0', " ");
        normal.split_whitespace().map(Self::one).collect()
    }

    fn one(word: &str) -> Self {
        let hyphen = |c: char| "-‐‑–—−ー".contains(c);
        let code = word.chars().all(|c| c.is_ascii_digit() || hyphen(c)) && word.contains(|c: char| c.is_ascii_digit());
        Self(if code { word.replace(hyphen, "") } else { word.to_owned() })
    }

    /// Escapes the three special characters of LIKE.
    fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.0.len() + 2);
        pattern.push('%');
        for character in self.0.chars() {
            if matches!(character, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern.push('%');
        pattern
    }
}

/// The column by which rows are ordered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Column {
    /// Prefecture, then name.
    #[default]
    Place,
    Name,
    Code,
    Evidence,
    LastSuccess,
    LastSeen,
}

/// The order of the rows. Unknown values come last in both directions.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Order {
    pub column: Column,
    pub descending: bool,
}

impl Order {
    pub(super) const fn sql(self) -> &'static str {
        match (self.column, self.descending) {
            (Column::Place, false) => "prefecture, name, facility_id",
            (Column::Place, true) => "prefecture DESC, name DESC, facility_id DESC",
            (Column::Name, false) => "name, facility_id",
            (Column::Name, true) => "name DESC, facility_id DESC",
            (Column::Code, false) => "code NULLS LAST, facility_id",
            (Column::Code, true) => "code DESC NULLS LAST, facility_id",
            (Column::Evidence, false) => {
                "array_position(ARRAY['plausible', 'correlated', 'header_confirmed', 'attested'], \
                                          evidence_level) NULLS LAST, last_success_at NULLS LAST, facility_id"
            }
            (Column::Evidence, true) => {
                "array_position(ARRAY['plausible', 'correlated', 'header_confirmed', 'attested'], \
                                         evidence_level) DESC NULLS LAST, last_success_at DESC NULLS LAST, facility_id"
            }
            (Column::LastSuccess, false) => "last_success_at NULLS LAST, facility_id",
            (Column::LastSuccess, true) => "last_success_at DESC NULLS LAST, facility_id",
            (Column::LastSeen, false) => "last_seen_at NULLS LAST, facility_id",
            (Column::LastSeen, true) => "last_seen_at DESC NULLS LAST, facility_id",
        }
    }
}

/// A condition and its subject.
pub(super) struct Clauses {
    pub(super) sql: String,
    values: Vec<Box<dyn ToSql + Send + Sync>>,
}

impl Clauses {
    pub(super) fn and(&mut self, condition: &str) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
    }

    /// Adds a parameter; returns its placeholder.
    pub(super) fn bind(&mut self, value: impl ToSql + Send + Sync + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    pub(super) fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}

impl Filter {
    /// Whether every facility matches.
    #[must_use]
    pub fn passes_all(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn clauses(&self) -> Clauses {
        let mut clauses = Clauses { sql: "true".to_owned(), values: Vec::new() };
        for word in &self.words {
            let pattern = clauses.bind(word.pattern());
            clauses.and(&format!("search LIKE {pattern}"));
        }
        if let Some(prefecture) = self.prefecture {
            let number = clauses.bind(prefecture.to_string());
            clauses.and(&format!("prefecture = {number}"));
        }
        for (axis, key) in &self.axes {
            let value = clauses.bind(*key);
            clauses.and(&format!("{} = {value}", axis.column()));
        }
        if self.opted_out_somehow {
            clauses.and(OPTED_OUT_SOMEHOW);
        }
        if let Some(flag) = &self.flag {
            let value = clauses.bind(flag.clone());
            clauses.and(&format!("{value} = ANY(flags)"));
        }
        if let Some(severity) = self.severity {
            // Most flags have a fixed severity; only the others need a look at the whole status.
            let keys = |flags: &dyn Fn(&Flag) -> bool| -> Vec<&'static str> {
                Flag::ALL.iter().filter(|flag| flags(flag)).map(Flag::key).collect()
            };
            let surely = clauses.bind(keys(&|flag| flag.severity() == severity && !flag.may_be_critical()));
            let perhaps = clauses.bind(keys(&|flag| flag.may_be_critical()));
            let said = clauses.bind(serde_json::json!([{ "severity": severity.key() }]));
            clauses.and(&format!("(flags && {surely} OR (flags && {perhaps} AND status->'flags' @> {said}::jsonb))"));
        }
        clauses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(typed: &str) -> Vec<String> {
        SearchWord::all(typed).iter().map(SearchWord::pattern).collect()
    }

    #[test]
    fn a_code_is_found_in_any_written_form() {
        for typed in ["1319999015", "13-1-99-9901-5", "１３１９９９９０１５", " １３－１－９９－９９０１－５ "]
        {
            assert_eq!(patterns(typed), ["%1319999015%"], "{typed}");
        }
    }

    #[test]
    fn names_are_found_in_any_width_and_case() {
        assert_eq!(patterns("ﾖﾐﾄﾘ　Clinic"), ["%ヨミトリ%", "%clinic%"]);
    }

    #[test]
    fn what_like_would_read_as_a_pattern_is_a_plain_character() {
        assert_eq!(patterns(r"100%_\"), [r"%100\%\_\\%"]);
    }

    #[test]
    fn every_value_is_a_parameter() {
        let filter = Filter {
            words: SearchWord::all("'; DROP TABLE facility; -- 大阪府"),
            prefecture: Prefecture::from_number(27),
            axes: [(Axis::Eligible, "yes")].into(),
            opted_out_somehow: true,
            flag: Some("listed_against_wish".to_owned()),
            severity: Some(Severity::Critical),
        };
        let clauses = filter.clauses();
        assert!(!clauses.sql.to_lowercase().contains("drop"));
        assert_eq!(clauses.sql.matches('$').count(), clauses.parameters().len());
    }
}
