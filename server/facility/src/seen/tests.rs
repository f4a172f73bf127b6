//! Runs, holes, the order of lives, reused numbers.

use yomitori_proto::id::TerminalId;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_780_000_000 + seconds, 0).unwrap()
}

fn life(number: u128) -> Life {
    Life(uuid::Uuid::from_u128(number))
}

fn seen(seqs: &[u64]) -> (LifeNumbers, Vec<bool>) {
    let (id, digests) = (life(0), VecDeque::new());
    let mut seen = LifeNumbers { id, number: 0, began_at: at(0), runs: Vec::new(), given_up: false, digests };
    let new = seqs.iter().map(|seq| seen.insert(*seq, at(0))).collect();
    (seen, new)
}

fn runs(seqs: &[u64]) -> Vec<(u64, u64)> {
    seen(seqs).0.runs.iter().map(|run| (run.from, run.to)).collect()
}

/// An observation made at `made_s`.
fn made(number: u128, seq: u64, made_s: i64) -> Observed {
    let (terminal, made_at) = (TerminalId(uuid::Uuid::nil()), at(made_s));
    let (life, seq) = (life(number), Seq(seq));
    Observed { terminal, life, seq, occurred_at: made_at, observed_at: made_at, sent_at: made_at }
}

fn observe(lives: &mut Lives, number: u128, seq: u64, made_s: i64) -> Option<SeqPosition> {
    lives.admit(&made(number, seq, made_s), at(made_s), at(made_s))
}

#[test]
fn numbers_in_order_are_one_run() {
    assert_eq!(runs(&[1, 2, 3, 4]), [(1, 4)]);
}

#[test]
fn a_duplicate_is_never_new() {
    assert_eq!(
        seen(&[1, 2, 5, 1, 2, 5, 3, 3, 4, 4]).1,
        [true, true, true, false, false, false, true, false, true, false]
    );
}

#[test]
fn any_order_gives_the_same_runs() {
    assert_eq!(runs(&[4, 1, 3, 7, 2, 9]), [(1, 4), (7, 7), (9, 9)]);
    assert_eq!(runs(&[9, 7, 4, 3, 2, 1]), [(1, 4), (7, 7), (9, 9)]);
}

#[test]
fn the_numbers_at_the_ends_don_t_overflow() {
    assert_eq!(runs(&[u64::MAX, 0, u64::MAX, 1, u64::MAX - 1]), [(0, 1), (u64::MAX - 1, u64::MAX)]);
}

#[test]
fn too_many_holes_drop_the_oldest_and_mark_the_life() {
    let odd: Vec<u64> = (0..100).map(|n| 2 * n + 1).collect();
    let (seen, _) = seen(&odd);
    assert_eq!(seen.runs.len(), RUNS);
    assert_eq!((seen.runs[0].from, seen.runs[RUNS - 1].to), (1, 199));
    assert!(seen.given_up);
}

#[test]
fn lives_are_ordered_by_age_and_not_by_arrival() {
    for order in [[1, 2, 3], [3, 2, 1], [2, 3, 1], [2, 1, 3]] {
        let mut lives = Lives::default();
        let mut places: Vec<_> = order
            .iter()
            .map(|number| (observe(&mut lives, *number, 1, 1000 * *number as i64).unwrap(), *number))
            .collect();
        places.sort_unstable();
        assert_eq!(places.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [1, 2, 3], "{order:?}");
    }
}

#[test]
fn a_hole_of_an_old_life_stays() {
    let mut lives = Lives::default();
    observe(&mut lives, 1, 1, 10);
    observe(&mut lives, 1, 4, 20);
    observe(&mut lives, 2, 1, 30);
    let hole = Hole { life: life(1), from: Seq(2), to: Seq(3), after: Some(at(10)), before: at(20) };
    assert_eq!(lives.holes().into_iter().map(|(place, hole)| (place.seq, hole)).collect::<Vec<_>>(), [(Seq(4), hole)]);
    assert!(lives.incomplete());
    assert_eq!(lives.complete_until().map(|(place, until)| (place.seq, until)), Some((Seq(1), at(30))));
    observe(&mut lives, 1, 2, 12);
    observe(&mut lives, 1, 3, 15);
    assert!(!lives.incomplete() && lives.holes().is_empty());
}

#[test]
fn a_number_with_other_contents_is_detected() {
    let mut lives = Lives::default();
    for seq in 1..=40 {
        observe(&mut lives, 1, seq, i64::try_from(seq).unwrap());
    }
    observe(&mut lives, 1, 40, 40);
    observe(&mut lives, 1, 3, 3);
    assert_eq!(lives.reused_at(), None, "the same observation again");
    observe(&mut lives, 1, 39, 41);
    assert_eq!(lives.reused_at(), Some(at(41)), "another observation with one of the newest numbers");
    observe(&mut lives, 1, 3, 60);
    assert_eq!(lives.reused_at(), Some(at(60)), "an old number, observed after the newest one");
}

#[test]
fn a_forgotten_life_counts_as_read() {
    let mut lives = Lives::default();
    for number in 0..100 {
        assert!(observe(&mut lives, number, 1, 10 * number as i64).is_some(), "{number}");
    }
    assert_eq!(lives.lives.len(), LIVES);
    assert_eq!(observe(&mut lives, 3, 1, 30), None);
    assert!(observe(&mut lives, 99, 2, 1000).is_some());
    assert!(lives.knows(life(99)) && !lives.knows(life(3)));
}

#[test]
fn observations_that_differ_by_either_clock_reading_are_distinguished() {
    let observed = |occurred_s: i64, observed_s: i64| Observed {
        terminal: TerminalId(uuid::Uuid::nil()),
        life: life(1),
        seq: Seq(1),
        occurred_at: at(occurred_s),
        observed_at: at(observed_s),
        sent_at: at(observed_s),
    };
    let digests: std::collections::BTreeSet<u32> =
        (0..40).flat_map(|one| (0..40).map(move |other| digest(&observed(one, other)))).collect();
    assert_eq!(digests.len(), 1600);
}

#[test]
fn a_repetition_is_never_another_observation_whatever_the_clock_did() {
    let mut lives = Lives::default();
    // The clock is set back by three hours after each tenth observation.
    let second = |seq: u64| i64::try_from(seq).unwrap() - i64::try_from(seq / 10).unwrap() * 10_800;
    for seq in 1..=100 {
        observe(&mut lives, 1, seq, second(seq));
    }
    assert!((1..=100).all(|seq| !lives.reuses(&made(1, seq, second(seq)))));
    // Another one is known as such among the newest, in this life only.
    assert!((100 - DIGESTS as u64 + 1..=100).all(|seq| lives.reuses(&made(1, seq, 7))));
    assert!(!lives.reuses(&made(1, 101, 7)) && !lives.reuses(&made(2, 100, 7)));
}
