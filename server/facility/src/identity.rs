//! Name, place and institution codes of a facility. Codes and places change; each is valid for a period.
//!
//! A facility that moved was elsewhere before, so earlier lists keep their meaning. A facility whose prefecture is
//! corrected was never elsewhere.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::event::{FacilityCodeChanged, FacilityRegistered, Stated};
use yomitori_proto::id::StatementId;

use crate::bounded;
use crate::bounds::{CODES, IDENTITY_ACTS, PLACES, WITHDRAWN_CODES};
use crate::view::View;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Identity {
    /// Statements, which may arrive in any order; older ones are merged into `before`.
    acts: Vec<IdentityAct>,
    before: Registration,
    /// The result of both.
    now: Registration,
    /// Codes of statements that were withdrawn.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    withdrawn_codes: BTreeSet<String>,
}

/// Name, codes and places.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct Registration {
    name: Option<String>,
    address: Option<String>,
    /// Prefectures in two digits, each with its start, ascending; the first one is valid from the beginning.
    places: Vec<(Option<DateTime<Utc>>, String)>,
    codes: Vec<Code>,
}

/// A registration, or a change of codes.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct IdentityAct {
    stated_at: DateTime<Utc>,
    kind: IdentityActKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<StatementId>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
enum IdentityActKind {
    Registered(FacilityRegistered),
    CodeChanged { old: Option<String>, new: Option<String>, effective_at: DateTime<Utc> },
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Code {
    code: String,
    /// `None` if it has been valid from the beginning.
    from: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

/// One code of a facility.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CodeStatus {
    pub code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    pub valid: bool,
    /// `false` if it has the wrong form or a wrong check digit. The code is shown with a warning and not refused.
    pub check_digit_holds: bool,
}

/// Ten digits if the text can be parsed as a code, otherwise the text.
pub(crate) fn written(code: &str) -> String {
    InstitutionCode::parse(code).map_or_else(|_| code.trim().to_owned(), |code| code.to_string())
}

pub(crate) fn check_digit_holds(code: &str) -> bool {
    InstitutionCode::parse(code).is_ok_and(|code| code.check_digit_holds())
}

impl Identity {
    pub(crate) fn registered(&mut self, event: &FacilityRegistered, stated: &Stated) {
        let mut event = event.clone();
        event.codes.iter_mut().for_each(|code| *code = written(code));
        self.add(IdentityAct { stated_at: stated.stated_at, kind: IdentityActKind::Registered(event), id: stated.id });
    }

    pub(crate) fn code_changed(&mut self, event: &FacilityCodeChanged, stated: &Stated) {
        let FacilityCodeChanged { old, new, effective_at } = event;
        let (old, new) = (old.as_deref().map(written), new.as_deref().map(written));
        let kind = IdentityActKind::CodeChanged { old, new, effective_at: *effective_at };
        self.add(IdentityAct { stated_at: stated.stated_at, kind, id: stated.id });
    }

    /// Removes a registration or a change of codes as if it had never been stated.
    pub(crate) fn withdraw(&mut self, id: StatementId) {
        let withdrawn: Vec<IdentityAct> = self.acts.extract_if(.., |act| act.id == Some(id)).collect();
        if !withdrawn.is_empty() {
            withdrawn.iter().for_each(|act| self.never_had(act.codes()));
            self.replay();
        }
    }

    /// A statement with these codes was withdrawn.
    pub(crate) fn never_had<'a>(&mut self, codes: impl IntoIterator<Item = &'a String>) {
        for code in codes {
            bounded::insert_once(&mut self.withdrawn_codes, written(code), WITHDRAWN_CODES);
        }
    }

    /// Whether the code was the facility's only by statements that were withdrawn.
    pub(crate) fn is_withdrawn(&self, code: &str) -> bool {
        self.withdrawn_codes.contains(code) && !self.now.codes.iter().any(|known| known.code == code)
    }

    pub(crate) const fn name(&self) -> Option<&String> {
        self.now.name.as_ref()
    }

    pub(crate) const fn address(&self) -> Option<&String> {
        self.now.address.as_ref()
    }

    /// Adds a statement.
    fn add(&mut self, act: IdentityAct) {
        self.acts.push(act);
        self.replay();
    }

