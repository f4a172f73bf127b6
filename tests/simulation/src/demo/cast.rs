//! The parts of the clinics. The first nine show the essentials to a newcomer; twenty show everything.

use chrono::{DateTime, Days, NaiveDate, Utc};
use yomitori_proto::code::{InstitutionCode, Table};

use crate::fleet::facility::Facility;
use crate::truth::calendar;
use crate::truth::site::{Kind, Site};

/// The situation that a clinic demonstrates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Phones are read now and then; the list may name it.
    Usual,
    /// Not wanted, read, not listed: a call is needed.
    CallNeeded,
    /// The call has been made; the list does not show it yet.
    OptOutUnderWay,
    /// The call has been made, and a later list no longer names it.
    OptOutReflected,
    /// Listed although not wanted, and no call has been made.
    AgainstWish,
    /// The face reader reads phones by itself, and the group is undecided.
    CanonUndecided,
    /// The same, but listing is wanted, and the desk attests reads.
    CanonAttested,
    /// Silent for two weeks.
    Silent,
    /// The reader's cable is loose.
    LooseCable,
    /// The clinic has moved and has another code since.
    Relocated,
    /// A record of it is damaged, so the facility is blocked.
    Parked,
    /// Wanted, and named by the newer list for the first time.
    NewlyListed,
    /// The pairing was never set: patients try, and the desk records the failures.
    NeverWorks,
    /// Wanted, read, and on no list yet.
    NotListedYet,
    /// The reader's role is not set.
    RoleUnknown,
    /// Registered, but no terminal was ever enrolled. The number matches the fleet's.
    NeverEnrolled,
    /// Everything is ready, and no phone has come.
    NoPhoneYet,
    /// On the older list only, and no call has been made.
    Dropped,
}

const FIRST_ROUND: [Part; 20] = [
    Part::Usual,
    Part::OptOutUnderWay,
    Part::OptOutReflected,
    Part::AgainstWish,
    Part::CanonUndecided,
    Part::Silent,
    Part::LooseCable,
    Part::Relocated,
    Part::Parked,
    Part::NewlyListed,
    Part::NeverWorks,
    Part::NotListedYet,
    Part::Usual,
    Part::RoleUnknown,
    Part::NeverEnrolled,
    Part::CanonAttested,
    Part::NoPhoneYet,
    Part::Dropped,
    Part::Usual,
    Part::Usual,
];
/// A clinic that moves gets a number that no invented facility begins with.
const FIRST_NEW_SERIAL: usize = 5_000;
/// The number of clinics with statements about intent: each statement is a process of the server's command line.
const SPOKEN_OF: usize = 60;
/// The author of the statements.
const BY: &str = "模擬担当者 (simulated)";
/// Days before now.
const CALLED: u64 = 3;
const CALLED_AND_REFLECTED: u64 = 27;
const MOVED: u64 = 21;
const RESTARTED: u64 = 40;
const STICKER: u64 = 50;

impl Part {
    /// The part of the clinic with this number.
    #[must_use]
    pub const fn of(index: usize) -> Self {
        if index < FIRST_ROUND.len() {
            return FIRST_ROUND[index];
        }
        match index % FIRST_ROUND.len() {
            1 => Self::CallNeeded,
            4 => Self::CanonUndecided,
            6 => Self::LooseCable,
            10 => Self::NeverWorks,
            13 => Self::RoleUnknown,
            14 => Self::NeverEnrolled,
            16 => Self::NoPhoneYet,
            _ => Self::Usual,
        }
    }

    /// Whether the face reader reads phones by itself.
    #[must_use]
    pub const fn phone_native(self) -> bool {
        matches!(self, Self::CanonUndecided | Self::CanonAttested)
    }

    /// Whether the clinic wants phones to be shown.
    const fn welcomes(self) -> bool {
        !matches!(self, Self::OptOutUnderWay | Self::AgainstWish | Self::CallNeeded | Self::OptOutReflected)
    }

