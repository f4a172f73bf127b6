//! One eligibility terminal: everything that its agent observed, folded on its own.
//!
//! No terminal looks at another, so the order in which terminals are read can't matter.

mod observe;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::TerminalConnected;
use yomitori_proto::id::{ReaderKey, Session};
use yomitori_proto::vocabulary::{Component, ComponentState, DisconnectReason, GapSource, ReaderRole, Way};

use crate::bounded;
use crate::collection::Collecting;
use crate::correlate::{Settled, Tap, Verdict, Window};
use crate::desk::Desk;
use crate::evidence::{Level, Superseded, Tally};
use crate::history::History;
use crate::instant::later;
use crate::reader::Reader;
use crate::rules::Rules;
use crate::seen::{Lives, Place};

/// What is known of one terminal.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Terminal {
    pub(crate) enrolled_at: Option<DateTime<Utc>>,
    pub(crate) retired_at: Option<DateTime<Utc>>,
    pub(crate) lives: Lives,
    /// By the server's clock.
    pub(crate) heard_at: Option<DateTime<Utc>>,
    pub(crate) session: Option<(Session, DateTime<Utc>)>,
    ended: Vec<Session>,
    pub(crate) revoked: bool,
    pub(crate) agent_version: Option<String>,
    pub(crate) clock_offset_ms: i64,
    /// Of the last connection that was told.
    #[serde(default)]
    pub(crate) way: Way,
    pub(crate) readers: BTreeMap<ReaderKey, Reader>,
    /// What the agent looks at.
    #[serde(default)]
    pub(crate) collecting: Collecting,
    /// The last start of the agent: a reader that was not named since then is gone.
    pub(crate) started: Option<(Place, DateTime<Utc>)>,
    pub(crate) blocked: Option<(Place, DateTime<Utc>)>,
    pub(crate) components: BTreeMap<Component, History<ComponentState>>,
    pub(crate) versions: Option<(Place, Versions)>,
    window: Window,
    settled: Tally,
    pub(crate) superseded: Vec<Superseded>,
    pub(crate) desk: Desk,
    pub(crate) gaps: Vec<Gap>,
    /// Ascending.
    pub(crate) reboots: Vec<DateTime<Utc>>,
    /// The last restart of the operating system that was observed.
    pub(crate) booted_at: Option<DateTime<Utc>>,
}

/// Versions of the official software.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Versions {
    pub com_app: Option<String>,
    pub distro_app: Option<String>,
    pub auth: Option<String>,
    pub os_build: Option<String>,
}

/// Nothing was collected in [from, to).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Gap {
    pub to: DateTime<Utc>,
    pub from: DateTime<Utc>,
    pub source: GapSource,
    pub lost: Option<u64>,
}

const ENDED: usize = 8;
const SUPERSEDED: usize = 8;
const GAPS: usize = 8;
const REBOOTS: usize = 16;
const READERS: usize = 16;

impl Terminal {
    pub(crate) fn heard(&mut self, received_at: DateTime<Utc>) {
        self.heard_at = self.heard_at.max(Some(received_at));
    }

    pub(crate) fn connected(&mut self, at: DateTime<Utc>, event: &TerminalConnected) {
        let TerminalConnected { session, clock_offset_ms, way, .. } = *event;
        self.heard(at);
        let newer = self.session.is_none_or(|(_, since)| since <= at);
        if newer && !self.ended.contains(&session) {
            self.session = Some((session, at));
            self.revoked = false;
        }
        if self.agent_version.as_deref() != Some(event.agent_version.as_str()) {
            self.agent_version = Some(event.agent_version.clone());
        }
        self.clock_offset_ms = clock_offset_ms;
        self.way = way;
    }

    /// The end of an old session says nothing about a newer one; an end may come before its beginning.
    pub(crate) fn disconnected(&mut self, session: Session, at: DateTime<Utc>, reason: DisconnectReason) {
        // When an instance is lost, others find out later: the terminal was not heard then.
        if reason != DisconnectReason::InstanceLost {
            self.heard(at);
        }
        if self.session.is_some_and(|(current, _)| current == session) {
            self.session = None;
            self.revoked = reason == DisconnectReason::Revoked;
        }
        if !self.ended.contains(&session) {
            bounded::push(&mut self.ended, session, ENDED);
        }
    }

