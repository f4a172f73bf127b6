//! The status history of a facility in valid time, by everything known now.
//!
//! The log is ordered by arrival (transaction time). Here a fact counts from the time at which it became true: a call
//! from the hour of the call, a read from the minute of the read, even if a person stated it much later. A withdrawn
//! fact never counts. Rules and calendar are the current ones.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use yomitori_proto::event::{Event, Origin, Recorded};
use yomitori_proto::id::{FacilityId, StatementId};

use crate::calendar::Calendar;
use crate::due::LookAt;
use crate::facility::{Facility, withdrawable};
use crate::rules::Rules;
use crate::text::Word as _;
use crate::view::View;

/// The keys in a facility's row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatusWords {
    pub code: Option<String>,
    pub name: String,
    pub prefecture: String,
    pub eligible: &'static str,
    pub evidence: &'static str,
    pub evidence_level: Option<&'static str>,
    pub equipment: &'static str,
    pub intent: &'static str,
    pub opt_out: &'static str,
    pub listing: &'static str,
    pub freshness: &'static str,
    /// Most urgent first.
    pub flags: Vec<&'static str>,
}

/// A facility at an instant, with every fact that was valid by then: the checkpoint of a timeline.
#[derive(Clone, PartialEq, Debug)]
pub struct TimelineHead {
    pub facility: Facility,
    pub through: DateTime<Utc>,
}

/// The status history.
#[derive(Clone, PartialEq, Debug)]
pub struct Timeline {
    /// Ascending, each valid until the next. Those of an earlier head come before them.
    pub entries: Vec<(DateTime<Utc>, StatusWords)>,
    /// The checkpoint for the next call: the state at `settled`.
    pub head: TimelineHead,
    /// The checkpoint at `earlier`, if that was asked for and lies after the head that was given.
    pub earlier: Option<TimelineHead>,
}

/// The period of a timeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimelineSpan {
    /// Facts that arrive later are expected to be valid from this instant or later.
    pub settled: DateTime<Utc>,
    /// An earlier checkpoint, for a facility of which facts arrive later than that.
    pub earlier: Option<DateTime<Utc>>,
    pub until: DateTime<Utc>,
}

/// A state that is kept while the history is computed.
struct Checkpoint {
    through: DateTime<Utc>,
    /// Knows the numbers that had arrived by then.
    numbers: Facility,
    state: Option<Facility>,
}

impl Checkpoint {
    /// Keeps `state` if the next fact lies beyond the checkpoint.
    fn before(&mut self, next: DateTime<Utc>, state: &Facility) {
        if next > self.through && self.state.is_none() {
            self.state = Some(state.clone());
        }
    }

    fn head(self, last: &Facility) -> TimelineHead {
        let mut facility = self.state.unwrap_or_else(|| last.clone());
        facility.number_as(&self.numbers);
        TimelineHead { facility, through: self.through }
    }
}

/// Limit for changes by time alone between two facts; further ones add no information.
const WAITS: usize = 10_000;

/// The start of a fact's valid time. For statements about an opt-out see [`timeline`].
#[must_use]
pub fn valid_from(recorded: &Recorded) -> DateTime<Utc> {
    let stated_at = recorded.occurred_at().min(recorded.received_at);
    let event_at = match &recorded.event {
        Event::SmartphoneReadAttested(event) => event.read_at,
        Event::SmartphoneReadFailed(event) => event.read_at,
        Event::FallbackUsed(event) => event.used_at,
        Event::NoticeHung(event) => event.hung_at,
        Event::FaceReaderRestarted(event) => event.restarted_at,
        Event::ReceptionArranged(event) => event.arranged_at,
        Event::OptOutCallMade(event) => event.called_at,
        Event::OptOutAcknowledged(event) => event.acknowledged_at,
        Event::OptOutWithdrawn(event) => event.withdrawn_at,
        Event::ListingObserved(event) => event.as_of,
        Event::FacilityCodeChanged(event) => event.effective_at,
        Event::FacilityRegistered(event) => event.moved_at.unwrap_or(stated_at),
        _ => stated_at,
    };
    event_at.min(stated_at)
}

