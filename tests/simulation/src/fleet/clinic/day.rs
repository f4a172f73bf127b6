//! A day: the hours of the terminal, the patients, and the failures.

use std::ops::Range;
use std::time::Duration;

use rand::Rng as _;
use yomitori_observation::Sighting;
use yomitori_proto::event::{AgentStopped, Event, ReaderDetached, ReaderFlapping};
use yomitori_proto::vocabulary::{RebootKind, StopReason};

use super::{Act, Clinic, Happening};
use crate::fleet::character::Character;

/// The opening hours, in parts of a day whose night is shorter than a real one.
const HOURS: [(f64, f64); 2] = [(0.08, 0.46), (0.54, 0.86)];
const EVENING: f64 = 0.97;
/// All observations of a start are made within this time.
const STARTED_WITHIN: Duration = Duration::from_secs(3);
/// A line that is cut for all clinics comes back for all.
const CUT_FOR: Duration = Duration::from_millis(1_500);

/// The events of a day, unordered.
#[derive(Default)]
pub(super) struct Plan(Vec<Happening>);

impl Plan {
    pub(super) fn push(&mut self, at: Duration, act: Act) {
        self.0.push(Happening { at, act });
    }
}

impl Clinic {
    pub(super) fn plan(&mut self, begin: Duration) -> Vec<Happening> {
        let mut plan = Plan::default();
        let first_day = self.days == 0;
        let off_tonight = self.off_at_night.then(|| begin + self.day.mul_f64(EVENING) + self.some_ms(0..1_000));
        // A terminal is not switched on again shortly before it is switched off for the night.
        let lost = self
            .power_loss(begin)
            .filter(|lost| lost.end == Duration::MAX || off_tonight.is_none_or(|off| lost.end + STARTED_WITHIN < off));
        let was_on = self.on;

        self.patients(&mut plan, begin);
        self.reader_trouble(&mut plan, begin);
        let dark = |at: Duration| {
            lost.as_ref().is_some_and(|lost| lost.contains(&at)) || off_tonight.is_some_and(|off| off < at)
        };
        plan.0.retain(|happening| !dark(happening.at));

        if !was_on {
            let at = begin + self.some_ms(50..2_000);
            plan.0.retain(|happening| at < happening.at);
            self.start(&mut plan, at, (!first_day).then_some(RebootKind::Clean));
        }
        if let Some(lost) = &lost {
            plan.push(lost.start, Act::Line(false));
            if lost.end < Duration::MAX {
                self.start(&mut plan, lost.end, Some(RebootKind::Unexpected));
            } else {
                self.over = true;
            }
        } else {
            self.cuts(&mut plan, begin);
        }
        if let Some(off) = off_tonight.filter(|_| !self.over) {
            self.see(&mut plan, off, AgentStopped { reason: StopReason::Shutdown });
            plan.push(off + Duration::from_millis(200).min(self.day.mul_f64(0.01)), Act::Line(false));
            self.on = false;
        }
        plan.0
    }

    /// Plans that the agent observes `event` as it happens.
    pub(super) fn see(&self, plan: &mut Plan, at: Duration, event: impl Into<Event>) {
        self.see_late(plan, at, at, event);
    }

    /// Plans that the agent learns at `at` of an event at `occurred`.
    pub(super) fn see_late(&self, plan: &mut Plan, at: Duration, occurred: Duration, event: impl Into<Event>) {
        let sighting = Sighting { occurred_at: self.wall(occurred), observed_at: self.wall(at), event: event.into() };
        plan.push(at, Act::Keep(sighting));
    }

    /// A random time within the opening hours, or in the first part of them during a rush.
    pub(super) fn open_at(&mut self, begin: Duration) -> Duration {
        let [(first, break_from), (break_to, last)] = HOURS;
        let open = (break_from - first) + (last - break_to);
        let after_opening = self.rng.random_range(0.0..open * self.pace.rush);
        let pause = if after_opening < break_from - first { 0.0 } else { break_to - break_from };
        begin + self.day.mul_f64(first + after_opening + pause + self.shift)
    }

    /// The power outage of this day; without an end if the terminal falls silent permanently.
    fn power_loss(&mut self, begin: Duration) -> Option<Range<Duration>> {
        if !self.pace.trouble {
            return None;
        }
        let at = self.open_at(begin);
        if self.character == Character::GoesSilent {
            return Some(begin + self.day.mul_f64(0.6)..Duration::MAX);
        }
        let down = self.some_ms(3_000..6_000);
        // Not on the first day, when a new user checks whether everything works.
        (self.days > 0 && self.rng.random_bool(0.05)).then_some(at..at + down)
    }

    fn cuts(&mut self, plan: &mut Plan, begin: Duration) {
        for part in self.pace.cuts {
            let at = begin + self.day.mul_f64(*part);
            plan.push(at, Act::Line(false));
            plan.push(at + CUT_FOR.min(self.day.mul_f64(0.05)), Act::Line(true));
        }
        if self.pace.trouble && self.rng.random_bool(0.1) {
            let at = self.open_at(begin);
            plan.push(at, Act::Line(false));
            plan.push(at + self.some_ms(1_000..2_500), Act::Line(true));
        }
    }

    fn reader_trouble(&mut self, plan: &mut Plan, begin: Duration) {
        let Some(reader) = self.reader.clone().filter(|_| self.pace.trouble) else { return };
        let detached = ReaderDetached { reader: reader.key };
        match self.character {
            Character::Flapping => {
                const TIMES: u32 = 3;
                let at = self.open_at(begin);
                let step = self.some_ms(300..500);
                for time in 0..TIMES {
                    self.see(plan, at + step * 2 * time, detached.clone());
                    self.see(plan, at + step * (2 * time + 1), reader.attached());
                }
                let flapping = ReaderFlapping { reader: reader.key, count: TIMES, window_s: 3 };
                self.see(plan, at + step * 2 * TIMES, flapping);
            }
            Character::Unplugged if self.plugged => {
                self.plugged = false;
                self.see(plan, begin + self.day.mul_f64(0.3), detached);
            }
            _ => {}
        }
    }
}
