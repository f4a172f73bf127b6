//! Strict query strings: an invalid value is reported and never ignored, so that a page always shows the requested
//! list.

use std::collections::BTreeMap;

use form_urlencoded::Serializer;
use yomitori_facility::{Flag, Word as _};
use yomitori_proto::code::Prefecture;
use yomitori_proto::id::FacilityId;

use crate::store::fleet::{Axis, Column, Filter, Order, SearchWord};
use crate::web::http::error::Failure;
use crate::web::http::lang::LANG;
use crate::web::page::word::{self, SEVERITIES};

/// Longer than any name or code.
const VALUE_LIMIT: usize = 200;
const WORDS_LIMIT: usize = 10;
/// Rows on one page.
pub(in crate::web) const PAGE_ROWS: i64 = 100;
const PAGES: i64 = 100_000;

/// The parameters of a query string, each known and given once. An empty one counts as absent, because forms send
/// those.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::web) struct QueryParameters(BTreeMap<String, String>);

impl QueryParameters {
    /// Reads a query string in which only the `known` names and the language are allowed.
    pub(in crate::web) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, Failure> {
        let mut given = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if name != LANG && !known.contains(&name.as_ref()) {
                let known = known.join(", ");
                let name: String = name.chars().take(VALUE_LIMIT).collect();
                return Err(Failure::parameter(
                    &name,
                    format!("この名前の指定はありません。使えるのは {known} です。"),
                    format!("unknown parameter; the parameters are {known}."),
                ));
            }
            if value.chars().count() > VALUE_LIMIT {
                return Err(Failure::parameter(
                    &name,
                    format!("{VALUE_LIMIT}文字以内で指定してください。"),
                    format!("at most {VALUE_LIMIT} characters."),
                ));
            }
            let value = value.trim();
            if !value.is_empty() && given.insert(name.to_string(), value.to_owned()).is_some() {
                return Err(Failure::parameter(&name, "一度だけ指定してください。", "must be given only once."));
            }
        }
        given.remove(LANG);
        Ok(Self(given))
    }

    pub(in crate::web) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A link to `path` with these parameters, some of them set or (`None`) left out.
    pub(in crate::web) fn link(&self, path: &str, changes: &[(&str, Option<&str>)]) -> String {
        let mut given = self.0.clone();
        for (name, value) in changes {
            match value {
                Some(value) => given.insert((*name).to_owned(), (*value).to_owned()),
                None => given.remove(*name),
            };
        }
        if given.is_empty() {
            return path.to_owned();
        }
        format!("{path}?{}", Serializer::new(String::new()).extend_pairs(&given).finish())
    }

    /// The same link with one parameter changed.
    pub(in crate::web) fn without(mut self, name: &str) -> Self {
        self.0.remove(name);
        self
    }

    /// The parameters that are not in `names`; a form keeps them as hidden fields.
    pub(in crate::web) fn others(&self, names: &[&str]) -> impl Iterator<Item = (&str, &str)> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.0
            .iter()
            .filter(move |(name, _)| !names.contains(name))
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A whole number between `from` and `to`; `default` if it is absent.
    pub(in crate::web) fn number(&self, name: &str, from: i64, to: i64, default: i64) -> Result<i64, Failure> {
        let Some(value) = self.get(name) else { return Ok(default) };
        let number = value.parse().ok().filter(|number| (from..=to).contains(number));
        number.ok_or_else(|| {
            Failure::parameter(
                name,
                format!("{from}から{to}までの整数で指定してください（「{value}」でした）。"),
                format!("must be a whole number from {from} to {to}, not `{value}`."),
            )
        })
    }

    /// One of `keys`.
    pub(in crate::web) fn one_of(&self, name: &str, keys: &[&'static str]) -> Result<Option<&'static str>, Failure> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let found = keys.iter().find(|key| **key == value);
        found.copied().map(Some).ok_or_else(|| {
            let keys = keys.join(", ");
            Failure::parameter(
                name,
                format!("{keys} のいずれかを指定してください（「{value}」でした）。"),
                format!("must be one of {keys}, not `{value}`."),
            )
        })
    }
}

