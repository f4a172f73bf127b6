//! The documented example holds, and explanations show the changes.

use yomitori_proto::event::StatementWithdrawn;

use super::*;
use crate::statements::Statements;

fn example() -> Vec<Recorded> {
    EXAMPLE.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn explained(until: &str) -> Vec<Step> {
    explain(&example(), &Rules::bundled(), &Calendar::bundled(), instant(until)).steps
}

fn new_values(steps: &[Step], axis: &str) -> Vec<String> {
    let changes = steps.iter().flat_map(|step| &step.changes).filter(|change| change.axis == axis);
    let mut keys: Vec<String> = changes.filter_map(|change| change.to.clone()).collect();
    keys.dedup();
    keys
}

#[test]
fn the_example_has_every_kind_of_event() {
    let kinds: BTreeSet<&str> = example().iter().map(|recorded| recorded.event.kind()).collect();
    assert_eq!(kinds, Event::KINDS.iter().copied().collect());
}

#[test]
fn the_example_is_explained_axis_by_axis() {
    let steps = explained("2026-04-12T06:00:00Z");
    assert_eq!(new_values(&steps, "evidence"), ["attempted_only", "succeeded"]);
    assert_eq!(new_values(&steps, "eligible"), ["eligible"]);
    assert_eq!(new_values(&steps, "intent"), ["do_not_want"]);
    assert_eq!(
        new_values(&steps, "opt_out"),
        ["needed", "planned", "called", "acknowledged", "reflected", "needed", "withdrawn"]
    );
    assert_eq!(new_values(&steps, "listing"), ["not_listed", "listed"]);
    let flags = new_values(&steps, "flag");
    assert!(flags.contains(&"listed_against_wish".to_owned()), "{flags:?}");
}

#[test]
fn a_change_by_time_alone_is_a_step_too() {
    let steps = explained("2026-04-12T06:00:00Z");
    let waited: Vec<&Step> = steps.iter().filter(|step| step.cause == StepCause::TimePassed).collect();
    let missing = |step: &&&Step| step.changes.iter().any(|change| change.to.as_deref() == Some("reader_missing"));
    // Ten minutes after the reader had gone; it is blocked by then, so it is not reported as missing.
    assert_eq!(waited.iter().filter(missing).count(), 0);
    assert!(waited.iter().all(|step| !step.changes.is_empty()));
    assert!(steps.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[test]
fn invalid_rules_change_nothing() {
    let mut facts = example();
    let mut adopted = facts.pop().unwrap();
    let Event::RulesAdopted(event) = &mut adopted.event else { panic!("the last fact adopts rules") };
    event.document = "nonsense".to_owned();
    let mut fleet = Fleet::new(Rules::bundled(), Calendar::bundled());
    assert!(fleet.apply(&adopted).is_err());
    assert_eq!(fleet.rules, Rules::bundled());
    assert_eq!(fleet.apply(&facts[0]), Ok(()));
}

#[test]
fn stricter_rules_change_axes_and_give_the_reason() {
    let stricter = include_str!("../../data/rules.toml").replace("\"correlated\"", "\"header_confirmed\"");
    let stricter = Rules::parse(&stricter).unwrap();
    let facts = example();
    let now = instant("2026-04-01T01:05:00Z");
    let until_then: Vec<Recorded> = facts.into_iter().filter(|recorded| recorded.received_at < now).collect();
    let facility = until_then[0].facility;
    let fold = |rules: &Rules| {
        let mut folded = Facility::new(facility);
        until_then.iter().for_each(|recorded| folded.apply(recorded, rules));
        folded
    };
    let rules = Rules::bundled();
    let (one, other) = (fold(&rules), fold(&stricter));
    let changes = difference((&one, &rules), (&other, &stricter), &Calendar::bundled(), now);
    let keys: Vec<_> = changes.iter().map(|change| (change.axis, change.to.as_deref())).collect();
    assert!(keys.contains(&("eligible", Some("not_yet"))), "{keys:?}");
    // The read is still evidence: if listing is not wanted, a call is needed under any rules.
    assert!(!keys.iter().any(|(axis, _)| *axis == "opt_out"), "{keys:?}");
    assert_eq!(difference((&one, &rules), (&one, &rules), &Calendar::bundled(), now), []);
}

#[test]
fn a_fact_is_unknown_until_it_is_received() {
    let facts = example();
    let explained = explain(&facts, &Rules::bundled(), &Calendar::bundled(), instant("2026-04-01T00:30:00Z"));
    let known: Vec<&Recorded> =
        facts.iter().filter(|recorded| recorded.received_at <= instant("2026-04-01T00:30:00Z")).collect();
    assert_eq!(explained.steps.iter().filter(|step| step.cause != StepCause::TimePassed).count(), known.len());
    assert!(explained.facilities.values().all(|facility| facility.received_at < Some(instant("2026-04-01T00:30:00Z"))));
}

#[test]
fn adopted_rules_judge_earlier_facts_too() {
    let mut facts = example();
    let mut adopted = facts.pop().unwrap();
    facts.retain(|recorded| recorded.received_at < instant("2026-04-01T01:05:00Z"));
    adopted.received_at = instant("2026-04-01T02:00:00Z");
    let Event::RulesAdopted(event) = &mut adopted.event else { panic!("the last fact adopts rules") };
    event.document = event.document.replace("\"correlated\"", "\"header_confirmed\"");
    facts.push(adopted);
    let explained = explain(&facts, &Rules::bundled(), &Calendar::bundled(), instant("2026-04-01T03:00:00Z"));
    assert_eq!(new_values(&explained.steps, "eligible"), ["eligible", "not_yet"]);
    let refolded = facts.iter().fold(Facility::new(facts[0].facility), |mut facility, recorded| {
        facility.apply(recorded, &explained.fleet.rules);
        facility
    });
    assert_eq!(explained.facilities[&refolded.id], refolded);
}

#[test]
fn the_status_of_a_facility_is_evaluated_at_an_instant() {
    let facts = example();
    let (facility, at) = (facts[0].facility, instant("2026-05-12T06:00:00Z"));
    let explained = explain(&facts, &Rules::bundled(), &Calendar::bundled(), at);
    assert!(explained.status(facility, at).is_some_and(|status| (status.facility, status.at) == (facility, at)));
    assert_eq!(explained.status(FacilityId::FLEET, at), None);
}

#[test]
fn a_fact_on_time_may_be_late_by_adopted_rules() {
    let mut facts = example();
    let mut adopted = facts.pop().unwrap();
    facts.retain(|recorded| recorded.received_at < instant("2026-04-01T01:05:00Z"));
    // The file arrives five minutes after its tap had been shown.
    let file = facts.iter_mut().find(|recorded| recorded.event.kind() == "linkage_result_observed").unwrap();
    file.received_at += chrono::TimeDelta::seconds(300);
    adopted.received_at = instant("2026-04-01T02:00:00Z");
    let Event::RulesAdopted(event) = &mut adopted.event else { panic!("the last fact adopts rules") };
    event.document = event.document.replace("late_window_s = 3600", "late_window_s = 1");
    facts.push(adopted);
    let superseded = |until| {
        let explained = explain(&facts, &Rules::bundled(), &Calendar::bundled(), instant(until));
        let status = explained.status(facts[0].facility, instant(until)).unwrap();
        status.superseded.len()
    };
    assert_eq!((superseded("2026-04-01T01:59:00Z"), superseded("2026-04-01T02:01:00Z")), (0, 1));
}

#[test]
fn a_change_that_is_due_with_a_fact_belongs_to_its_step() {
    let facts: Vec<Recorded> =
        example().into_iter().filter(|recorded| recorded.facility != FacilityId::FLEET).collect();
    let (first, rules, calendar) = (facts[0].clone(), Rules::bundled(), Calendar::bundled());
    let mut facility = Facility::new(first.facility);
    let facts_so_far: Vec<Recorded> =
        facts.into_iter().take_while(|recorded| recorded.received_at < instant("2026-04-01T01:05:00Z")).collect();
    facts_so_far.iter().for_each(|recorded| facility.apply(recorded, &rules));
    let last = facts_so_far.iter().map(|recorded| recorded.received_at).max().unwrap();
    let due = crate::due(&facility, &rules, &calendar, last).unwrap();
    let mut again = first;
    again.received_at = due;
    let facts: Vec<Recorded> = facts_so_far.into_iter().chain([again]).collect();
    let steps = explain(&facts, &rules, &calendar, due).steps;
    let at_due: Vec<&StepCause> = steps.iter().filter(|step| step.at == due).map(|step| &step.cause).collect();
    assert!(matches!(at_due[..], [StepCause::Fact { .. }]), "{at_due:?}");
}

#[test]
fn a_closure_that_is_withdrawn_closes_nothing() {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let said = |number: u128, event: Event| Recorded {
        facility: FacilityId::FLEET,
        received_at: at("2026-12-01T00:00:00Z"),
        origin: Origin::Person(Stated {
            by: "Sato".to_owned(),
            why: None,
            stated_at: at("2026-12-01T00:00:00Z"),
            id: Some(StatementId(uuid::Uuid::from_u128(number))),
        }),
        event,
    };
    let noon = at("2026-12-24T03:00:00Z");
    for closes in [Closes::CallCentre, Closes::Clinics] {
        let closure = ClosureSet { from: at("2026-12-23T15:00:00Z"), to: at("2026-12-24T15:00:00Z"), closes };
        let closed = |fleet: &Fleet| match closes {
            Closes::CallCentre | Closes::Unknown => fleet.calendar.open(noon) == crate::Opening::Closed,
            Closes::Clinics => {
                let next = fleet.calendar.after_opening_days(at("2026-12-23T03:00:00Z"), 1, &Statements::default());
                next > noon
            }
        };
        let mut fleet = Fleet::new(Rules::bundled(), Calendar::bundled());
        for (number, event, expected) in [
            (1, closure.clone().into(), true),
            (2, closure.clone().into(), true),
            (3, StatementWithdrawn { statement: StatementId(uuid::Uuid::from_u128(1)) }.into(), true),
            (4, StatementWithdrawn { statement: StatementId(uuid::Uuid::from_u128(2)) }.into(), false),
        ] {
            fleet.apply(&said(number, event)).unwrap();
            assert_eq!(closed(&fleet), expected, "{closes:?} {number}");
        }
    }
}
