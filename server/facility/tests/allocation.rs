//! Events without effect allocate no memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use yomitori_facility::{EXAMPLE, Facility, Rules, StoredJson as _};
use yomitori_proto::event::{Event, Origin, Recorded};
use yomitori_proto::id::Seq;
use yomitori_proto::vocabulary::Medium;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

struct Counting;

#[expect(unsafe_code, reason = "an allocator that counts is the only way to see allocations")]
// SAFETY: every call is forwarded unchanged to the system's allocator.
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
    let facts = EXAMPLE.lines().map(|line| Recorded::from_json(line).expect("the example is JSON"));
    facts.collect()
}

/// A fact of one kind from the example's terminal.
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
fn events_without_effect_allocate_nothing() {
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
fn the_state_of_a_facility_fits_in_a_row() {
    let rules = Rules::bundled();
    let mut facility = folded(&rules);
    let tap = of_kind("tap_observed");
    for seq in 100..5000 {
        facility.apply(&numbered(tap.clone(), seq), &rules);
    }
    let state = facility.to_json().expect("a state is JSON").len();
    assert!(state < 40_000, "the state of a facility is {state} bytes of JSON");
}
