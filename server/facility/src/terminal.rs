//! One eligibility terminal: the observations of its agent, folded separately.
//!
//! Terminals are independent of each other, so the order in which they are read has no effect.

mod observe;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::TerminalConnected;
use yomitori_proto::id::{ReaderKey, Session, StatementId};
use yomitori_proto::vocabulary::{Component, ComponentState, DisconnectReason, GapSource, ReaderRole, Way};

use crate::bounded;
use crate::bounds::{ENDED, GAPS, IN_USE, READERS, REBOOTS};
use crate::collection::Collecting;
use crate::correlate::{Match, Tap, Window};
use crate::desk::Desk;
use crate::history::History;
use crate::instant::later;
use crate::reader::Reader;
use crate::rules::{RuleSet, Rules};
use crate::seen::{Hole, Lives, SeqPosition};
use crate::stamp::{Clock, ClockStep, Stamp, plausible_offset_ms};
use crate::statements::Statements;

pub(crate) use observe::for_others;
pub(crate) use observe::{Arrival, CorrectionScope};

/// The state of one terminal.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Terminal {
    /// Enrolments (true) and retirements.
    in_use: Statements<bool>,
    pub(crate) lives: Lives,
    /// By the server's clock.
    pub(crate) heard_at: Option<DateTime<Utc>>,
    pub(crate) session: Option<(Session, DateTime<Utc>)>,
    ended: Vec<Session>,
    pub(crate) revoked: bool,
    pub(crate) agent_version: Option<String>,
    /// Start of the newest connection, whose clock, version and route hold.
    connected_at: Option<DateTime<Utc>>,
    pub(crate) clock: Clock,
    /// Of the last connection that was reported.
    #[serde(default)]
    pub(crate) way: Way,
    pub(crate) readers: BTreeMap<ReaderKey, Reader>,
    /// The agent's collection level.
    #[serde(default)]
    pub(crate) collecting: Collecting,
    /// The last start of the agent: a reader that was not reported since then is gone.
    pub(crate) started: Option<Stamp>,
    pub(crate) blocked: Option<Stamp>,
    pub(crate) components: BTreeMap<Component, History<ComponentState>>,
    pub(crate) versions: Option<(SeqPosition, Versions)>,
    window: Window,
    /// The first tap of a phone's length to which the official software reacted.
    first_taken: Option<SeqPosition>,
    pub(crate) desk: Desk,
    /// Ascending by position.
    gaps: Vec<(Stamp, Gap)>,
    /// Ascending by position.
    reboots: Vec<Stamp>,
    /// The last restart of the operating system that was observed.
    booted: Option<Stamp>,
}

/// Versions of the official software.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Versions {
    pub com_app: Option<String>,
    pub distro_app: Option<String>,
    pub auth: Option<String>,
    pub os_build: Option<String>,
}

/// No data were collected in [from, to), by the server's clock as far as the terminal's clock error is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Gap {
    pub to: DateTime<Utc>,
    pub from: DateTime<Utc>,
    pub source: GapSource,
    pub lost: Option<u64>,
}

impl Terminal {
    pub(crate) fn heard(&mut self, received_at: DateTime<Utc>) {
        self.heard_at = self.heard_at.max(Some(received_at));
    }

    /// Records that the terminal is enrolled or retired from `at` on.
    pub(crate) fn set_in_use(&mut self, at: DateTime<Utc>, in_use: bool, id: Option<StatementId>) {
        self.in_use.state(at, in_use, id, IN_USE);
    }

    /// The last enrolment.
    pub(crate) fn enrolled_at(&self) -> Option<DateTime<Utc>> {
        self.in_use.iter().rev().find(|(_, in_use)| **in_use).map(|(at, _)| at)
    }

    /// Time since which it is in use again after a retirement.
    pub(crate) fn used_again_since(&self) -> Option<DateTime<Utc>> {
        let since = self.in_use.iter().rev().take_while(|(_, in_use)| **in_use).last().map(|(at, _)| at)?;
        self.in_use.iter().any(|(at, in_use)| !in_use && at < since).then_some(since)
    }

