//! When each flag stands, and how urgent it is.

use chrono::{DateTime, Duration, Utc};
use yomitori_proto::vocabulary::CollectionLevel;

use super::{Flag, Severity};
use crate::cause::Cause;
use crate::correlate::{Tap, Verdict};
use crate::desk::Kind;
use crate::equipment::{Equipment, Missing, Trouble};
use crate::evidence::Evidence;
use crate::freshness::Freshness;
use crate::instant::later;
use crate::intent::Wish;
use crate::listing::Listing;
use crate::opt_out::OptOutStatus;
use crate::readiness::StepKind;
use crate::rules::Burst;
use crate::text::{Text, Word};
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
                let call = self.facility.opt_out.call();
                listed && call.is_some_and(|call| self.passed(later(call.called_at, self.set.opt_out_stale)))
            }
            Flag::CallOutsideHours => {
                matches!(axes.opt_out.value, OptOutStatus::Called { .. })
                    && self
                        .facility
                        .opt_out
                        .call()
                        .is_some_and(|call| self.calendar.open(call.called_at) == crate::calendar::Opening::Closed)
            }
            Flag::OptOutAgainstIntent => {
                let asked = matches!(
                    axes.opt_out.value,
                    OptOutStatus::Called { .. } | OptOutStatus::Acknowledged { .. } | OptOutStatus::Reflected { .. }
                );
                asked && matches!(axes.intent.value, Wish::WantListed { .. })
            }
            Flag::SucceededNotListed => self.succeeded_not_listed(axes),
            Flag::ListedNoLocalEvidence => {
                listed && matches!(axes.evidence.value, Evidence::Never | Evidence::AttemptedOnly { .. })
            }
            Flag::CodeMismatch => listed && !self.strange_codes().is_empty(),
            Flag::ReaderMissing => match equipment {
                Equipment::Degraded { reason: Trouble::ReaderAbsent, since } => {
                    self.passed(later(since, self.set.reader_grace)) && !self.in_maintenance()
                }
                _ => false,
            },
            Flag::ReaderRoleMissing => matches!(equipment, Equipment::Incomplete { missing: Missing::Role }),
            Flag::ReaderBlocked => {
                matches!(
                    equipment,
                    Equipment::Degraded { reason: Trouble::ReaderBlocked, .. }
                        | Equipment::Incomplete { missing: Missing::Permission }
                )
            }
            Flag::ReaderUnfit => matches!(equipment, Equipment::Incomplete { missing: Missing::FitReader }),
            Flag::ReaderUnstable => matches!(equipment, Equipment::Degraded { reason: Trouble::ReaderFlapping, .. }),
            Flag::SoftwareDown => match equipment {
                Equipment::Degraded { reason: Trouble::SoftwareDown, since } => {
                    self.passed(later(since, self.set.reader_grace)) && !self.in_maintenance()
                }
                _ => false,
            },
            Flag::FailureBurst => self.failure_burst(),
            Flag::RebootLoop => self.terminals().any(|terminal| self.burst(&terminal.reboots, self.set.reboot_loop)),
            Flag::AgentSilent => matches!(axes.freshness.value, Freshness::Silent { .. }) && !self.in_maintenance(),
            Flag::CollectionIncomplete => {
                self.spool_loss() || self.terminals().any(|terminal| !terminal.lives.holes().is_empty())
            }
            Flag::ClockWrong => {
                self.terminals().any(|terminal| terminal.clock_offset_ms.unsigned_abs() > self.set.clock_offset_warn_ms)
            }
            Flag::NoticeToHang => self.notice_is_missing(StepKind::Poster, axes),
            Flag::StickerToPutUp => self.notice_is_missing(StepKind::Sticker, axes),
        }
    }

    fn notice_is_missing(&self, kind: StepKind, axes: &Axes) -> bool {
        self.notice_due(axes).is_some_and(|step| step.key == kind && !step.done)
    }

    /// Patients will turn up and fail: listed, and unable for longer than some opening days.
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
        self.passed(self.calendar.after_opening_days(since, self.set.cannot_serve_opening_days))
    }

    fn succeeded_not_listed(&self, axes: &Axes) -> bool {
        let wanted = matches!(axes.intent.value, Wish::WantListed { .. });
        let absent = matches!(axes.listing.value, Listing::NotListed { .. } | Listing::Delisted { .. });
        let absent_at = self.facility.listings.newest_absence(&self.facility.identity).map(|sight| sight.as_of);
        let long_after = axes.total.sufficed_at.zip(absent_at);
        let late = long_after.is_some_and(|(since, as_of)| later(since, self.set.succeeded_not_listed) < as_of);
        wanted && absent && late
    }

    /// Many failed reads within a short time, until some time after the last.
    fn failure_burst(&self) -> bool {
        let stated =
            self.desk_entries().filter(|entry| matches!(entry.kind, Kind::Failed { .. }) && !entry.says_read());
        let mut failures: Vec<DateTime<Utc>> = stated.map(|entry| entry.at).collect();
        failures.extend(self.failed_taps().map(|tap| tap.read_at()));
        failures.sort_unstable();
        self.burst(&failures, self.set.failure_burst)
    }

    /// Taps whose result says that they failed, or that got none in time where results are looked at.
    fn failed_taps(&self) -> impl Iterator<Item = &Tap> {
        self.terminals().flat_map(move |terminal| {
            let sees_results = terminal.collecting.level() != CollectionLevel::Readers;
            let failed = move |tap: &Tap, verdict| match verdict {
                Verdict::Failed => true,
                Verdict::Alone if sees_results => {
                    self.passed(later(tap.read_at(), self.set.correlation_to + Duration::seconds(1)))
                }
                Verdict::Alone | Verdict::Elsewhere | Verdict::Read(_) => false,
            };
            let verdicts = terminal.verdicts(self.rules).into_iter();
            verdicts.filter(move |(tap, verdict)| failed(tap, *verdict)).map(|(tap, _)| tap)
        })
    }

    /// What the failed taps have in common, as a guess.
    fn guessed_cause(&self) -> Option<&'static Cause> {
        let taps: Vec<&Tap> = self.failed_taps().collect();
        if taps.is_empty() {
            return None;
        }
        if taps.iter().all(|tap| tap.mute) {
            Cause::of("PatientDevice.Position")
        } else if taps.iter().all(|tap| !tap.in_use) {
            Cause::of("Site.PairingNotSet")
        } else {
            None
        }
    }

    /// Whether `burst.count` of the ascending instants lie within `burst.within`, and that was not long ago.
    fn burst(&self, instants: &[DateTime<Utc>], burst: Burst) -> bool {
        let mut bursts = instants.windows(burst.count).filter(|window| {
            window.first().zip(window.last()).is_some_and(|(first, last)| *last - *first <= burst.within)
        });
        bursts.any(|window| window.last().is_some_and(|last| self.within(*last, later(*last, burst.shown))))
    }

    pub(crate) fn severity(&self, flag: Flag, axes: &Axes) -> Severity {
        let confirmed_before = match axes.listing.value {
            Listing::Listed { last_seen_at, .. } => {
                self.facility.opt_out.acknowledged_at().is_some_and(|at| at < last_seen_at)
            }
            _ => false,
        };
        if flag.may_be_critical() && confirmed_before { Severity::Critical } else { flag.severity() }
    }

    /// What makes a flag stand, in one word where the axes have one.
    pub(crate) fn axis_why(&self, flag: Flag, axes: &Axes) -> Option<Text> {
        match flag {
            Flag::ReaderMissing | Flag::SoftwareDown | Flag::ReaderBlocked | Flag::ReaderUnstable => {
                Some(axes.equipment.why.clone())
            }
            Flag::AgentSilent => Some(axes.freshness.why.clone()),
            Flag::FailureBurst => self.guessed_cause().map(|cause| {
                let (guess, next) = (cause.sentence(), cause.next_step());
                Text::fixed("推定される原因:", "A guess:").then(&guess).then(&next)
            }),
            Flag::CodeMismatch => {
                let codes = self.strange_codes().join(", ");
                let label = flag.label();
                Some(Text::new(format!("{}: {codes}。", label.ja), format!("{}: {codes}.", label.en)))
            }
            _ => None,
        }
    }
}
