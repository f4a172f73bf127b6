//! Events that change nothing cost no memory, and folding is fast: the rate is printed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::time::Duration;

use yomitori_facility::{EXAMPLE, Facility, Rules};
use yomitori_proto::event::{Event, Origin, Recorded};
use yomitori_proto::id::Seq;
use yomitori_proto::vocabulary::Medium;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[expect(unsafe_code, reason = "an allocator that counts is the only way to see allocations")]
// SAFETY: everything is handed to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(work: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.with(Cell::get);
    work();
    ALLOCATIONS.with(Cell::get) - before
}

fn example() -> Vec<Recorded> {
    let facts = EXAMPLE.lines().map(|line| serde_json::from_str(line).expect("the example is JSON"));
    facts.collect()
}

/// A fact of the terminal in the example, of a kind.
fn of_kind(kind: &str) -> Recorded {
    example().into_iter().find(|recorded| recorded.event.kind() == kind).expect("the example has every kind")
}

fn numbered(mut recorded: Recorded, seq: u64) -> Recorded {
    if let Origin::Terminal(observed) = &mut recorded.origin {
        observed.seq = Seq(seq);
        observed.occurred_at += chrono::Duration::seconds(i64::try_from(seq).expect("small"));
    }
    recorded
}

fn folded(rules: &Rules) -> Facility {
    let facts = example();
    let mut facility = Facility::new(facts[0].facility);
    facts.iter().for_each(|recorded| facility.apply(recorded, rules));
    facility
}

#[test]
fn what_changes_nothing_allocates_nothing() {
    let rules = Rules::bundled();
    let mut facility = folded(&rules);
    let mut card = of_kind("tap_observed");
    if let Event::TapObserved(event) = &mut card.event {
        event.medium = Medium::MyNumberCard;
    }
    let mut other_file = of_kind("linkage_result_observed");
    if let Event::LinkageResultObserved(event) = &mut other_file.event {
        event.kind = yomitori_proto::vocabulary::LinkageKind::SingleResult;
    }
    let facts: Vec<(&str, Recorded)> = vec![
        ("a duplicate", of_kind("tap_observed")),
        ("a card on the phone reader", numbered(card, 100)),
        ("a file that is no result", numbered(other_file, 101)),
        ("the same versions again", numbered(of_kind("software_versions_observed"), 102)),
        ("an orderly end", numbered(of_kind("agent_stopped"), 103)),
    ];
    // The first number after a hole begins a run.
    facility.apply(&numbered(of_kind("agent_stopped"), 99), &rules);
    for (what, recorded) in facts {
        assert_eq!(allocations(|| facility.apply(&recorded, &rules)), 0, "{what}");
    }
}

#[test]
fn the_rate_of_folding_is_printed() {
    let rules = Rules::bundled();
    let mut facility = folded(&rules);
    // A clinic's day: results of cards all the time, a phone now and then, duplicates after every reconnection.
    let [tap, file, card] = ["tap_observed", "linkage_result_observed", "tap_observed"].map(of_kind);
    let mut facts = Vec::new();
    for seq in 100..20_100_u64 {
        let mut recorded = numbered(
            if seq % 600 == 0 {
                tap.clone()
            } else if seq % 3 == 0 {
                file.clone()
            } else {
                card.clone()
            },
            seq,
        );
        match (&mut recorded.event, &mut recorded.origin) {
            (Event::LinkageResultObserved(event), Origin::Terminal(observed)) => {
                event.file_at = Some(observed.occurred_at)
            }
            (Event::TapObserved(event), _) if seq % 600 != 0 => event.medium = Medium::MyNumberCard,
            _ => {}
        }
        facts.push(recorded);
    }
    // The fastest of many rounds: on a machine that does other things, the others measure those.
    let mut pass = || {
        let rounds = facts.chunks(500).map(|round| {
            let started = now();
            round.iter().for_each(|recorded| facility.apply(recorded, &rules));
            now().saturating_sub(started)
        });
        rounds.min().unwrap_or_default()
    };
    let (fresh, again) = (pass(), pass());
    let state = serde_json::to_string(&facility).expect("a state is JSON").len();
    let [fresh, again] = [fresh, again].map(|took| 500.0 / took.as_secs_f64() / 1e6);
    println!("fold: {fresh:.2} million events a second on one core, {again:.2} million duplicates");
    println!("the state of a facility is {state} bytes of JSON");
    assert!(state < 40_000, "the state of a facility fits in a row");
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
