//! Pasts that are told: late words count from when they were so, and going on tells what telling all of it tells.

use chrono::TimeDelta;
use yomitori_proto::event::{
    EntryWithdrawn, FacilityRegistered, FallbackUsed, LinkageResultObserved, ListingIntentSet, ListingObserved,
    Observed, OptOutCallMade, Origin, ReaderAttached, SmartphoneReadAttested, Stated, TapObserved,
};
use yomitori_proto::id::{Life, ReaderKey, Seq, SnapshotId, TerminalId};
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
    let span = TimelineSpan { settled: until, until };
    timeline(HERE, None, facts, &Rules::bundled(), &Calendar::bundled(), span)
}

/// What an axis was at an instant.
fn was(timeline: &Timeline, at: DateTime<Utc>, word: impl Fn(&StatusWords) -> &'static str) -> &'static str {
    timeline.entries.iter().rev().find(|(from, _)| *from <= at).map_or("nothing", |(_, words)| word(words))
}

#[test]
fn a_read_counts_from_when_it_was_seen_and_not_from_when_it_was_said() {
    let (first, seen, said) = (at("2026-04-01T09:00"), at("2026-04-02T10:00"), at("2026-04-20T10:00"));
    let told = all(&[registered(first), person(said, read(seen))], said);
    let eligible = |at| was(&told, at, |words| words.eligible);
    assert_eq!(eligible(first - TimeDelta::minutes(1)), "nothing");
    assert_eq!([eligible(first), eligible(seen), eligible(said)], ["not_yet", "eligible", "eligible"]);
}

#[test]
fn a_call_counts_from_its_hour_whatever_is_wished_when() {
    let (first, called, wished, said) =
        (at("2026-04-01T09:00"), at("2026-04-02T10:00"), at("2026-04-03T10:00"), at("2026-04-04T10:00"));
    let wish = person(wished, ListingIntentSet { intent: Intent::DoNotWant });
    let call = |called_at| person(said, OptOutCallMade { called_at, reference: None });
    let facts = [registered(first), person(first, read(first)), wish.clone(), call(called)];
    let told = all(&facts, said);
    let opt_out = |told: &Timeline, at| was(told, at, |words| words.opt_out);
    assert_eq!([opt_out(&told, called), opt_out(&told, wished)], ["called", "called"]);
    let later = at("2026-04-03T15:00");
    let told = all(&[registered(first), person(first, read(first)), wish, call(later)], said);
    assert_eq!([opt_out(&told, wished), opt_out(&told, later)], ["needed", "called"]);
}

#[test]
fn what_was_taken_back_never_was() {
    let (first, entered, taken) = (at("2026-04-01T09:00"), at("2026-04-02T10:00"), at("2026-04-02T10:05"));
    let facts = [registered(first), terminal(1, entered, read(entered))];
    let eligible = |facts: &[Recorded]| was(&all(facts, taken), entered, |words| words.eligible);
    assert_eq!(eligible(&facts), "eligible");
    let withdrawn = terminal(2, taken, EntryWithdrawn { life: LIFE, seq: Seq(1) });
    assert_eq!(eligible(&[&facts[..], &[withdrawn]].concat()), "not_yet");
}

#[test]
fn going_on_from_a_head_tells_what_telling_all_of_it_tells() {
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
        let span = TimelineSpan { settled: now - TimeDelta::hours(1), until: now };
        let before = timeline(HERE, None, &facts[..known], &rules, &calendar, span);
        let through = before.head.through;
        let since: Vec<Recorded> = facts.iter().filter(|fact| fact.occurred_at() > through).cloned().collect();
        let span = TimelineSpan { settled: until, until };
        let after = timeline(HERE, Some(before.head), &since, &rules, &calendar, span);
        let told: Vec<_> =
            before.entries.into_iter().filter(|(from, _)| *from <= through).chain(after.entries).collect();
        assert_eq!(told, whole.entries, "after {known} facts");
        assert_eq!(after.head.facility, whole.head.facility);
    }
}

