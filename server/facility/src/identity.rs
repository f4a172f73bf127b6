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
