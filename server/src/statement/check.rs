//! Checks typed values: returns the stated event or the problems, field by field.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use uuid::Uuid;
use yomitori_facility::{Calendar, Opening, Text};
use yomitori_proto::event::{Event, Stated};
use yomitori_proto::id::StatementId;
use yomitori_proto::time::JAPAN;

use super::Statement;
use super::field::{BY_LIMIT, MISSING, Value, WHY_LIMIT, line};

/// The common fields: who, why, the identifier, and the confirmation of an unusual time.
pub const BY: &str = "by";
pub const WHY: &str = "why";
pub const ID: &str = "id";
pub const SURE: &str = "sure";

/// The typed texts by field name. An empty text counts as absent.
pub type RawValues = BTreeMap<String, String>;

/// A problem with a field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The name of the field; [`SURE`] if the person has to confirm.
    pub field: &'static str,
    pub text: Text,
}

/// A checked statement that may be recorded.
#[derive(Clone, PartialEq, Debug)]
pub struct ValidStatement {
    pub stated: Stated,
    /// Absent if a separate handler makes it.
    pub event: Option<Event>,
    pub values: Values,
    /// The person has confirmed a doubt.
    pub sure: bool,
}

/// The values of valid fields.
#[derive(Clone, PartialEq, Debug)]
pub struct Values {
    words: BTreeMap<&'static str, String>,
    instants: BTreeMap<&'static str, DateTime<Utc>>,
    pub(super) now: DateTime<Utc>,
}

impl Values {
    pub(super) const fn new(now: DateTime<Utc>) -> Self {
        Self { words: BTreeMap::new(), instants: BTreeMap::new(), now }
    }

    /// The chosen or written text; empty if the field was left empty.
    #[must_use]
    pub fn word(&self, name: &str) -> &str {
        self.words.get(name).map_or("", String::as_str)
    }

    pub(super) fn line(&self, name: &str) -> Option<String> {
        self.words.get(name).filter(|text| !text.is_empty()).cloned()
    }

    pub(super) fn ticked(&self, name: &str) -> bool {
        self.words.contains_key(name)
    }

    pub(super) fn instant(&self, name: &str) -> Option<DateTime<Utc>> {
        self.instants.get(name).copied()
    }

    /// The instant of a required field.
    pub(super) fn at(&self, name: &str) -> DateTime<Utc> {
        self.instant(name).unwrap_or(self.now)
    }
}

impl Statement {
    /// Checks the typed values at `now`, by the call centre's calendar.
    ///
    /// # Errors
    /// Lists every problem: of each field, of fields together, and a doubt that the person has to confirm. `known` has
    /// further ones, which depend on the facility.
    pub fn check(
        &self,
        typed: &RawValues,
        now: DateTime<Utc>,
        calendar: &Calendar,
    ) -> Result<ValidStatement, Vec<Problem>> {
        let mut problems = Vec::new();
        let mut values = Values::new(now);
        for field in self.fields {
            match field.value(given(typed, field.name), now) {
                Ok(Value::Nothing) => {}
                Ok(Value::Word(word)) => _ = values.words.insert(field.name, word),
                Ok(Value::Instant(at)) => _ = values.instants.insert(field.name, at),
                Err(text) => problems.push(Problem { field: field.name, text }),
            }
        }
        let stated = stated(typed, now).map_err(|more| problems.extend(more)).ok();
        let (Some(stated), true) = (stated, problems.is_empty()) else { return Err(problems) };
        let event = self.event.map(|event| event(&values)).transpose().map_err(|problem| vec![problem])?;
        let doubt = self.call_at(&values).and_then(|at| doubt(calendar, at));
        let sure = given(typed, SURE).is_some();
        if let Some(text) = doubt.filter(|_| !sure) {
            return Err(vec![Problem { field: SURE, text }]);
        }
        Ok(ValidStatement { stated, event, values, sure })
    }
}

/// Who states it and why, which are both required, and the identifier, which is generated if none is given.
///
/// # Errors
/// Lists the problems of these fields.
pub fn stated(typed: &RawValues, now: DateTime<Utc>) -> Result<Stated, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut demanded = |field: &'static str, limit: usize| {
        let checked = given(typed, field).map_or(Err(MISSING), |text| line(text, limit));
        checked.map_err(|text| problems.push(Problem { field, text })).ok()
    };
    let (by, why) = (demanded(BY, BY_LIMIT), demanded(WHY, WHY_LIMIT));
    let id = given(typed, ID).map(|id| id.parse::<StatementId>()).transpose();
    if id.is_err() {
        let text = Text::fixed("記録の識別子（UUID）ではありません。", "Invalid identifier of a statement (a UUID).");
        problems.push(Problem { field: ID, text });
    }
    match (by, why, id) {
        (Some(by), Some(why), Ok(id)) => {
            let id = id.unwrap_or_else(|| StatementId(Uuid::new_v4()));
            Ok(Stated { by, why: Some(why), stated_at: now, id: Some(id) })
        }
        _ => Err(problems),
    }
}

fn given<'a>(typed: &'a RawValues, name: &str) -> Option<&'a str> {
    typed.get(name).map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// The doubt about a call at `at`, if there is one.
fn doubt(calendar: &Calendar, at: DateTime<Utc>) -> Option<Text> {
    let clock = at.with_timezone(&JAPAN).format("%Y-%m-%d %H:%M").to_string();
    match calendar.open(at) {
        Opening::Open => None,
        Opening::Closed => {
            let because = calendar.closed_because(at);
            Some(Text::new(
                format!("{clock} はコールセンターの受付時間外です（{}）。日時を確かめてください。", because.ja),
                format!("The call centre is closed at {clock} ({}). Check the date and time.", because.en),
            ))
        }
        Opening::Unconfirmed => Some(Text::new(
            format!("{clock} はふだん受付時間内ですが、年末年始の受付は確認されていません。"),
            format!("The call centre is usually open at {clock}; around New Year this is not confirmed."),
        )),
        Opening::Unknown => Some(Text::new(
            format!("{clock} の年の祝日がこのプログラムにないため、受付時間内かどうかを確認できません。"),
            format!(
                "It is unknown whether the call centre is open at {clock}: this program does not have the holidays of that year."
            ),
        )),
    }
}
