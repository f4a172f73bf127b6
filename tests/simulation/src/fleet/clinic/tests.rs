//! Invariants of every clinic's life.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;
use yomitori_proto::event::{Event, Observation};
use yomitori_proto::id::Seq;
use yomitori_proto::vocabulary::{Medium, ReaderRole};
use yomitori_proto::{decode, encode};

use super::*;
use crate::fleet::profile::ALL;

fn clinic(seed: u64, index: usize, profile: Profile, day_s: u64) -> Clinic {
    let now = "2026-04-01T00:30:00Z".parse().unwrap();
    let setting = Setting { seed, profile, day: Duration::from_secs(day_s), now };
    let who = Terminal {
        index,
        code: InstitutionCode::parse("1319999015").unwrap(),
        terminal: TerminalId(Uuid::from_u128(1)),
        life: Life(Uuid::from_u128(2)),
    };
    Clinic::new(&setting, who)
}

fn days(clinic: Clinic, days: u32) -> Vec<Happening> {
    let until = clinic.day * days;
    clinic.take_while(|happening| happening.at < until).collect()
}

fn kinds(happenings: &[Happening]) -> BTreeMap<&'static str, usize> {
    let mut kinds = BTreeMap::new();
    for happening in happenings {
        if let Act::Keep(sighting) = &happening.act {
            *kinds.entry(sighting.event.kind()).or_default() += 1;
        }
    }
    kinds
}

fn any_profile() -> impl Strategy<Value = Profile> {
    proptest::sample::select(&ALL[..])
}

proptest! {
    #[test]
    fn the_same_seed_gives_the_same_life(seed: u64, index in 0..40_usize, profile in any_profile()) {
        let life = || days(clinic(seed, index, profile, 60), 3);
        prop_assert_eq!(life(), life());
    }

    #[test]
    fn time_never_goes_back_and_days_end(
        seed: u64, index in 0..40_usize, profile in any_profile(), day_s in 5..3_600_u64,
    ) {
        let life = days(clinic(seed, index, profile, day_s), 3);
        prop_assert!(life.is_sorted_by_key(|happening| happening.at));
        prop_assert!((1..3_000).contains(&life.len()), "{}", life.len());
    }

    #[test]
    fn the_server_decodes_every_observation(seed: u64, index in 0..20_usize) {
        for happening in days(clinic(seed, index, Profile::Lifelike, 60), 4) {
            if let Act::Keep(Sighting { occurred_at, observed_at, event }) = happening.act {
                prop_assert!(occurred_at <= observed_at);
                let observation = Observation { seq: Seq(1), occurred_at, observed_at, event };
                let back = decode::from_terminal(encode::observation(&observation)).unwrap();
                prop_assert_eq!(back, observation);
            }
        }
    }

    #[test]
    fn a_terminal_without_power_observes_nothing_and_has_no_line(seed: u64, index in 0..40_usize) {
        let mut on = false;
        for happening in days(clinic(seed, index, Profile::Lifelike, 60), 6) {
            match happening.act {
                Act::Keep(sighting) => match sighting.event {
                    Event::AgentStarted(_) => on = true,
                    Event::AgentStopped(_) => {
                        prop_assert!(on);
                        on = false;
                    }
                    event => prop_assert!(on, "{}", event.kind()),
                },
                Act::Line(true) => prop_assert!(on),
                Act::Line(false) | Act::Dawn => {}
            }
        }
    }

    #[test]
    fn a_phone_that_is_read_leaves_a_file_within_the_correlation_window(seed: u64) {
        let life = days(clinic(seed, 0, Profile::Lifelike, 60), 1);
        let seen: Vec<&Sighting> = life
            .iter()
            .filter_map(|happening| match &happening.act {
                Act::Keep(sighting) => Some(sighting),
                Act::Line(_) | Act::Dawn => None,
            })
            .collect();
        let tap = seen.iter().find(|sighting| {
            matches!(&sighting.event, Event::TapObserved(tap) if tap.in_use && tap.medium != Medium::FelicaOnly)
        });
        let tap_at = tap.map(|tap| tap.occurred_at).expect("the first clinic shows a phone on the first day");
        prop_assert!(seen.iter().any(|sighting| matches!(sighting.event, Event::LinkageResultObserved(_))
            && (500..=5_000).contains(&(sighting.occurred_at - tap_at).num_milliseconds())));
    }
}

#[test]
fn a_backfill_is_over_and_lies_in_the_thirty_days_before_now() {
    let now: DateTime<Utc> = "2026-04-01T00:30:00Z".parse().unwrap();
    for index in 0..20 {
        let life: Vec<Happening> = clinic(3, index, Profile::Backfill, 60).collect();
        let (last, seen) = life.split_last().unwrap();
        assert_eq!(last.act, Act::Line(true));
        let mut dates = BTreeSet::new();
        for happening in seen {
            match &happening.act {
                Act::Keep(sighting) => {
                    assert!(sighting.occurred_at < now + TimeDelta::minutes(1));
                    dates.insert(sighting.occurred_at.date_naive());
                }
                Act::Line(_) => panic!("a line on the way"),
                Act::Dawn => {}
            }
        }
        assert!(dates.len() >= 30 || Character::of(index) == Character::OnlyTaps, "{index}: {}", dates.len());
    }
}

#[test]
fn a_storm_cuts_all_lines_at_the_same_instants() {
    let lines = |index| -> Vec<(Duration, bool)> {
        let life =
            days(clinic(3, index, Profile::ReconnectStorm, 60), 2).into_iter().skip_while(|h| h.at.as_secs() < 5);
        life.filter_map(|happening| match happening.act {
            Act::Line(up) => Some((happening.at, up)),
            Act::Keep(_) | Act::Dawn => None,
        })
        .collect()
    };
    let first = lines(0);
    assert_eq!(first.len(), 16);
    assert!((1..40).all(|index| lines(index) == first));
}

#[test]
fn an_idle_clinic_reports_only_its_start() {
    let kinds = kinds(&days(clinic(3, 0, Profile::Idle, 60), 10));
    assert_eq!(kinds.get("agent_started"), Some(&1));
    assert!(!kinds.contains_key("tap_observed") && !kinds.contains_key("linkage_result_observed"), "{kinds:?}");
}

#[test]
fn characters_show_what_they_are() {
    for seed in 0..20 {
        let kinds_of = |index| kinds(&days(clinic(seed, index, Profile::Lifelike, 60), 2));
        let of = |character| (0..20).find(|index| Character::of(*index) == character).unwrap();
        let only_taps = kinds_of(of(Character::OnlyTaps));
        assert!(only_taps.contains_key("tap_observed") && !only_taps.contains_key("linkage_result_observed"));
        assert!(kinds_of(of(Character::PhoneNativeAttested)).contains_key("smartphone_read_attested"));
        assert!(kinds_of(of(Character::Flapping)).contains_key("reader_flapping"));
        assert!(kinds_of(of(Character::Unplugged)).contains_key("reader_detached"));
        assert!(kinds_of(of(Character::ClockBehind)).contains_key("clock_stepped"));

        let silent = of(Character::GoesSilent);
        let life: Vec<Happening> = clinic(seed, silent, Profile::Lifelike, 60).collect();
        assert_eq!(life.last().map(|happening| &happening.act), Some(&Act::Line(false)));

        let unknown = clinic(seed, of(Character::RoleUnknown), Profile::Lifelike, 60);
        assert_eq!(unknown.reader.map(|reader| reader.attached().role), Some(ReaderRole::Unknown));
    }
}
