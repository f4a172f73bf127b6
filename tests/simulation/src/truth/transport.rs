//! From a terminal to the server: a fraction of a second, or the hours of an outage and then everything at once.

use chrono::{DateTime, TimeDelta, Utc};
use rand::Rng as _;
use rand::rngs::StdRng;
use yomitori_proto::event::{Event, Observed, Origin, Recorded, TerminalConnected, TerminalDisconnected};
use yomitori_proto::id::{Instance, Seq, Session};
use yomitori_proto::vocabulary::{DisconnectReason, Way};

use super::assumptions::Assumptions;
use super::day::{Day, Mark, Seen};
use super::draw;
use super::site::Site;

/// A fact, and the read and day that it belongs to.
pub(crate) struct Arrived {
    pub(crate) recorded: Recorded,
    pub(crate) mark: Option<(usize, Mark)>,
}

struct Line<'a> {
    site: &'a Site,
    station: usize,
    instance: Instance,
    /// The periods in which the terminal is on and its line is connected.
    there: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

/// All facts from the agents' observations and their lines, in order of arrival.
pub(crate) fn carry(site: &Site, assumptions: &Assumptions, days: &mut [Day], rng: &mut StdRng) -> Vec<Arrived> {
    let instance = Instance(draw::id(rng));
    let mut arrived = Vec::new();
    let seen: Vec<(usize, Seen)> = days
        .iter_mut()
        .enumerate()
        .flat_map(|(number, day)| std::mem::take(&mut day.seen).into_iter().map(move |seen| (number, seen)))
        .collect();
    let mut by_station: Vec<Vec<(usize, Seen)>> = site.stations.iter().map(|_| Vec::new()).collect();
    for (day, seen) in seen {
        by_station[seen.station].push((day, seen));
    }
    for (station, seen) in by_station.into_iter().enumerate() {
        let on = on(days, station);
        let there = without(&on, &outages(site, assumptions, &on, rng));
        let line = Line { site, station, instance, there };
        line.sessions(&mut arrived, rng);
        line.sightings(seen, &mut arrived, rng);
    }
    arrived.sort_by_key(|arrived| arrived.recorded.received_at);
    arrived
}

/// The periods in which a terminal is on; a night without switching off doesn't end a period.
fn on(days: &[Day], station: usize) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let mut all: Vec<(DateTime<Utc>, DateTime<Utc>)> = Vec::new();
    for (from, to) in days.iter().filter_map(|day| day.on[station]) {
        match all.last_mut() {
            Some((_, last)) if *last >= from => *last = to,
            _ => all.push((from, to)),
        }
    }
    all
}

fn outages(
    site: &Site,
    assumptions: &Assumptions,
    on: &[(DateTime<Utc>, DateTime<Utc>)],
    rng: &mut StdRng,
) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let mut all = Vec::new();
    for (from, to) in on.iter().filter(|_| site.bad_line) {
        let mut day = *from;
        while day < *to {
            let until = (day + TimeDelta::hours(24)).min(*to);
            if rng.random_bool(assumptions.bad_line_days) {
                let after = draw::between(rng, (0.0, (until - day).as_seconds_f64()));
                let cut = day + draw::seconds(after);
                all.push((cut, cut + draw::seconds(3600.0 * draw::between(rng, assumptions.outage_hours))));
            }
            day = until;
        }
    }
    all
}

fn without(
    on: &[(DateTime<Utc>, DateTime<Utc>)],
    outages: &[(DateTime<Utc>, DateTime<Utc>)],
) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let mut there = on.to_vec();
    for (cut, back) in outages {
        there = there
            .iter()
            .flat_map(|(from, to)| [(*from, (*to).min(*cut)), ((*from).max(*back), *to)])
            .filter(|(from, to)| from < to)
            .collect();
    }
    there
}

impl Line<'_> {
    fn sessions(&self, arrived: &mut Vec<Arrived>, rng: &mut StdRng) {
        let station = &self.site.stations[self.station];
        for (from, to) in &self.there {
            let session = Session(draw::id(rng));
            let connected = TerminalConnected {
                terminal: station.terminal,
                session,
                agent_version: yomitori_agent::VERSION.to_owned(),
                clock_offset_ms: station.clock_offset.num_milliseconds() + rng.random_range(-20..=20),
                way: Way::Direct,
            };
            let disconnected =
                TerminalDisconnected { terminal: station.terminal, session, reason: DisconnectReason::Lost };
            let at = *from + TimeDelta::milliseconds(700);
            if at < *to {
                arrived.push(self.said(at, connected));
                arrived.push(self.said(*to + TimeDelta::milliseconds(300), disconnected));
            }
        }
    }

    fn said(&self, at: DateTime<Utc>, event: impl Into<Event>) -> Arrived {
        let origin = Origin::Server { instance: self.instance, stated_at: at };
        Arrived {
            recorded: Recorded { facility: self.site.facility, received_at: at, origin, event: event.into() },
            mark: None,
        }
    }

    /// In the order of their numbers, each as soon as there is a line and the earlier ones have passed.
    fn sightings(&self, mut seen: Vec<(usize, Seen)>, arrived: &mut Vec<Arrived>, rng: &mut StdRng) {
        let station = &self.site.stations[self.station];
        seen.sort_by_key(|(_, seen)| seen.at);
        let mut lines = self.there.iter().peekable();
        let mut through = DateTime::<Utc>::MIN_UTC;
        for (number, (day, Seen { at, sighting, mark, .. })) in (1..).zip(seen) {
            while lines.next_if(|(_, to)| *to < at).is_some() {}
            // The observations that are unsent at the end arrive when the line is repaired.
            let there = lines.peek().map_or(at + TimeDelta::hours(24), |(from, _)| *from + TimeDelta::seconds(1));
            let late = there > at;
            let takes = rng.random_range(if late { 2..6 } else { 150..700 });
            let received_at = at.max(there).max(through) + TimeDelta::milliseconds(takes);
            through = received_at;
            let sent_at = received_at - TimeDelta::milliseconds(1) + station.clock_offset;
            let observed = Observed {
                terminal: station.terminal,
                life: station.life,
                seq: Seq(number),
                occurred_at: sighting.occurred_at,
                observed_at: sighting.observed_at,
                sent_at: sent_at.max(sighting.observed_at),
            };
            let origin = Origin::Terminal(observed);
            let recorded = Recorded { facility: self.site.facility, received_at, origin, event: sighting.event };
            arrived.push(Arrived { recorded, mark: mark.map(|mark| (day, mark)) });
        }
    }
}
