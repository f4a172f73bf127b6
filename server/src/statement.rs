//! What people may state, one entry each: the one gate before the log.
//!
//! Every door (pages, command line) asks for the fields of an entry, takes what was typed as text, and has it checked here:
//! the same sentence refuses the same input everywhere. What makes sense only for some facilities is checked in `known`.

mod attest;
mod call;
mod check;
mod code;
mod collection;
mod field;
mod flag;
mod intent;
pub mod known;
mod listing;
mod parked;
mod planned;
mod site;
mod terminal;
mod withdraw;

use chrono::{DateTime, Utc};
use yomitori_facility::Text;
use yomitori_proto::event::Event;

pub use self::check::{BY, ID, Problem, RawValues, SURE, ValidStatement, Values, WHY, stated, subject};
pub use self::field::{BY_LIMIT, Field, Input, Moment, WHY_LIMIT, written};
pub use self::listing::{DISMISS, MATCH, RELEASE};
pub use self::parked::SKIP;

/// One thing that people may state.
pub struct Statement {
    /// In the addresses of pages.
    pub key: &'static str,
    /// Noun and verb of its command.
    pub command: [&'static str; 2],
    pub title: Text,
    /// What to know before filling it in.
    pub note: Option<Text>,
    pub about: Subject,
    pub fields: &'static [Field],
    /// What is mostly said as "why"; empty where only the person can know.
    pub why: Text,
    /// It is about a call: number and hours stand beside it, and an hour at which nobody answers is asked about.
    pub telephones: bool,
    /// What it states; absent where its own door knows what follows.
    event: Option<MakeEvent>,
}

/// Makes the event of values that hold one by one.
type MakeEvent = fn(&Values) -> Result<Event, Problem>;

/// What a statement is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    Facility,
    /// One facility where one is named, else all of them.
    FacilityOrFleet,
    /// A snapshot of the ministry's list, or a record of the log: its own door says which.
    Other,
}

/// Every statement about a facility.
pub fn all() -> impl Iterator<Item = &'static Statement> {
    let parts: [&'static [Statement]; 10] = [
        &intent::STATEMENTS,
        &call::STATEMENTS,
        &flag::STATEMENTS,
        &site::STATEMENTS,
        &attest::STATEMENTS,
        &collection::STATEMENTS,
        &planned::STATEMENTS,
        &terminal::STATEMENTS,
        &code::STATEMENTS,
        &withdraw::STATEMENTS,
    ];
    parts.into_iter().flatten()
}

/// The statement of a key.
#[must_use]
pub fn find(key: &str) -> Option<&'static Statement> {
    all().find(|statement| statement.key == key)
}

/// A decision about the ministry's list.
#[must_use]
pub fn decision(key: &str) -> Option<&'static Statement> {
    [&MATCH, &DISMISS, &RELEASE].into_iter().find(|statement| statement.key == key)
}

impl Statement {
    /// Where a page should lead for more.
    #[must_use]
    pub fn material(&self) -> Option<&'static str> {
        (self.key == "notice").then_some(yomitori_facility::POSTER_ADDRESS)
    }

    /// When the call that it is about was or will be made.
    fn call_at(&self, values: &Values) -> Option<DateTime<Utc>> {
        if self.telephones { values.instant("at") } else { None }
    }
}

const NO_WHY: Text = Text::fixed("", "");
const AT_THE_DESK: Text = Text::fixed("受付で確認したため", "seen at the desk");
const CHECKED: Text = Text::fixed("施設に確認したため", "the facility said so");

#[cfg(test)]
mod tests;
