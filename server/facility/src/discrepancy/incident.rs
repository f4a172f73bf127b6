//! The start of a flag's incident, and the terminals that it concerns.
//!
//! A person's statement about a flag concerns the incident at that time. A flag that was raised again later is another
//! incident.

use chrono::{DateTime, Utc};
use yomitori_proto::id::TerminalId;

use super::Flag;
use crate::calendar::Opening;
use crate::equipment::{Equipment, Station};
use crate::freshness::Freshness;
use crate::instant::later;
use crate::intent::Wish;
use crate::listing::Listing;
use crate::opt_out::OptOutStatus;
use crate::rules::Burst;
use crate::terminal::Terminal;
use crate::view::{Axes, View};

impl View<'_> {
    /// The terminals that a flag is about; empty if it is about the facility.
    pub(crate) fn flag_terminals(&self, flag: Flag) -> Vec<TerminalId> {
        match flag {
            Flag::ReaderMissing
            | Flag::ReaderRoleMissing
            | Flag::ReaderRoleUnclear
            | Flag::ReaderBlocked
            | Flag::ReaderUnfit
            | Flag::ReaderUnstable
            | Flag::SoftwareDown
            | Flag::RebootLoop
            | Flag::AgentSilent
            | Flag::CollectionIncomplete
            | Flag::NumbersReused
            | Flag::ClockWrong => self.terminals_where(|terminal| self.concerns(flag, terminal)),
            Flag::OptOutNeeded
            | Flag::ListedAgainstWish
            | Flag::CapableButUndecided
            | Flag::ListedButCannotServe
            | Flag::OptOutStale
            | Flag::CallOutsideHours
            | Flag::OptOutAgainstIntent
            | Flag::SucceededNotListed
            | Flag::ListedNoLocalEvidence
            | Flag::CodeMismatch
            | Flag::FailureBurst
            | Flag::NoticeToHang
            | Flag::StickerToPutUp => Vec::new(),
        }
    }

    /// Whether a flag about terminals concerns this one.
    pub(crate) fn concerns(&self, flag: Flag, terminal: &Terminal) -> bool {
        let silent = matches!(self.terminal_freshness(terminal), Freshness::Silent { .. });
        let graced = |since: Option<DateTime<Utc>>| {
            !silent
                && since.is_some_and(|since| self.passed(later(since, self.set.reader_grace)))
                && !self.in_maintenance()
        };
        let station = || self.station(terminal);
        match flag {
            Flag::ReaderMissing => {
                let Station { absent_since, absent_unclear, blocked_since, .. } = station();
                blocked_since.is_none() && !absent_unclear && graced(absent_since)
            }
            Flag::SoftwareDown => graced(station().down_since),
            Flag::ReaderRoleMissing => !silent && station().role_missing && !station().serves_phones(),
            Flag::ReaderRoleUnclear => !silent && self.roles_are_unclear(terminal),
            Flag::ReaderBlocked => !silent && station().blocked_since.is_some(),
            Flag::ReaderUnfit => !silent && station().unfit && !station().serves_phones(),
            Flag::ReaderUnstable => !silent && station().flapping_since.is_some(),
            Flag::RebootLoop => self.burst(&terminal.reboots(self.set), self.set.reboot_loop),
            Flag::AgentSilent => silent && !self.in_maintenance(),
            Flag::CollectionIncomplete => self.lost(terminal) || terminal.lives.incomplete(),
            Flag::NumbersReused => {
                let reused = terminal.lives.reused_at();
                reused.is_some_and(|at| !self.passed(later(at, self.set.gap_shown)))
            }
            Flag::ClockWrong => terminal.clock.offset_ms.unsigned_abs() > self.set.clock_offset_warn_ms,
            _ => false,
        }
    }

    /// The start of the incident; `None` if unknown.
    pub(crate) fn flag_since(&self, flag: Flag, axes: &Axes) -> Option<DateTime<Utc>> {
        let listed_since = match axes.listing.value {
            Listing::Listed { since, .. } => Some(since),
            Listing::Unknown | Listing::NotListed { .. } | Listing::Delisted { .. } | Listing::Ambiguous { .. } => None,
        };
        let wish_since = match axes.intent.value {
            Wish::DoNotWant { stated_at } | Wish::WantListed { stated_at } => Some(stated_at),
            Wish::Undecided => None,
        };
        let read_since = axes.total.sufficed_at();
        let stations = || self.terminals().map(|terminal| self.station(terminal)).collect::<Vec<_>>();
        let newest = |of: fn(&Station) -> Option<DateTime<Utc>>| stations().iter().filter_map(of).max();
        match flag {
            Flag::OptOutNeeded => {
                let plausible = axes.total.plausible.map(|count| count.first_at);
                let cause = listed_since.or(read_since).or(plausible);
                cause.max(wish_since).max(axes.process.listed_again_at)
            }
            Flag::ListedAgainstWish | Flag::OptOutStale => listed_since.max(wish_since),
            Flag::ListedNoLocalEvidence | Flag::CodeMismatch => listed_since,
            Flag::OptOutAgainstIntent => wish_since,
            Flag::SucceededNotListed => read_since.max(wish_since),
            Flag::CapableButUndecided => match axes.equipment.value {
                Equipment::Ready { since } => since,
                _ => None,
            },
            Flag::ListedButCannotServe => match axes.equipment.value {
                Equipment::Degraded { since, .. } => Some(since).max(listed_since),
                Equipment::None { since } => since.max(listed_since),
                _ => listed_since,
            },
            Flag::CallOutsideHours => axes.process.call.as_ref().map(|call| call.called_at),
            Flag::ReaderMissing => newest(|station| station.absent_since),
            Flag::ReaderBlocked => newest(|station| station.blocked_since),
            Flag::ReaderUnstable => newest(|station| station.flapping_since),
            Flag::SoftwareDown => newest(|station| station.down_since),
            Flag::AgentSilent => {
                let silent = self.terminals().filter_map(|terminal| match self.terminal_freshness(terminal) {
                    Freshness::Silent { since } => Some(since),
                    _ => None,
                });
                silent.max()
            }
            Flag::FailureBurst => self.burst_since(&self.failures(axes), self.set.failure_burst),
            Flag::RebootLoop => {
                let loops = self
                    .terminals()
                    .filter_map(|terminal| self.burst_since(&terminal.reboots(self.set), self.set.reboot_loop));
                loops.max()
            }
            Flag::CollectionIncomplete => {
                let holes = self.terminals().flat_map(|terminal| terminal.holes(self.set)).map(|hole| hole.before);
                let gaps = self.terminals().flat_map(|terminal| terminal.gaps(self.set)).map(|gap| gap.to);
                holes.chain(gaps).max()
            }
            Flag::NumbersReused => self.terminals().filter_map(|terminal| terminal.lives.reused_at()).max(),
            Flag::ReaderRoleMissing
            | Flag::ReaderRoleUnclear
            | Flag::ReaderUnfit
            | Flag::ClockWrong
            | Flag::NoticeToHang
            | Flag::StickerToPutUp => None,
        }
    }

    /// The start of the burst that is shown: the first instant of the run without a pause.
    fn burst_since(&self, instants: &[DateTime<Utc>], burst: Burst) -> Option<DateTime<Utc>> {
        let mut since = None;
        let mut last: Option<DateTime<Utc>> = None;
        for window in instants.windows(burst.count) {
            let (first, end) = (*window.first()?, *window.last()?);
            if end - first > burst.within {
                continue;
            }
            let goes_on = last.is_some_and(|last| first <= later(last, burst.shown));
            since = since.filter(|_| goes_on).or(Some(first));
            last = Some(end);
        }
        since
    }

    /// Whether the call centre is closed at `at`.
    pub(crate) fn call_centre_closed(&self, at: DateTime<Utc>) -> bool {
        self.calendar.open(at) == Opening::Closed
    }

    /// Whether an opt-out is in effect.
    pub(crate) const fn asked(status: &OptOutStatus) -> bool {
        matches!(
            status,
            OptOutStatus::Called { .. } | OptOutStatus::Acknowledged { .. } | OptOutStatus::Reflected { .. }
        )
    }
}
