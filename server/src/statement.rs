//! The catalogue of statements that people may make, and the only gate before the log.
//!
//! Pages and command line ask for the fields of an entry and pass the typed texts to the check in this module, so that
//! both reject the same input with the same sentence. `known` checks what depends on the facility.

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
mod registration;
mod site;
mod terminal;
mod withdraw;

use chrono::{DateTime, Utc};
use yomitori_facility::Text;
use yomitori_proto::event::Event;

pub use self::check::{BY, ID, Problem, RawValues, SURE, ValidStatement, Values, WHY, stated};
pub(crate) use self::code::code;
pub use self::field::{BY_LIMIT, CODES_LIMIT, Field, Input, Moment, WHY_LIMIT, line, written};
pub use self::listing::{DISMISS, MATCH, RELEASE};
pub use self::parked::SKIP;
pub use self::planned::CALL_CENTRE;
pub(crate) use self::withdraw::entry;

/// A kind of statement that people may make.
pub struct Statement {
    /// The key in the addresses of pages.
    pub key: &'static str,
    /// The noun and verb of the command.
    pub command: [&'static str; 2],
    pub title: Text,
    /// A hint that is shown above the form.
    pub note: Option<Text>,
    pub about: Subject,
    pub fields: &'static [Field],
    /// The usual reason; empty if only the person can know it.
    pub why: Text,
    /// Whether it is about a call: then the form shows number and hours, and a time outside the hours needs a
    /// confirmation.
    pub telephones: bool,
    /// Makes the event; absent if a separate handler does.
    event: Option<MakeEvent>,
}

/// Makes the event from values that are valid one by one.
type MakeEvent = fn(&Values) -> Result<Event, Problem>;

/// What a statement is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Subject {
    Facility,
    /// One facility if one is named, else all of them.
    FacilityOrFleet,
    /// The facility that its first code names, whether it is registered already or not.
    Registered,
    /// A snapshot of the ministry's list or a record of the log, which a separate handler names.
    Other,
}

/// Every statement about a facility or about all of them.
pub fn all() -> impl Iterator<Item = &'static Statement> {
    let parts: [&'static [Statement]; 11] = [
        &intent::STATEMENTS,
        &call::STATEMENTS,
        &flag::STATEMENTS,
        &site::STATEMENTS,
        &attest::STATEMENTS,
        &collection::STATEMENTS,
        &planned::STATEMENTS,
        &terminal::STATEMENTS,
        &code::STATEMENTS,
        &registration::STATEMENTS,
        &withdraw::STATEMENTS,
    ];
    parts.into_iter().flatten()
}

/// The statement with this key.
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
    /// A link to further material.
    #[must_use]
    pub fn material(&self) -> Option<&'static str> {
        (self.key == "notice").then_some(yomitori_facility::POSTER_ADDRESS)
    }

    /// Whether a person may have to confirm it: a call outside the opening hours, the end of a facility's last code, or a
    /// code with an unusual check digit.
    #[must_use]
    pub fn may_be_doubted(&self) -> bool {
        self.telephones || ["code", "register"].contains(&self.key)
    }

    /// Whether a person can fill in its form without a link that names a terminal, a reader or a statement.
    #[must_use]
    pub fn needs_no_link(&self) -> bool {
        self.fields.iter().all(|field| !matches!(field.input, Input::Given(..)))
    }

    /// The time of the call that the statement is about.
    fn call_at(&self, values: &Values) -> Option<DateTime<Utc>> {
        if self.telephones { values.instant("at") } else { None }
    }
}

const NO_WHY: Text = Text::fixed("", "");
const AT_THE_DESK: Text = Text::fixed("受付で確認したため", "seen at the desk");
const CHECKED: Text = Text::fixed("施設に確認したため", "confirmed by the facility");

#[cfg(test)]
mod tests;
