//! Name, place and institution codes of a facility. Codes change; each is valid from one instant to another.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::event::{FacilityCodeChanged, FacilityRegistered};

use crate::view::View;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) name: Option<String>,
    /// Two digits.
    pub(crate) prefecture: Option<String>,
    pub(crate) address: Option<String>,
    codes: Vec<Code>,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Code {
    code: String,
    /// Absent where it has been valid from the beginning.
    from: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
}

/// One code of a facility.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct CodeStatus {
    pub code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    pub valid: bool,
    /// False where it is not written as a code or its check digit is wrong: worth a look, no reason to refuse it.
    pub check_digit_holds: bool,
}

const CODES: usize = 16;

/// Ten digits where the text can be read as a code, else the text.
pub(crate) fn written(code: &str) -> String {
    InstitutionCode::parse(code).map_or_else(|_| code.trim().to_owned(), |code| code.to_string())
}

pub(crate) fn check_digit_holds(code: &str) -> bool {
    InstitutionCode::parse(code).is_ok_and(|code| code.check_digit_holds())
}

impl Identity {
    pub(crate) fn registered(&mut self, event: &FacilityRegistered, at: DateTime<Utc>) {
        self.name = Some(event.name.clone());
        self.prefecture = Some(event.prefecture.clone());
        if event.address.is_some() {
            self.address.clone_from(&event.address);
        }
        for code in &event.codes {
            let code = written(code);
            let known = self.codes.iter().filter(|known| known.code == code);
            if known.clone().any(|known| known.until.is_none()) {
                continue;
            }
            // Registered again after it had been dropped: valid again from this statement on.
            let from = known.count().gt(&0).then_some(at);
            self.add(Code { code, from, until: None });
        }
    }

    pub(crate) fn code_changed(&mut self, event: &FacilityCodeChanged) {
        let FacilityCodeChanged { old, new, effective_at } = event;
        if let Some(old) = old.as_deref().map(written) {
            let known = self.codes.iter().any(|known| known.code == old);
            let standing = self.codes.iter_mut().rev().find(|known| known.code == old && known.until.is_none());
            if let Some(standing) = standing {
                standing.until = Some(*effective_at);
            } else if !known {
                self.add(Code { code: old, from: None, until: Some(*effective_at) });
            }
        }
        if let Some(new) = new.as_deref().map(written) {
            let open = |known: &&mut Code| known.code == new && known.until.is_none();
            match self.codes.iter_mut().find(open) {
                Some(known) => known.from = known.from.map(|from| from.min(*effective_at)),
                None => self.add(Code { code: new, from: Some(*effective_at), until: None }),
            }
        }
    }

    fn add(&mut self, code: Code) {
        if self.codes.len() == CODES {
            let retired = self.codes.iter().position(|code| code.until.is_some()).unwrap_or(0);
            self.codes.remove(retired);
        }
        self.codes.push(code);
    }

    pub(crate) const fn has_codes(&self) -> bool {
        !self.codes.is_empty()
    }

    /// Whether a code was the facility's at `at`: `None` where it never was.
    pub(crate) fn had(&self, code: &str, at: DateTime<Utc>) -> Option<bool> {
        let code = written(code);
        let known: Vec<&Code> = self.codes.iter().filter(|known| known.code == code).collect();
        let valid =
            |known: &&Code| known.from.is_none_or(|from| from <= at) && known.until.is_none_or(|until| at < until);
        (!known.is_empty()).then(|| known.iter().any(valid))
    }
}

impl View<'_> {
    pub(crate) fn codes(&self) -> Vec<CodeStatus> {
        let codes = self.facility.identity.codes.iter();
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

    fn changed(identity: &mut Identity, old: Option<&str>, new: Option<&str>, day: i64) {
        let (old, new) = (old.map(str::to_owned), new.map(str::to_owned));
        identity.code_changed(&FacilityCodeChanged { old, new, effective_at: at(day) });
    }

    #[test]
    fn a_code_counts_from_its_day_until_its_last() {
        let mut identity = Identity::default();
        assert!(!identity.has_codes());
        changed(&mut identity, None, Some(OLD), 10);
        changed(&mut identity, Some(OLD), Some(NEW), 20);
        assert!(identity.has_codes());
        let table = [(9, false, false), (10, true, false), (19, true, false), (20, false, true)];
        for (day, old, new) in table {
            assert_eq!((identity.had(OLD, at(day)), identity.had(NEW, at(day))), (Some(old), Some(new)), "day {day}");
        }
        assert_eq!(identity.had("1319999031", at(15)), None);
    }

    #[test]
    fn a_code_that_was_never_told_of_may_end_and_an_ended_one_ends_once() {
        let mut identity = Identity::default();
        changed(&mut identity, None, Some(NEW), 0);
        changed(&mut identity, Some(OLD), None, 10);
        assert_eq!((identity.had(OLD, at(9)), identity.had(OLD, at(10))), (Some(true), Some(false)));
        changed(&mut identity, Some(OLD), None, 20);
        assert_eq!(identity.had(OLD, at(15)), Some(false));
        assert_eq!(identity.codes.len(), 2);
    }

    #[test]
    fn an_earlier_beginning_of_a_code_that_stands_is_believed() {
        let mut identity = Identity::default();
        changed(&mut identity, None, Some(OLD), 10);
        changed(&mut identity, None, Some(OLD), 5);
        changed(&mut identity, None, Some(OLD), 20);
        assert_eq!((identity.codes.len(), identity.codes[0].from), (1, Some(at(5))));
    }

    #[test]
    fn a_retired_code_gives_way_first() {
        let mut identity = Identity::default();
        let code = |number: usize| format!("13199{number:05}");
        (0..CODES).for_each(|number| changed(&mut identity, None, Some(&code(number)), 0));
        changed(&mut identity, Some(&code(3)), None, 1);
        changed(&mut identity, None, Some(OLD), 2);
        assert_eq!(identity.codes.len(), CODES);
        assert_eq!((identity.had(&code(3), at(0)), identity.had(&code(0), at(0))), (None, Some(true)));
        changed(&mut identity, None, Some(NEW), 3);
        assert_eq!((identity.codes.len(), identity.had(&code(0), at(0))), (CODES, None));
    }

    #[test]
    fn a_check_digit_holds_or_not() {
        let table = [("1319999015", true), ("13-1-99-9901-5", true), ("1319999016", false), ("x", false), ("", false)];
        for (code, expected) in table {
            assert_eq!(check_digit_holds(code), expected, "{code}");
        }
    }
}
