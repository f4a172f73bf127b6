//! The properties P1 to P10: they must hold for every history of a facility.

mod continued;
mod long;
pub(crate) mod story;

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;
use yomitori_facility::{
    Calendar, Eligible, Evidence, Facility, Level, OptOutStatus, Rules, Status, StoredJson as _, Wish, due, fold,
    standing, status,
};
use yomitori_proto::event::{Event, ListingObserved, Origin, Recorded, StatementWithdrawn};
use yomitori_proto::id::StatementId;
use yomitori_proto::vocabulary::{LinkageKind, Medium, ReadOutcome, ReaderRole};

use story::{FACILITY, Sight, Timed, Word, begin, interleave, observed, said, sights, words};

fn fold_all<'a>(facility: Facility, facts: impl IntoIterator<Item = &'a Recorded>) -> Facility {
    let rules = Rules::bundled();
    facts.into_iter().fold(facility, |facility, recorded| fold(facility, recorded, &rules))
}

fn folded<'a>(facts: impl IntoIterator<Item = &'a Recorded>) -> Facility {
    fold_all(Facility::new(FACILITY), facts)
}

fn seen(facility: &Facility, now: DateTime<Utc>) -> Status {
    status(facility, &Rules::bundled(), &Calendar::bundled(), now)
}

fn stored(facility: &Facility) -> Facility {
    Facility::from_json(&facility.to_json().expect("a state is JSON")).expect("JSON is a state")
}

fn end() -> DateTime<Utc> {
    begin() + Duration::days(60)
}

/// The number of reads, and the strongest level.
fn evidence(status: &Status) -> (u32, Option<Level>) {
    match &status.evidence.value {
        Evidence::Succeeded { count, level, .. } => (*count, Some(*level)),
        Evidence::Plausible { .. } => (0, Some(Level::Plausible)),
        Evidence::NotObservable | Evidence::Never | Evidence::AttemptedOnly { .. } => (0, None),
    }
}

/// Whether there are fewer reads, weaker ones, or a later first one.
fn fell(before: &Status, after: &Status) -> bool {
    let first = |status: &Status| match &status.evidence.value {
        Evidence::Succeeded { first_success_at, .. } => Some(*first_success_at),
        _ => None,
    };
    let later = first(before).zip(first(after)).is_some_and(|(before, after)| before < after);
    evidence(after).0 < evidence(before).0 || evidence(after).1 < evidence(before).1 || later
}

type Moves = Vec<(Index, Index)>;

fn moves(most: usize) -> impl Strategy<Value = Moves> {
    prop::collection::vec(any::<(Index, Index)>(), 0..most)
}

/// `facts` in another order of arrival.
fn moved(mut facts: Vec<Recorded>, moves: Moves) -> Vec<Recorded> {
    for (from, to) in moves {
        let fact = facts.remove(from.index(facts.len()));
        facts.insert(to.index(facts.len() + 1), fact);
    }
    facts
}

/// A whole history: two terminals, statements, and the way they interleave.
#[derive(Clone, Debug)]
struct History {
    one: Vec<Timed<Sight>>,
    two: Vec<Timed<Sight>>,
    words: Vec<Timed<Word>>,
    mingled: Vec<usize>,
}

impl History {
    fn facts(&self) -> Vec<Recorded> {
        interleave(vec![observed(0, &self.one), observed(1, &self.two), said(&self.words)], &self.mingled)
    }
}

fn history() -> impl Strategy<Value = History> {
    let mingled = proptest::collection::vec(0_usize..3, 1..12);
    (sights(14), sights(8), words(12), mingled).prop_map(|(one, two, words, mingled)| History {
        one,
        two,
        words,
        mingled,
    })
}

/// The fields of two statuses that differ.
fn differences(one: &Status, other: &Status) -> Vec<String> {
    let json = |status: &Status| -> Value {
        serde_json::from_str(&status.to_json().expect("a status is JSON")).expect("JSON")
    };
    let (one, other) = (json(one), json(other));
    let fields = one.as_object().into_iter().flatten();
    fields
        .filter(|(key, value)| other[*key] != **value)
        .map(|(key, value)| format!("{key}: {value} != {}", other[key]))
        .collect()
}

