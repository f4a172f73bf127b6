//! P1 to P8 of the house: what must hold for every history of a facility.

#[path = "properties/story.rs"]
mod story;

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use proptest::prelude::*;
use proptest::sample::Index;
use yomitori_facility::{
    Calendar, Eligible, Evidence, Facility, Level, Listing, OptOutStatus, Rules, Status, Wish, due, fold, standing,
    status,
};
use yomitori_proto::event::{Event, ListingObserved, Recorded};
use yomitori_proto::vocabulary::{LinkageKind, ReaderRole};

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
    serde_json::from_str(&serde_json::to_string(facility).expect("a state is JSON")).expect("JSON is a state")
}

fn end() -> DateTime<Utc> {
    begin() + Duration::days(60)
}

/// How many reads there are, and the strongest.
fn evidence(status: &Status) -> (u32, Option<Level>) {
    match &status.evidence.value {
        Evidence::Succeeded { count, level, .. } => (*count, Some(*level)),
        Evidence::Plausible { .. } => (0, Some(Level::Plausible)),
        Evidence::NotObservable | Evidence::Never | Evidence::AttemptedOnly { .. } => (0, None),
    }
}

/// Everything together: two terminals, what is said, and how they mingle.
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

/// The parts of two statuses that are not the same.
fn differences(one: &Status, other: &Status) -> Vec<String> {
    let json = |status| serde_json::to_value(status).expect("a status is JSON");
    let (one, other) = (json(one), json(other));
    let fields = one.as_object().into_iter().flatten();
    fields
        .filter(|(key, value)| other[*key] != **value)
        .map(|(key, value)| format!("{key}: {value} != {}", other[key]))
        .collect()
}

fn cases() -> ProptestConfig {
    let cases = if cfg!(debug_assertions) { 256 } else { 2000 };
    ProptestConfig { cases, failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn p1_a_fold_may_stop_anywhere_and_go_on(history in history(), at in any::<Index>()) {
        let facts = history.facts();
        let at = at.index(facts.len() + 1);
        let resumed = fold_all(stored(&folded(&facts[..at])), &facts[at..]);
        prop_assert_eq!(resumed, folded(&facts));
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
        prop_assert_eq!(folded(&interleave(parts(), &choices)), folded(&interleave(parts(), &[0])));
    }

    #[test]
    fn p4_late_is_as_on_time(sights in sights(20), moves in prop::collection::vec(any::<(Index, Index)>(), 1..6)) {
        let facts = observed(0, &sights);
        let mut late = facts.clone();
        for (from, to) in moves {
            let fact = late.remove(from.index(late.len()));
            late.insert(to.index(late.len() + 1), fact);
        }
        let on_time = Status { superseded: Vec::new(), ..seen(&folded(&facts), end()) };
        let late = Status { superseded: Vec::new(), ..seen(&folded(&late), end()) };
        prop_assert_eq!(differences(&late, &on_time), Vec::<String>::new());
    }

    #[test]
    fn p4_inside_the_late_window_nothing_is_superseded_by_lateness(after_s in 0_i64..120, found_after_s in 0_i64..3500) {
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
    fn p5_evidence_never_falls_silently(history in history(), moves in prop::collection::vec(any::<(Index, Index)>(), 0..4)) {
        let mut facts = history.facts();
        for (from, to) in moves {
            let fact = facts.remove(from.index(facts.len()));
            facts.insert(to.index(facts.len() + 1), fact);
        }
        let mut facility = Facility::new(FACILITY);
        let mut before = seen(&facility, end());
        for recorded in &facts {
            facility = fold(facility, recorded, &Rules::bundled());
            let after = seen(&facility, end());
            if evidence(&after) < evidence(&before) || evidence(&after).1 < evidence(&before).1 {
                prop_assert_ne!(&after.superseded, &before.superseded, "after {:?}", recorded);
            }
            before = after;
        }
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
        let mut facility = Facility::new(FACILITY);
        let mut was_reflected_as_of = None;
        // The newest call and the newest confirmation of the process that is going on.
        let (mut called_at, mut acknowledged_at) = (None, None);
        let mut absences = BTreeSet::new();
        for recorded in &said(&words) {
            facility = fold(facility, recorded, &Rules::bundled());
            match &recorded.event {
                Event::OptOutCallMade(event) => called_at = Some(event.called_at),
                Event::OptOutAcknowledged(event) => acknowledged_at = Some(event.acknowledged_at),
                Event::OptOutWithdrawn(_) => (called_at, acknowledged_at) = (None, None),
                Event::ListingObserved(ListingObserved { as_of, coverage, listed: false, .. })
                    if ["full", "prefecture:13"].contains(&coverage.as_str()) =>
                {
                    absences.insert(*as_of);
                }
                _ => {}
            }
            let reflected_as_of = match seen(&facility, end()).opt_out.value {
                OptOutStatus::Reflected { as_of, .. } => Some(as_of),
                _ => None,
            };
            if let Some(as_of) = reflected_as_of.filter(|_| reflected_as_of != was_reflected_as_of) {
                if was_reflected_as_of.is_some() {
                    // A call after that list began anew, and a still later list reflects it.
                    prop_assert!(matches!(recorded.event, Event::OptOutCallMade(_)), "{:?}", recorded);
                    acknowledged_at = None;
                }
                // A call may be recorded after the list was read, but not made after its date.
                prop_assert!(absences.contains(&as_of), "{:?}", recorded);
                prop_assert!(called_at.max(acknowledged_at).is_some_and(|asked_at| asked_at < as_of), "{:?}", recorded);
                let listed = matches!(seen(&facility, end()).listing.value, Listing::Listed { .. });
                prop_assert!(!listed);
            }
            if let (Some(was), None) = (was_reflected_as_of, reflected_as_of) {
                match &recorded.event {
                    // Two lists of one day contradict each other: the process goes on.
                    Event::ListingObserved(event) if event.as_of == was => {}
                    Event::OptOutCallMade(_) => acknowledged_at = None,
                    _ => (called_at, acknowledged_at) = (None, None),
                }
            }
            was_reflected_as_of = reflected_as_of;
        }
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
    fn whatever_is_said_folds(facts in prop::collection::vec(yomitori_proto::arbitrary::recorded(), 0..40), now_s in 0_i64..3_000_000) {
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
