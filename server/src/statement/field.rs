//! The fields of statements and the limits of each.

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, Utc};
use yomitori_facility::Text;
use yomitori_proto::letter::is_plain;
use yomitori_proto::time;

/// A field beside who and why.
pub struct Field {
    pub name: &'static str,
    pub label: Text,
    pub hint: Option<Text>,
    pub input: Input,
}

pub(super) const JAPAN: Text = Text::fixed("日本時間", "Japan's time");

/// A field for the time of an event.
pub(super) const fn past(label: Text) -> Field {
    Field { name: "at", label, hint: Some(JAPAN), input: Input::Minute(Moment::Past) }
}

/// The input of a field.
pub enum Input {
    /// One optional line, with its largest number of characters.
    Line(usize),
    /// One line that must be given, with its largest number of characters.
    Required(usize),
    /// One or several institution codes, separated by spaces.
    Codes,
    /// A minute, in Japan's time without an offset.
    Minute(Moment),
    /// One of a few choices that are all shown.
    Radio(&'static [(&'static str, Text)]),
    /// One of many choices.
    Select(fn() -> Vec<(&'static str, Text)>),
    Tick,
    /// A value that a link or another command supplies: an example and its check.
    Given(&'static str, fn(&str) -> bool),
}

/// The range of an instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Moment {
    Past,
    Ahead,
    /// Past or future: the begin or end of a span, or an effective date.
    Any,
    /// The same, optional.
    Optional,
    /// Past, optional.
    OptionalPast,
}

/// The largest numbers of characters of a name and of a reason.
pub const BY_LIMIT: usize = 100;
pub const WHY_LIMIT: usize = 500;
/// Far more characters than the codes of one facility have.
pub const CODES_LIMIT: usize = 400;
/// A person's clock may be ahead of the server's by this much.
const AHEAD: Duration = Duration::minutes(2);
/// No phone could be read before this; an earlier year is a typing error.
const FIRST: &str = "2023-01-01T00:00:00+09:00";
const A_YEAR: Duration = Duration::days(366);

pub(super) const MISSING: Text = Text::fixed("入力してください。", "This field is required.");
const NOT_OFFERED: Text = Text::fixed("選択肢から選んでください。", "Choose one of the listed values.");

/// The value of a field.
pub(super) enum Value {
    Nothing,
    Word(String),
    Instant(DateTime<Utc>),
}

impl Field {
    pub(super) fn value(&self, typed: Option<&str>, now: DateTime<Utc>) -> Result<Value, Text> {
        match &self.input {
            Input::Line(limit) => typed.map_or(Ok(Value::Nothing), |text| line(text, *limit).map(Value::Word)),
            Input::Required(limit) => line(typed.ok_or(MISSING)?, *limit).map(Value::Word),
            Input::Codes => line(typed.ok_or(MISSING)?, CODES_LIMIT).map(Value::Word),
            Input::Minute(Moment::Optional | Moment::OptionalPast) if typed.is_none() => Ok(Value::Nothing),
            Input::Minute(moment) => minute(typed.ok_or(MISSING)?, *moment, now).map(Value::Instant),
            Input::Radio(choices) => chosen(typed, choices),
            Input::Select(choices) => chosen(typed, &choices()),
            Input::Given(example, fits) => {
                let given = typed.filter(|text| fits(text)).map(str::to_owned);
                given.map(Value::Word).ok_or_else(|| {
                    Text::new(
                        format!("施設の画面から開き直すか、{example} の形で指定してください。"),
                        format!("Open the form from the facility's page again, or write a value such as {example}."),
                    )
                })
            }
            Input::Tick => match typed {
                None => Ok(Value::Nothing),
                Some("yes") => Ok(Value::Word("yes".to_owned())),
                Some(_) => Err(NOT_OFFERED),
            },
        }
    }
}

fn chosen(typed: Option<&str>, choices: &[(&'static str, Text)]) -> Result<Value, Text> {
    let typed = typed.ok_or(Text::fixed("選んでください。", "Choose one."))?;
    let known = choices.iter().any(|(key, _)| *key == typed);
    if known { Ok(Value::Word(typed.to_owned())) } else { Err(NOT_OFFERED) }
}

/// Checks a line of at most `limit` characters, without invisible or reordering ones.
///
/// # Errors
/// With what is wrong, in words for the person who wrote it.
pub fn line(text: &str, limit: usize) -> Result<String, Text> {
    let count = text.chars().count();
    if count > limit {
        return Err(Text::new(
            format!("{limit}文字以内で入力してください（{count}文字あります）。"),
            format!("At most {limit} characters are allowed; this has {count}."),
        ));
    }
    if !text.chars().all(is_plain) {
        return Err(Text::fixed("改行や制御文字は使えません。", "Line breaks and control characters are not allowed."));
    }
    let is_blank = |letter: char| matches!(letter, '\u{115F}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}');
    let is_invisible =
        |letter: char| matches!(letter, '\u{AD}' | '\u{200B}'..='\u{200F}' | '\u{2060}'..='\u{2064}' | '\u{FEFF}');
    let is_shown = |letter: char| !letter.is_whitespace() && !is_blank(letter) && !is_invisible(letter);
    if !text.chars().any(is_shown) {
        return Err(MISSING);
    }
    Ok(text.to_owned())
}

fn minute(text: &str, moment: Moment, now: DateTime<Utc>) -> Result<DateTime<Utc>, Text> {
    let at = written(text).ok_or(Text::fixed(
        "日時を 2026-04-01T10:30 の形で入力してください（日本時間）。",
        "Write a date and time such as 2026-04-01T10:30, in Japan's time.",
    ))?;
    let first: DateTime<Utc> = FIRST.parse().expect("an instant");
    match moment {
        Moment::Past | Moment::OptionalPast if at > now + AHEAD => Err(Text::fixed(
            "未来の日時です。済んだことだけを記録できます。",
            "This is in the future: record what has happened.",
        )),
        Moment::Ahead if at < now - AHEAD => Err(Text::fixed("過去の日時です。", "This is in the past.")),
        _ if at < first => Err(Text::fixed("年を確かめてください（2023年から）。", "Check the year (from 2023 on).")),
        _ if at > now + A_YEAR => {
            Err(Text::fixed("1年以内の日時を入力してください。", "The date must be within a year."))
        }
        Moment::Past | Moment::Ahead | Moment::Any | Moment::Optional | Moment::OptionalPast => Ok(at),
    }
}

/// Parses an instant as a browser or a person writes it: with an offset or in Japan's time; a day alone is its
/// beginning.
#[must_use]
pub fn written(text: &str) -> Option<DateTime<Utc>> {
    const LOCAL: [&str; 4] = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    const DAYS: [&str; 2] = ["%Y-%m-%d", "%Y/%m/%d"];
    let text = text.trim();
    let minute = || DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z").ok();
    let with_offset = || DateTime::parse_from_rfc3339(text).ok().or_else(minute).map(|at| at.to_utc());
    let local = || LOCAL.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let day = || DAYS.iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok()?.and_hms_opt(0, 0, 0));
    let in_japan = |at: NaiveDateTime| at.and_local_timezone(time::JAPAN).single().map(|at| at.to_utc());
    let at = with_offset().or_else(|| local().or_else(day).and_then(in_japan))?;
    time::from_micros(time::to_micros(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_offset_it_is_japan_s_time() {
        let expected: DateTime<Utc> = "2026-04-01T01:30:00Z".parse().unwrap();
        for text in [
            "2026-04-01T10:30:00+09:00",
            "2026-04-01T10:30+09:00",
            "2026-04-01T01:30:00Z",
            "2026-04-01T10:30",
            " 2026-04-01 10:30:00 ",
        ] {
            assert_eq!(written(text), Some(expected), "{text}");
        }
        assert_eq!(written("2026-04-01"), "2026-03-31T15:00:00Z".parse().ok());
        for text in ["", "tomorrow", "2026-13-01", "1026-01-01T00:00:00Z", "2026-04-01T25:00"] {
            assert_eq!(written(text), None, "{text}");
        }
    }
}
