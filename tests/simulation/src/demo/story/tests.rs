//! The past is over at the start, the present takes its time, and each part has its observations.

use yomitori_proto::code::InstitutionCode;
use yomitori_proto::id::{Life, TerminalId};

use super::*;
use crate::fleet::profile::Profile;

/// A Sunday night, when every desk is closed.
const NOW: &str = "2026-11-29T14:00:00Z";

fn setting(day: Duration) -> Setting {
    Setting { seed: 1, profile: Profile::Demonstration, day, now: NOW.parse().unwrap() }
}

fn who(index: usize) -> Terminal {
    let code = InstitutionCode::parse("1319999015").unwrap();
    let id = uuid::Uuid::from_u128(index as u128 + 1);
    Terminal { index, code, terminal: TerminalId(id), life: Life(id) }
}

fn index_of(part: Part) -> usize {
    (0..20).find(|index| Part::of(*index) == part).unwrap()
}

/// The past at the start, and the events within `after`.
fn parts(story: Story, after: Duration) -> (Vec<Happening>, Vec<Happening>) {
    let lead = story.lead();
    let all: Vec<Happening> = story.take_while(|happening| happening.at <= lead + after).collect();
    assert!(all.is_sorted_by_key(|happening| happening.at));
    all.into_iter().partition(|happening| happening.at <= lead)
}

fn kinds(happenings: &[Happening]) -> Vec<&'static str> {
    let kept = happenings.iter().filter_map(|happening| match &happening.act {
        Act::Keep(sighting) => Some(sighting.event.kind()),
        Act::Line(_) | Act::Dawn => None,
    });
    kept.collect()
}

#[test]
fn sixty_days_are_in_the_past_and_life_continues_in_real_time() {
    let (past, week) = parts(Story::new(&setting(REAL_DAY), who(0), false), REAL_DAY * 7);
    let count = |happenings: &[Happening], kind| kinds(happenings).iter().filter(|one| **one == kind).count();
    assert!((800..3_000).contains(&count(&past, "linkage_result_observed")), "{}", past.len());
    assert!(count(&past, "tap_observed") > 20);
    assert!(matches!(past.last().unwrap().act, Act::Line(true) | Act::Dawn), "{:?}", past.last());
    assert!((60..300).contains(&count(&week, "linkage_result_observed")), "{}", week.len());
    // Every event has its original date.
    for happening in past.iter().chain(&week) {
        let Act::Keep(sighting) = &happening.act else { continue };
        let at = setting(REAL_DAY).now + TimeDelta::from_std(happening.at).unwrap()
            - TimeDelta::from_std(past_of()).unwrap();
        assert!((at - sighting.observed_at).abs() < TimeDelta::seconds(2), "{sighting:?}");
    }
}

fn past_of() -> Duration {
    Story::new(&setting(REAL_DAY), who(0), false).lead()
}

#[test]
fn faster_means_more_phones_an_hour_and_no_boots() {
    let minute = Duration::from_secs(60);
    let (_, hour) = parts(Story::new(&setting(minute), who(0), false), minute * 60);
    let kinds = kinds(&hour);
    let count = |kind| kinds.iter().filter(|one| **one == kind).count();
    assert!(count("tap_observed") > 15, "{kinds:?}");
    assert!(count("linkage_result_observed") < count("tap_observed") * 3, "{kinds:?}");
    assert_eq!(count("agent_started"), 0);
}

#[test]
fn each_part_has_its_observations() {
    let life = |part, told| parts(Story::new(&setting(REAL_DAY), who(index_of(part)), told), REAL_DAY);
    let (past, _) = life(Part::CanonUndecided, false);
    assert!(!kinds(&past).iter().any(|kind| kind.starts_with("reader") || *kind == "tap_observed"));
    let (past, day) = life(Part::LooseCable, false);
    let off = past.iter().rev().find_map(|happening| match &happening.act {
        Act::Keep(sighting) if sighting.event.kind() == "reader_flapping" => Some(sighting.observed_at),
        _ => None,
    });
    let ago = setting(REAL_DAY).now - off.unwrap();
    assert!(ago < TimeDelta::minutes(15), "{ago}");
    assert!(kinds(&day).iter().filter(|kind| **kind == "reader_flapping").count() > 10);
    // After its past has been sent, the clinic wakes and lives on.
    let (woken, _) = life(Part::LooseCable, true);
    assert_eq!(kinds(&woken)[0], "agent_started");
    assert!(kinds(&woken).len() < 20, "{:?}", kinds(&woken));
}
