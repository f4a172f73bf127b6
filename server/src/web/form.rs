//! What people can state, as data: every form is drawn, read and turned into an event from one description.
//!
//! A form changes nothing by itself: its event goes through `ingest::operator`, with who, when and why.

mod acts;
mod draw;
mod entered;
mod once;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use yomitori_facility::Text;
use yomitori_proto::event::Event;

pub(super) use self::acts::{SKIP, decision, find};
pub(super) use self::draw::{Drawn, draw};
pub(super) use self::entered::{BY, Entered, SURE, Stamp, WHY, read};
pub(super) use self::once::Once;

/// One thing that people can state of a facility.
pub(super) struct Act {
    /// In its address.
    pub(super) key: &'static str,
    pub(super) title: Text,
    /// What to know before filling it in.
    pub(super) note: Option<Text>,
    pub(super) fields: &'static [Field],
    /// What is mostly said as "why"; empty where only the person can know.
    pub(super) why: Text,
    /// It is about a call: number and hours stand beside it, and an hour at which nobody answers is asked about.
    pub(super) telephones: bool,
    /// What it states of a facility; absent where the page that shows it knows what follows.
    event: Option<fn(&Values) -> Event>,
}

/// What is asked beside who and why.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: Text,
    pub(super) hint: Option<Text>,
    pub(super) input: Input,
}

pub(super) enum Input {
    /// May be left empty; at most so many characters.
    Line(usize),
    /// A minute by the clocks of Japan.
    Minute(Moment),
    /// One of a few, all shown.
    Radio(&'static [(&'static str, Text)]),
    /// One of many.
    Select(fn() -> Vec<(&'static str, Text)>),
    Tick,
    /// What the link to the form has said and nobody types; whether it can be used.
    Given(fn(&str) -> bool),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Past,
    Ahead,
}

/// The values of a form whose fields all hold.
#[derive(Default)]
pub(super) struct Values {
    words: BTreeMap<&'static str, String>,
    instants: BTreeMap<&'static str, DateTime<Utc>>,
}

impl Values {
    /// What was chosen or written; empty where a line was left empty.
    pub(super) fn word(&self, name: &str) -> &str {
        self.words.get(name).map_or("", String::as_str)
    }

    fn line(&self, name: &str) -> Option<String> {
        self.words.get(name).filter(|text| !text.is_empty()).cloned()
    }

    fn ticked(&self, name: &str) -> bool {
        self.words.contains_key(name)
    }

    /// The instant of a field that every form with it demands.
    fn at(&self, name: &str) -> DateTime<Utc> {
        self.instants.get(name).copied().expect("a form is read before its event is made")
    }
}

impl Act {
    /// What `values`, read by this form, state of a facility.
    pub(super) fn event(&self, values: &Values) -> Option<Event> {
        self.event.map(|event| event(values))
    }

    /// When the call of a form about calls was or will be made.
    pub(super) fn call_at(&self, values: &Values) -> Option<DateTime<Utc>> {
        if self.telephones { values.instants.get("at").copied() } else { None }
    }
}