    fn replay(&mut self) {
        // Registrations are ordered by the time of the statement. A change of code is ordered by its date, but not
        // before the registrations that existed at the time of the statement, because its author knows them.
        let registered_at: Vec<_> =
            self.acts.iter().filter(|act| act.is_registration()).map(|act| act.stated_at).collect();
        let stood_at = |at: DateTime<Utc>| registered_at.iter().copied().filter(|known| *known <= at).max();
        self.acts.sort_by_cached_key(|act| match &act.kind {
            IdentityActKind::Registered(_) => (act.stated_at, None, act.stated_at),
            IdentityActKind::CodeChanged { effective_at, .. } => {
                let from = stood_at(act.stated_at).map_or(*effective_at, |stood| stood.max(*effective_at));
                (from, Some(*effective_at), act.stated_at)
            }
        });
        if self.acts.len() > IDENTITY_ACTS {
            let oldest = self.acts.remove(0);
            self.before.apply(&oldest);
        }
        self.now = self.before.clone();
        self.acts.iter().for_each(|act| self.now.apply(act));
    }

    /// The prefecture at `at`, in two digits.
    pub(crate) fn prefecture_at(&self, at: DateTime<Utc>) -> Option<&String> {
        self.prefecture(|from| from <= at)
    }

    /// The current prefecture; `passed` reports whether an instant has passed.
    pub(crate) fn prefecture(&self, passed: impl Fn(DateTime<Utc>) -> bool) -> Option<&String> {
        self.now.prefecture(passed)
    }

    pub(crate) const fn has_codes(&self) -> bool {
        !self.now.codes.is_empty()
    }

    /// Whether a code belongs to the facility and had not ended at `at`. A code that was recorded later counts too: a
    /// person has stated its owner.
    pub(crate) fn knows(&self, code: &str, at: DateTime<Utc>) -> bool {
        let code = written(code);
        self.now.codes.iter().any(|known| known.code == code && known.until.is_none_or(|until| at < until))
    }
}

impl IdentityAct {
    const fn is_registration(&self) -> bool {
        matches!(self.kind, IdentityActKind::Registered(_))
    }

    /// The codes that it gives to the facility.
    fn codes(&self) -> &[String] {
        match &self.kind {
            IdentityActKind::Registered(event) => &event.codes,
            IdentityActKind::CodeChanged { new, .. } => new.as_slice(),
        }
    }
}

impl Registration {
    fn apply(&mut self, act: &IdentityAct) {
        match &act.kind {
            IdentityActKind::Registered(FacilityRegistered {
                name,
                prefecture,
                codes,
                address,
                moved_at,
                correction,
            }) => {
                self.name = Some(name.clone());
                if address.is_some() {
                    self.address.clone_from(address);
                }
                self.set_prefecture(prefecture, *moved_at, *correction, act.stated_at);
                codes.iter().for_each(|code| self.registered(code, act.stated_at));
            }
            IdentityActKind::CodeChanged { old, new, effective_at } => {
                if let Some(old) = old {
                    self.ended(old, *effective_at);
                }
                if let Some(new) = new {
                    self.began(new, *effective_at);
                }
            }
        }
    }

    fn set_prefecture(
        &mut self,
        prefecture: &str,
        moved_at: Option<DateTime<Utc>>,
        correction: bool,
        at: DateTime<Utc>,
    ) {
        if correction || self.places.is_empty() {
            self.places = vec![(None, prefecture.to_owned())];
            return;
        }
        // Without a date, the move counts from the time of the statement: earlier lists keep their meaning.
        let from = moved_at.unwrap_or(at);
        if moved_at.is_none() && self.prefecture(|known| known <= from).is_some_and(|known| known == prefecture) {
            return;
        }
        self.places.retain(|(known, _)| *known != Some(from));
        bounded::insert(&mut self.places, (Some(from), prefecture.to_owned()), |(from, _)| *from, PLACES);
    }

    fn prefecture(&self, passed: impl Fn(DateTime<Utc>) -> bool) -> Option<&String> {
        let place = self.places.iter().rev().find(|(from, _)| from.is_none_or(&passed));
        place.or(self.places.first()).map(|(_, prefecture)| prefecture)
    }

