//! The condition and the severity of each flag.

use chrono::{DateTime, Utc};

use super::{Flag, Severity};
use crate::attempt::{Attempt, Failure};
use crate::cause::Cause;
use crate::equipment::{Equipment, MissingPart, Trouble};
use crate::evidence::Evidence;
use crate::instant::later;
use crate::intent::Wish;
use crate::listing::Listing;
use crate::opt_out::OptOutStatus;
use crate::readiness::StepKind;
use crate::rules::Burst;
use crate::text::Text;
use crate::view::{Axes, View};

impl View<'_> {
    pub(crate) fn stands(&self, flag: Flag, axes: &Axes) -> bool {
        let listed = matches!(axes.listing.value, Listing::Listed { .. });
        let unwanted = matches!(axes.intent.value, Wish::DoNotWant { .. });
        let equipment = axes.equipment.value;
        match flag {
            Flag::OptOutNeeded => {
                matches!(axes.opt_out.value, OptOutStatus::Needed | OptOutStatus::Planned { overdue: true, .. })
            }
            Flag::ListedAgainstWish => listed && unwanted,
            Flag::CapableButUndecided => {
                matches!(equipment, Equipment::Ready { .. }) && axes.intent.value == Wish::Undecided
            }
            Flag::ListedButCannotServe => self.listed_but_cannot_serve(axes),
            Flag::OptOutStale => {
                let call = axes.process.call.as_ref();
                listed && call.is_some_and(|call| self.passed(later(call.called_at, self.set.opt_out_stale)))
            }
            Flag::CallOutsideHours => match &axes.opt_out.value {
                OptOutStatus::Called { called_at, .. } => self.call_centre_closed(*called_at),
                _ => false,
            },
            Flag::OptOutAgainstIntent => {
                Self::asked(&axes.opt_out.value) && matches!(axes.intent.value, Wish::WantListed { .. })
            }
            Flag::SucceededNotListed => self.succeeded_not_listed(axes),
            Flag::ListedNoLocalEvidence => {
                listed
                    && matches!(
                        axes.evidence.value,
                        Evidence::Never | Evidence::AttemptedOnly { .. } | Evidence::Plausible { .. }
                    )
            }
            Flag::CodeMismatch => listed && !self.strange_codes().is_empty(),
            Flag::FailureBurst => self.burst(&self.failures(axes), self.set.failure_burst),
            Flag::ReaderRoleMissing => {
                matches!(equipment, Equipment::Incomplete { missing: MissingPart::Role }) || self.concerns_any(flag)
            }
            Flag::ReaderBlocked => {
                matches!(
                    equipment,
                    Equipment::Degraded { reason: Trouble::ReaderBlocked, .. }
                        | Equipment::Incomplete { missing: MissingPart::Permission }
                )
            }
            Flag::ReaderUnfit => matches!(equipment, Equipment::Incomplete { missing: MissingPart::FitReader }),
            Flag::ReaderMissing
            | Flag::ReaderRoleUnclear
            | Flag::ReaderUnstable
            | Flag::SoftwareDown
            | Flag::RebootLoop
            | Flag::AgentSilent
            | Flag::CollectionIncomplete
            | Flag::NumbersReused
            | Flag::ClockWrong => self.concerns_any(flag),
            Flag::NoticeToHang => self.notice_is_missing(StepKind::Poster, axes),
            Flag::StickerToPutUp => self.notice_is_missing(StepKind::Sticker, axes),
        }
    }

    fn notice_is_missing(&self, kind: StepKind, axes: &Axes) -> bool {
        self.notice_due(axes).is_some_and(|step| step.key == kind && !step.done)
    }

    /// Patients will arrive and fail: the facility is listed, and has been unable to read phones for several opening
    /// days.
    fn listed_but_cannot_serve(&self, axes: &Axes) -> bool {
        let Listing::Listed { since: listed_since, .. } = axes.listing.value else { return false };
        let unable_since = match axes.equipment.value {
            Equipment::Degraded { since, .. } => Some(since),
            Equipment::None { since } => since,
            Equipment::Unknown | Equipment::Incomplete { .. } | Equipment::Ready { .. } | Equipment::Offline { .. } => {
                return false;
            }
        };
        let since = unable_since.map_or(listed_since, |since| since.max(listed_since));
        self.passed(self.after_opening_days(since, self.set.cannot_serve_opening_days))
    }

    fn succeeded_not_listed(&self, axes: &Axes) -> bool {
        let wanted = matches!(axes.intent.value, Wish::WantListed { .. });
        let absent = matches!(axes.listing.value, Listing::NotListed { .. } | Listing::Delisted { .. });
        let absent_at = self.facility.listings.newest_absence(&self.facility.identity).map(|sight| sight.as_of);
        let long_after = axes.total.sufficed_at().zip(absent_at);
        let late = long_after.is_some_and(|(since, as_of)| later(since, self.set.succeeded_not_listed) < as_of);
        wanted && absent && late
    }

    /// Whether the flag concerns a terminal in use.
    fn concerns_any(&self, flag: Flag) -> bool {
        self.terminals().any(|terminal| self.concerns(flag, terminal))
    }

    /// The times of failed reads, ascending. A failure that both a tap and a person report counts once.
    pub(crate) fn failures(&self, axes: &Axes) -> Vec<DateTime<Utc>> {
        self.failed(axes).map(|attempt| attempt.at).collect()
    }

    fn failed<'a>(&'a self, axes: &'a Axes) -> impl Iterator<Item = &'a Attempt> {
        axes.total.attempts.list.iter().filter(|attempt| match attempt.failed {
            Failure::Yes => true,
            Failure::From(at) => self.passed(at),
            Failure::No => false,
        })
    }

    /// A guess of the cause that the failed taps share.
    fn guessed_cause(&self, axes: &Axes) -> Option<&'static Cause> {
        let taps: Vec<&Attempt> = self.failed(axes).filter(|attempt| attempt.tap.is_some()).collect();
        if taps.is_empty() {
            None
        } else if taps.iter().all(|tap| tap.mute) {
            Cause::of("PatientDevice.Position")
        } else if taps.iter().all(|tap| !tap.in_use) {
            Cause::of("Site.PairingNotSet")
        } else {
            None
        }
    }

    /// Whether `burst.count` of the ascending instants lie within `burst.within`, and the last of them is still shown.
    pub(crate) fn burst(&self, instants: &[DateTime<Utc>], burst: Burst) -> bool {
        let mut bursts = instants.windows(burst.count).filter(|window| {
            window.first().zip(window.last()).is_some_and(|(first, last)| *last - *first <= burst.within)
        });
        bursts.any(|window| window.last().is_some_and(|last| self.within(*last, later(*last, burst.shown))))
    }

    pub(crate) fn severity(&self, flag: Flag, axes: &Axes) -> Severity {
        let confirmed_before = match axes.listing.value {
            Listing::Listed { last_seen_at, .. } => axes.process.acknowledged_at.is_some_and(|at| at < last_seen_at),
            _ => false,
        };
        if flag.may_be_critical() && confirmed_before { Severity::Critical } else { flag.severity() }
    }

    /// The reason why a flag is raised, from the axis if it has one.
    pub(crate) fn axis_why(&self, flag: Flag, axes: &Axes) -> Option<Text> {
        match flag {
            Flag::ReaderBlocked => Some(axes.equipment.why.clone()),
            Flag::AgentSilent => Some(axes.freshness.why.clone()).map(|why| why.then_if(self.named(flag))),
            Flag::ReaderMissing
            | Flag::SoftwareDown
            | Flag::ReaderUnstable
            | Flag::RebootLoop
            | Flag::CollectionIncomplete
            | Flag::NumbersReused
            | Flag::ClockWrong => self.named(flag),
            Flag::OptOutNeeded => Some(axes.opt_out.why.clone()),
            Flag::FailureBurst => self.guessed_cause(axes).map(|cause| {
                let (guess, next) = (cause.sentence(), cause.next_step());
                Text::fixed("推定される原因:", "A guess:").then(&guess).then(&next)
            }),
            Flag::CodeMismatch => {
                let codes = self.strange_codes().join(", ");
                Some(Text::new(format!("リストのコード: {codes}。"), format!("In the list: {codes}.")))
            }
            _ => None,
        }
    }

    /// The terminals concerned, and since when.
    fn named(&self, flag: Flag) -> Option<Text> {
        let terminals = self.flag_terminals(flag);
        if terminals.is_empty() {
            return None;
        }
        let names: Vec<String> = terminals.iter().map(ToString::to_string).collect();
        let names = names.join(", ");
        Some(Text::new(format!("端末: {names}。"), format!("Terminal: {names}.")))
    }
}
