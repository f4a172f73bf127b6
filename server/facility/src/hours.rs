//! The weekly hours of the ministry's call centre, holidays aside, as data.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{NaiveTime, Weekday};
use serde::Deserialize;

use crate::text::Text;

/// The weekly hours of the call centre, in Asia/Tokyo, half-open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hours {
    telephone: String,
    /// By day from Monday; `None` on a day on which it is closed.
    week: Week,
    /// Follows from the week; flags need it with every status.
    text: Text,
}

type Week = [Option<(NaiveTime, NaiveTime)>; 7];

/// The reason why a document of hours is invalid.
#[derive(Debug, thiserror::Error)]
pub enum HoursError {
    #[error("invalid hours of the call centre")]
    Syntax(#[from] toml::de::Error),
    #[error("`{0}` is not a day of the week: write monday to sunday")]
    Weekday(String),
    #[error("the hours of {0} must be two times such as 08:00, the first earlier than the second")]
    Times(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HoursDocument {
    telephone: String,
    open: BTreeMap<String, (String, String)>,
}

static BUNDLED: LazyLock<Hours> =
    LazyLock::new(|| Hours::parse(include_str!("../data/hours.toml")).expect("the bundled hours are parsed by a test"));

impl Hours {
    /// The hours of the ministry's notice.
    #[must_use]
    pub fn bundled() -> Self {
        BUNDLED.clone()
    }

    /// Parses hours from TOML.
    pub fn parse(document: &str) -> Result<Self, HoursError> {
        let document: HoursDocument = toml::from_str(document)?;
        let mut week = [None; 7];
        for (name, (from, to)) in document.open {
            let weekday: Weekday = name.parse().map_err(|_| HoursError::Weekday(name.clone()))?;
            let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").ok();
            let times = time(&from).zip(time(&to)).filter(|(from, to)| from < to);
            week[weekday.num_days_from_monday() as usize] = Some(times.ok_or(HoursError::Times(name))?);
        }
        Ok(Self { telephone: document.telephone, text: text(&week), week })
    }

    /// Canonical document: equal hours have equal documents.
    pub(crate) fn document(&self) -> String {
        let day = |times: &Option<(NaiveTime, NaiveTime)>| {
            times.map_or_else(|| "closed".to_owned(), |(from, to)| format!("{from} to {to}"))
        };
        let week: Vec<String> = self.week.iter().map(day).collect();
        format!("telephone {}\nweek {}\n", self.telephone, week.join(", "))
    }

    /// The telephone number.
    #[must_use]
    pub fn telephone(&self) -> &str {
        &self.telephone
    }

    /// The week in words, such as "Mon–Fri 8:00–18:00, Sat 8:00–16:00": neighbouring days with the same hours together.
    #[must_use]
    pub const fn text(&self) -> &Text {
        &self.text
    }

    /// The hours of a day of the week, holidays aside.
    #[must_use]
    pub fn on(&self, weekday: Weekday) -> Option<(NaiveTime, NaiveTime)> {
        self.week[weekday.num_days_from_monday() as usize]
    }
}

/// The week in words.
fn text(week: &Week) -> Text {
    let mut spans: Vec<(usize, usize, NaiveTime, NaiveTime)> = Vec::new();
    for (day, times) in week.iter().enumerate() {
        let Some((from, to)) = *times else { continue };
        match spans.last_mut() {
            Some((_, last, open, close)) if *last + 1 == day && (*open, *close) == (from, to) => *last = day,
            _ => spans.push((day, day, from, to)),
        }
    }
    let list = |days: [&str; 7], to: &str| -> Vec<String> {
        let time = |at: &NaiveTime| at.format("%-H:%M").to_string();
        let span = |(first, last, open, close): &(usize, usize, NaiveTime, NaiveTime)| {
            let days =
                if first == last { days[*first].to_owned() } else { format!("{}{to}{}", days[*first], days[*last]) };
            format!("{days} {}{to}{}", time(open), time(close))
        };
        spans.iter().map(span).collect()
    };
    Text::new(
        list(["月", "火", "水", "木", "金", "土", "日"], "〜").join("、"),
        list(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], "–").join(", "),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_week_is_written_with_equal_days_together() {
        let hours = Hours::bundled();
        let text = hours.text();
        assert_eq!(
            (text.ja.as_ref(), text.en.as_ref()),
            ("月〜金 8:00〜18:00、土 8:00〜16:00", "Mon–Fri 8:00–18:00, Sat 8:00–16:00")
        );
    }

    #[test]
    fn the_bundled_hours_are_those_of_the_notice() {
        let hours = Hours::bundled();
        let time = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").unwrap();
        assert_eq!(hours.on(Weekday::Fri), Some((time("08:00"), time("18:00"))));
        assert_eq!(hours.on(Weekday::Sat), Some((time("08:00"), time("16:00"))));
        assert_eq!(hours.on(Weekday::Sun), None);
        assert_eq!(hours.telephone(), "0800-080-4583");
    }

    #[test]
    fn a_wrong_day_or_time_is_reported() {
        let message = |open: &str| Hours::parse(&format!("telephone = \"1\"\n[open]\n{open}")).unwrap_err().to_string();
        assert!(message("moonday = [\"08:00\", \"18:00\"]").contains("moonday"));
        assert!(message("monday = [\"18:00\", \"08:00\"]").contains("monday"));
        assert!(message("monday = [\"08:00\", \"08:00\"]").contains("monday"));
        assert!(message("monday = [\"8\", \"18:00\"]").contains("monday"));
    }
}
