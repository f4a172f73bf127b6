//! Which file supports which tap, as tables.

use super::*;
use crate::rules::Rules;
use yomitori_proto::id::Seq;

fn instant(second: f64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
    start + Duration::milliseconds((second * 1000.0) as i64)
}

const fn place(seq: u64) -> Place {
    Place { life: 0, seq: Seq(seq) }
}

fn tap(seq: u64, second: f64) -> Tap {
    let (at, reader) = (instant(second), ReaderKey(1));
    Tap { place: place(seq), at, received_at: at, reader, in_use: true, mute: false }
}

fn file(seq: u64, second: f64, outcome: ReadOutcome) -> File {
    File { place: place(seq), at: instant(second), named: true, outcome, error_code: None }
}

/// The verdicts for taps and files at these seconds.
fn verdicts(taps: &[f64], files: &[(f64, ReadOutcome)]) -> Vec<Verdict> {
    let mut window = Window::default();
    for (index, second) in taps.iter().enumerate() {
        window.tap(tap(index as u64, *second));
    }
    for (index, (second, outcome)) in files.iter().enumerate() {
        window.file(file(100 + index as u64, *second, *outcome));
    }
    verdicts_of(&window)
}

fn verdicts_of(window: &Window) -> Vec<Verdict> {
    let rules = Rules::bundled();
    window.pairs(|_| true, |at| rules.at(at)).into_iter().map(|(verdict, _)| verdict).collect()
}

const READ: Verdict = Verdict::Read(Level::Correlated);
const PLAIN: ReadOutcome = ReadOutcome::NotRead;

#[test]
fn the_nearest_in_time_are_joined_one_to_one() {
    let table: [(&[f64], &[f64], &[Verdict]); 9] = [
        (&[10.0], &[], &[Verdict::Alone]),
        (&[10.0], &[10.0], &[READ]),
        (&[10.0], &[130.0], &[READ]),
        (&[10.0], &[131.0], &[Verdict::Alone]),
        (&[10.4], &[10.0], &[READ]),
        (&[11.0], &[10.0], &[Verdict::Alone]),
        (&[0.0, 20.0], &[25.0], &[Verdict::Alone, READ]),
        (&[0.0, 20.0], &[25.0, 60.0], &[READ, READ]),
        (&[0.0, 20.0, 40.0], &[41.0, 119.0], &[Verdict::Alone, READ, READ]),
    ];
    for (taps, files, expected) in table {
        let files: Vec<_> = files.iter().map(|second| (*second, PLAIN)).collect();
        assert_eq!(verdicts(taps, &files), expected, "{taps:?} {files:?}");
    }
}

#[test]
fn the_outcome_gives_the_verdict() {
    let table = [
        (ReadOutcome::Unknown, READ),
        (ReadOutcome::NotRead, READ),
        (ReadOutcome::Unreadable, READ),
        (ReadOutcome::Ok, Verdict::Read(Level::HeaderConfirmed)),
        (ReadOutcome::Error, Verdict::Failed),
        (ReadOutcome::InProgress, Verdict::Alone),
    ];
    for (outcome, verdict) in table {
        assert_eq!(verdicts(&[0.0], &[(5.0, outcome)]), [verdict], "{outcome:?}");
    }
}

#[test]
fn a_failed_result_takes_its_tap_with_it() {
    assert_eq!(verdicts(&[0.0], &[(5.0, ReadOutcome::Error), (50.0, PLAIN)]), [Verdict::Failed]);
    assert_eq!(verdicts(&[0.0, 30.0], &[(5.0, ReadOutcome::Error), (50.0, PLAIN)]), [Verdict::Failed, READ]);
}

#[test]
fn a_file_that_is_found_again_says_what_says_most() {
    for outcomes in [[PLAIN, ReadOutcome::Ok], [ReadOutcome::Ok, PLAIN]] {
        let mut window = Window::default();
        window.tap(tap(0, 0.0));
        window.tap(tap(1, 1.0));
        window.file(file(2, 5.0, outcomes[0]));
        window.file(file(3, 5.0, outcomes[1]));
        assert_eq!(verdicts_of(&window), [Verdict::Alone, Verdict::Read(Level::HeaderConfirmed)]);
    }
}

#[test]
fn files_without_a_name_are_never_one() {
    let mut window = Window::default();
    for seq in 0..2 {
        window.tap(tap(seq, 0.0));
        window.file(File { named: false, ..file(10 + seq, 5.0, PLAIN) });
    }
    assert_eq!(verdicts_of(&window), [READ, READ]);
    // Nor does the second before the tap count without a name.
    let mut window = Window::default();
    window.tap(tap(0, 10.4));
    window.file(File { named: false, ..file(1, 10.0, PLAIN) });
    assert_eq!(verdicts_of(&window), [Verdict::Alone]);
}

#[test]
fn a_step_of_the_clock_keeps_two_sides_apart() {
    let mut window = Window::default();
    window.tap(tap(1, 0.0));
    window.file(file(3, 5.0, PLAIN));
    assert_eq!(verdicts_of(&window), [READ]);
    window.step(place(2));
    assert_eq!(verdicts_of(&window), [Verdict::Alone]);
    assert_eq!(window.newest_at(place(4)), Some(instant(5.0)));
    assert_eq!(window.newest_at(place(1)), None);
}

