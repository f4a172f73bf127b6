//! Corrections of evidence that had been shown: every loss of evidence is recorded.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use yomitori_proto::event::{Event, Observed};

use super::Facility;
use crate::attempt::{AttemptKey, GradedAttempt};
use crate::bounded;
use crate::bounds::SUPERSEDED;
use crate::evidence::{Level, Superseded, SupersededBy};
use crate::instant::later;
use crate::rules::Rules;
use crate::terminal::{Arrival, CorrectionScope};

impl Facility {
    /// Whether the test has already been evaluated for an instant at which this observation should have been known. The
    /// test weighs the taps of all terminals together, and a terminal may report later than another.
    pub(super) fn is_weighed_since(&self, arrival: Arrival<'_>, event: &Event) -> bool {
        let Arrival { observed: Observed { terminal: own, .. }, now, rules, .. } = arrival;
        let from = self.terminals.get(own).and_then(|terminal| terminal.weighs_from(arrival, event));
        let Some(from) = from.filter(|_| self.proof.is_none()) else { return false };
        self.terminals.iter().any(|(id, terminal)| {
            terminal.is_over_between(from, now, rules) || (id != own && terminal.has_result_between(from, now, rules))
        })
    }

    /// Applies a change, and records which shown evidence it corrects. A loss of evidence is always recorded. Any other
    /// correction is recorded if the change arrives late, or if the corrected evidence had been shown for longer than
    /// the late window.
    pub(super) fn correcting(
        &mut self,
        CorrectionScope { by, late }: CorrectionScope,
        received_at: DateTime<Utc>,
        rules: &Rules,
        change: impl FnOnce(&mut Self),
    ) {
        let now = self.received_at.unwrap_or(received_at);
        let seen = |facility: &Self| facility.attempts(rules, |at| at <= now).levels();
        let before = seen(self);
        change(self);
        let after = seen(self);
        let fell = EvidenceShown::of(&after).fell_from(&EvidenceShown::of(&before));
        let keys: BTreeSet<&AttemptKey> = before.keys().chain(after.keys()).collect();
        for key in keys {
            let (was, now) = (before.get(key), after.get(key));
            let Some(GradedAttempt { at: read_at, known_at, .. }) = was.or(now) else { continue };
            let moved = fell && was.zip(now).is_some_and(|(was, now)| was.at != now.at);
            let (was, now) = (was.map(|graded| graded.level), now.map(|graded| graded.level));
            if (was == now && !moved) || was.max(now) <= Some(Level::TapOnly) {
                continue;
            }
            let set = rules.at(*read_at);
            let shown_until = later(*known_at, set.late_window + set.correlation_to);
            let late = late || (was.is_some() && by == SupersededBy::Result && shown_until < received_at);
            if late || (fell && (now < was || moved)) {
                let by = if late && by == SupersededBy::Result { SupersededBy::Late } else { by };
                let entry = Superseded { read_at: *read_at, received_at, was, now, by };
                bounded::push(&mut self.superseded, entry, SUPERSEDED);
            }
        }
    }
}

/// The shown evidence: number, first time and level of the reads, and the same of the plausible ones.
struct EvidenceShown {
    best: Option<Level>,
    counts: [(u32, Option<DateTime<Utc>>); 4],
}

impl EvidenceShown {
    fn of(levels: &BTreeMap<AttemptKey, GradedAttempt>) -> Self {
        let least = [Level::Plausible, Level::Correlated, Level::HeaderConfirmed, Level::Attested];
        let counts = least.map(|least| {
            let reads = levels.values().filter(|graded| graded.level >= least);
            reads.fold((0, None), |(count, first): (u32, Option<DateTime<Utc>>), graded| {
                (count + 1, Some(first.map_or(graded.at, |first| first.min(graded.at))))
            })
        });
        Self { best: levels.values().map(|graded| graded.level).max(), counts }
    }

    fn fell_from(&self, before: &Self) -> bool {
        let counts = self.counts.iter().zip(&before.counts);
        let fewer = counts.map(|((count, first), (was, was_first))| {
            count < was || was_first.is_some_and(|was| first.is_none_or(|first| was < first))
        });
        self.best < before.best || fewer.into_iter().any(|fewer| fewer)
    }
}
