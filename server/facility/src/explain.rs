//! The history of each axis, fact by fact, and the effect of other rules.
//!
//! Facts about the fleet (adopted rules, closures) take effect when they are stated. New rules fold every known fact
//! again. Changes by the passing of time between two facts are steps too.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::Serialize;
use yomitori_proto::event::{ClosureSet, Event, Origin, Recorded, Stated};
use yomitori_proto::id::{FacilityId, StatementId};
use yomitori_proto::vocabulary::Closes;

use crate::calendar::Calendar;
use crate::discrepancy::Flag;
use crate::due::LookAt;
use crate::evidence::{ReadStatus, reads};
use crate::facility::Facility;
use crate::rules::{RuleError, Rules};
use crate::status::{Status, status};
use crate::text::{Text, Word};
use crate::view::View;

/// Documented examples of facts: one fact per line, every kind of event of agents and people.
pub const EXAMPLE: &str = include_str!("../data/example.jsonl");

/// One step of an explanation.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Step {
    pub facility: FacilityId,
    pub at: DateTime<Utc>,
    pub cause: StepCause,
    pub changes: Vec<Change>,
}

/// The cause of a step.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepCause {
    /// The fact with this number, from 0, in the input.
    Fact { number: usize, kind: &'static str, by: String, why: Option<String>, occurred_at: DateTime<Utc> },
    /// No fact arrived; time passed.
    TimePassed,
}

/// A change of one axis.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Change {
    /// The name of the axis, or `flag`.
    pub axis: &'static str,
    /// Keys of the values; for a flag, its key before or after.
    pub from: Option<String>,
    pub to: Option<String>,
    pub why: Text,
}

/// Rules and calendar according to the log.
#[derive(Clone, PartialEq, Debug)]
pub struct Fleet {
    pub rules: Rules,
    pub calendar: Calendar,
    /// The closures by statement, for their withdrawal.
    closures: BTreeMap<StatementId, ClosureSet>,
}

impl Fleet {
    /// A fleet without facts in the log.
    #[must_use]
    pub const fn new(rules: Rules, calendar: Calendar) -> Self {
        Self { rules, calendar, closures: BTreeMap::new() }
    }

    /// Applies a fact about the fleet. An invalid rules document changes nothing and is returned as an error.
    pub fn apply(&mut self, recorded: &Recorded) -> Result<(), Vec<RuleError>> {
        if recorded.facility != FacilityId::FLEET {
            return Ok(());
        }
        if let Event::RulesAdopted(event) = &recorded.event {
            self.rules = Rules::parse(&event.document)?;
        } else if let Event::ClosureSet(event) = &recorded.event {
            if let Origin::Person(Stated { id: Some(id), .. }) = &recorded.origin {
                self.closures.insert(*id, event.clone());
            }
            match event.closes {
                Closes::CallCentre | Closes::Unknown => self.calendar.close(event.from, event.to),
                Closes::Clinics => self.calendar.close_clinics(event.from, event.to),
            }
        } else if let Event::StatementWithdrawn(event) = &recorded.event {
            self.withdraw(event.statement);
        }
        Ok(())
    }

    /// Removes a withdrawn closure, unless another statement declares the same one.
    fn withdraw(&mut self, id: StatementId) {
        let Some(withdrawn) = self.closures.remove(&id) else { return };
        if !self.closures.values().any(|closure| *closure == withdrawn) {
            match withdrawn.closes {
                Closes::CallCentre | Closes::Unknown => self.calendar.reopen(withdrawn.from, withdrawn.to),
                Closes::Clinics => self.calendar.reopen_clinics(withdrawn.from, withdrawn.to),
            }
        }
    }
}

/// The steps and the resulting state.
#[derive(Clone, PartialEq, Debug)]
pub struct Explanation {
    pub steps: Vec<Step>,
    pub facilities: BTreeMap<FacilityId, Facility>,
    /// The rules and the calendar at the end.
    pub fleet: Fleet,
}

