//! Status histories: late facts count from their valid time, and continuing from a head gives the same history as all
//! facts.

use chrono::TimeDelta;
use yomitori_proto::event::{
    EntryWithdrawn, FacilityCodeChanged, FacilityRegistered, FallbackUsed, LinkageResultObserved, ListingIntentSet,
    ListingObserved, Observed, OptOutCallMade, Origin, ReaderAttached, SmartphoneReadAttested, Stated,
    StatementWithdrawn, TapObserved,
};
use yomitori_proto::id::{Life, ReaderKey, Seq, SnapshotId, StatementId, TerminalId};
use yomitori_proto::vocabulary::{Intent, LinkageFolder, LinkageKind, Medium, PhoneOs, ReadOutcome, ReaderRole};

use super::*;

const HERE: FacilityId = FacilityId(uuid::Uuid::from_u128(1));
const LIFE: Life = Life(uuid::Uuid::from_u128(3));

fn at(text: &str) -> DateTime<Utc> {
    format!("{text}:00+09:00").parse().unwrap()
}

fn person(stated_at: DateTime<Utc>, event: impl Into<Event>) -> Recorded {
    let origin = Origin::Person(Stated { by: "Suzuki".to_owned(), why: None, stated_at, id: None });
    Recorded { facility: HERE, received_at: stated_at, origin, event: event.into() }
}

fn terminal(seq: u64, at: DateTime<Utc>, event: impl Into<Event>) -> Recorded {
    let terminal = TerminalId(uuid::Uuid::from_u128(2));
    let observed = Observed { terminal, life: LIFE, seq: Seq(seq), occurred_at: at, observed_at: at, sent_at: at };
    Recorded { facility: HERE, received_at: at, origin: Origin::Terminal(observed), event: event.into() }
}

fn registered(at: DateTime<Utc>) -> Recorded {
    let (name, prefecture) = ("むかし医院".to_owned(), "13".to_owned());
    person(
        at,
        FacilityRegistered {
            name,
            prefecture,
            codes: vec!["1319999015".to_owned()],
            address: None,
            moved_at: None,
            correction: false,
        },
    )
}

fn read(read_at: DateTime<Utc>) -> SmartphoneReadAttested {
    SmartphoneReadAttested { os: PhoneOs::Ios, read_at, test: false }
}

fn all(facts: &[Recorded], until: DateTime<Utc>) -> Timeline {
    let span = TimelineSpan { settled: until, earlier: None, until };
    timeline(HERE, None, facts, &Rules::bundled(), &Calendar::bundled(), span)
}