/// The number of cases: 2,000 by default, or `YOMITORI_CASES`.
#[expect(clippy::disallowed_methods, reason = "the one switch of these tests")]
fn cases() -> ProptestConfig {
    let said = std::env::var("YOMITORI_CASES").ok().and_then(|cases| cases.parse().ok());
    let cases = said.unwrap_or(if cfg!(debug_assertions) { 256 } else { 2000 });
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 4_000, ..ProptestConfig::default() }
}

/// The facts of one terminal about a phone's tap, a second tap and two results, up to `last`.
fn two_taps(last: Sight) -> Vec<Recorded> {
    let tap = || Sight::Tap { reader: story::PHONE, medium: Medium::OtherTypeB, mute: false };
    let file = |found_after_s| Sight::File { found_after_s, outcome: ReadOutcome::NotRead };
    observed(
        0,
        &[(0, Sight::Attached(story::PHONE, ReaderRole::Phone)), (0, tap()), (46, tap()), (3, file(0)), (388, last)],
    )
}

/// The last of `facts` removes a read that had been shown, and that correction is recorded.
fn last_records_a_correction(facts: &[Recorded]) {
    let (last, before) = facts.split_last().expect("there are facts");
    let now = facts.iter().map(|recorded| recorded.received_at).max().expect("there are facts");
    let (before, facility) = (seen(&folded(before), now), folded(facts));
    let after = seen(&facility, now);
    assert!(fell(&before, &after), "{:?} became {:?} by {last:?}", before.evidence.value, after.evidence.value);
    assert!(after.superseded.len() > before.superseded.len(), "{last:?}");
}

#[test]
fn a_second_result_that_is_found_after_its_window_corrects() {
    last_records_a_correction(&two_taps(Sight::File { found_after_s: 271, outcome: ReadOutcome::NotRead }));
}

#[test]
fn entries_of_one_instant_are_corrected_one_by_one() {
    let mut facts = observed(
        0,
        &[
            (0, Sight::Attached(story::PHONE, ReaderRole::Phone)),
            (60, Sight::Attested { test: false }),
            (0, Sight::Failed),
        ],
    );
    facts.extend(said(&[(120, Word::Retired)]));
    let Origin::Person(stated) = &mut facts.last_mut().expect("there are facts").origin else {
        panic!("the fact is a person's")
    };
    stated.stated_at = begin();
    last_records_a_correction(&facts);
}

/// Whether a reader was given a role after a tap on it had arrived that is later than the statement. A tap on a reader
/// that the configuration gives to others is not kept, so such a role comes too late for it; another role that was given
/// before, and is withdrawn, had kept it.
fn gives_a_role_too_late(facts: &[Recorded]) -> bool {
    facts.iter().enumerate().any(|(place, given)| {
        let Event::ReaderRoleAssigned(role) = &given.event else { return false };
        let taps = facts[..place].iter().filter(|fact| fact.occurred_at() >= given.occurred_at());
        taps.into_iter().any(|fact| matches!(&fact.event, Event::TapObserved(tap) if tap.reader == role.reader))
    })
}

/// The codes that a statement mentions.
fn codes(recorded: &Recorded) -> impl Iterator<Item = &String> {
    let (registered, changed) = match &recorded.event {
        Event::FacilityRegistered(event) => (event.codes.as_slice(), None),
        Event::FacilityCodeChanged(event) => (event.old.as_slice(), event.new.as_ref()),
        _ => (&[][..], None),
    };
    registered.iter().chain(changed)
}