#[test]
fn the_last_entry_is_what_is_shown_now() {
    let example: Vec<Recorded> = crate::EXAMPLE.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
    let id = example.iter().map(|fact| fact.facility).find(|id| *id != FacilityId::FLEET).unwrap();
    let facts: Vec<Recorded> = example.into_iter().filter(|fact| fact.facility == id).collect();
    let until = facts.iter().map(|fact| fact.received_at).max().unwrap() + TimeDelta::days(30);
    let told = timeline(id, None, &facts, &rules, &calendar, TimelineSpan { settled: until, until });
    let mut shown = Facility::new(id);
    facts.iter().for_each(|fact| shown.apply(fact, &rules));
    assert_eq!(told.entries.last().unwrap().1, look(&shown, &rules, &calendar, until).0);
}

/// Reader, tap and result file: numbers 1, 3 and 2, as the file is told before the tap is over.
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
    };
    let tap =
        Recorded { received_at: first + TimeDelta::seconds(70), ..terminal(3, first + TimeDelta::seconds(60), tap) };
    [terminal(1, first, attached), terminal(2, file_at, file), tap]
}

#[test]
fn nothing_is_missing_that_came_later_or_was_taken_back() {
    let first = at("2026-04-01T09:00");
    let taken = at("2026-04-01T10:00");
    let entered = terminal(4, at("2026-04-01T09:55"), read(at("2026-04-01T09:55")));
    let withdrawn = terminal(5, taken, EntryWithdrawn { life: LIFE, seq: Seq(4) });
    let facts = [&[registered(first)], &seen_read(first)[..], &[entered, withdrawn]].concat();
    let told = all(&facts, taken + TimeDelta::days(1));
    for (at, words) in &told.entries {
        assert!(!words.flags.contains(&"collection_incomplete"), "{at}: {words:?}");
        assert_ne!(words.freshness, "gap", "{at}");
    }
    assert_eq!(told.entries.last().unwrap().1.evidence_level, Some("correlated"));
}

#[test]
fn only_an_entry_of_that_terminal_can_be_taken_back() {
    let first = at("2026-04-01T09:00");
    let taken = at("2026-04-01T10:00");
    // The number is that of the tap.
    let withdrawn = terminal(4, taken, EntryWithdrawn { life: LIFE, seq: Seq(3) });
    let facts = [&[registered(first)], &seen_read(first)[..], &[withdrawn]].concat();
    assert_eq!(was(&all(&facts, taken), taken, |words| words.evidence), "succeeded");
}

#[test]
fn a_facility_bears_its_name_from_the_beginning() {
    let (first, listed) = (at("2026-04-10T09:00"), at("2026-04-01T00:00"));
    let origin = Origin::List { snapshot: SnapshotId(uuid::Uuid::from_u128(5)), stated_at: first };
    let event = ListingObserved { as_of: listed, coverage: "full".to_owned(), listed: true, code: None };
    let list = Recorded { facility: HERE, received_at: first, origin, event: event.into() };
    let told = all(&[registered(first), list], first + TimeDelta::days(1));
    assert_eq!(told.entries[0].0, listed);
    assert!(told.entries.iter().all(|(_, words)| words.name == "むかし医院" && words.code.is_some()));
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
    let told = timeline(HERE, None, &facts, &rules, &Calendar::bundled(), TimelineSpan { settled: until, until });
    let eligible = |day| was(&told, at(day), |words| words.eligible);
    assert_eq!([eligible("2026-05-01T09:00"), eligible("2026-06-02T09:00")], ["eligible", "not_yet"]);
    let evidence = |day| was(&told, at(day), |words| words.evidence);
    assert_eq!([evidence("2026-05-01T09:00"), evidence("2026-06-02T09:00")], ["succeeded", "succeeded"]);
}