/// The key of an axis at an instant.
fn was(timeline: &Timeline, at: DateTime<Utc>, word: impl Fn(&StatusWords) -> &'static str) -> &'static str {
    timeline.entries.iter().rev().find(|(from, _)| *from <= at).map_or("nothing", |(_, words)| word(words))
}

#[test]
fn a_read_counts_from_its_time_and_not_from_its_statement() {
    let (first, seen, stated) = (at("2026-04-01T09:00"), at("2026-04-02T10:00"), at("2026-04-20T10:00"));
    let history = all(&[registered(first), person(stated, read(seen))], stated);
    let eligible = |at| was(&history, at, |words| words.eligible);
    assert_eq!(eligible(first - TimeDelta::minutes(1)), "nothing");
    assert_eq!([eligible(first), eligible(seen), eligible(stated)], ["not_yet", "eligible", "eligible"]);
}

#[test]
fn a_call_counts_from_its_hour_in_any_order_with_the_intent() {
    let (first, called, wished, stated) =
        (at("2026-04-01T09:00"), at("2026-04-02T10:00"), at("2026-04-03T10:00"), at("2026-04-04T10:00"));
    let wish = person(wished, ListingIntentSet { intent: Intent::DoNotWant });
    let call = |called_at| person(stated, OptOutCallMade { called_at, reference: None });
    let facts = [registered(first), person(first, read(first)), wish.clone(), call(called)];
    let history = all(&facts, stated);
    let opt_out = |history: &Timeline, at| was(history, at, |words| words.opt_out);
    assert_eq!([opt_out(&history, called), opt_out(&history, wished)], ["called", "called"]);
    let later = at("2026-04-03T15:00");
    let history = all(&[registered(first), person(first, read(first)), wish, call(later)], stated);
    assert_eq!([opt_out(&history, wished), opt_out(&history, later)], ["needed", "called"]);
}

#[test]
fn a_withdrawn_fact_never_counts() {
    let (first, entered, taken) = (at("2026-04-01T09:00"), at("2026-04-02T10:00"), at("2026-04-02T10:05"));
    let facts = [registered(first), terminal(1, entered, read(entered))];
    let eligible = |facts: &[Recorded]| was(&all(facts, taken), entered, |words| words.eligible);
    assert_eq!(eligible(&facts), "eligible");
    let withdrawn = terminal(2, taken, EntryWithdrawn { life: LIFE, seq: Seq(1) });
    assert_eq!(eligible(&[&facts[..], &[withdrawn]].concat()), "not_yet");
}

#[test]
fn continuing_from_a_head_gives_the_whole_history() {
    let first = at("2026-04-01T09:00");
    let mut facts = vec![registered(first)];
    for day in 0..40 {
        let seen = first + TimeDelta::days(day) + TimeDelta::hours(1);
        facts.push(terminal(2 * day.unsigned_abs() + 1, seen, read(seen)));
        let fallback = FallbackUsed { fallback: "MynaPortalScreen".to_owned(), used_at: seen };
        facts.push(terminal(2 * day.unsigned_abs() + 2, seen + TimeDelta::minutes(3), fallback));
    }
    let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
    let until = first + TimeDelta::days(90);
    let whole = all(&facts, until);
    for known in [1, 7, 30, 60, facts.len()] {
        let now = facts[known - 1].received_at + TimeDelta::seconds(1);
        let span = TimelineSpan { settled: now - TimeDelta::hours(1), earlier: None, until: now };
        let before = timeline(HERE, None, &facts[..known], &rules, &calendar, span);
        let through = before.head.through;
        let since: Vec<Recorded> = facts.iter().filter(|fact| fact.occurred_at() > through).cloned().collect();
        let span = TimelineSpan { settled: until, earlier: None, until };
        let after = timeline(HERE, Some(before.head), &since, &rules, &calendar, span);
        let history: Vec<_> =
            before.entries.into_iter().filter(|(from, _)| *from <= through).chain(after.entries).collect();
        assert_eq!(history, whole.entries, "after {known} facts");
        assert_eq!(after.head.facility, whole.head.facility);
    }
}

#[test]
fn continuing_from_the_earlier_checkpoint_gives_the_whole_history() {
    let first = at("2026-04-01T09:00");
    let mut facts = vec![registered(first)];
    for day in 0..40 {
        let seen = first + TimeDelta::days(day) + TimeDelta::hours(1);
        facts.push(terminal(day.unsigned_abs() + 1, seen, read(seen)));
    }
    let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
    let until = first + TimeDelta::days(90);
    let whole = all(&facts, until);
    for day in [1, 2, 20, 39] {
        let earlier = first + TimeDelta::days(day);
        let span = TimelineSpan { settled: until, earlier: Some(earlier), until };
        let before = timeline(HERE, None, &facts, &rules, &calendar, span);
        assert_eq!(before.head, whole.head);
        let kept = before.earlier.expect("it was asked for");
        assert_eq!(kept.through, earlier);
        let since: Vec<Recorded> = facts.iter().filter(|fact| fact.occurred_at() > earlier).cloned().collect();
        let after = timeline(HERE, Some(kept), &since, &rules, &calendar, TimelineSpan { earlier: None, ..span });
        let history: Vec<_> =
            before.entries.into_iter().filter(|(from, _)| *from <= earlier).chain(after.entries).collect();
        assert_eq!(history, whole.entries, "after day {day}");
        assert_eq!(after.head, whole.head);
        // One that lies before the head that was given, or after the settled one, is not kept.
        let span = TimelineSpan { settled: until, earlier: Some(until), until };
        assert!(timeline(HERE, None, &facts, &rules, &calendar, span).earlier.is_none());
    }
}

#[test]
fn what_arrives_after_a_checkpoint_before_everything_is_in_the_history() {
    let (first, registered_at) = (at("2026-04-01T10:00"), at("2026-04-20T09:00"));
    let facts = [registered(registered_at), terminal(1, first, read(first))];
    let until = at("2026-05-01T09:00");
    let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
    let span = TimelineSpan { settled: first - TimeDelta::hours(1), earlier: None, until };
    let before = timeline(HERE, None, &facts, &rules, &calendar, span);
    let after = timeline(HERE, Some(before.head), &facts, &rules, &calendar, span);
    assert_eq!(was(&after, first, |words| words.evidence), "succeeded");
    assert_eq!(after.entries, before.entries);
    assert!(after.entries.iter().all(|(_, words)| words.name == "むかし医院"));
}

fn stated(number: u128, fact: Recorded) -> Recorded {
    let Origin::Person(stated) = fact.origin else { panic!("a person states it") };
    let id = Some(StatementId(uuid::Uuid::from_u128(number)));
    Recorded { origin: Origin::Person(Stated { id, ..stated }), ..fact }
}

fn withdrawal(number: u128, stated_at: DateTime<Utc>) -> Recorded {
    person(stated_at, StatementWithdrawn { statement: StatementId(uuid::Uuid::from_u128(number)) })
}

#[test]
fn a_code_counts_from_the_date_of_its_change() {
    let (first, effective, now) = (at("2026-03-01T10:30"), at("2026-06-01T00:00"), at("2026-12-01T09:00"));
    let change = FacilityCodeChanged {
        old: Some("1319999015".to_owned()),
        new: Some("1319999023".to_owned()),
        effective_at: effective,
    };
    let facts = [registered(now), person(now, read(first)), person(now + TimeDelta::minutes(1), change)];
    let history = all(&facts, now + TimeDelta::hours(1));
    let code = |at| history.entries.iter().rev().find(|(from, _)| *from <= at).unwrap().1.code.clone().unwrap();
    assert_eq!(code(effective - TimeDelta::seconds(1)), "1319999015");
    assert_eq!([code(effective), code(now)], ["1319999023", "1319999023"]);
}

#[test]
fn what_was_withdrawn_leaves_neither_a_row_nor_the_time_of_the_name() {
    let (early, seen, now) = (at("2026-02-01T10:00"), at("2026-04-01T10:00"), at("2026-12-01T09:00"));
    let minute = |minutes| now + TimeDelta::minutes(minutes);
    let facts = [
        stated(1, registered(now)),
        stated(2, person(minute(1), read(early))),
        withdrawal(1, minute(2)),
        withdrawal(2, minute(3)),
        registered(minute(4)),
        person(minute(5), read(seen)),
    ];
    let history = all(&facts, minute(60));
    assert_eq!(history.entries[0].0, seen);
    assert!(history.entries.iter().all(|(_, words)| words.name == "むかし医院" && words.code.is_some()));
    assert_eq!(was(&history, seen, |words| words.evidence), "succeeded");
}

#[test]
fn the_last_entry_is_the_current_status() {
    let example: Vec<Recorded> = crate::EXAMPLE.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
    let id = example.iter().map(|fact| fact.facility).find(|id| *id != FacilityId::FLEET).unwrap();
    let facts: Vec<Recorded> = example.into_iter().filter(|fact| fact.facility == id).collect();
    let until = facts.iter().map(|fact| fact.received_at).max().unwrap() + TimeDelta::days(30);
    let history = timeline(id, None, &facts, &rules, &calendar, TimelineSpan { settled: until, earlier: None, until });
    let mut shown = Facility::new(id);
    facts.iter().for_each(|fact| shown.apply(fact, &rules));
    assert_eq!(history.entries.last().unwrap().1, look(&shown, &rules, &calendar, until).0);
}

/// Reader, tap and result file with numbers 1, 3 and 2, because the agent reports the file before the tap has ended.
fn seen_read(first: DateTime<Utc>) -> [Recorded; 3] {
    let reader = ReaderKey(1);
    let attached = ReaderAttached { reader, model: None, vid: None, pid: None, role: ReaderRole::Phone };
    let tap = TapObserved {
        reader,
        present_ms: 9000,
        transitions: 1,
        in_use: true,
        exclusive: false,
        mute: false,
        medium: Medium::OtherTypeB,
        ruleset: 1,
    };
    let file_at = first + TimeDelta::seconds(68);
    let file = LinkageResultObserved {
        folder: LinkageFolder::Face,
        kind: LinkageKind::FaceResult,
        file_at: Some(file_at),
        seen_for_ms: 200,
        outcome: ReadOutcome::NotRead,
        error_code: None,
        name_tag: None,
    };
    let tap =
        Recorded { received_at: first + TimeDelta::seconds(70), ..terminal(3, first + TimeDelta::seconds(60), tap) };
    [terminal(1, first, attached), terminal(2, file_at, file), tap]
}

#[test]
fn a_late_or_withdrawn_fact_leaves_no_hole() {
    let first = at("2026-04-01T09:00");
    let taken = at("2026-04-01T10:00");
    let entered = terminal(4, at("2026-04-01T09:55"), read(at("2026-04-01T09:55")));
    let withdrawn = terminal(5, taken, EntryWithdrawn { life: LIFE, seq: Seq(4) });
    let facts = [&[registered(first)], &seen_read(first)[..], &[entered, withdrawn]].concat();
    let history = all(&facts, taken + TimeDelta::days(1));
    for (at, words) in &history.entries {
        assert!(!words.flags.contains(&"collection_incomplete"), "{at}: {words:?}");
        assert_ne!(words.freshness, "gap", "{at}");
    }
    assert_eq!(history.entries.last().unwrap().1.evidence_level, Some("correlated"));
}

#[test]
fn a_terminal_withdraws_only_its_own_entries() {
    let first = at("2026-04-01T09:00");
    let taken = at("2026-04-01T10:00");
    // The number is that of the tap.
    let withdrawn = terminal(4, taken, EntryWithdrawn { life: LIFE, seq: Seq(3) });
    let facts = [&[registered(first)], &seen_read(first)[..], &[withdrawn]].concat();
    assert_eq!(was(&all(&facts, taken), taken, |words| words.evidence), "succeeded");
}

#[test]
fn a_facility_has_its_name_from_the_beginning() {
    let (first, listed) = (at("2026-04-10T09:00"), at("2026-04-01T00:00"));
    let origin = Origin::List { snapshot: SnapshotId(uuid::Uuid::from_u128(5)), stated_at: first };
    let event = ListingObserved { as_of: listed, coverage: "full".to_owned(), listed: true, code: None };
    let list = Recorded { facility: HERE, received_at: first, origin, event: event.into() };
    let history = all(&[registered(first), list], first + TimeDelta::days(1));
    assert_eq!(history.entries[0].0, listed);
    assert!(history.entries.iter().all(|(_, words)| words.name == "むかし医院" && words.code.is_some()));
}

#[test]
fn whether_it_qualifies_is_judged_by_the_rules_in_force() {
    let bundled = Rules::BUNDLED;
    let (_, set) = bundled.split_once("[[set]]").unwrap();
    let later = set
        .replace("2025-01-01T00:00:00+09:00", "2026-06-01T00:00:00+09:00")
        .replace("level_that_suffices = \"correlated\"", "level_that_suffices = \"header_confirmed\"");
    let rules = Rules::parse(&format!("{bundled}\n[[set]]{later}")).unwrap();
    let first = at("2026-04-01T09:00");
    let facts = [&[registered(first)], &seen_read(first)[..]].concat();
    let until = at("2026-07-01T09:00");
    let history = timeline(
        HERE,
        None,
        &facts,
        &rules,
        &Calendar::bundled(),
        TimelineSpan { settled: until, earlier: None, until },
    );
    let eligible = |day| was(&history, at(day), |words| words.eligible);
    assert_eq!([eligible("2026-05-01T09:00"), eligible("2026-06-02T09:00")], ["eligible", "not_yet"]);
    let evidence = |day| was(&history, at(day), |words| words.evidence);
    assert_eq!([evidence("2026-05-01T09:00"), evidence("2026-06-02T09:00")], ["succeeded", "succeeded"]);
}
