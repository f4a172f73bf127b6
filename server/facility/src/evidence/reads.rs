//! The reads and attempts that are kept individually.

use chrono::{DateTime, Utc};
use serde::Serialize;
use yomitori_proto::id::TerminalId;

use super::{Doubt, Level};
use crate::calendar::Calendar;
use crate::due::LookAt;
use crate::facility::Facility;
use crate::rules::Rules;
use crate::text::{Text, Word as _};
use crate::view::View;

/// One attempt to read a phone: tap, result file and desk entries together.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ReadStatus {
    /// By the server's clock.
    pub at: DateTime<Utc>,
    /// `None` if only a signed-in person saw it.
    pub terminal: Option<TerminalId>,
    pub level: Level,
    pub label: Text,
    /// The reason against it being a read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt_label: Option<Text>,
    /// A tap was observed.
    pub tap: bool,
}

/// The newest attempts that are kept individually, ascending (see [`crate::BOUNDS`]).
#[must_use]
pub fn reads(facility: &Facility, rules: &Rules, calendar: &Calendar, now: DateTime<Utc>) -> Vec<ReadStatus> {
    let moment = LookAt::new(now);
    let view = View::new(facility, rules, calendar, &moment);
    let attempts = facility.attempts(rules, |at| view.passed(at));
    let works = attempts.proof.is_some();
    let reads = attempts.list.iter().map(|attempt| {
        let level = attempt.grade.level(works);
        ReadStatus {
            at: attempt.at,
            terminal: attempt.terminal,
            level,
            label: level.label(),
            doubt: attempt.doubt,
            doubt_label: attempt.doubt.map(|doubt| doubt.label()),
            tap: attempt.tap.is_some(),
        }
    });
    reads.collect()
}