/// The parameter of an axis.
pub(in crate::web) const fn parameter(axis: Axis) -> &'static str {
    match axis {
        Axis::Eligible => "eligible",
        Axis::Evidence => "evidence",
        Axis::Level => "level",
        Axis::OptOut => "opt_out",
        Axis::Intent => "intent",
        Axis::Listing => "listing",
        Axis::Equipment => "equipment",
        Axis::Freshness => "freshness",
    }
}

/// The facilities that do not want to be listed, at any stage.
pub(in crate::web) const ANY_STAGE: &str = "any";

const CHOOSING: [&str; 12] = [
    "q",
    "prefecture",
    "eligible",
    "evidence",
    "level",
    "opt_out",
    "intent",
    "listing",
    "equipment",
    "freshness",
    "flag",
    "severity",
];
const ORDERING: [&str; 3] = ["sort", "dir", "page"];
const COLUMNS: [(&str, Column); 6] = [
    ("place", Column::Place),
    ("name", Column::Name),
    ("code", Column::Code),
    ("evidence", Column::Evidence),
    ("last_success", Column::LastSuccess),
    ("last_seen", Column::LastSeen),
];

/// The parameters of a list of facilities.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::web) struct FleetQuery {
    pub(in crate::web) given: QueryParameters,
    pub(in crate::web) filter: Filter,
    pub(in crate::web) order: Order,
    /// From 1.
    pub(in crate::web) page: i64,
}

impl FleetQuery {
    /// The parameters of the page and of the CSV file.
    pub(in crate::web) fn of_page(query: Option<&str>) -> Result<Self, Failure> {
        let known: Vec<&str> = CHOOSING.into_iter().chain(ORDERING).collect();
        let given = QueryParameters::read(query, &known)?;
        let keys = COLUMNS.map(|(key, _)| key);
        let sort = given.one_of("sort", &keys)?.unwrap_or("place");
        let column = COLUMNS.iter().find(|(key, _)| *key == sort).map_or(Column::Place, |(_, column)| *column);
        let descending = given.one_of("dir", &["asc", "desc"])? == Some("desc");
        let page = given.number("page", 1, PAGES, 1)?;
        Ok(Self { filter: filter(&given)?, order: Order { column, descending }, page, given })
    }

    pub(in crate::web) fn offset(&self) -> i64 {
        (self.page - 1) * PAGE_ROWS
    }
}

/// The parameters of the API.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::web) struct ApiQuery {
    pub(in crate::web) given: QueryParameters,
    pub(in crate::web) filter: Filter,
    pub(in crate::web) after: Option<FacilityId>,
    pub(in crate::web) limit: i64,
}

impl ApiQuery {
    pub(in crate::web) fn read(query: Option<&str>) -> Result<Self, Failure> {
        let known: Vec<&str> = CHOOSING.into_iter().chain(["after", "limit"]).collect();
        let given = QueryParameters::read(query, &known)?;
        let after = given.get("after").map(str::parse).transpose().map_err(|_| {
            Failure::parameter(
                "after",
                "施設の識別子（UUID）を指定してください。",
                "must be the identifier (UUID) of a facility; follow the `next` link of an answer.",
            )
        })?;
        let limit = given.number("limit", 1, 1000, PAGE_ROWS)?;
        Ok(Self { filter: filter(&given)?, after, limit, given })
    }
}