    fn registered(&mut self, code: &str, at: DateTime<Utc>) {
        let known = self.codes.iter().filter(|known| known.code == code);
        if known.clone().any(|known| known.until.is_none()) {
            return;
        }
        // Registered again after it had been removed: valid again from this statement on.
        let from = known.count().gt(&0).then_some(at);
        self.add(Code { code: code.to_owned(), from, until: None });
    }

    fn ended(&mut self, code: &str, at: DateTime<Utc>) {
        let known = self.codes.iter().any(|known| known.code == code);
        let standing = self.codes.iter_mut().rev().find(|known| known.code == code && known.until.is_none());
        if let Some(standing) = standing {
            standing.until = Some(at);
        } else if !known {
            self.add(Code { code: code.to_owned(), from: None, until: Some(at) });
        }
    }

    fn began(&mut self, code: &str, at: DateTime<Utc>) {
        let open = |known: &&mut Code| known.code == code && known.until.is_none();
        match self.codes.iter_mut().find(open) {
            Some(known) => known.from = known.from.map(|from| from.min(at)),
            None => self.add(Code { code: code.to_owned(), from: Some(at), until: None }),
        }
    }

    fn add(&mut self, code: Code) {
        if self.codes.len() == CODES {
            let retired = self.codes.iter().position(|code| code.until.is_some()).unwrap_or(0);
            self.codes.remove(retired);
        }
        self.codes.push(code);
    }
}

