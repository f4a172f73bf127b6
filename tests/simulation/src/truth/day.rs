//! A day at a site, as its agents see it: the hours of the terminals, the patients, and the failures.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use uuid::Uuid;
use yomitori_observation::Sighting;
use yomitori_proto::event::{
    AgentStarted, AgentStopped, ComponentStateObserved, Event, LinkageResultObserved, ReaderAttached, ReaderDetached,
    ReaderFlapping, SoftwareVersionsObserved, TerminalRebooted,
};
use yomitori_proto::id::Boot;
use yomitori_proto::vocabulary::{
    CollectionLevel, Component, ComponentState, LinkageFolder, LinkageKind, ReadOutcome, ReaderRole, RebootKind,
    StartReason, StopReason,
};

use super::assumptions::Assumptions;
use super::ledger::{Failure, Read};
use super::site::Site;
use super::{calendar, draw};

/// An observation of an agent.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    /// The correct time at which the agent keeps it.
    pub at: DateTime<Utc>,
    /// The number of the station.
    pub station: usize,
    /// By the terminal's clock.
    pub sighting: Sighting,
    pub mark: Option<Mark>,
}

/// The read of the day that it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mark {
    Result(usize),
    Attested(usize),
}

/// The events, in chronological order for each station.
#[derive(Clone, PartialEq, Debug)]
pub struct Day {
    pub date: NaiveDate,
    /// The hours of each terminal, by station; whole days are adjacent.
    pub on: Vec<Option<(DateTime<Utc>, DateTime<Utc>)>>,
    pub seen: Vec<Seen>,
    pub reads: Vec<Read>,
    pub failures: Vec<Failure>,
    /// Periods in which a patient with a phone has the face reader alone.
    pub(super) alone: Vec<(usize, DateTime<Utc>, DateTime<Utc>)>,
}

/// A site that lives day after day.
#[derive(Clone, Debug)]
pub struct Living {
    pub site: Site,
    pub(super) assumptions: Assumptions,
    pub(super) rng: StdRng,
    boots: Vec<u32>,
    on: bool,
}

const RUNNING: [Component; 4] =
    [Component::ComApp, Component::DistroApp, Component::CardSoftware, Component::FaceReaderSoftware];
const READER: &str = "sony-rc-s300";

impl Living {
    #[must_use]
    pub fn new(site: Site, assumptions: Assumptions, seed: u64) -> Self {
        let boots = vec![0; site.stations.len()];
        Self { site, assumptions, rng: StdRng::seed_from_u64(seed), boots, on: false }
    }

    /// The events of `date`, which follows the previous day.
    pub fn day(&mut self, date: NaiveDate) -> Day {
        let stations = self.site.stations.len();
        let (dawn, midnight) = (calendar::at(date, 0.0), calendar::at(date, 24.0));
        let mut day = self.nothing(date);
        let open = calendar::is_open(date);
        let hours = self.site.kind.hours(date);
        if open {
            self.phones(&mut day);
        }
        for station in 0..stations {
            let opens = calendar::at(date, hours[0].0 - draw::between(&mut self.rng, (0.1, 0.5)));
            let closes = calendar::at(date, hours[hours.len() - 1].1 + draw::between(&mut self.rng, (0.3, 0.8)));
            // A patient who stays late is still there when the terminal is switched off.
            let last = day.seen.iter().filter(|seen| seen.station == station).map(|seen| seen.at).max();
            let closes = last.map_or(closes, |last| closes.max(last + TimeDelta::minutes(1)));
            day.on[station] = match (self.site.off_at_night, open) {
                (true, true) => Some((opens, closes)),
                (true, false) => None,
                (false, _) if self.on => Some((dawn, midnight)),
                (false, true) => Some((opens, midnight)),
                (false, false) => None,
            };
            if open {
                if self.site.off_at_night || !self.on {
                    self.boot(&mut day, station, opens);
                }
                self.cards(&mut day, station);
                self.noise(&mut day, station);
                self.cable(&mut day, station);
                if self.site.off_at_night {
                    self.see(&mut day, station, closes, AgentStopped { reason: StopReason::Shutdown });
                }
            }
        }
        self.on |= open;
        day.seen.sort_by_key(|seen| seen.at);
        day
    }