#[test]
fn a_mute_tap_is_no_read_and_use_may_be_demanded() {
    let mut window = Window::default();
    window.tap(Tap { mute: true, ..tap(0, 0.0) });
    window.tap(Tap { in_use: false, ..tap(1, 100.0) });
    window.file(file(2, 5.0, PLAIN));
    window.file(file(3, 105.0, PLAIN));
    assert_eq!(verdicts_of(&window), [Verdict::Alone, READ]);
    let strict = include_str!("../../data/rules.toml").replace("require_in_use = false", "require_in_use = true");
    let strict = Rules::parse(&strict).unwrap();
    let pairs = window.pairs(|_| true, |at| strict.at(at));
    assert_eq!(pairs, [(Verdict::Alone, None), (Verdict::Alone, None)]);
    assert_eq!(window.pairs(|_| false, |at| strict.at(at))[0].0, Verdict::Elsewhere);
}

#[test]
fn what_leaves_the_window_is_settled_with_its_partner() {
    let rules = Rules::bundled();
    let mut window = Window::default();
    let mut settled = Vec::new();
    let mut settle = |window: &mut Window| {
        window.settle(|_| true, |at| rules.at(at), |gone| settled.push((gone.tap.place.seq.0, gone.verdict)));
    };
    window.tap(tap(0, 0.0));
    window.file(file(1, 5.0, PLAIN));
    window.tap(tap(2, 1000.0));
    for seq in 3..3 + FILES as u64 {
        window.file(file(seq, 10_000.0 + seq as f64 * 1000.0, PLAIN));
        settle(&mut window);
    }
    assert!(!window.full());
    assert_eq!((window.taps.len(), window.files.len()), (1, FILES));
    for seq in 0..TAPS as u64 {
        window.tap(tap(1000 + seq, 1_000_000.0 + seq as f64 * 1000.0));
        settle(&mut window);
    }
    assert_eq!(window.taps.len(), TAPS);
    // A tap at the edge, with a result.
    window.file(file(5000, 1_000_002.0, PLAIN));
    window.tap(tap(5001, 9_000_000.0));
    settle(&mut window);
    assert_eq!(settled, [(0, READ), (2, Verdict::Alone), (1000, READ)]);
}

/// A tap at the very beginning, and a result five seconds later.
fn tap_and_file() -> Window {
    let mut window = Window::default();
    window.tap(tap(1, 0.0));
    window.file(file(2, 5.0, PLAIN));
    window
}

#[test]
fn only_what_is_near_touches() {
    let rules = Rules::bundled();
    let window = tap_and_file();
    let unnamed = |second| File { named: false, ..file(9, second, PLAIN) };
    let files = [(-0.1, false), (0.0, true), (120.0, true), (120.5, false), (130.0, false)];
    for (second, touches) in files {
        assert_eq!(window.file_touches(&unnamed(second), rules.at(instant(second))), touches, "a file at {second}");
    }
    let taps = [(5.5, true), (6.0, false), (-115.0, true), (-115.5, false), (500.0, false)];
    for (second, touches) in taps {
        assert_eq!(window.tap_touches(&tap(9, second), rules.at(instant(second))), touches, "a tap at {second}");
    }
}

#[test]
fn what_is_newer_than_all_that_is_known_is_in_order() {
    let rules = Rules::bundled();
    let window = tap_and_file();
    let late = 1e6;
    let table = [
        (3, 6.0, 6.0, true),
        (1, 6.0, 6.0, false),
        (2, 6.0, 6.0, false),
        (0, 6.0, 6.0, false),
        (3, 5.0, 6.0, false),
        (3, -1.0, 6.0, false),
        // The tap has been shown as it is for long.
        (3, 6.0, late, false),
        (3, 1000.0, late, true),
    ];
    for (seq, second, received, expected) in table {
        let (at, received_at) = (instant(second), instant(received));
        let in_order = window.in_order(place(seq), at, received_at, rules.at(at));
        assert_eq!(in_order, expected, "number {seq} at {second}, received at {received}");
    }
    let mut window = Window::default();
    window.tap(tap(1, 0.0));
    assert!(window.in_order(place(2), instant(0.0), instant(1.0), rules.at(instant(0.0))));
    assert!(!window.in_order(place(1), instant(1.0), instant(1.0), rules.at(instant(0.0))));
    // Both windows have to pass before what was shown of the tap stands.
    for (received, expected) in [(3600.0, true), (3720.0, true), (3721.0, false)] {
        let in_order = window.in_order(place(2), instant(10.0), instant(received), rules.at(instant(0.0)));
        assert_eq!(in_order, expected, "received at {received}");
    }
}

#[test]
fn an_error_is_a_failure_whatever_its_code() {
    for code in [None, Some("nonsense"), Some("006")] {
        let mut window = Window::default();
        window.tap(tap(0, 0.0));
        window.file(File { error_code: code.map(str::to_owned), ..file(1, 5.0, ReadOutcome::Error) });
        assert_eq!(verdicts_of(&window), [Verdict::Failed], "{code:?}");
    }
}

#[test]
fn the_newest_steps_of_the_clock_are_kept() {
    let mut window = Window::default();
    (10..=10 + STEPS as u64).rev().for_each(|seq| window.step(place(seq)));
    assert_eq!(window.steps.len(), STEPS);
    assert!(!window.stepped(place(9), place(11)));
    assert!(window.stepped(place(10), place(12)));
}
