//! One clinic's past and present, as its agent sees it: first everything in the past, then each event at its time.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use yomitori_proto::event::Event;
use yomitori_proto::time::truncate;
use yomitori_proto::vocabulary::ReaderRole;

use super::PAST_DAYS;
use super::cast::Part;
use crate::fleet::clinic::{Act, Happening, Setting, Terminal};
use crate::truth::day::{Day, Living, Seen};
use crate::truth::site::Site;
use crate::truth::{Assumptions, calendar};

/// A day of real life.
pub const REAL_DAY: Duration = Duration::from_secs(86_400);
/// A loose cable has come off shortly before the start, and comes off again before the flag clears.
const CAME_OFF: TimeDelta = TimeDelta::minutes(10);
const COMES_OFF_EVERY: TimeDelta = TimeDelta::minutes(100);

/// See the head of this file. It has no end.
#[derive(Clone, Debug)]
pub struct Story {
    part: Part,
    living: Living,
    began_at: DateTime<Utc>,
    now: DateTime<Utc>,
    /// Duration of a day from now on, if shorter than a real day.
    faster: Option<TimeDelta>,
    /// The day that is planned next, or with `faster` the period.
    date: NaiveDate,
    whiles: i32,
    /// Everything before this is planned.
    planned: Duration,
    ahead: VecDeque<Happening>,
}

/// Assumptions for the clinics of the demonstration: nothing goes wrong beyond their parts.
#[must_use]
pub fn assumptions() -> Assumptions {
    Assumptions { wrong_clock: 0.0, bad_line: 0.0, loose_cable: 0.0, never_works: 0.0, ..Assumptions::default() }
}

/// The site of a clinic, with `terminal` at its desk.
#[must_use]
pub fn site(seed: u64, who: &Terminal) -> Site {
    let mut rng = StdRng::seed_from_u64(own_seed(seed, who.index));
    let mut site = Site::draw(&assumptions(), &mut rng);
    Part::of(who.index).shape(who.index, who.code.table(), &mut site);
    if let Some(station) = site.stations.first_mut() {
        (station.terminal, station.life) = (who.terminal, who.life);
    }
    site
}

/// The first day of the past.
#[must_use]
pub fn first_day(now: DateTime<Utc>) -> NaiveDate {
    calendar::date(now) - Days::new(PAST_DAYS)
}

/// A seed for each clinic, so that no two lives are alike.
#[must_use]
pub fn own_seed(seed: u64, index: usize) -> u64 {
    seed ^ (index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Story {
    /// The life of a clinic; without its past if an earlier run has sent it.
    #[must_use]
    pub fn new(setting: &Setting, who: Terminal, past_was_sent: bool) -> Self {
        let now = truncate(setting.now);
        let mut site = site(setting.seed, &who);
        let faster = (setting.day < REAL_DAY).then(|| TimeDelta::from_std(setting.day).unwrap_or(TimeDelta::days(1)));
        site.off_at_night &= faster.is_none();
        let first = if past_was_sent { calendar::date(now) } else { first_day(now) };
        // Another run uses other chance: the same day is not repeated.
        let seed = own_seed(setting.seed, who.index) ^ if past_was_sent { now.timestamp().cast_unsigned() } else { 0 };
        let living = Living::new(site, assumptions(), seed);
        let began_at = if past_was_sent { now } else { calendar::at(first, 0.0) };
        let mut story = Self {
            part: Part::of(who.index),
            living,
            began_at,
            now,
            faster,
            date: first,
            whiles: 0,
            planned: Duration::ZERO,
            ahead: VecDeque::new(),
        };
        if past_was_sent {
            let woken = story.living.wake(now);
            story.add(woken);
            story.ahead.push_back(Happening { at: story.since(now), act: Act::Line(true) });
        }
        story
    }

    /// The length of the part that is over at the start.
    #[must_use]
    pub fn lead(&self) -> Duration {
        self.since(self.now)
    }

    fn since(&self, at: DateTime<Utc>) -> Duration {
        (at - self.began_at).to_std().unwrap_or_default()
    }

    fn plan(&mut self) {
        let until = self.plan_more();
        self.planned = self.since(until);
        self.ahead.push_back(Happening { at: self.planned, act: Act::Dawn });
        self.ahead.make_contiguous().sort_by_key(|happening| happening.at);
    }

    /// Plans the next day, or the next period; returns its end.
    fn plan_more(&mut self) -> DateTime<Utc> {
        let today = calendar::date(self.now);
        if let Some(day) = self.faster.filter(|_| self.date > today) {
            let from = self.now + day * self.whiles;
            self.whiles += 1;
            let phones = self.living.site.phones_a_day;
            let mut lived = self.living.while_open((from, from + day), phones);
            self.cable(&mut lived, from, from + day);
            self.add(lived);
            return from + day;
        }
        let date = self.date;
        self.date = date + Days::new(1);
        let mut day = self.living.day(date);
        let (dawn, midnight) = (calendar::at(date, 0.0), calendar::at(date, 24.0));
        if date >= today {
            self.cable(&mut day, dawn.max(self.now - CAME_OFF), midnight);
        }
        if self.faster.is_some() {
            day.seen.retain(|seen| seen.at <= self.now);
        }
        let on = day.on.first().copied().flatten();
        let past_was_sent = self.began_at == self.now;
        if past_was_sent {
            day.seen.retain(|seen| seen.at > self.now);
        }
        self.add(day);
        if date == today && !past_was_sent {
            self.ahead.push_back(Happening { at: self.since(self.now), act: Act::Line(true) });
        }
        // The line goes with the power after the first start.
        if let Some((opens, closes)) = on.filter(|_| self.living.site.off_at_night) {
            let line = [(opens, true), (closes + TimeDelta::seconds(2), false)];
            for (at, there) in line.into_iter().filter(|(at, _)| *at > self.now) {
                self.ahead.push_back(Happening { at: self.since(at), act: Act::Line(there) });
            }
        }
        // An accelerated plan begins now.
        if self.faster.is_some() && date == today { self.now } else { midnight }
    }

    fn cable(&mut self, day: &mut Day, from: DateTime<Utc>, to: DateTime<Utc>) {
        let mut at = self.now - CAME_OFF;
        while at < to && self.part == Part::LooseCable {
            if at >= from {
                self.living.comes_off(day, 0, at);
            }
            at += COMES_OFF_EVERY;
        }
    }

    fn add(&mut self, day: Day) {
        for seen in day.seen.into_iter().filter_map(|seen| adapted(self.part, seen)) {
            self.ahead.push_back(Happening { at: self.since(seen.at), act: Act::Keep(seen.sighting) });
        }
    }
}

/// The agent's observation, reduced to the observations that the part allows.
fn adapted(part: Part, mut seen: Seen) -> Option<Seen> {
    let at_reader = matches!(
        seen.sighting.event,
        Event::TapObserved(_) | Event::ReaderAttached(_) | Event::ReaderDetached(_) | Event::ReaderFlapping(_)
    );
    if part.phone_native() && at_reader {
        return None;
    }
    if let (Part::RoleUnknown, Event::ReaderAttached(attached)) = (part, &mut seen.sighting.event) {
        attached.role = ReaderRole::Unknown;
    }
    Some(seen)
}

impl Iterator for Story {
    type Item = Happening;

    fn next(&mut self) -> Option<Happening> {
        while self.ahead.front().is_none_or(|first| first.at >= self.planned) {
            self.plan();
        }
        self.ahead.pop_front()
    }
}

#[cfg(test)]
mod tests;
