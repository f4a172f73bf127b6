//! Reads a form as it was sent: strictly, with every mistake told beside its field, and nothing lost of what was typed.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header;
use axum::http::request::Parts;
use chrono::{DateTime, Duration, Utc};
use futures_util::TryStreamExt as _;
use uuid::Uuid;
use yomitori_facility::Text;
use yomitori_proto::event::Stated;

use super::{Act, Field, Input, Moment, Values};
use crate::web::error::Failure;
use crate::web::when;

/// Who, why; which drawn form; where to go on; and that a doubtful hour is meant.
pub(in crate::web) const BY: &str = "by";
pub(in crate::web) const WHY: &str = "why";
pub(super) const FORM: &str = "form";
pub(super) const BACK: &str = "back";
pub(in crate::web) const SURE: &str = "sure";

/// Far more than any form of ours needs.
const BODY_LIMIT: usize = 16 << 10;
/// What is too large is heard out up to here and thrown away: whoever is cut off while sending never reads why.
const HEARD_LIMIT: usize = 8 << 20;
pub(super) const BY_LIMIT: usize = 100;
pub(super) const WHY_LIMIT: usize = 500;
/// A clock of a browser may be this much ahead of ours.
const AHEAD: Duration = Duration::minutes(2);
/// Before phones could be read anywhere; a year mistyped.
const FIRST: &str = "2023-01-01T00:00:00Z";

/// A form as it was sent.
#[derive(Default)]
pub(in crate::web) struct Entered {
    typed: BTreeMap<String, String>,
    mistakes: BTreeMap<&'static str, Text>,
}

/// Who states it and why, and which drawn form it came by.
pub(in crate::web) struct Stamp {
    pub(in crate::web) by: String,
    pub(in crate::web) why: String,
    pub(in crate::web) form: Uuid,
}

impl Stamp {
    pub(in crate::web) fn stated(&self, stated_at: DateTime<Utc>) -> Stated {
        Stated { by: self.by.clone(), why: Some(self.why.clone()), stated_at, id: None }
    }
}

/// Reads the body of a form in which only `known` names may stand.
pub(in crate::web) async fn read(parts: &Parts, body: Body, known: &[&str]) -> Result<Entered, Failure> {
    let media = parts.headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    let media = media.split(';').next().unwrap_or_default().trim();
    if !media.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Failure::Media);
    }
    Entered::parse(&hear(body).await?, known)
}

async fn hear(body: Body) -> Result<Vec<u8>, Failure> {
    let (mut chunks, mut kept, mut heard) = (body.into_data_stream(), Vec::new(), 0_usize);
    while let Some(chunk) = chunks.try_next().await.map_err(|_| Failure::TooLarge)? {
        heard = heard.saturating_add(chunk.len());
        if heard <= BODY_LIMIT {
            kept.extend_from_slice(&chunk);
        } else if heard > HEARD_LIMIT {
            break;
        }
    }
    if heard > BODY_LIMIT { Err(Failure::TooLarge) } else { Ok(kept) }
}

impl Entered {
    /// What was typed before, such as in the address.
    pub(in crate::web) fn prefilled(typed: BTreeMap<String, String>) -> Self {
        Self { typed, mistakes: BTreeMap::new() }
    }

