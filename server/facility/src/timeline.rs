//! What was true of a facility from when on, by all that is known now.
//!
//! The log says things in the order in which they arrived. Here they count from when they were so: a call from the hour in
//! which it was made, a read from the minute in which it was seen, however much later somebody said it; what was taken back
//! never was. Rules and calendar are today's.

use chrono::{DateTime, Utc};
use yomitori_proto::event::{Event, Recorded};
use yomitori_proto::id::FacilityId;

use crate::calendar::Calendar;
use crate::due::LookAt;
use crate::facility::Facility;
use crate::rules::Rules;
use crate::text::Word as _;
use crate::view::View;

/// What a row of a facility says in words.
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

/// A facility as it was at an instant, with everything in it that was so until then.
#[derive(Clone, PartialEq, Debug)]
pub struct TimelineHead {
    pub facility: Facility,
    pub through: DateTime<Utc>,
}

/// What was true, from when on.
#[derive(Clone, PartialEq, Debug)]
pub struct Timeline {
    /// Ascending, each until the next; those of an earlier head stand before them.
    pub entries: Vec<(DateTime<Utc>, StatusWords)>,
    /// To go on from: as it was at `settled`.
    pub head: TimelineHead,
}

/// The span that is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimelineSpan {
    /// What becomes known later is expected to be no older than this.
    pub settled: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// More changes by time alone than this between two facts say nothing new.
const WAITS: usize = 10_000;

/// From when on a fact was so, whenever it was said. For what people say of an opt-out see [`timeline`].
#[must_use]
pub fn valid_from(recorded: &Recorded) -> DateTime<Utc> {
    let said = recorded.occurred_at().min(recorded.received_at);
    let so = match &recorded.event {
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
        _ => said,
    };
    so.min(said)
}

/// Whether this takes something back: what was true before it has to be told anew from the beginning.
#[must_use]
pub const fn takes_back(recorded: &Recorded) -> bool {
    matches!(recorded.event, Event::EntryWithdrawn(_) | Event::StatementWithdrawn(_) | Event::FacilityRegistered(_))
}

/// What was true of `facility` in `span`. `facts` are in the order of the log: all of them, or, to go on from a `head`, at
/// least those that were said since then.
#[must_use]
pub fn timeline(
    facility: FacilityId,
    head: Option<TimelineHead>,
    facts: &[Recorded],
    rules: &Rules,
    calendar: &Calendar,
    span: TimelineSpan,
) -> Timeline {
    let since = head.as_ref().map(|head| head.through);
    let facts = ordered(facts, since);
    // A clock that was set back takes nothing out of a head.
    let through = span.settled.max(since.unwrap_or(span.settled));
    let (state, last) = match head {
        Some(TimelineHead { facility, through }) => {
            let (words, due) = look(&facility, rules, calendar, through);
            (facility, Some((words, due)))
        }
        None => (Facility::new(facility), None),
    };
    // What a head knows of numbers is what had come by then.
    let mut numbers = state.clone();
    let mut telling = TimelineBuilder { rules, calendar, state, last, entries: Vec::new() };
    let facts = telling.admitted(facts, &mut numbers, through);
    let mut settled = None;
    for (place, (at, recorded)) in facts.iter().enumerate() {
        if *at > through && settled.is_none() {
            settled = Some(telling.state.clone());
        }
        telling.wait(*at);
        telling.apply(recorded);
        // What happened at one instant is one change.
        if facts.get(place + 1).is_none_or(|(next, _)| next > at) {
            telling.look(*at);
        }
    }
    telling.wait(span.until);
    let mut facility = settled.unwrap_or_else(|| telling.state.clone());
    facility.number_as(&numbers);
    Timeline { entries: telling.entries, head: TimelineHead { facility, through } }
}

/// What is known after `since`, each from when it was so. A facility bears its name from the beginning.
fn ordered(facts: &[Recorded], since: Option<DateTime<Utc>>) -> Vec<(DateTime<Utc>, &Recorded)> {
    let begun = facts.iter().map(valid_from).min();
    let mut named = since.is_some();
    let dated = |recorded| {
        let mut at = valid_from(recorded);
        if !named && matches!(recorded.event, Event::FacilityRegistered(_)) {
            named = true;
            at = begun.map_or(at, |begun| begun.min(at));
        }
        (at, recorded)
    };
    let mut facts: Vec<_> = facts.iter().map(dated).collect();
    facts.retain(|(at, _)| since.is_none_or(|since| *at > since));
    // Of one instant the name first: nothing is said of a facility that has none.
    facts.sort_by_key(|(at, recorded)| (*at, !matches!(recorded.event, Event::FacilityRegistered(_))));
    facts
}

struct TimelineBuilder<'a> {
    rules: &'a Rules,
    calendar: &'a Calendar,
    state: Facility,
    /// What was true last, and until when it stays so by itself; nothing before the first fact.
    last: Option<(StatusWords, Option<DateTime<Utc>>)>,
    entries: Vec<(DateTime<Utc>, StatusWords)>,
}

impl TimelineBuilder<'_> {
    /// The facts whose numbers are new. All numbers are known from the beginning, as nothing is missing that came later; and
    /// what was taken back is taken back before it comes.
    fn admitted<'a>(
        &mut self,
        facts: Vec<(DateTime<Utc>, &'a Recorded)>,
        numbers: &mut Facility,
        through: DateTime<Utc>,
    ) -> Vec<(DateTime<Utc>, &'a Recorded)> {
        let mut in_order: Vec<usize> = (0..facts.len()).collect();
        in_order.sort_by_key(|index| facts[*index].1.received_at);
        let mut new = vec![true; facts.len()];
        for index in in_order {
            let (at, recorded) = facts[index];
            new[index] = self.state.admit(recorded, self.rules);
            if at <= through {
                numbers.admit(recorded, self.rules);
            }
        }
        facts.iter().for_each(|(_, recorded)| self.state.take_back(recorded, self.rules));
        facts.into_iter().zip(new).filter(|(_, new)| *new).map(|(fact, _)| fact).collect()
    }

    fn apply(&mut self, recorded: &Recorded) {
        self.state.apply_admitted(recorded, self.rules);
    }

    /// What changes by itself until `until`.
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

/// What a facility's row says at `now`, and when that changes by itself.
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