    /// A day without events.
    #[must_use]
    pub fn nothing(&self, date: NaiveDate) -> Day {
        let on = vec![None; self.site.stations.len()];
        Day { date, on, seen: vec![], reads: vec![], failures: vec![], alone: vec![] }
    }

    /// All terminals start at `at`.
    pub fn wake(&mut self, at: DateTime<Utc>) -> Day {
        let mut day = self.nothing(calendar::date(at));
        for station in 0..self.site.stations.len() {
            self.boot(&mut day, station, at);
        }
        self.on = true;
        day
    }

    /// A period of an open desk at any hour, with `phones` on average and the usual number of cards.
    pub fn while_open(&mut self, (from, to): (DateTime<Utc>, DateTime<Utc>), phones: f64) -> Day {
        const OPEN_S: f64 = 7.0 * 3600.0;
        let mut day = self.nothing(calendar::date(from));
        let (stations, takes) = (self.site.stations.len(), (to - from).as_seconds_f64());
        for _ in 0..draw::count(&mut self.rng, phones) {
            let station = self.rng.random_range(0..stations);
            let at = from + draw::seconds(draw::between(&mut self.rng, (0.0, takes)));
            self.phone(&mut day, station, at);
        }
        for _ in 0..draw::count(&mut self.rng, self.site.kind.checks() * takes / OPEN_S) {
            let station = self.rng.random_range(0..stations);
            let at = from + draw::seconds(draw::between(&mut self.rng, (0.0, takes)));
            self.result(&mut day, station, at);
        }
        day.seen.sort_by_key(|seen| seen.at);
        day
    }

    /// The time on the terminal's clock.
    pub(super) fn wall(&self, station: usize, at: DateTime<Utc>) -> DateTime<Utc> {
        at + self.site.stations[station].clock_offset
    }

    pub(super) fn see(&self, day: &mut Day, station: usize, at: DateTime<Utc>, event: impl Into<Event>) {
        self.see_late(day, station, (at, at), event);
    }

    /// The agent learns at the second instant of an event at the first.
    pub(super) fn see_late(
        &self,
        day: &mut Day,
        station: usize,
        (occurred, at): (DateTime<Utc>, DateTime<Utc>),
        event: impl Into<Event>,
    ) {
        let (occurred_at, observed_at) = (self.wall(station, occurred), self.wall(station, at));
        let sighting = Sighting { occurred_at, observed_at, event: event.into() };
        day.seen.push(Seen { at, station, sighting, mark: None });
    }

    /// A random time within the opening hours, more often in the morning.
    pub(super) fn open_at(&mut self, date: NaiveDate) -> DateTime<Utc> {
        let hours = self.site.kind.hours(date);
        let later = hours.len() > 1 && !self.rng.random_bool(self.assumptions.morning);
        let (from, to) = hours[usize::from(later)];
        calendar::at(date, draw::between(&mut self.rng, (from, to)))
    }

    /// Saturday has only the morning.
    fn part_of_a_day(&self, date: NaiveDate) -> f64 {
        if self.site.kind.hours(date).len() > 1 { 1.0 } else { self.assumptions.morning }
    }

    fn phones(&mut self, day: &mut Day) {
        let mean = self.site.phones_a_day * self.part_of_a_day(day.date);
        for _ in 0..draw::count(&mut self.rng, mean) {
            let station = self.rng.random_range(0..self.site.stations.len());
            let at = self.open_at(day.date);
            self.phone(day, station, at);
        }
        let cards = self.site.cards_on_reader_a_day * self.part_of_a_day(day.date);
        for _ in 0..draw::count(&mut self.rng, cards) {
            let station = self.rng.random_range(0..self.site.stations.len());
            let at = self.open_at(day.date);
            self.card_on_reader(day, station, at);
        }
    }