/// The status with a statement and its withdrawal, and the status with the withdrawal alone. Recorded corrections are
/// left out.
fn withdrawn(facts: &[Recorded], chosen: usize) -> Option<(Status, Status)> {
    let id = StatementId(uuid::Uuid::from_u128(0xaa));
    let mut with = facts.to_vec();
    let Origin::Person(stated) = &mut with[chosen].origin else { return None };
    stated.id = Some(id);
    let others = || facts.iter().enumerate().filter(|(index, _)| *index != chosen).map(|(_, fact)| fact);
    let known: Vec<&String> = others().flat_map(codes).collect();
    let never_had: Vec<&String> = codes(&facts[chosen]).filter(|code| !known.contains(code)).collect();
    // A list that matched nothing but the withdrawn code would not have found the facility.
    let unmatched = |fact: &Recorded| {
        let mut fact = fact.clone();
        if let Event::ListingObserved(event) = &mut fact.event
            && event.code.as_ref().is_some_and(|code| never_had.contains(&code))
        {
            (event.listed, event.code) = (false, None);
        }
        fact
    };
    let without: Vec<Recorded> = others().map(unmatched).collect();
    let mut last = with[chosen].clone();
    let Origin::Person(stated) = &mut last.origin else { return None };
    (stated.id, stated.stated_at) = (None, end());
    last.received_at = end();
    last.event = StatementWithdrawn { statement: id }.into();
    let shown = |facility: Facility| {
        let mut status = seen(&facility, end() + Duration::seconds(1));
        status.superseded.clear();
        status
    };
    Some((shown(folded(with.iter().chain([&last]))), shown(folded(without.iter().chain([&last])))))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn p10_a_statement_that_was_withdrawn_was_never_made(history in history(), which in any::<Index>()) {
        let facts = history.facts();
        prop_assume!(!gives_a_role_too_late(&facts));
        let persons = || facts.iter().enumerate().filter(|(_, fact)| matches!(fact.origin, Origin::Person(_)));
        let chosen = persons().nth(which.index(persons().count().max(1)));
        if let Some((with, without)) = chosen.and_then(|(chosen, _)| withdrawn(&facts, chosen)) {
            prop_assert_eq!(differences(&with, &without), Vec::<String>::new());
        }
    }

    #[test]
    fn p1_a_fold_may_stop_anywhere_and_continue(history in history(), at in any::<Index>()) {
        let facts = history.facts();
        let at = at.index(facts.len() + 1);
        let resumed = fold_all(stored(&folded(&facts[..at])), &facts[at..]);
        prop_assert_eq!(resumed, folded(&facts));
    }

    #[test]
    fn a_status_is_read_as_it_was_written(history in history()) {
        let status = seen(&folded(&history.facts()), end());
        let text = status.to_json().expect("a status is JSON");
        let again = Status::from_json(&text).expect("a stored status can be read");
        prop_assert_eq!(differences(&again, &status), Vec::<String>::new());
        prop_assert_eq!(again, status);
    }

    #[test]
    fn p2_duplicates_change_nothing(history in history(), again in prop::collection::vec(any::<(Index, Index)>(), 1..8)) {
        let facts = history.facts();
        let mut doubled = facts.clone();
        for (from, to) in again {
            let from = from.index(doubled.len());
            let to = from + 1 + to.index(doubled.len() - from);
            doubled.insert(to, doubled[from].clone());
        }
        prop_assert_eq!(folded(&doubled), folded(&facts));
    }

    #[test]
    fn p3_terminals_may_be_interleaved_in_any_way(
        one in sights(14), two in sights(14), three in sights(6), choices in prop::collection::vec(0_usize..3, 1..20),
    ) {
        let parts = || vec![observed(0, &one), observed(1, &two), observed(2, &three)];
        // The interleaving changes which evidence is shown in between, and so which corrections are recorded.
        let status = |choices: &[usize]| Status { superseded: Vec::new(), ..seen(&folded(&interleave(parts(), choices)), end()) };
        prop_assert_eq!(differences(&status(&choices), &status(&[0])), Vec::<String>::new());
    }

    #[test]
    fn p4_late_is_as_on_time(sights in sights(20), moves in moves(6)) {
        let facts = observed(0, &sights);
        let late = moved(facts.clone(), moves);
        let on_time = Status { superseded: Vec::new(), ..seen(&folded(&facts), end()) };
        let late = Status { superseded: Vec::new(), ..seen(&folded(&late), end()) };
        prop_assert_eq!(differences(&late, &on_time), Vec::<String>::new());
    }

    #[test]
    fn p4_inside_the_late_window_nothing_is_superseded_by_lateness(after_s in 4_i64..13, found_after_s in 0_i64..3500) {
        let story = [
            (0, Sight::Attached(story::PHONE, ReaderRole::Phone)),
            (60, Sight::Tap { reader: story::PHONE, medium: Default::default(), mute: false }),
            (after_s + found_after_s, Sight::File { found_after_s, outcome: Default::default() }),
        ];
        let status = seen(&folded(&observed(0, &story)), end());
        prop_assert_eq!(evidence(&status), (1, Some(Level::Correlated)));
        prop_assert!(status.superseded.is_empty());
    }

    #[test]
    fn p5_evidence_never_falls_silently(history in history(), moves in moves(4)) {
        let facts = moved(history.facts(), moves);
        let mut facility = Facility::new(FACILITY);
        let mut now = begin();
        for recorded in &facts {
            now = now.max(recorded.received_at);
            let before = seen(&facility, now);
            facility = fold(facility, recorded, &Rules::bundled());
            let after = seen(&facility, now);
            if fell(&before, &after) {
                prop_assert_ne!(&after.superseded, &before.superseded, "after {:?}", recorded);
            }
        }
    }

    #[test]
    fn p5_evidence_never_falls_by_the_passing_of_time(
        history in history(), moves in moves(4), upto in any::<Index>(), passing_s in prop_oneof![1_i64..150, 1_i64..5_000_000],
    ) {
        let mut facts = moved(history.facts(), moves);
        facts.truncate(1 + upto.index(facts.len()));
        let facility = folded(&facts);
        let now = facts.iter().map(|recorded| recorded.received_at).max().unwrap_or_else(begin);
        let (before, after) = (seen(&facility, now), seen(&facility, now + Duration::seconds(passing_s)));
        prop_assert!(!fell(&before, &after), "{:?} became {:?}", before.evidence, after.evidence);
    }

    #[test]
    fn p5_a_tap_off_the_phone_reader_is_no_evidence(sights in sights(24)) {
        let elsewhere: Vec<_> = sights
            .into_iter()
            .filter(|(_, sight)| !matches!(sight, Sight::Attested { .. }))
            .map(|(after_s, sight)| match sight {
                Sight::Tap { medium, mute, .. } => (after_s, Sight::Tap { reader: story::STAFF, medium, mute }),
                other => (after_s, other),
            })
            .collect();
        prop_assert_eq!(seen(&folded(&observed(0, &elsewhere)), end()).evidence.value, Evidence::Never);
    }

    #[test]
    fn p5_one_file_supports_one_tap(sights in sights(30)) {
        let facts = observed(0, &sights);
        let files: BTreeSet<_> = facts
            .iter()
            .filter_map(|recorded| match &recorded.event {
                Event::LinkageResultObserved(event) if event.kind == LinkageKind::FaceResult => event.file_at,
                _ => None,
            })
            .collect();
        let attested = facts.iter().filter(|recorded| matches!(recorded.event, Event::SmartphoneReadAttested(_))).count();
        let reads = evidence(&seen(&folded(&facts), end())).0;
        prop_assert!(reads as usize <= files.len() + attested);
    }

    #[test]
    fn p6_reflected_only_by_a_later_list_that_covers_the_facility(words in words(30)) {
        let facts = said(&words);
        let status = seen(&folded(&facts), end());
        if let OptOutStatus::Reflected { as_of, .. } = status.opt_out.value {
            let lists = || facts.iter().filter_map(|recorded| match &recorded.event {
                Event::ListingObserved(event) => Some(event),
                _ => None,
            });
            let covers = |event: &ListingObserved| ["full", "prefecture:13"].contains(&event.coverage.as_str());
            prop_assert!(lists().any(|event| event.as_of == as_of && !event.listed && covers(event)));
            let asked = facts.iter().filter_map(|recorded| match &recorded.event {
                Event::OptOutCallMade(event) => Some(event.called_at),
                Event::OptOutAcknowledged(event) => Some(event.acknowledged_at),
                _ => None,
            });
            prop_assert!(asked.into_iter().any(|asked_at| asked_at < as_of));
            // A later list that names the facility is contradicted by a list of the same date.
            for named in lists().filter(|event| event.listed && as_of < event.as_of) {
                let contradicted = lists().any(|event| event.as_of == named.as_of && !event.listed && covers(event));
                prop_assert!(contradicted, "{:?}", named);
            }
            let begun_again = facts.iter().any(|recorded| match &recorded.event {
                Event::OptOutWithdrawn(event) => as_of < event.withdrawn_at,
                Event::OptOutCallMade(event) => as_of < event.called_at,
                _ => false,
            });
            prop_assert!(!begun_again);
        }
    }

    #[test]
    fn p6_acts_and_lists_count_by_their_dates(words in words(24), moves in moves(12)) {
        let facts = said(&words);
        let (one, other) = (seen(&folded(&facts), end()), seen(&folded(&moved(facts, moves)), end()));
        prop_assert_eq!(&one.intent, &other.intent);
        prop_assert_eq!(&one.listing, &other.listing);
        prop_assert_eq!(&one.opt_out, &other.opt_out);
    }

    #[test]
    fn p7_do_not_want_and_a_read_need_a_call_at_once(history in history()) {
        let about_the_call = |recorded: &&Recorded| {
            !matches!(recorded.event.kind(), "opt_out_call_planned" | "opt_out_call_made" | "opt_out_acknowledged" | "opt_out_withdrawn")
        };
        let mut facility = Facility::new(FACILITY);
        for recorded in history.facts().iter().filter(about_the_call) {
            facility = fold(facility, recorded, &Rules::bundled());
            let status = seen(&facility, recorded.received_at);
            let unwanted = matches!(status.intent.value, Wish::DoNotWant { .. });
            if unwanted && matches!(status.eligible.value, Eligible::Eligible { .. }) {
                prop_assert_eq!(&status.opt_out.value, &OptOutStatus::Needed);
            }
        }
    }

    #[test]
    fn p8_nothing_changes_before_it_is_due(history in history(), now_s in -1000_i64..3_000_000, part in 0.0_f64..1.0) {
        let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
        let facility = folded(&history.facts());
        let now = begin() + Duration::seconds(now_s);
        let due_at = due(&facility, &rules, &calendar, now);
        let until = due_at.unwrap_or(now + Duration::days(800));
        prop_assert!(now < until);
        let between = now + Duration::milliseconds((part * ((until - now).num_milliseconds() - 1) as f64) as i64);
        prop_assert_eq!(standing(&facility, &rules, &calendar, now), standing(&facility, &rules, &calendar, between));
        prop_assert_eq!(due(&facility, &rules, &calendar, between), due_at);
        let same = Status { at: between, ..seen(&facility, now) };
        prop_assert_eq!(differences(&seen(&facility, between), &same), Vec::<String>::new());
    }

    #[test]
    fn p9_nothing_seen_is_forgotten(days in prop_oneof![12 => 60_u32..90, 1 => 90_u32..400], busy in 0_u32..12, seed in any::<u64>()) {
        let facts = long::story(days, busy, seed);
        let mut facility = Facility::new(FACILITY);
        let rules = Rules::bundled();
        let mut before: Option<Status> = None;
        for recorded in &facts {
            facility.apply(recorded, &rules);
            if before.is_none() || recorded.event.kind() == "terminal_rebooted" {
                let after = seen(&facility, recorded.received_at + Duration::minutes(10));
                if let Some(before) = before.filter(|before| fell(before, &after)) {
                    prop_assert!(false, "{:?} became {:?}", before.evidence.value, after.evidence.value);
                }
                prop_assert_eq!(after.superseded.len(), 0);
                before = Some(after);
            }
        }
        let last = seen(&facility, facts[facts.len() - 1].received_at + Duration::minutes(10));
        let expected = long::reads(days, seed);
        prop_assert_eq!(evidence(&last).0 as usize, expected);
        let eligible = matches!(last.eligible.value, Eligible::Eligible { .. });
        prop_assert!(eligible);
        let size = facility.to_json().expect("a state is JSON").len();
        prop_assert!(size <= 64 * 1024, "{} bytes", size);
    }

    #[test]
    fn any_facts_can_be_folded(facts in prop::collection::vec(yomitori_arbitrary::recorded(), 0..40), now_s in 0_i64..3_000_000) {
        let facts: Vec<_> = facts.into_iter().map(|recorded| Recorded { facility: FACILITY, ..recorded }).collect();
        let facility = folded(&facts);
        let now = begin() + Duration::seconds(now_s);
        prop_assert_eq!(&stored(&facility), &facility);
        prop_assert_eq!(
            seen(&facility, now).flags.len(),
            standing(&facility, &Rules::bundled(), &Calendar::bundled(), now).len()
        );
        prop_assert!(due(&facility, &Rules::bundled(), &Calendar::bundled(), now).is_none_or(|at| now < at));
    }
}