    /// Time since which it is retired.
    pub(crate) fn retired_at(&self) -> Option<DateTime<Utc>> {
        self.in_use.iter().rev().take_while(|(_, in_use)| !**in_use).last().map(|(at, _)| at)
    }

    /// Whether its observations at `at` count. Observations made after its retirement are kept, but don't count.
    pub(crate) fn counts(&self, at: DateTime<Utc>) -> bool {
        self.in_use.iter().rev().find(|(from, _)| *from <= at).is_none_or(|(_, in_use)| *in_use)
    }

    pub(crate) fn connected(&mut self, at: DateTime<Utc>, event: &TerminalConnected) {
        let TerminalConnected { session, clock_offset_ms, way, .. } = *event;
        self.heard(at);
        let newer = self.session.is_none_or(|(_, since)| since <= at);
        if newer && !self.ended.contains(&session) {
            self.session = Some((session, at));
            self.revoked = false;
        }
        if self.connected_at.is_some_and(|known| at < known) {
            return;
        }
        self.connected_at = Some(at);
        if self.agent_version.as_deref() != Some(event.agent_version.as_str()) {
            self.agent_version = Some(event.agent_version.clone());
        }
        self.clock.offset_ms = plausible_offset_ms(clock_offset_ms);
        self.way = way;
    }