    /// Files that are unrelated to any phone.
    fn cards(&mut self, day: &mut Day, station: usize) {
        #[expect(clippy::cast_precision_loss, reason = "three at most")]
        let mean = self.site.kind.checks() / self.site.stations.len() as f64 * self.part_of_a_day(day.date);
        for _ in 0..draw::count(&mut self.rng, mean) {
            let at = self.open_at(day.date);
            let taken = day.alone.iter().any(|(other, from, to)| *other == station && (*from..=*to).contains(&at));
            if !taken {
                self.result(day, station, at);
            }
        }
    }

    /// The face reader completes a transaction: a file appears, with whole seconds in its name.
    pub(super) fn result(&mut self, day: &mut Day, station: usize, at: DateTime<Utc>) {
        let known = at + TimeDelta::milliseconds(self.rng.random_range(50..900));
        let named = DateTime::from_timestamp(self.wall(station, at).timestamp(), 0);
        let event = LinkageResultObserved {
            folder: LinkageFolder::Face,
            kind: LinkageKind::FaceResult,
            file_at: named,
            seen_for_ms: self.rng.random_range(200..4_000),
            outcome: ReadOutcome::NotRead,
            error_code: None,
            name_tag: None,
        };
        self.see_late(day, station, (at, known), event);
    }

    pub(super) fn attached(&self, station: usize) -> ReaderAttached {
        let reader = self.site.stations[station].reader;
        let (model, role) = (Some(READER.to_owned()), ReaderRole::Phone);
        ReaderAttached { reader, model, vid: Some(0x054C), pid: Some(0x0DC8), role }
    }

    fn boot(&mut self, day: &mut Day, station: usize, at: DateTime<Utc>) {
        let boots = &mut self.boots[station];
        *boots += 1;
        let boot = Boot(Uuid::new_v5(&self.site.stations[station].life.0, &boots.to_be_bytes()));
        let first = *boots == 1;
        let started = AgentStarted {
            boot,
            agent_version: yomitori_agent::VERSION.to_owned(),
            reason: StartReason::Boot,
            config_hash: 1,
            collection: CollectionLevel::Names,
        };
        let ms = TimeDelta::milliseconds;
        self.see(day, station, at, started);
        if !first {
            self.see(day, station, at + ms(20), TerminalRebooted { kind: RebootKind::Clean });
        }
        let versions = SoftwareVersionsObserved {
            com_app: Some("5.3.2".to_owned()),
            distro_app: Some("2.4.0".to_owned()),
            auth: Some("3.0.1".to_owned()),
            os_build: Some("10.0.19045".to_owned()),
        };
        self.see(day, station, at + ms(100), versions);
        for component in RUNNING {
            let running = ComponentStateObserved { component, state: ComponentState::Running };
            self.see(day, station, at + ms(150), running);
        }
        self.see(day, station, at + ms(400), self.attached(station));
    }

    /// A loose cable comes off a few times within seconds, and the agent reports it.
    fn cable(&mut self, day: &mut Day, station: usize) {
        if !(self.site.loose_cable && self.rng.random_bool(self.assumptions.loose_days)) {
            return;
        }
        let at = self.open_at(day.date);
        self.comes_off(day, station, at);
    }

    /// The cable comes off at `at`, a few times.
    pub fn comes_off(&mut self, day: &mut Day, station: usize, mut at: DateTime<Utc>) {
        let reader = self.site.stations[station].reader;
        let times = self.rng.random_range(2..6_u32);
        for _ in 0..times {
            self.see(day, station, at, ReaderDetached { reader });
            at += TimeDelta::milliseconds(self.rng.random_range(400..3_000));
            self.see(day, station, at, self.attached(station));
            at += TimeDelta::milliseconds(self.rng.random_range(400..3_000));
        }
        self.see(day, station, at, ReaderFlapping { reader, count: times, window_s: 60 });
    }
}