impl Explanation {
    /// The status of a facility at `now`; `None` if no fact is about it.
    #[must_use]
    pub fn status(&self, facility: FacilityId, now: DateTime<Utc>) -> Option<Status> {
        let facility = self.facilities.get(&facility)?;
        Some(status(facility, &self.fleet.rules, &self.fleet.calendar, now))
    }
}

impl Explanation {
    /// The newest attempts of a facility, individually.
    #[must_use]
    pub fn reads(&self, facility: FacilityId, now: DateTime<Utc>) -> Vec<ReadStatus> {
        let facility = self.facilities.get(&facility);
        facility.map_or_else(Vec::new, |facility| reads(facility, &self.fleet.rules, &self.fleet.calendar, now))
    }
}

/// Folds `facts` of any facilities, in the order of the log, as known at `until`.
#[must_use]
pub fn explain(facts: &[Recorded], rules: &Rules, calendar: &Calendar, until: DateTime<Utc>) -> Explanation {
    let mut fleet = Fleet::new(rules.clone(), calendar.clone());
    let mut explained: BTreeMap<FacilityId, ExplainedFacility> = BTreeMap::new();
    let mut steps = Vec::new();
    for (number, recorded) in facts.iter().enumerate().filter(|(_, recorded)| recorded.received_at <= until) {
        if recorded.facility == FacilityId::FLEET {
            let matters =
                matches!(recorded.event, Event::RulesAdopted(_) | Event::ClosureSet(_) | Event::StatementWithdrawn(_));
            if !matters {
                continue;
            }
            // New rules change every facility from here on.
            for explained in explained.values_mut() {
                explained.wait(&fleet, recorded.received_at, &mut steps);
            }
            let rules = fleet.rules.clone();
            let understood = fleet.apply(recorded).is_ok();
            for explained in explained.values_mut().filter(|_| understood) {
                if rules != fleet.rules {
                    explained.refold(facts, &fleet.rules);
                }
                explained.step(&fleet, recorded.received_at, fact(number, recorded), &mut steps);
            }
            continue;
        }
        let explained = explained.entry(recorded.facility).or_insert_with(|| ExplainedFacility::new(recorded, &fleet));
        explained.wait(&fleet, recorded.received_at, &mut steps);
        explained.facts.push(number);
        explained.facility.apply(recorded, &fleet.rules);
        explained.step(&fleet, recorded.received_at, fact(number, recorded), &mut steps);
    }
    for explained in explained.values_mut() {
        explained.wait(&fleet, until, &mut steps);
        explained.step(&fleet, until, StepCause::TimePassed, &mut steps);
    }
    let facilities = explained.into_iter().map(|(id, explained)| (id, explained.facility)).collect();
    Explanation { steps, facilities, fleet }
}

/// The differences between two sets of rules for one facility; empty if there are none. `one` and `other` hold the same
/// facts, folded under the rules beside them.
#[must_use]
pub fn difference(
    one: (&Facility, &Rules),
    other: (&Facility, &Rules),
    calendar: &Calendar,
    now: DateTime<Utc>,
) -> Vec<Change> {
    let picture = |(facility, rules): (&Facility, &Rules)| AxisWords::of(facility, rules, calendar, now).0;
    picture(one).changes(&picture(other))
}

fn fact(number: usize, recorded: &Recorded) -> StepCause {
    let by = match &recorded.origin {
        Origin::Terminal(observed) => format!("terminal {}", observed.terminal),
        Origin::Person(stated) => stated.by.clone(),
        Origin::Server { .. } => "server".to_owned(),
        Origin::List { snapshot, .. } => format!("list {snapshot}"),
    };
    let why = match &recorded.origin {
        Origin::Person(stated) => stated.why.clone(),
        Origin::Terminal(_) | Origin::Server { .. } | Origin::List { .. } => None,
    };
    StepCause::Fact { number, kind: recorded.event.kind(), by, why, occurred_at: recorded.occurred_at() }
}

/// One facility during the explanation.
struct ExplainedFacility {
    facility: Facility,
    /// The numbers of the facility's facts.
    facts: Vec<usize>,
    picture: AxisWords,
    at: DateTime<Utc>,
    due: Option<DateTime<Utc>>,
}