    /// Whether the older and the newer list name it.
    #[must_use]
    pub const fn listed(self, index: usize) -> (bool, bool) {
        match self {
            Self::Usual if index < FIRST_ROUND.len() => (index < FIRST_ROUND.len() - 1, true),
            Self::Usual => (index.is_multiple_of(3), !index.is_multiple_of(4)),
            Self::OptOutUnderWay | Self::AgainstWish | Self::Silent | Self::LooseCable | Self::Relocated => {
                (true, true)
            }
            Self::OptOutReflected | Self::Dropped => (true, false),
            Self::NewlyListed | Self::CanonAttested | Self::Parked => (false, true),
            Self::CallNeeded
            | Self::CanonUndecided
            | Self::NeverWorks
            | Self::NotListedYet
            | Self::RoleUnknown
            | Self::NeverEnrolled
            | Self::NoPhoneYet => (false, false),
        }
    }

    /// Adapts `site` to the part.
    pub fn shape(self, index: usize, table: Table, site: &mut Site) {
        site.kind = match table {
            Table::Pharmacy => Kind::Pharmacy,
            _ if index % 13 == 12 => Kind::BusyClinic,
            _ => Kind::QuietClinic,
        };
        site.stations.truncate(1);
        site.phones_work = self != Self::NeverWorks;
        // A few true reads at a quiet desk can be distinguished from chance.
        site.phones_a_day = site.phones_a_day.clamp(0.7, 1.6);
        site.fails = site.fails.min(0.2);
        match self {
            Self::Usual | Self::Parked | Self::Silent | Self::RoleUnknown | Self::NeverEnrolled | Self::Dropped => {}
            Self::NoPhoneYet => site.phones_a_day = 0.0,
            Self::NeverWorks | Self::CanonAttested => site.records = 1.0,
            Self::CanonUndecided => site.records = 0.0,
            Self::LooseCable => (site.loose_cable, site.off_at_night) = (true, false),
            Self::CallNeeded
            | Self::OptOutUnderWay
            | Self::OptOutReflected
            | Self::AgainstWish
            | Self::Relocated
            | Self::NewlyListed
            | Self::NotListedYet => {
                site.phones_a_day = 1.2;
                (site.fails, site.noise_a_day, site.cards_on_reader_a_day) = (0.1, 0.0, 0.0);
            }
        }
    }
}

/// The code of a facility after its move, or the code of a row that only resembles it.
#[must_use]
pub fn new_code(index: usize, facility: &Facility) -> Option<InstitutionCode> {
    let old = facility.code();
    let serial = FIRST_NEW_SERIAL + index;
    let codes = (0..10).filter_map(|check| {
        InstitutionCode::parse_with(old.prefecture(), old.table(), &format!("99{serial:04}{check}")).ok()
    });
    codes.into_iter().find(InstitutionCode::check_digit_holds)
}

/// The time of an act in the office, some days before `now`, on a day on which the call centre answers.
fn office(now: DateTime<Utc>, days_ago: u64) -> DateTime<Utc> {
    let day = calendar::date(now) - Days::new(days_ago);
    let before = |day: NaiveDate| (0..).map(move |days| day - Days::new(days));
    let open = before(day).find(|day| calendar::is_open(*day)).unwrap_or(day);
    calendar::at(open, 10.5)
}

