//! The profiles of a fleet: sets of parameters for the same model.

use std::ops::RangeInclusive;
use std::time::Duration;

use clap::ValueEnum;

/// A way of life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Profile {
    /// Clinic hours with all their events, a day in a minute.
    #[default]
    Lifelike,
    /// Every agent is connected, and no event happens.
    Idle,
    /// All terminals start within seconds, and the waiting rooms are full.
    MondayMorning,
    /// Thirty days without a line, then the whole backlog at once; ends when everything is acknowledged.
    Backfill,
    /// Repeatedly all lines are cut at the same instant and come back at another.
    ReconnectStorm,
    /// Sixty days of history with their original dates, and then life in real time; see `demo.rs`.
    Demonstration,
}

/// The parameters.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Pace {
    /// Patients with a card per day.
    pub(super) cards: RangeInclusive<u32>,
    /// Patients with a phone per day.
    pub(super) phones: RangeInclusive<u32>,
    /// The part of the opening hours within which all of them come.
    pub(super) rush: f64,
    /// Terminals are switched off at night, lose power, lose their line; readers come loose.
    pub(super) trouble: bool,
    /// All lines are cut at these parts of the day.
    pub(super) cuts: &'static [f64],
    /// Duration of a day, if the profile fixes it.
    pub(super) day: Option<Duration>,
    /// A number of past days without a line, instead of days without end.
    pub(super) past_days: Option<u32>,
}

const REAL_DAY: Duration = Duration::from_secs(86_400);

impl Profile {
    /// Duration of a day by default.
    #[must_use]
    pub const fn usual_day(self) -> Duration {
        match self {
            Self::Demonstration => REAL_DAY,
            _ => Duration::from_secs(60),
        }
    }

    pub(super) fn pace(self) -> Pace {
        let quiet =
            Pace { cards: 0..=0, phones: 0..=0, rush: 1.0, trouble: false, cuts: &[], day: None, past_days: None };
        match self {
            Self::Lifelike => Pace { cards: 3..=9, phones: 0..=2, trouble: true, ..quiet },
            Self::Idle | Self::Demonstration => quiet,
            Self::MondayMorning => Pace { cards: 80..=160, phones: 1..=4, rush: 0.3, ..quiet },
            Self::Backfill => {
                Pace { cards: 50..=150, phones: 0..=3, day: Some(REAL_DAY), past_days: Some(30), ..quiet }
            }
            Self::ReconnectStorm => Pace { cards: 3..=9, phones: 0..=1, cuts: &[0.2, 0.45, 0.7, 0.95], ..quiet },
        }
    }
}

#[cfg(test)]
pub(super) const ALL: [Profile; 5] =
    [Profile::Lifelike, Profile::Idle, Profile::MondayMorning, Profile::Backfill, Profile::ReconnectStorm];