impl View<'_> {
    pub(crate) fn codes(&self) -> Vec<CodeStatus> {
        let codes = self.facility.identity.now.codes.iter();
        codes
            .map(|code| {
                let begun = code.from.is_none_or(|from| self.passed(from));
                let ended = code.until.is_some_and(|until| self.passed(until));
                CodeStatus {
                    code: code.code.clone(),
                    from: code.from,
                    until: code.until,
                    valid: begun && !ended,
                    check_digit_holds: check_digit_holds(&code.code),
                }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "1319999015";
    const NEW: &str = "1319999023";

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::Duration::days(day)
    }

    fn stated(day: i64) -> Stated {
        Stated { by: "Sato".to_owned(), why: None, stated_at: at(day), id: None }
    }

    fn changed(identity: &mut Identity, old: Option<&str>, new: Option<&str>, day: i64) {
        let (old, new) = (old.map(str::to_owned), new.map(str::to_owned));
        identity.code_changed(&FacilityCodeChanged { old, new, effective_at: at(day) }, &stated(day));
    }

    #[test]
    fn a_code_is_known_until_its_last_day() {
        let mut identity = Identity::default();
        assert!(!identity.has_codes());
        changed(&mut identity, None, Some(OLD), 10);
        changed(&mut identity, Some(OLD), Some(NEW), 20);
        assert!(identity.has_codes());
        // Also before its first day, because a person has stated its owner.
        for (day, old, new) in [(9, true, true), (19, true, true), (20, false, true)] {
            assert_eq!((identity.knows(OLD, at(day)), identity.knows(NEW, at(day))), (old, new), "day {day}");
        }
        assert!(!identity.knows("1319999031", at(15)));
    }

    #[test]
    fn an_unknown_code_may_end_and_an_ended_one_ends_once() {
        let mut identity = Identity::default();
        changed(&mut identity, None, Some(NEW), 0);
        changed(&mut identity, Some(OLD), None, 10);
        assert_eq!((identity.knows(OLD, at(9)), identity.knows(OLD, at(10))), (true, false));
        changed(&mut identity, Some(OLD), None, 20);
        assert!(!identity.knows(OLD, at(15)));
        assert_eq!(identity.now.codes.len(), 2);
    }

    #[test]
    fn an_earlier_start_of_a_valid_code_is_accepted() {
        let mut identity = Identity::default();
        changed(&mut identity, None, Some(OLD), 10);
        changed(&mut identity, None, Some(OLD), 5);
        changed(&mut identity, None, Some(OLD), 20);
        assert_eq!((identity.now.codes.len(), identity.now.codes[0].from), (1, Some(at(5))));
    }

    #[test]
    fn an_ended_code_is_removed_first() {
        let mut identity = Identity::default();
        let code = |number: usize| format!("13199{number:05}");
        (0..CODES).for_each(|number| changed(&mut identity, None, Some(&code(number)), 0));
        changed(&mut identity, Some(&code(3)), None, 1);
        changed(&mut identity, None, Some(OLD), 2);
        assert_eq!(identity.now.codes.len(), CODES);
        assert_eq!((identity.knows(&code(3), at(0)), identity.knows(&code(0), at(0))), (false, true));
        changed(&mut identity, None, Some(NEW), 3);
        assert_eq!((identity.now.codes.len(), identity.knows(&code(0), at(0))), (CODES, false));
    }

    fn registered(identity: &mut Identity, prefecture: &str, stated: i64, moved: Option<i64>, correction: bool) {
        let (name, prefecture) = ("x".to_owned(), prefecture.to_owned());
        let moved_at = moved.map(at);
        let event = FacilityRegistered { name, prefecture, codes: Vec::new(), address: None, moved_at, correction };
        identity.registered(&event, &self::stated(stated));
    }

    #[test]
    fn a_move_has_a_date_and_a_correction_has_none() {
        let table =
            [(None, false, ["13", "13", "26"]), (Some(5), false, ["13", "26", "26"]), (None, true, ["26", "26", "26"])];
        for (moved, correction, expected) in table {
            let mut identity = Identity::default();
            registered(&mut identity, "13", 1, None, false);
            registered(&mut identity, "26", 10, moved, correction);
            registered(&mut identity, "26", 20, None, false);
            let there = [3, 7, 12].map(|day| identity.prefecture_at(at(day)).unwrap().as_str());
            assert_eq!(there, expected, "{moved:?} {correction}");
        }
    }

    #[test]
    fn statements_may_be_typed_in_any_order() {
        let registration = |identity: &mut Identity, prefecture: &str, stated, moved, correction| {
            registered(identity, prefecture, stated, moved, correction);
        };
        type Said<'a> = Box<dyn Fn(&mut Identity) + 'a>;
        let said: [Said<'_>; 6] = [
            Box::new(|identity| registration(identity, "13", 1, None, false)),
            Box::new(|identity| registration(identity, "27", 5, Some(5), false)),
            Box::new(|identity| registration(identity, "14", 7, None, true)),
            Box::new(|identity| registration(identity, "26", 9, None, false)),
            Box::new(|identity| changed(identity, Some(OLD), Some(NEW), 2)),
            Box::new(|identity| changed(identity, Some(NEW), Some(OLD), 5)),
        ];
        let mut expected = Identity::default();
        said.iter().for_each(|say| say(&mut expected));
        assert_eq!(expected.prefecture_at(at(6)).map(String::as_str), Some("14"));
        let valid: Vec<_> =
            expected.now.codes.iter().filter(|code| code.until.is_none()).map(|code| &code.code).collect();
        assert_eq!(valid, [OLD]);
        for number in 0..720 {
            let (mut order, mut left, mut number) = (Vec::new(), (0..6).collect::<Vec<_>>(), number);
            for size in (1..=6).rev() {
                order.push(left.remove(number % size));
                number /= size;
            }
            let mut identity = Identity::default();
            order.iter().for_each(|index| said[*index](&mut identity));
            assert_eq!(identity.now, expected.now, "{order:?}");
        }
    }

    #[test]
    fn a_code_that_ended_before_the_registration_ends_although_that_is_stated_later() {
        let code_registered = |identity: &mut Identity, stated| {
            let (name, prefecture, codes) = ("x".to_owned(), "13".to_owned(), vec![OLD.to_owned()]);
            let event =
                FacilityRegistered { name, prefecture, codes, address: None, moved_at: None, correction: false };
            identity.registered(&event, &self::stated(stated));
        };
        let mut identity = Identity::default();
        code_registered(&mut identity, 10);
        let event = FacilityCodeChanged { old: Some(OLD.to_owned()), new: Some(NEW.to_owned()), effective_at: at(5) };
        identity.code_changed(&event, &stated(12));
        assert_eq!((identity.knows(OLD, at(4)), identity.knows(OLD, at(11))), (true, false));
        code_registered(&mut identity, 20);
        assert!(identity.knows(OLD, at(21)), "registered again");
    }

    #[test]
    fn a_check_digit_holds_or_not() {
        let table = [("1319999015", true), ("13-1-99-9901-5", true), ("1319999016", false), ("x", false), ("", false)];
        for (code, expected) in table {
            assert_eq!(check_digit_holds(code), expected, "{code}");
        }
    }
}