    /// The role of a reader, from a person or from the terminal's configuration, at a tap.
    fn role(&self, reader: ReaderKey, at: DateTime<Utc>, place: Place) -> ReaderRole {
        self.readers.get(&reader).map(|reader| reader.role(Some(place), |from| from <= at)).unwrap_or_default()
    }

    fn reader_mut(&mut self, key: ReaderKey) -> &mut Reader {
        if !self.readers.contains_key(&key) && self.readers.len() == READERS {
            let oldest = self.readers.iter().min_by_key(|(key, reader)| (reader.last(), **key)).map(|(key, _)| *key);
            oldest.and_then(|oldest| self.readers.remove(&oldest));
        }
        self.readers.entry(key).or_default()
    }

    /// What became of each tap that is not settled.
    pub(crate) fn verdicts(&self, rules: &Rules) -> Vec<(&Tap, Verdict)> {
        let pairs = self.window.pairs(|tap| self.on_phone_reader(tap), |at| rules.at(at));
        self.window.taps.iter().zip(pairs).map(|(tap, (verdict, _))| (tap, verdict)).collect()
    }

    fn on_phone_reader(&self, tap: &Tap) -> bool {
        self.role(tap.reader, tap.at, tap.place) == ReaderRole::Phone
    }

    /// Everything read on this terminal, settled or not.
    pub(crate) fn tally(&self, rules: &Rules) -> Tally {
        let mut tally = self.settled.clone();
        for (tap, verdict) in self.verdicts(rules) {
            count(tap, verdict, &mut tally, rules);
        }
        tally.merge(&self.desk.tally(rules));
        tally
    }

    /// Lets what is beyond the bounds of the window go.
    fn settle(&mut self, rules: &Rules) {
        if !self.window.full() {
            return;
        }
        let mut window = std::mem::take(&mut self.window);
        let mut tally = std::mem::take(&mut self.settled);
        window.settle(
            |tap| self.on_phone_reader(tap),
            |at| rules.at(at),
            |Settled { tap, verdict }| count(&tap, verdict, &mut tally, rules),
        );
        (self.window, self.settled) = (window, tally);
    }

    pub(crate) fn supersede(&mut self, entry: Superseded) {
        bounded::push(&mut self.superseded, entry, SUPERSEDED);
    }

    fn gap(&mut self, gap: Gap) {
        bounded::insert(&mut self.gaps, gap, |gap| *gap, GAPS);
    }

    fn rebooted(&mut self, at: DateTime<Utc>) {
        bounded::insert(&mut self.reboots, at, |at| *at, REBOOTS);
        self.booted_at = self.booted_at.max(Some(at));
    }

    /// Readers that are there, as far as is known at an instant, and since when each is there or not. After a start of the
    /// agent a reader has `grace` to be named again.
    pub(crate) fn presence(
        &self,
        reader: &Reader,
        grace: Duration,
        passed: impl Fn(DateTime<Utc>) -> bool,
    ) -> Presence {
        match (reader.presence(), self.started) {
            (None, _) => Presence::Never,
            (Some((false, since)), _) => Presence::Absent(since),
            (Some((true, since)), Some((start, started_at))) if reader.last() < start => {
                if passed(later(started_at, grace)) { Presence::Absent(started_at) } else { Presence::Present(since) }
            }
            (Some((true, since)), _) => Presence::Present(since),
        }
    }
}

/// Whether a reader is there, and since when.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Presence {
    /// Only a person has named it.
    Never,
    Absent(DateTime<Utc>),
    Present(DateTime<Utc>),
}

fn count(tap: &Tap, verdict: Verdict, tally: &mut Tally, rules: &Rules) {
    match verdict {
        Verdict::Elsewhere => {}
        Verdict::Alone | Verdict::Failed => tally.add(Level::TapOnly, tap.read_at(), rules),
        Verdict::Read(level) => tally.add(level, tap.read_at(), rules),
    }
}

#[cfg(test)]
mod tests;
