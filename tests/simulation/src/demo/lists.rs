//! Two of the ministry's lists, some weeks apart, as files that the server imports.

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::cast::{self, Part};
use crate::fleet::facility::Facility;
use crate::truth::calendar;

/// One list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct List {
    pub as_of: NaiveDate,
    pub text: String,
}

const OLDER: u64 = 45;
const NEWER: u64 = 6;
/// The part whose row has another code: it resembles a facility that is on no list.
const RESEMBLES: Part = Part::NotListedYet;

impl List {
    /// The command that imports it from `file`.
    #[must_use]
    pub fn command(&self, file: &Path) -> Vec<String> {
        let (file, as_of) = (file.display().to_string(), self.as_of.to_string());
        let words = [
            "listing",
            "import",
            &file,
            "--source",
            "mhlw",
            "--as-of",
            &as_of,
            "--coverage",
            "full",
            "--by",
            "模擬担当者",
        ];
        words.map(str::to_owned).into()
    }
}

/// The older and the newer list, as of some days before `now`.
#[must_use]
pub fn both(facilities: &[Facility], now: DateTime<Utc>) -> [List; 2] {
    let today = calendar::date(now);
    let (mut older, mut newer) = ("code,name\n".to_owned(), "code,name\n".to_owned());
    for (index, facility) in facilities.iter().enumerate() {
        let part = Part::of(index);
        let (before, after) = part.listed(index);
        let moved = cast::new_code(index, facility).filter(|_| part == Part::Relocated);
        if before {
            row(&mut older, facility.code().as_str(), &facility.name);
        }
        if after {
            row(&mut newer, moved.unwrap_or(facility.code()).as_str(), &facility.name);
        }
        if part == RESEMBLES
            && let Some(code) = cast::new_code(index, facility)
        {
            row(&mut newer, code.as_str(), &facility.name);
        }
    }
    // Other facilities: a few disappear and more appear, so that the newer list is not taken for an incomplete one.
    let more = facilities.len() / 4;
    for number in 1..=80 + more {
        row(&mut older, &format!("13192{number:05}"), &format!("よその医院{number}"));
    }
    for number in 4..=92 + more {
        row(&mut newer, &format!("13192{number:05}"), &format!("よその医院{number}"));
    }
    [(OLDER, older), (NEWER, newer)].map(|(days, text)| List { as_of: today - Days::new(days), text })
}

fn row(list: &mut String, code: &str, name: &str) {
    writeln!(list, "{code},{name}").expect("a string grows");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::facility::invent;

    #[test]
    fn the_newer_list_differs_and_is_not_shorter() {
        for clinics in [9, 12, 40, 400] {
            let [older, newer] = both(&invent(clinics, 1), "2026-11-29T01:00:00Z".parse().unwrap());
            assert!(older.as_of < newer.as_of);
            let rows = |list: &List| list.text.lines().count();
            assert!(rows(&newer) >= rows(&older) * 95 / 100, "{clinics}: {} {}", rows(&older), rows(&newer));
            let gone = older.text.lines().filter(|line| !newer.text.contains(line)).count();
            let new = newer.text.lines().filter(|line| !older.text.contains(line)).count();
            assert!(gone > 3 && new > 3, "{gone} {new}");
        }
    }
}