/// The commands for people's statements about a clinic.
#[must_use]
pub fn statements(index: usize, facility: &Facility, now: DateTime<Utc>) -> Vec<Vec<String>> {
    let part = Part::of(index);
    let code = facility.code().to_string();
    let mut all = Vec::new();
    let mut say = |words: &[&str]| {
        let words = words.iter().copied().chain(["--facility", &code, "--by", BY]);
        all.push(words.map(str::to_owned).collect::<Vec<String>>());
    };
    let at = |days_ago| office(now, days_ago).to_rfc3339();
    if part.phone_native() {
        say(&["face-reader", "set", "--model", "canon-hi-cara", "--phone-native", "unknown"]);
        say(&["restart", "record", "--at", &at(RESTARTED)]);
    }
    if index >= SPOKEN_OF {
        return all;
    }
    // Some have forgotten the sticker.
    if part.listed(index).1 && part.welcomes() && !index.is_multiple_of(6) {
        say(&["notice", "record", "--notice", "supported_sticker", "--at", &at(STICKER)]);
    }
    let unwanted = ["intent", "set", "--intent", "do_not_want", "--why", "受付の体制が整うまで掲載を望まない"];
    let wanted = ["intent", "set", "--intent", "want_listed", "--why", "患者の希望が多い"];
    match part {
        Part::OptOutUnderWay => {
            say(&unwanted);
            say(&["call", "record", "--at", &at(CALLED), "--reference", "SIM-0012", "--sure"]);
        }
        Part::OptOutReflected => {
            say(&unwanted);
            say(&["call", "record", "--at", &at(CALLED_AND_REFLECTED), "--reference", "SIM-0007", "--sure"]);
            say(&["confirmation", "record", "--at", &at(CALLED_AND_REFLECTED - 4)]);
        }
        Part::AgainstWish | Part::CallNeeded => say(&unwanted),
        Part::NewlyListed
        | Part::NotListedYet
        | Part::CanonAttested
        | Part::LooseCable
        | Part::NoPhoneYet
        | Part::Silent
        | Part::Dropped => {
            say(&wanted);
        }
        Part::Usual if index >= FIRST_ROUND.len() => {
            // Most have decided.
            if !index.is_multiple_of(5) {
                say(&wanted);
            }
        }
        Part::Usual => {
            say(&wanted);
            say(&["purchase", "record", "--item", "reader", "--route", "subsidised"]);
        }
        Part::Relocated => {
            say(&wanted);
            if let Some(new) = new_code(index, facility) {
                let effective = at(MOVED);
                let codes = ["--old", &code, "--new", new.as_str(), "--effective", &effective];
                say(&[&["code", "record"][..], &codes, &["--why", "移転"]].concat());
            }
        }
        Part::CanonUndecided | Part::Parked | Part::NeverWorks | Part::RoleUnknown | Part::NeverEnrolled => {}
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fleet::character::Character;
    use crate::fleet::facility::invent;

    #[test]
    fn the_first_nine_show_the_promised_parts_and_no_other_is_unenrolled() {
        let parts: Vec<Part> = (0..9).map(Part::of).collect();
        for part in [
            Part::OptOutUnderWay,
            Part::OptOutReflected,
            Part::AgainstWish,
            Part::CanonUndecided,
            Part::Silent,
            Part::LooseCable,
            Part::Relocated,
            Part::Parked,
        ] {
            assert!(parts.contains(&part), "{part:?}");
        }
        for index in 0..100 {
            let never = Character::of(index) == Character::NeverEnrolled;
            assert_eq!(Part::of(index) == Part::NeverEnrolled, never, "{index}");
        }
    }

    #[test]
    fn calls_are_made_when_the_call_centre_answers_and_codes_are_valid() {
        let now = "2026-11-29T01:00:00Z".parse().unwrap();
        // A Saturday, not the Sunday or the holiday around it.
        assert_eq!(office(now, 1).to_rfc3339(), "2026-11-28T01:30:00+00:00");
        assert_eq!(office(now, 6).to_rfc3339(), "2026-11-21T01:30:00+00:00");
        let facilities = invent(40, 1);
        for (index, facility) in facilities.iter().enumerate() {
            let new = new_code(index, facility).unwrap();
            assert!(new.check_digit_holds() && facilities.iter().all(|other| !other.codes.contains(&new)));
        }
        let said = statements(7, &facilities[7], now);
        assert!(said.iter().any(|words| words[..2] == ["code", "record"].map(str::to_owned)), "{said:?}");
    }
}
