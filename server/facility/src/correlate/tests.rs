//! The expected pairs of taps and files, as tables.

use super::*;
use crate::rules::Rules;
use crate::stamp::ClockStep;
use yomitori_proto::id::Seq;

fn instant(second: f64) -> DateTime<Utc> {
    let start: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
    start + Duration::milliseconds((second * 1000.0) as i64)
}

const fn place(seq: u64) -> SeqPosition {
    SeqPosition { life: 0, seq: Seq(seq) }
}

fn tap(seq: u64, second: f64) -> Tap {
    let at = instant(second);
    Tap {
        stamp: Stamp { place: place(seq), at, received_at: at, offset_ms: 0, measured: false },
        reader: ReaderKey(1),
        present_ms: 1500,
        in_use: true,
        mute: false,
        configured: Some((place(0), ReaderRole::Phone)),
        assigned: None,
        results_before: 0,
        usual_hundredths: 0,
        blind: false,
        settled: None,
    }
}

fn file(seq: u64, second: f64, outcome: ReadOutcome) -> File {
    File { place: place(seq), at: instant(second), named: true, outcome, error_code: None, tag: None, taken: false }
}

fn set() -> RuleSet {
    Rules::bundled().at(instant(0.0)).clone()
}

fn window(taps: &[f64], files: &[(f64, ReadOutcome)]) -> Window {
    let mut window = Window::default();
    for (index, second) in taps.iter().enumerate() {
        window.tap(tap(1 + index as u64, *second), &set());
    }
    for (index, (second, outcome)) in files.iter().enumerate() {
        window.file(file(100 + index as u64, *second, *outcome), &set());
    }
    window
}

fn matches(window: &Window, clock: &Clock) -> Vec<Match> {
    let rules = Rules::bundled();
    let worth = |tap: &Tap| u8::from(tap.too_short(&set()));
    window.matches(clock, worth, |at| rules.at(at))
}

fn delays(taps: &[f64], files: &[f64]) -> Vec<Option<u32>> {
    let files: Vec<_> = files.iter().map(|second| (*second, PLAIN)).collect();
    matches(&window(taps, &files), &Clock::default()).into_iter().map(|found| found.delay_ms).collect()
}

const PLAIN: ReadOutcome = ReadOutcome::NotRead;

