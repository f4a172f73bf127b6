//! Snapshots of readers become taps: cases from real readers, and any sequence.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use yomitori_observation::tap::{DEBOUNCE, Snapshot, Taps};
use yomitori_observation::{Moment, Sighting};
use yomitori_proto::event::{Event, TapObserved};
use yomitori_proto::id::ReaderKey;
use yomitori_proto::vocabulary::Medium;

const READER: ReaderKey = ReaderKey(7);
const CARD: &[u8] = &[0x3B, 0x88, 0x80, 0x01, 0x00, 0x00, 0x05, 0xE0, 0xB3, 0x81, 0xA1, 0x00, 0x7F];
const FELICA: &[u8] = &[0x3B, 0x8F, 0x80, 0x01, 0x80, 0x4F, 0x0C, 0xA0, 0, 0, 3, 6, 0x11, 0, 0x3B, 0, 0, 0, 0, 0x42];

/// A desk with one reader and a clock that the test advances.
struct Desk {
    taps: Taps,
    start: Moment,
    now: Moment,
    look: Snapshot,
    ended: Vec<Sighting>,
}

impl Desk {
    /// A desk whose first snapshot shows an empty reader.
    #[expect(clippy::disallowed_methods, reason = "a test begins somewhere; it reads the clock once")]
    fn new() -> Self {
        let wall: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().expect("an instant");
        let start = Moment { wall, steady: Instant::now() };
        let mut desk = Self { taps: Taps::default(), start, now: start, look: Snapshot::default(), ended: Vec::new() };
        desk.look();
        desk
    }

    fn look(&mut self) -> &mut Self {
        self.taps.observe(READER, &self.look, self.now);
        self
    }

    fn put(&mut self, atr: &[u8]) -> &mut Self {
        let event_count = self.look.event_count.wrapping_add(1);
        self.look = Snapshot { present: true, atr: atr.to_vec(), event_count, ..Snapshot::default() };
        self
    }

    fn take_away(&mut self) -> &mut Self {
        let event_count = self.look.event_count.wrapping_add(1);
        self.look = Snapshot { event_count, ..Snapshot::default() };
        self
    }

    fn wait(&mut self, ms: u64) -> &mut Self {
        self.now.steady += Duration::from_millis(ms);
        self.now.wall += TimeDelta::milliseconds(ms as i64);
        let ended = self.taps.ended(self.now);
        self.ended.extend(ended);
        self
    }

    fn taps(&self) -> Vec<(i64, TapObserved)> {
        self.ended
            .iter()
            .map(|sighting| match &sighting.event {
                Event::TapObserved(tap) => ((sighting.occurred_at - self.start.wall).num_milliseconds(), tap.clone()),
                other => panic!("not a tap: {other:?}"),
            })
            .collect()
    }
}

#[test]
fn a_card_put_and_taken_is_one_tap_reported_when_it_can_no_longer_come_back() {
    let mut desk = Desk::new();
    desk.wait(100).put(CARD).look().wait(800).take_away().look().wait(1_499);
    assert_eq!(desk.taps(), [], "it might come back");
    assert_eq!(desk.taps.deadline(), Some(desk.now.steady + Duration::from_millis(1)));
    desk.wait(1);
    let [(began_ms, tap)] = desk.taps().try_into().unwrap();
    assert_eq!((began_ms, tap.present_ms, tap.transitions), (100, 800, 1));
    assert_eq!((tap.medium, tap.ruleset), (Medium::MyNumberCard, 1));
    assert_eq!(desk.taps.deadline(), None);
}

#[test]
fn a_phone_that_shows_felica_first_is_one_tap_with_the_better_guess() {
    let mut desk = Desk::new();
    desk.put(FELICA).look().wait(200).take_away().look().wait(300).put(CARD);
    desk.look.in_use = true;
    desk.look().wait(500);
    desk.look.in_use = false;
    desk.look.exclusive = true;
    desk.look().wait(500).take_away().look().wait(2_000);
    let [(_, tap)] = desk.taps().try_into().unwrap();
    assert_eq!((tap.present_ms, tap.transitions, tap.medium), (1_200, 2, Medium::MyNumberCard));
    assert!(tap.in_use && tap.exclusive && !tap.mute);
}

#[test]
fn a_swap_and_a_missed_tap_are_known_by_the_counter_alone() {
    let mut desk = Desk::new();
    desk.take_away().put(CARD).take_away().look().wait(2_000);
    let [(_, missed)] = desk.taps().try_into().unwrap();
    assert_eq!((missed.present_ms, missed.transitions, missed.medium), (0, 1, Medium::Unknown));

    let mut desk = Desk::new();
    desk.put(CARD).look().wait(500).take_away().put(CARD).look().wait(500).take_away().look().wait(2_000);
    let [(_, swapped)] = desk.taps().try_into().unwrap();
    assert_eq!((swapped.present_ms, swapped.transitions), (1_000, 2));
}

#[test]
fn a_card_that_lay_there_before_the_first_look_has_no_transition() {
    let mut desk = Desk::new();
    desk.taps = Taps::default();
    desk.put(CARD).look().wait(500).take_away().look().wait(2_000);
    let [(_, tap)] = desk.taps().try_into().unwrap();
    assert_eq!((tap.present_ms, tap.transitions), (500, 0));
}