/// Whether a fact withdraws another one, so that the history has to be computed again from the beginning.
#[must_use]
pub const fn takes_back(recorded: &Recorded) -> bool {
    matches!(recorded.event, Event::EntryWithdrawn(_) | Event::StatementWithdrawn(_) | Event::FacilityRegistered(_))
}

/// The status history of `facility` in `span`. `facts` are in the order of the log: all of them, or, with a `head`, at
/// least those that are valid after it.
#[must_use]
pub fn timeline(
    facility: FacilityId,
    head: Option<TimelineHead>,
    facts: &[Recorded],
    rules: &Rules,
    calendar: &Calendar,
    span: TimelineSpan,
) -> Timeline {
    // Before its first fact a facility has no status that could be continued.
    let begun = |head: &TimelineHead| head.facility.received_at.is_some();
    let head = head.filter(begun);
    let since = head.as_ref().map(|head| head.through);
    let facts = ordered(facts, since);
    // A clock that was set back removes nothing from a head.
    let through = span.settled.max(since.unwrap_or(span.settled));
    let state = head.map_or_else(|| Facility::new(facility), |head| head.facility);
    let checkpoint = |through| Checkpoint { through, numbers: state.clone(), state: None };
    let earlier = span.earlier.filter(|earlier| *earlier < through && since.is_none_or(|since| *earlier > since));
    let mut checkpoints: Vec<Checkpoint> = [Some(through), earlier].into_iter().flatten().map(checkpoint).collect();
    let mut builder = TimelineBuilder { rules, calendar, state, last: None, entries: Vec::new() };
    let withdrawn = withdrawn(facts.iter().map(|(_, recorded)| *recorded));
    let facts = builder.admitted(facts, &mut checkpoints);
    // A number that was missing at the checkpoint, and arrived since, is no hole.
    builder.last = since.map(|through| look(&builder.state, rules, calendar, through));
    let mut changed = false;
    for (place, (at, recorded)) in facts.iter().enumerate() {
        checkpoints.iter_mut().for_each(|checkpoint| checkpoint.before(*at, &builder.state));
        builder.wait(*at);
        let counts = counts(recorded, &withdrawn);
        builder.apply(recorded, counts);
        changed |= counts;
        // Facts of the same instant are one change.
        if changed && facts.get(place + 1).is_none_or(|(next, _)| next > at) {
            builder.look(*at);
            changed = false;
        }
    }
    builder.wait(span.until);
    let mut heads = checkpoints.into_iter().map(|checkpoint| checkpoint.head(&builder.state));
    let head = heads.next().expect("the first checkpoint is always kept");
    let earlier = heads.next().filter(begun);
    Timeline { entries: builder.entries, head, earlier }
}

/// The statements that are withdrawn.
fn withdrawn<'a>(facts: impl Iterator<Item = &'a Recorded>) -> BTreeSet<StatementId> {
    let statement = |recorded: &Recorded| match &recorded.event {
        Event::StatementWithdrawn(event) => Some(event.statement),
        _ => None,
    };
    facts.filter_map(statement).collect()
}

/// Whether a fact changes anything: neither a withdrawn statement nor its withdrawal does.
fn counts(recorded: &Recorded, withdrawn: &BTreeSet<StatementId>) -> bool {
    let id = match &recorded.origin {
        Origin::Person(stated) => stated.id,
        Origin::Terminal(_) | Origin::Server { .. } | Origin::List { .. } => None,
    };
    let is_withdrawn = id.is_some_and(|id| withdrawn.contains(&id)) && withdrawable(&recorded.event);
    !is_withdrawn && !matches!(recorded.event, Event::StatementWithdrawn(_))
}

/// The facts after `since` in the order of valid time. The facility's name counts from the first fact on.
fn ordered(facts: &[Recorded], since: Option<DateTime<Utc>>) -> Vec<(DateTime<Utc>, &Recorded)> {
    let withdrawn = withdrawn(facts.iter());
    let begun = facts.iter().filter(|recorded| counts(recorded, &withdrawn)).map(valid_from).min();
    let mut named = since.is_some();
    let dated = |recorded| {
        let mut at = valid_from(recorded);
        if !named && matches!(recorded.event, Event::FacilityRegistered(_)) && counts(recorded, &withdrawn) {
            named = true;
            at = begun.map_or(at, |begun| begun.min(at));
        }
        (at, recorded)
    };
    let mut facts: Vec<_> = facts.iter().map(dated).collect();
    facts.retain(|(at, _)| since.is_none_or(|since| *at > since));
    // At the same instant the registration comes first, because a facility has a name in every row.
    facts.sort_by_key(|(at, recorded)| (*at, !matches!(recorded.event, Event::FacilityRegistered(_))));
    facts
}