#[test]
fn the_nearest_in_time_are_joined_one_to_one() {
    type Row = (&'static [f64], &'static [f64], &'static [Option<u32>]);
    let table: [Row; 9] = [
        (&[10.0], &[], &[None]),
        (&[10.0], &[10.0], &[Some(0)]),
        (&[10.0], &[130.0], &[Some(120_000)]),
        (&[10.0], &[131.0], &[None]),
        (&[10.4], &[10.0], &[Some(0)]),
        (&[11.0], &[10.0], &[None]),
        (&[0.0, 20.0], &[25.0], &[None, Some(5_000)]),
        (&[0.0, 20.0], &[25.0, 60.0], &[Some(60_000), Some(5_000)]),
        (&[0.0, 20.0, 40.0], &[41.0, 119.0], &[None, Some(99_000), Some(1_000)]),
    ];
    for (taps, files, expected) in table {
        assert_eq!(delays(taps, files), expected, "{taps:?} {files:?}");
    }
}

#[test]
fn a_tap_of_a_phone_s_length_goes_before_a_nearer_one_that_is_too_short() {
    let mut window = window(&[0.0], &[(8.0, PLAIN)]);
    window.tap(Tap { present_ms: 50, ..tap(2, 5.0) }, &set());
    let delays: Vec<_> = matches(&window, &Clock::default()).into_iter().map(|found| found.delay_ms).collect();
    assert_eq!(delays, [Some(8_000), None]);
}

#[test]
fn every_file_that_is_no_other_tap_s_is_near() {
    let found = matches(&window(&[0.0, 50.0], &[(8.0, PLAIN), (30.0, PLAIN), (58.0, PLAIN)]), &Clock::default());
    assert_eq!(found[0].near_ms, [8_000, 30_000]);
    assert_eq!(found[1].near_ms, [8_000]);
}

#[test]
fn the_outcome_gives_the_result() {
    let table = [
        (ReadOutcome::Unknown, ResultOf::Unread),
        (ReadOutcome::NotRead, ResultOf::Unread),
        (ReadOutcome::Unreadable, ResultOf::Unread),
        (ReadOutcome::Ok, ResultOf::Confirmed),
        (ReadOutcome::Error, ResultOf::Failed),
        (ReadOutcome::InProgress, ResultOf::None),
    ];
    for (outcome, result) in table {
        assert_eq!(matches(&window(&[0.0], &[(5.0, outcome)]), &Clock::default())[0].result, result, "{outcome:?}");
    }
}

#[test]
fn a_file_found_again_counts_once_with_the_most_informative_outcome() {
    for outcomes in [[PLAIN, ReadOutcome::Ok], [ReadOutcome::Ok, PLAIN]] {
        let window = window(&[1.0, 600.0], &[(5.0, outcomes[0]), (5.0, outcomes[1])]);
        assert_eq!(matches(&window, &Clock::default())[0].result, ResultOf::Confirmed);
        assert_eq!(window.taps[1].results_before, 1);
    }
}

#[test]
fn files_without_a_name_are_never_one() {
    let mut window = window(&[0.0, 0.0], &[]);
    for seq in 0..2 {
        window.file(File { named: false, ..file(10 + seq, 5.0, PLAIN) }, &set());
    }
    assert!(matches(&window, &Clock::default()).iter().all(|found| found.delay_ms == Some(5_000)));
}

#[test]
fn a_step_of_the_clock_keeps_them_apart() {
    let mut clock = Clock::default();
    clock.step(ClockStep { place: place(50), delta_ms: 5_000, live: true });
    assert_eq!(matches(&window(&[0.0], &[(8.0, PLAIN)]), &clock)[0], Match::default());
}

#[test]
fn the_results_before_a_tap_are_independent_of_the_order() {
    let seconds = [0.0, 300.0, 900.0, 1799.0];
    let mut files_first = window(&[], &seconds.map(|second| (second, PLAIN)));
    files_first.tap(tap(1, 1800.5), &set());
    let taps_first = window(&[1800.5], &seconds.map(|second| (second, PLAIN)));
    assert_eq!(files_first.taps[0].results_before, 3);
    assert_eq!(taps_first.taps, files_first.taps);
}

#[test]
fn a_tap_keeps_its_file_when_files_are_forgotten() {
    let mut window = window(&[0.0], &[(8.0, PLAIN)]);
    let rules = Rules::bundled();
    for number in 0_u32..100 {
        window.file(file(200 + u64::from(number), 600.0 + 60.0 * f64::from(number), PLAIN), &set());
        window.settle_files(&Clock::default(), |_| 0, |at| rules.at(at));
    }
    assert!(window.files.len() <= FILES, "{}", window.files.len());
    let found = matches(&window, &Clock::default());
    assert_eq!((found[0].result, found[0].delay_ms), (ResultOf::Unread, Some(8_000)));
}

#[test]
fn the_file_of_a_settled_tap_is_joined_to_no_other() {
    // The second tap is nearer to the first file, so the first tap has the second file; both settle with the first
    // file.
    let mut window = window(&[0.0, 1.0], &[(5.0, PLAIN), (40.0, PLAIN)]);
    let rules = Rules::bundled();
    let mut number = 0;
    while window.files[0].at == instant(5.0) {
        window.file(file(200 + number, 600.0 + 60.0 * number as f64, PLAIN), &set());
        window.settle_files(&Clock::default(), |_| 0, |at| rules.at(at));
        number += 1;
    }
    window.tap(tap(3, 35.0), &set());
    let delays: Vec<_> = matches(&window, &Clock::default()).into_iter().map(|found| found.delay_ms).collect();
    assert_eq!(delays, [Some(40_000), Some(4_000), None]);
}
