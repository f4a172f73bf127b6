//! A site: the kind of desk, its equipment, its people and its line.

use chrono::{Datelike as _, NaiveDate, TimeDelta, Weekday};
use rand::Rng as _;
use rand::rngs::StdRng;
use serde::{Deserialize, Serialize};
use yomitori_proto::id::{FacilityId, Life, ReaderKey, TerminalId};

use super::assumptions::Assumptions;
use super::draw;

/// A kind of desk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    QuietClinic,
    BusyClinic,
    Hospital,
    Pharmacy,
}

/// One terminal with its reader for phones.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Station {
    pub terminal: TerminalId,
    pub life: Life,
    pub reader: ReaderKey,
    /// The terminal's clock minus the correct time.
    pub clock_offset: TimeDelta,
}

/// See the head of this file.
#[derive(Clone, PartialEq, Debug)]
pub struct Site {
    pub kind: Kind,
    pub facility: FacilityId,
    pub stations: Vec<Station>,
    pub phones_work: bool,
    pub phones_a_day: f64,
    pub fails: f64,
    /// The share of the desk's observations that it enters.
    pub records: f64,
    pub in_use_shown: bool,
    pub off_at_night: bool,
    pub noise_a_day: f64,
    pub cards_on_reader_a_day: f64,
    pub loose_cable: bool,
    pub bad_line: bool,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::QuietClinic, Self::BusyClinic, Self::Hospital, Self::Pharmacy];

    /// The printed name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QuietClinic => "quiet clinic",
            Self::BusyClinic => "busy clinic",
            Self::Hospital => "hospital",
            Self::Pharmacy => "pharmacy",
        }
    }

    /// Checks on a whole day, at all terminals.
    #[must_use]
    pub const fn checks(self) -> f64 {
        match self {
            Self::QuietClinic => 30.0,
            Self::BusyClinic => 150.0,
            Self::Hospital => 800.0,
            Self::Pharmacy => 60.0,
        }
    }

    #[must_use]
    pub const fn terminals(self) -> usize {
        match self {
            Self::Hospital => 3,
            Self::QuietClinic | Self::BusyClinic | Self::Pharmacy => 1,
        }
    }

    /// The opening hours in hours of the day; on Saturdays only the first part.
    #[must_use]
    pub fn hours(self, date: NaiveDate) -> &'static [(f64, f64)] {
        let all: &[(f64, f64)] = match self {
            Self::QuietClinic | Self::BusyClinic => &[(9.0, 12.5), (14.5, 18.0)],
            Self::Hospital => &[(8.5, 12.5), (12.5, 17.0)],
            Self::Pharmacy => &[(9.0, 13.0), (13.0, 19.0)],
        };
        if date.weekday() == Weekday::Sat { &all[..1] } else { all }
    }
}

impl Site {
    /// A site drawn from the assumptions. Each terminal of a hospital has a reader for phones.
    #[must_use]
    pub fn draw(assumptions: &Assumptions, rng: &mut StdRng) -> Self {
        let kind = Kind::ALL[draw::one_of(rng, &assumptions.kinds)];
        let wrong = rng.random_bool(assumptions.wrong_clock);
        let stations = (0..kind.terminals()).map(|_| {
            let offset =
                if wrong { draw::between(rng, assumptions.wrong_clock_s) } else { draw::between(rng, (-0.5, 0.5)) };
            #[expect(clippy::cast_possible_truncation, reason = "less than an hour")]
            let clock_offset = TimeDelta::milliseconds((offset * 1e3) as i64);
            let (terminal, life) = (TerminalId(draw::id(rng)), Life(draw::id(rng)));
            Station { terminal, life, reader: ReaderKey(rng.random()), clock_offset }
        });
        let stations = stations.collect();
        let (least, most) = assumptions.phones_a_day;
        let some =
            |rng: &mut StdRng, part: f64, range| if rng.random_bool(part) { draw::between(rng, range) } else { 0.0 };
        Self {
            kind,
            facility: FacilityId(draw::id(rng)),
            stations,
            phones_work: !rng.random_bool(assumptions.never_works),
            phones_a_day: least + (most - least) * rng.random::<f64>().powi(2),
            fails: draw::between(rng, assumptions.fails),
            records: [0.0, 0.5, 1.0][draw::one_of(rng, &assumptions.records)],
            in_use_shown: !rng.random_bool(assumptions.in_use_hidden),
            off_at_night: rng.random_bool(assumptions.off_at_night),
            noise_a_day: some(rng, assumptions.noisy, assumptions.noise_a_day),
            cards_on_reader_a_day: some(rng, assumptions.cards_on_reader, assumptions.cards_on_reader_a_day),
            loose_cable: rng.random_bool(assumptions.loose_cable),
            bad_line: rng.random_bool(assumptions.bad_line),
        }
    }
}