struct TimelineBuilder<'a> {
    rules: &'a Rules,
    calendar: &'a Calendar,
    state: Facility,
    /// The last status, and the instant until which it stays valid by itself; `None` before the first fact.
    last: Option<(StatusWords, Option<DateTime<Utc>>)>,
    entries: Vec<(DateTime<Utc>, StatusWords)>,
}

impl TimelineBuilder<'_> {
    /// The facts with new numbers. All numbers are registered first, so that a later arrival leaves no hole; and
    /// withdrawals are applied before the facts that they withdraw.
    fn admitted<'a>(
        &mut self,
        facts: Vec<(DateTime<Utc>, &'a Recorded)>,
        checkpoints: &mut [Checkpoint],
    ) -> Vec<(DateTime<Utc>, &'a Recorded)> {
        let mut in_order: Vec<usize> = (0..facts.len()).collect();
        in_order.sort_by_key(|index| facts[*index].1.received_at);
        let mut new = vec![true; facts.len()];
        for index in in_order {
            let (at, recorded) = facts[index];
            new[index] = self.state.admit(recorded, self.rules);
            for checkpoint in checkpoints.iter_mut().filter(|checkpoint| at <= checkpoint.through) {
                checkpoint.numbers.admit(recorded, self.rules);
            }
        }
        facts.iter().for_each(|(_, recorded)| self.state.take_back(recorded, self.rules));
        facts.into_iter().zip(new).filter(|(_, new)| *new).map(|(fact, _)| fact).collect()
    }

    /// Applies a fact. One that does not count leaves only what is known of its withdrawal.
    fn apply(&mut self, recorded: &Recorded, counts: bool) {
        let received_at = self.state.received_at;
        self.state.apply_admitted(recorded, self.rules);
        if !counts {
            self.state.received_at = received_at;
        }
    }

    /// Adds the changes by time alone until `until`.
    fn wait(&mut self, until: DateTime<Utc>) {
        for _ in 0..WAITS {
            match self.last {
                Some((_, Some(due))) if due < until => self.look(due),
                Some(_) | None => return,
            }
        }
    }

    fn look(&mut self, at: DateTime<Utc>) {
        let (words, due) = look(&self.state, self.rules, self.calendar, at);
        if self.last.as_ref().is_none_or(|(before, _)| *before != words) {
            self.entries.push((at, words.clone()));
        }
        self.last = Some((words, due));
    }
}

/// The keys in a facility's row at `now`, and the next change by time alone.
#[must_use]
pub fn look(
    facility: &Facility,
    rules: &Rules,
    calendar: &Calendar,
    now: DateTime<Utc>,
) -> (StatusWords, Option<DateTime<Utc>>) {
    let moment = LookAt::new(now);
    let view = View::new(facility, rules, calendar, &moment);
    let axes = view.axes();
    let words = StatusWords {
        code: view.codes().into_iter().find(|code| code.valid).map(|code| code.code),
        name: facility.identity.name().cloned().unwrap_or_default(),
        prefecture: facility.identity.prefecture(|from| view.passed(from)).cloned().unwrap_or_default(),
        eligible: axes.eligible.key(),
        evidence: axes.evidence.key(),
        evidence_level: axes.evidence.value.level().map(|level| level.key()),
        equipment: axes.equipment.key(),
        intent: axes.intent.key(),
        opt_out: axes.opt_out.key(),
        listing: axes.listing.key(),
        freshness: axes.freshness.key(),
        flags: view.urgent_first(&axes).into_iter().map(|(_, flag)| flag.key()).collect(),
    };
    (words, moment.next())
}

#[cfg(test)]
mod tests;