/// The value of every axis and flag.
#[derive(Clone)]
struct AxisWords {
    axes: Vec<(&'static str, &'static str, String, Text)>,
    flags: BTreeSet<Flag>,
    sentences: BTreeMap<Flag, Text>,
}

/// Limit for steps by time alone between two facts; further ones add no information.
const WAITS: usize = 1000;

impl ExplainedFacility {
    fn new(recorded: &Recorded, fleet: &Fleet) -> Self {
        let facility = Facility::new(recorded.facility);
        let at = recorded.received_at;
        let (picture, due) = AxisWords::of(&facility, &fleet.rules, &fleet.calendar, at);
        Self { facility, facts: Vec::new(), picture, at, due }
    }

    fn refold(&mut self, facts: &[Recorded], rules: &Rules) {
        self.facility = Facility::new(self.facility.id);
        self.facts.iter().for_each(|number| self.facility.apply(&facts[*number], rules));
    }

    /// Adds the steps by time alone until `until`.
    fn wait(&mut self, fleet: &Fleet, until: DateTime<Utc>, steps: &mut Vec<Step>) {
        for _ in 0..WAITS {
            match self.due {
                Some(due) if due < until => self.step(fleet, due, StepCause::TimePassed, steps),
                Some(_) | None => return,
            }
        }
    }

    fn step(&mut self, fleet: &Fleet, at: DateTime<Utc>, cause: StepCause, steps: &mut Vec<Step>) {
        // Facts may reach the log out of order, but the time of the steps never decreases.
        self.at = self.at.max(at);
        let (picture, due) = AxisWords::of(&self.facility, &fleet.rules, &fleet.calendar, self.at);
        let changes = self.picture.changes(&picture);
        (self.picture, self.due) = (picture, due);
        if cause != StepCause::TimePassed || !changes.is_empty() {
            steps.push(Step { facility: self.facility.id, at: self.at, cause, changes });
        }
    }
}

impl AxisWords {
    fn of(
        facility: &Facility,
        rules: &Rules,
        calendar: &Calendar,
        now: DateTime<Utc>,
    ) -> (Self, Option<DateTime<Utc>>) {
        let moment = LookAt::new(now);
        let view = View::new(facility, rules, calendar, &moment);
        let axes = view.axes();
        let flags = view.flags(&axes);
        let sentences = flags.iter().map(|flag| (*flag, view.flag_sentence(*flag, &axes))).collect();
        let axes = vec![
            ("equipment", axes.equipment.key(), format!("{:?}", axes.equipment.value), axes.equipment.why),
            ("evidence", axes.evidence.key(), format!("{:?}", axes.evidence.value), axes.evidence.why),
            ("eligible", axes.eligible.key(), format!("{:?}", axes.eligible.value), axes.eligible.why),
            ("intent", axes.intent.key(), format!("{:?}", axes.intent.value), axes.intent.why),
            ("opt_out", axes.opt_out.key(), format!("{:?}", axes.opt_out.value), axes.opt_out.why),
            ("listing", axes.listing.key(), format!("{:?}", axes.listing.value), axes.listing.why),
            ("freshness", axes.freshness.key(), format!("{:?}", axes.freshness.value), axes.freshness.why),
        ];
        (Self { axes, flags, sentences }, moment.next())
    }

    fn changes(&self, later: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for ((axis, from, was, _), (_, to, is, why)) in self.axes.iter().zip(&later.axes) {
            if was != is {
                let (from, to) = (Some((*from).to_owned()), Some((*to).to_owned()));
                changes.push(Change { axis, from, to, why: why.clone() });
            }
        }
        for flag in self.flags.difference(&later.flags) {
            let label = flag.label();
            let why = Text::new(format!("解消: {}。", label.ja), format!("Cleared: {}.", label.en));
            changes.push(Change { axis: "flag", from: Some(flag.key().to_owned()), to: None, why });
        }
        for flag in later.flags.difference(&self.flags) {
            let why = later.sentences.get(flag).cloned().unwrap_or_else(|| flag.label());
            changes.push(Change { axis: "flag", from: None, to: Some(flag.key().to_owned()), why });
        }
        changes
    }
}

#[cfg(test)]
mod tests;