    /// Ends a session. The end of an old session has no effect on a newer one, and may arrive before its start.
    pub(crate) fn disconnected(&mut self, session: Session, at: DateTime<Utc>, reason: DisconnectReason) {
        // The loss of a server instance is noticed by others later, so the terminal was not heard at that time.
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

    fn reader_mut(&mut self, key: ReaderKey) -> &mut Reader {
        if !self.readers.contains_key(&key) && self.readers.len() == READERS {
            let least = self.readers.iter().min_by_key(|(key, reader)| (reader.importance(), **key));
            least.map(|(key, _)| *key).and_then(|least| self.readers.remove(&least));
        }
        self.readers.entry(key).or_default()
    }

    /// The taps that are kept, with their matches.
    pub(crate) fn matches(&self, rules: &Rules) -> Vec<(&Tap, Match)> {
        if self.window.taps.is_empty() {
            return Vec::new();
        }
        let worth = |tap: &Tap| u8::from(tap.too_short(rules.at(tap.stamp.at))) * 2 + u8::from(self.not_taken(tap));
        let matches = self.window.matches(&self.clock, worth, |at| rules.at(at));
        self.window.taps.iter().zip(matches).collect()
    }

    /// Whether the official software didn't react to the tap, although it reacted to others here.
    pub(crate) fn not_taken(&self, tap: &Tap) -> bool {
        !tap.in_use && self.first_taken.is_some_and(|first| first < tap.stamp.place)
    }

    /// Whether the reader with this key may be one that is for something else: another one of the same model has such a
    /// role, and nobody has confirmed the role since one of the two came or went. Only what happened `before` counts.
    pub(crate) fn may_be_another(
        &self,
        key: ReaderKey,
        before: Option<SeqPosition>,
        confirmed_at: Option<DateTime<Utc>>,
        passed: impl Fn(DateTime<Utc>) -> bool,
        set: &RuleSet,
    ) -> bool {
        let Some(own) = self.readers.get(&key) else { return false };
        let confirmed = |reader: &Reader| {
            let changed_at = reader.changed(before).map(|stamp| stamp.true_at(set));
            changed_at.is_none_or(|changed_at| confirmed_at.is_some_and(|confirmed_at| changed_at <= confirmed_at))
        };
        self.readers.iter().filter(|(other_key, other)| **other_key != key && own.is_like(other)).any(|(_, other)| {
            let was_known = other.first.is_some_and(|first| before.is_none_or(|place| first < place));
            was_known && for_others(other.role(&passed)) && !(confirmed(own) && confirmed(other))
        })
    }

    /// Whether the tap may have been on a reader that is for something else.
    pub(crate) fn may_be_on_another(&self, tap: &Tap, set: &RuleSet) -> bool {
        let (at, confirmed_at) = (tap.stamp.true_at(set), tap.assigned.map(|(assigned_at, _)| assigned_at));
        self.may_be_another(tap.reader, Some(tap.stamp.place), confirmed_at, |from| from <= at, set)
    }

    /// Whether observations may be missing in [from, to) by the terminal's clock.
    pub(crate) fn gap_in(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
        self.gaps.iter().any(|(_, gap)| gap.from < to && from < gap.to)
    }

    /// Periods in which the agent reports that it could not collect. A period that lasts is reported in parts and is one.
    pub(crate) fn gaps(&self, set: &RuleSet) -> Vec<Gap> {
        let corrected = |(stamp, gap): &(Stamp, Gap)| {
            let wrong_by = stamp.at - stamp.true_at(set);
            Gap { from: later(gap.from, -wrong_by), to: later(gap.to, -wrong_by), ..*gap }
        };
        let mut parts: Vec<Gap> = self.gaps.iter().map(corrected).collect();
        parts.sort_by_key(|gap| (gap.from, *gap));
        let mut gaps: Vec<Gap> = Vec::with_capacity(parts.len());
        for part in parts {
            let continues =
                |gap: &&mut Gap| gap.source == part.source && gap.lost.or(part.lost).is_none() && part.from <= gap.to;
            match gaps.iter_mut().find(continues) {
                Some(gap) => gap.to = gap.to.max(part.to),
                None => gaps.push(part),
            }
        }
        gaps.sort();
        gaps
    }

    /// Observations that were made and never arrived.
    pub(crate) fn holes(&self, set: &RuleSet) -> Vec<Hole> {
        let holes = self.lives.holes().into_iter();
        let corrected = |(place, hole): (SeqPosition, Hole)| Hole {
            before: self.known_at(place, hole.before, set),
            after: hole.after.map(|after| self.known_at(place, after, set)),
            ..hole
        };
        holes.map(corrected).collect()
    }

    /// All observations of the current life before this instant have arrived.
    pub(crate) fn complete_until(&self, set: &RuleSet) -> Option<DateTime<Utc>> {
        self.lives.complete_until().map(|(place, at)| self.known_at(place, at, set))
    }

    /// The corrected time of an observation that is kept without a stamp.
    fn known_at(&self, place: SeqPosition, at: DateTime<Utc>, set: &RuleSet) -> DateTime<Utc> {
        let received_at = self.heard_at.unwrap_or(at);
        let offset_ms = self.clock.offset_at(place);
        Stamp { place, at, received_at, offset_ms, measured: false }.true_at(set)
    }

    /// Restarts of the operating system, ascending.
    pub(crate) fn reboots(&self, set: &RuleSet) -> Vec<DateTime<Utc>> {
        let mut reboots: Vec<_> = self.reboots.iter().map(|stamp| stamp.true_at(set)).collect();
        reboots.sort();
        reboots
    }

    /// The last observed start of the operating system.
    pub(crate) fn booted_at(&self, set: &RuleSet) -> Option<DateTime<Utc>> {
        self.booted.map(|stamp| stamp.true_at(set))
    }

    /// Removes the files above the limit.
    fn settle_files(&mut self, rules: &Rules) {
        let Self { window, clock, first_taken, .. } = self;
        let worth = |tap: &Tap| {
            let not_taken = !tap.in_use && first_taken.is_some_and(|first| first < tap.stamp.place);
            u8::from(tap.too_short(rules.at(tap.stamp.at))) * 2 + u8::from(not_taken)
        };
        window.settle_files(clock, worth, |at| rules.at(at));
    }

    /// The taps that are kept.
    pub(crate) fn taps(&self) -> impl Iterator<Item = &Tap> {
        self.window.taps.iter()
    }

    /// Whether there are more taps than the limit.
    pub(crate) const fn too_many_taps(&self) -> bool {
        self.window.too_many_taps()
    }

    /// Removes the oldest tap; taps on a reader that a person has assigned to another role go first.
    pub(crate) fn forget_oldest_tap(&mut self) -> Option<SeqPosition> {
        let taps = &self.window.taps;
        let for_others = |tap: &&Tap| !matches!(tap.role(), ReaderRole::Phone | ReaderRole::Unknown);
        let place = taps.iter().find(for_others).or(taps.first())?.stamp.place;
        self.forget_tap(place);
        Some(place)
    }

    /// Removes a tap that has been counted.
    pub(crate) fn forget_tap(&mut self, place: SeqPosition) {
        self.window.taps.retain(|tap| tap.stamp.place != place);
    }

    /// Whether there is a tap with a file to which an entry at `at` may belong.
    pub(crate) fn has_pair_near(&self, at: DateTime<Utc>, rules: &Rules) -> bool {
        self.window.taps.iter().any(|tap| {
            let set = rules.at(tap.stamp.at);
            let tap_at = tap.stamp.true_at(set);
            let near = later(tap_at, -set.entry_before) <= at && at <= later(tap_at, set.entry_after);
            near && self.window.may_be_joined(tap, set)
        })
    }

    /// Withdraws a person's statement about this terminal or its readers.
    pub(crate) fn withdraw_statement(&mut self, id: StatementId, rules: &Rules) {
        self.in_use.withdraw(id);
        let nothing = Reader::default();
        for (key, reader) in &mut self.readers {
            let Some(withdrawn) = reader.withdraw(id) else { continue };
            let taps = self.window.taps.iter_mut().filter(|tap| tap.reader == *key && tap.assigned == Some(withdrawn));
            for tap in taps {
                let tap_at = tap.stamp.true_at(rules.at(tap.stamp.at));
                tap.assigned = reader.assigned(|from| from <= tap_at);
            }
        }
        self.readers.retain(|_, reader| *reader != nothing);
    }

    fn gap(&mut self, stamp: Stamp, gap: Gap) {
        bounded::insert(&mut self.gaps, (stamp, gap), |(stamp, _)| stamp.place, GAPS);
    }

    fn rebooted(&mut self, stamp: Stamp) {
        bounded::insert(&mut self.reboots, stamp, |stamp| stamp.place, REBOOTS);
        self.booted(stamp);
    }

    fn booted(&mut self, stamp: Stamp) {
        if self.booted.is_none_or(|known| known.place < stamp.place) {
            self.booted = Some(stamp);
        }
    }

    /// Applies a clock step: observations on the other side of it happened at another time than recorded.
    fn stepped(&mut self, step: &ClockStep) {
        self.clock.step(*step);
        self.window.taps.iter_mut().for_each(|tap| tap.stamp.stepped(step));
        self.desk.stepped(step);
        self.readers.values_mut().for_each(|reader| reader.stepped(step));
        self.components.values_mut().for_each(|component| component.stepped(step));
        let gaps = self.gaps.iter_mut().map(|(stamp, _)| stamp);
        let single = [&mut self.started, &mut self.blocked, &mut self.booted].into_iter().flatten();
        gaps.chain(&mut self.reboots).chain(single).for_each(|stamp| stamp.stepped(step));
    }

    /// The presence of a reader at an instant, and its start. After a start of the agent, a reader has a grace period
    /// to be reported again (`reader_grace_s`).
    pub(crate) fn presence(&self, reader: &Reader, set: &RuleSet, passed: impl Fn(DateTime<Utc>) -> bool) -> Presence {
        match (reader.presence(), self.started) {
            (None, _) => Presence::Never,
            (Some((false, since)), _) => Presence::Absent(since.true_at(set)),
            (Some((true, since)), Some(start)) if reader.last() < start.place => {
                let started_at = start.true_at(set);
                if passed(later(started_at, set.reader_grace)) {
                    Presence::Absent(started_at)
                } else {
                    Presence::Present(since.true_at(set))
                }
            }
            (Some((true, since)), _) => Presence::Present(since.true_at(set)),
        }
    }
}

/// The presence of a reader, and its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Presence {
    /// Only a person has named it.
    Never,
    Absent(DateTime<Utc>),
    Present(DateTime<Utc>),
}

#[cfg(test)]
mod tests;
