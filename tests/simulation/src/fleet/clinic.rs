//! One clinic's life as its agent sees it: pure, in virtual time, and determined by the seed.
//!
//! A clinic is an iterator over its events in chronological order. It plans a day when the previous one is over, and
//! depends on nothing outside: the server has no influence on the patients.

mod day;
mod desk;
mod terminal;

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use yomitori_observation::Sighting;
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::id::{Life, TerminalId};
use yomitori_proto::time::truncate;

use self::terminal::Reader;
use super::character::Character;
use super::profile::{Pace, Profile};

/// Settings that all clinics of a fleet share.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    pub seed: u64,
    pub profile: Profile,
    /// Duration of a day.
    pub day: Duration,
    /// The current time.
    pub now: DateTime<Utc>,
}

/// The terminal whose life it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Terminal {
    pub index: usize,
    pub code: InstitutionCode,
    pub terminal: TerminalId,
    /// The life of the terminal's spool.
    pub life: Life,
}

/// An event.
#[derive(Clone, PartialEq, Debug)]
pub struct Happening {
    /// Time since the start.
    pub at: Duration,
    pub act: Act,
}

/// The kind of an event.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    /// The agent has made this observation, and keeps it.
    Keep(Sighting),
    /// The line to the server is connected, or not.
    Line(bool),
    /// A day begins: time passes even without other events.
    Dawn,
}

/// See the head of this file.
#[derive(Clone, Debug)]
pub struct Clinic {
    who: Terminal,
    character: Character,
    pace: Pace,
    day: Duration,
    began_at: DateTime<Utc>,
    rng: StdRng,
    /// The reader for phones, independent of the configured role.
    reader: Option<Reader>,
    staff_reader: Option<Reader>,
    plugged: bool,
    off_at_night: bool,
    /// Shift of the opening hours against other clinics, in parts of the day.
    shift: f64,
    days: u32,
    boots: u32,
    files: u32,
    on: bool,
    /// No event follows.
    over: bool,
    /// The period in which the terminal's clock is an hour behind.
    behind: Range<Duration>,
    ahead: VecDeque<Happening>,
}

impl Setting {
    /// Time from the start of the first day to now: with the profile *backfill*, everything has happened already.
    #[must_use]
    pub fn lead(&self) -> Duration {
        let pace = self.profile.pace();
        pace.past_days.map_or(Duration::ZERO, |days| pace.day.unwrap_or(self.day) * days)
    }
}

impl Clinic {
    #[must_use]
    pub fn new(setting: &Setting, who: Terminal) -> Self {
        let pace = setting.profile.pace();
        let character = Character::of(who.index);
        let number = u64::try_from(who.index).expect("a number of clinics");
        // An odd factor, so that no two clinics of a fleet share a stream.
        let mut rng = StdRng::seed_from_u64(setting.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        Self {
            character,
            reader: Reader::for_phones(character, who.terminal, &mut rng),
            staff_reader: Reader::for_staff(who.terminal, &mut rng),
            plugged: true,
            off_at_night: pace.trouble && rng.random_bool(0.5),
            shift: rng.random_range(-0.02..0.02),
            day: pace.day.unwrap_or(setting.day),
            pace,
            began_at: truncate(setting.now) - setting.lead(),
            rng,
            who,
            days: 0,
            boots: 0,
            files: 0,
            on: false,
            over: false,
            behind: Duration::ZERO..Duration::ZERO,
            ahead: VecDeque::new(),
        }
    }

    /// The time on the terminal's clock.
    fn wall(&self, at: Duration) -> DateTime<Utc> {
        const BEHIND: TimeDelta = TimeDelta::hours(1);
        let right = truncate(self.began_at + at);
        if self.behind.contains(&at) { right - BEHIND } else { right }
    }

    /// A random number of milliseconds, scaled down if a day is shorter than a minute.
    fn some_ms(&mut self, range: Range<u64>) -> Duration {
        let scale = (self.day.as_secs_f64() / 60.0).min(1.0);
        Duration::from_millis(self.rng.random_range(range)).mul_f64(scale)
    }

    fn plan_day(&mut self) {
        let begin = self.day * self.days;
        let end = begin + self.day;
        let mut plan = self.plan(begin);
        self.days += 1;
        // Events after midnight belong to the next day's plan.
        plan.extend(self.ahead.drain(..));
        plan.push(Happening { at: begin, act: Act::Dawn });
        plan.sort_by_key(|happening| happening.at);
        self.over |= self.pace.past_days.is_some_and(|days| days <= self.days);
        if self.over && self.pace.past_days.is_some() {
            let last = plan.last().map_or(end, |happening| happening.at.max(end));
            plan.push(Happening { at: last, act: Act::Line(true) });
        }
        self.ahead = plan.into();
    }
}

impl Iterator for Clinic {
    type Item = Happening;

    fn next(&mut self) -> Option<Happening> {
        loop {
            let end = self.day * self.days;
            match self.ahead.front() {
                Some(first) if first.at < end || self.over => return self.ahead.pop_front(),
                None if self.over => return None,
                Some(_) | None => self.plan_day(),
            }
        }
    }
}

#[cfg(test)]
mod tests;