    fn parse(body: &[u8], known: &[&str]) -> Result<Self, Failure> {
        let mut typed = BTreeMap::new();
        for pair in body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decoded(halves.next().unwrap_or_default())?;
            let value = decoded(halves.next().unwrap_or_default())?;
            if !known.contains(&name.as_str()) {
                let shown: String = name.chars().filter(|letter| !letter.is_control()).take(60).collect();
                return Err(Failure::Form(Text::new(
                    format!("この入力欄はありません:「{shown}」。ページを開き直して入力してください。"),
                    format!("there is no field `{shown}`; open the page again and fill in its form."),
                )));
            }
            if typed.insert(name, value.trim().to_owned()).is_some() {
                return Err(Failure::Form(Text::fixed(
                    "同じ入力欄が2度送られました。ページを開き直して入力してください。",
                    "a field was sent twice; open the page again and fill in its form.",
                )));
            }
        }
        Ok(Self { typed, mistakes: BTreeMap::new() })
    }

    pub(in crate::web) fn typed(&self, name: &str) -> Option<&str> {
        self.typed.get(name).map(String::as_str).filter(|text| !text.is_empty())
    }

    pub(in crate::web) fn mistake(&self, name: &str) -> Option<&Text> {
        self.mistakes.get(name)
    }

    pub(in crate::web) fn mistakes(&self) -> usize {
        self.mistakes.len()
    }

    /// Where to go after it: a word that the page knows.
    pub(in crate::web) fn back(&self) -> &str {
        self.typed(BACK).unwrap_or_default()
    }

    /// The values of `act`, where every field holds; what doesn't is told by [`mistake`](Self::mistake).
    pub(in crate::web) fn values(&mut self, act: &Act, now: DateTime<Utc>) -> Option<Values> {
        let mut values = Values::default();
        for field in act.fields {
            match self.value(field, now) {
                Ok(Value::Nothing) => {}
                Ok(Value::Word(word)) => drop(values.words.insert(field.name, word)),
                Ok(Value::Instant(at)) => drop(values.instants.insert(field.name, at)),
                Err(mistake) => drop(self.mistakes.insert(field.name, mistake)),
            }
        }
        self.mistakes.is_empty().then_some(values)
    }

    /// Who says it and why; both have to be said.
    pub(in crate::web) fn stamp(&mut self) -> Option<Stamp> {
        let by = self.demanded(BY, BY_LIMIT);
        let why = self.demanded(WHY, WHY_LIMIT);
        // A form that no page drew has no number: it is stated as often as it is sent.
        let form = self.typed(FORM).and_then(|form| form.parse().ok()).unwrap_or_else(Uuid::new_v4);
        Some(Stamp { by: by?, why: why?, form })
    }

    fn demanded(&mut self, name: &'static str, limit: usize) -> Option<String> {
        let said = match self.typed(name) {
            Some(text) => line(text, limit),
            None => Err(MISSING),
        };
        said.map_err(|mistake| self.mistakes.insert(name, mistake)).ok()
    }

    fn value(&self, field: &Field, now: DateTime<Utc>) -> Result<Value, Text> {
        let typed = self.typed(field.name);
        match &field.input {
            Input::Line(limit) => typed.map_or(Ok(Value::Nothing), |text| line(text, *limit).map(Value::Word)),
            Input::Minute(moment) => minute(typed.ok_or(MISSING)?, *moment, now).map(Value::Instant),
            Input::Radio(choices) => chosen(typed, choices),
            Input::Select(choices) => chosen(typed, &choices()),
            Input::Given(fits) => {
                let given = typed.filter(|text| fits(text)).map(str::to_owned);
                given
                    .map(Value::Word)
                    .ok_or(Text::fixed("施設の画面から開き直してください。", "Open it from the facility's page again."))
            }
            Input::Tick => match typed {
                None => Ok(Value::Nothing),
                Some("yes") => Ok(Value::Word("yes".to_owned())),
                Some(_) => Err(NOT_OFFERED),
            },
        }
    }
}

enum Value {
    Nothing,
    Word(String),
    Instant(DateTime<Utc>),
}

const MISSING: Text = Text::fixed("入力してください。", "This has to be filled in.");
const NOT_OFFERED: Text = Text::fixed("選択肢から選んでください。", "Choose one of those offered.");

fn chosen(typed: Option<&str>, choices: &[(&'static str, Text)]) -> Result<Value, Text> {
    let typed = typed.ok_or(Text::fixed("選んでください。", "Choose one."))?;
    let known = choices.iter().any(|(key, _)| *key == typed);
    if known { Ok(Value::Word(typed.to_owned())) } else { Err(NOT_OFFERED) }
}

/// One line that reads as it looks.
fn line(text: &str, limit: usize) -> Result<String, Text> {
    let count = text.chars().count();
    if count > limit {
        return Err(Text::new(
            format!("{limit}文字以内で入力してください（{count}文字あります）。"),
            format!("At most {limit} characters; these are {count}."),
        ));
    }
    // Beside control characters, those that make a line read otherwise than it was written.
    let turns = |letter| matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    if text.chars().any(|letter| letter.is_control() || turns(letter)) {
        return Err(Text::fixed("改行や制御文字は使えません。", "One line, without control characters."));
    }
    Ok(text.to_owned())
}

fn minute(text: &str, moment: Moment, now: DateTime<Utc>) -> Result<DateTime<Utc>, Text> {
    let at = when::written(text).ok_or(Text::fixed(
        "日時を 2026-04-01T10:30 の形で入力してください。",
        "Write a date and a time such as 2026-04-01T10:30.",
    ))?;
    let first: DateTime<Utc> = FIRST.parse().expect("an instant");
    match moment {
        Moment::Past if at > now + AHEAD => Err(Text::fixed(
            "未来の日時です。済んだことだけを記録できます。",
            "That lies ahead: record what has happened.",
        )),
        Moment::Past if at < first => Err(Text::fixed("年を確かめてください。", "Check the year.")),
        Moment::Ahead if at < now - AHEAD => Err(Text::fixed("過去の日時です。", "That has passed.")),
        Moment::Ahead if at > now + Duration::days(366) => {
            Err(Text::fixed("1年以内の日時を入力してください。", "Within a year, please."))
        }
        Moment::Past | Moment::Ahead => Ok(at),
    }
}

/// Percent-decoded; what is no UTF-8 is refused and never replaced.
fn decoded(bytes: &[u8]) -> Result<String, Failure> {
    let mut plain = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        match (first, after) {
            (b'+', _) => plain.push(b' '),
            (b'%', [high, low, further @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    plain.push(high << 4 | low);
                    rest = further;
                }
                _ => plain.push(b'%'),
            },
            (byte, _) => plain.push(*byte),
        }
    }
    String::from_utf8(plain).map_err(|_| {
        Failure::Form(Text::fixed(
            "文字コードがUTF-8ではありません。ページを開き直して入力してください。",
            "this is no UTF-8; open the page again and fill in its form.",
        ))
    })
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests;