#[test]
fn a_restart_of_the_resource_manager_does_not_double_a_tap_nor_invent_one() {
    let mut desk = Desk::new();
    desk.put(CARD).look().wait(500);
    desk.taps.detached(READER, desk.now);
    desk.wait(100);
    desk.look.event_count = 0;
    desk.look().wait(500).take_away().look().wait(2_000);
    let [(_, tap)] = desk.taps().try_into().unwrap();
    assert_eq!((tap.present_ms, tap.transitions), (1_000, 1));

    desk.look.event_count = 40_000;
    desk.look().wait(2_000);
    assert_eq!(desk.taps().len(), 1, "a counter that was reset is not a tap");
}

#[test]
fn a_reader_pulled_out_ends_its_tap_and_a_stop_reports_ended_taps() {
    let mut desk = Desk::new();
    desk.put(CARD).look().wait(500);
    assert_eq!(desk.taps.stop(desk.now), [], "it still lies there: the next start sees it");
    desk.taps.detached(READER, desk.now);
    assert_eq!(desk.taps.stop(desk.now).len(), 1);
}

#[derive(Clone, Debug)]
enum Act {
    Put,
    TakeAway,
    Flags(bool, bool, bool),
    Look,
    Gone,
    Wait(u16),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        3 => Just(Act::Put),
        3 => Just(Act::TakeAway),
        1 => any::<(bool, bool, bool)>().prop_map(|(a, b, c)| Act::Flags(a, b, c)),
        6 => Just(Act::Look),
        1 => Just(Act::Gone),
        4 => (0..3_000_u16).prop_map(Act::Wait),
    ];
    proptest::collection::vec(act, 0..200)
}

#[test]
fn forty_changes_of_use_in_two_seconds_are_one_tap() {
    // Some drivers count each change of use as well.
    for counts in [0, 1] {
        let mut desk = Desk::new();
        desk.put(CARD).look();
        for change in 0..40_u16 {
            desk.look.in_use = change % 2 == 0;
            desk.look.exclusive = change % 4 == 0;
            desk.look.event_count += counts;
            desk.wait(50).look();
        }
        desk.take_away().look().wait(2_000);
        let [(_, tap)] = desk.taps().try_into().unwrap();
        assert_eq!((tap.present_ms, tap.in_use), (2_000, true));
    }
}

#[test]
fn a_card_that_is_present_all_day_is_one_tap_of_an_unknown_medium() {
    // More bytes than an ATR has, padded with zeros.
    let mut padded = CARD.to_vec();
    padded.resize(33, 0);
    let mut desk = Desk::new();
    desk.put(&padded).look();
    for _ in 0..9 * 60 {
        desk.wait(60_000).look();
    }
    assert!(desk.ended.is_empty());
    desk.take_away().look().wait(2_000);
    let [(_, tap)] = desk.taps().try_into().unwrap();
    assert_eq!((tap.present_ms, tap.medium), (9 * 3_600_000, Medium::Unknown));
}

proptest! {
    /// While the reader stays attached, every insertion is in exactly one tap, for any sequence of snapshots.
    #[test]
    fn every_insertion_is_accounted_for_and_none_invented(acts in acts()) {
        let mut desk = Desk::new();
        let mut put = 0;
        for act in acts {
            match act {
                Act::Put if !desk.look.present => { put += 1; desk.put(CARD); }
                Act::TakeAway if desk.look.present => { desk.take_away(); }
                Act::Flags(in_use, exclusive, mute) => desk.look = Snapshot { in_use, exclusive, mute, ..desk.look.clone() },
                Act::Look => { desk.look(); }
                Act::Wait(ms) => { desk.wait(u64::from(ms)); }
                Act::Put | Act::TakeAway | Act::Gone => {}
            }
        }
        if desk.look.present {
            desk.take_away();
        }
        desk.look().wait(DEBOUNCE.as_millis() as u64);
        let transitions: u32 = desk.taps().iter().map(|(_, tap)| tap.transitions).sum();
        prop_assert_eq!(transitions, put);
        prop_assert_eq!(desk.taps.deadline(), None);
    }

    /// With a reader that disconnects: no more taps than cards, and every tap ends.
    #[test]
    fn a_flapping_reader_invents_nothing(acts in acts()) {
        let mut desk = Desk::new();
        for act in acts {
            match act {
                Act::Put if !desk.look.present => { desk.put(CARD); }
                Act::TakeAway if desk.look.present => { desk.take_away(); }
                Act::Look => { desk.look(); }
                Act::Gone => desk.taps.detached(READER, desk.now),
                Act::Wait(ms) => { desk.wait(u64::from(ms)); }
                Act::Put | Act::TakeAway | Act::Flags(..) => {}
            }
        }
        desk.taps.detached(READER, desk.now);
        desk.wait(DEBOUNCE.as_millis() as u64);
        prop_assert_eq!(desk.taps.deadline(), None);
        for (_, tap) in desk.taps() {
            prop_assert!(tap.transitions > 0 || tap.present_ms > 0 || tap.medium == Medium::MyNumberCard);
        }
    }
}