fn filter(given: &QueryParameters) -> Result<Filter, Failure> {
    let mut filter = Filter { words: given.get("q").map(SearchWord::all).unwrap_or_default(), ..Filter::default() };
    if filter.words.len() > WORDS_LIMIT {
        return Err(Failure::parameter(
            "q",
            format!("検索語は{WORDS_LIMIT}個までです。"),
            format!("at most {WORDS_LIMIT} words."),
        ));
    }
    filter.prefecture = given.get("prefecture").map(str::parse::<Prefecture>).transpose().map_err(|_| {
        Failure::parameter(
            "prefecture",
            "01〜47の番号か都道府県名を指定してください。",
            "write 01 to 47, or a name such as 東京都 or Tokyo.",
        )
    })?;
    for axis in Axis::ALL {
        let keys: Vec<&'static str> = word::of(axis).iter().map(|word| word.key).collect();
        if axis == Axis::OptOut && given.get("opt_out") == Some(ANY_STAGE) {
            filter.opted_out_somehow = true;
        } else if let Some(key) = given.one_of(parameter(axis), &keys)? {
            filter.axes.insert(axis, key);
        }
    }
    let flags: Vec<&'static str> = Flag::ALL.iter().map(Flag::key).collect();
    filter.flag = given.one_of("flag", &flags)?.map(str::to_owned);
    let severity = given.one_of("severity", &SEVERITIES.map(|severity| severity.key()))?;
    filter.severity = SEVERITIES.into_iter().find(|known| Some(known.key()) == severity);
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(query: &str) -> Option<String> {
        match FleetQuery::of_page(Some(query)) {
            Err(Failure::Parameter { name, .. }) => Some(name),
            Ok(_) | Err(_) => None,
        }
    }

    #[test]
    fn what_means_nothing_is_named() {
        for (query, parameter) in [
            ("eligible=yes", "eligible"),
            ("prefecture=48", "prefecture"),
            ("page=0", "page"),
            ("page=1e3", "page"),
            ("sort=name;drop", "sort"),
            ("colour=red", "colour"),
            ("q=a&q=b", "q"),
            ("opt_out=all", "opt_out"),
            ("flag=none", "flag"),
            ("severity=high", "severity"),
        ] {
            assert_eq!(named(query).as_deref(), Some(parameter), "{query}");
        }
    }

    #[test]
    fn what_a_form_leaves_empty_is_absent() {
        let asked = FleetQuery::of_page(Some("q=&eligible=&prefecture=&evidence=+&lang=en")).unwrap();
        assert!(asked.filter.passes_all());
        assert_eq!(asked.given.link("/", &[]), "/");
    }

    #[test]
    fn a_link_changes_only_what_it_says() {
        let asked = FleetQuery::of_page(Some("q=%E8%AA%AD&eligible=eligible&page=3")).unwrap();
        assert_eq!(asked.given.link("/", &[("page", None)]), "/?eligible=eligible&q=%E8%AA%AD");
        assert_eq!(asked.offset(), 200);
    }

    #[test]
    fn a_prefecture_may_be_written_in_any_way() {
        for written in ["13", "%EF%BC%91%EF%BC%93", "%E6%9D%B1%E4%BA%AC", "tokyo"] {
            let asked = FleetQuery::of_page(Some(&format!("prefecture={written}"))).unwrap();
            assert_eq!(asked.filter.prefecture, Prefecture::from_number(13), "{written}");
        }
    }

    proptest! {
        #[test]
        fn no_query_string_panics(query in ".{0,300}", limit in any::<i64>(), after in "[0-9a-f-]{0,40}") {
            FleetQuery::of_page(Some(&query)).ok();
            ApiQuery::read(Some(&query)).ok();
            ApiQuery::read(Some(&format!("limit={limit}&after={after}"))).ok();
        }

        #[test]
        fn a_link_says_what_was_asked(q in "\\PC{0,40}", page in 1..PAGES) {
            let query = Serializer::new(String::new()).append_pair("q", &q).append_pair("page", &page.to_string()).finish();
            if let Ok(asked) = FleetQuery::of_page(Some(&query)) {
                let link = asked.given.link("/", &[]);
                let again = FleetQuery::of_page(link.split_once('?').map(|(_, query)| query)).unwrap();
                prop_assert_eq!(asked, again);
            }
        }
    }
}
