//! The spool against a model: for any sequence of writes, releases, removals and restarts, every lost observation is
//! counted.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use prost::Message as _;
use uuid::Uuid;
use yomitori_agent::outlet::FileMark;
use yomitori_agent::spool::{EarlierStart, OpenError, Spool};
use yomitori_observation::Sighting;
use yomitori_proto::encode;
use yomitori_proto::event::{AgentStopped, Event, LinkageResultObserved, TapObserved};
use yomitori_proto::id::{Boot, FacilityId, ReaderKey, Seq, TerminalId};
use yomitori_proto::uplink::Peer;
use yomitori_proto::vocabulary::{GapSource, LinkageFolder, LinkageKind, Medium, ReadOutcome, StopReason};
use yomitori_proto::wire;

const HERE: Peer = Peer { terminal: TerminalId(Uuid::from_u128(1)), facility: FacilityId(Uuid::from_u128(2)) };
/// After another enrolment.
const AGAIN: Peer = Peer { terminal: TerminalId(Uuid::from_u128(3)), ..HERE };
const ELSEWHERE: Peer = Peer { facility: FacilityId(Uuid::from_u128(4)), ..AGAIN };
const PLENTY: u64 = 64 * 1024 * 1024;

fn at(second: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 + second)
}

fn open(dir: &Path, budget: u64) -> Result<Spool, OpenError> {
    Spool::open(dir, HERE, budget, at(1_000_000))
}

/// A sighting of one of three worths.
fn sighting(worth: u8, second: i64) -> Sighting {
    let tap = TapObserved {
        reader: ReaderKey(1),
        present_ms: 900,
        transitions: 1,
        in_use: true,
        exclusive: false,
        mute: false,
        medium: Medium::MyNumberCard,
        ruleset: 1,
    };
    let other = LinkageResultObserved {
        folder: LinkageFolder::Res,
        kind: LinkageKind::Other,
        file_at: None,
        seen_for_ms: 0,
        outcome: ReadOutcome::NotRead,
        error_code: None,
        name_tag: None,
    };
    match worth {
        0 => Sighting::now(at(second), other),
        1 => Sighting::now(at(second), AgentStopped { reason: StopReason::Service }),
        _ => Sighting::now(at(second), tap),
    }
}

fn all(spool: &Spool) -> Vec<(Seq, Event)> {
    let observations = spool.after(Seq::NONE, usize::MAX).expect("the spool can be read");
    observations.into_iter().map(|observation| (observation.seq, observation.event)).collect()
}

/// The number of lost observations by the gaps in the spool.
fn counted_lost(spool: &Spool) -> u64 {
    let lost = |(_, event): &(Seq, Event)| match event {
        Event::CollectionGap(gap) if gap.source == GapSource::Spool => gap.lost,
        _ => None,
    };
    all(spool).iter().filter_map(lost).sum()
}

#[test]
fn what_is_kept_is_there_after_a_restart_under_the_same_numbers() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), PLENTY).unwrap();
    let life = spool.life();
    assert_eq!((spool.last(), spool.first_unacknowledged()), (Seq(0), Seq(1)));
    assert_eq!(spool.keep(&[sighting(2, 1), sighting(0, 2)], &[], &[]).unwrap(), Seq(2));
    spool.release(Seq(1)).unwrap();
    drop(spool);

    let spool = open(dir.path(), PLENTY).unwrap();
    assert_eq!((spool.life(), spool.last(), spool.first_unacknowledged()), (life, Seq(2), Seq(2)));
    assert_eq!(all(&spool), [(Seq(2), sighting(0, 2).event)]);
    assert_eq!(spool.keep(&[sighting(2, 3)], &[], &[]).unwrap(), Seq(3));
    assert_eq!(spool.after(Seq(2), 10).unwrap()[0].occurred_at, at(3));
    spool.release(Seq(99)).unwrap();
    assert_eq!((spool.first_unacknowledged(), spool.bytes()), (Seq(4), 0), "no more can be let go than there is");
}

#[test]
fn marks_live_with_their_observations_until_they_are_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), PLENTY).unwrap();
    let marks = [FileMark { folder: 1, name: 7 }, FileMark { folder: 2, name: 7 }];
    spool.keep(&[sighting(0, 1), sighting(0, 2)], &marks, &[]).unwrap();
    spool.release(Seq(2)).unwrap();
    drop(spool);
    let spool = open(dir.path(), PLENTY).unwrap();
    assert_eq!(spool.marks().unwrap(), marks);
    spool.keep(&[], &[], &marks[..1]).unwrap();
    assert_eq!(spool.marks().unwrap(), marks[1..]);
    assert_eq!(spool.last(), Seq(2), "forgetting is no observation");
}

#[test]
fn a_full_spool_lets_the_least_valuable_go_and_counts_it() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), 64 * 1024).unwrap();
    for second in 0..1_000 {
        spool.keep(&[sighting(2, second)], &[], &[]).unwrap();
        if spool.bytes() > 40 * 1024 {
            break;
        }
    }
    let reads = all(&spool).len();
    for second in 0..2_000 {
        spool.keep(&[sighting((second % 2) as u8, second)], &[], &[]).unwrap();
        assert!(spool.bytes() <= 64 * 1024);
    }
    let left = all(&spool);
    assert_eq!(left.iter().filter(|(_, event)| matches!(event, Event::TapObserved(_))).count(), reads);
    assert!(left.iter().any(|(_, event)| matches!(event, Event::AgentStopped(_))), "these go after files");
    assert_eq!(left.len() as u64 + counted_lost(&spool), spool.last().0);
}

#[test]
fn the_file_stays_near_its_budget_however_long_the_server_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let budget = 1024 * 1024;
    let spool = open(dir.path(), budget).unwrap();
    for second in 0..200 {
        let many: Vec<_> = (0..500).map(|_| sighting(2, second)).collect();
        spool.keep(&many, &[], &[]).unwrap();
    }
    assert_eq!(all(&spool).len() as u64 + counted_lost(&spool), spool.last().0);
    let size = dir.path().join("spool.redb").metadata().unwrap().len();
    assert!(size <= 4 * budget, "{size} bytes on disk for a budget of {budget}");
}

#[test]
fn a_second_agent_in_the_same_folder_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), PLENTY).unwrap();
    assert!(matches!(open(dir.path(), PLENTY), Err(OpenError::InUse { .. })));
    drop(first);
    open(dir.path(), PLENTY).unwrap();
}

fn open_as(peer: Peer, dir: &Path) -> Spool {
    Spool::open(dir, peer, PLENTY, at(1_000_000)).expect("there is always a spool")
}

#[test]
fn a_terminal_that_is_enrolled_again_goes_on_with_its_life() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), PLENTY).unwrap();
    let life = spool.life();
    let mark = FileMark { folder: 1, name: 7 };
    spool.keep(&[sighting(2, 1), sighting(2, 2), sighting(2, 3)], &[mark], &[]).unwrap();
    spool.release(Seq(1)).unwrap();
    assert_eq!((spool.first_owner(), spool.former_owners()), (HERE.terminal, vec![]));
    drop(spool);

    for _ in 0..2 {
        let spool = open_as(AGAIN, dir.path());
        assert_eq!((spool.life(), spool.last(), spool.first_unacknowledged()), (life, Seq(3), Seq(2)));
        assert_eq!(all(&spool), [(Seq(2), sighting(2, 2).event), (Seq(3), sighting(2, 3).event)]);
        assert_eq!(spool.marks().unwrap(), [mark]);
        assert_eq!((spool.first_owner(), spool.former_owners()), (HERE.terminal, vec![HERE.terminal]));
    }
    // And once more, before all of it is acknowledged.
    let third = Peer { terminal: TerminalId(Uuid::from_u128(5)), ..HERE };
    let spool = open_as(AGAIN, dir.path());
    assert_eq!(spool.keep(&[sighting(2, 4)], &[], &[]).unwrap(), Seq(4));
    drop(spool);
    let spool = open_as(third, dir.path());
    assert_eq!((spool.life(), spool.first_owner()), (life, HERE.terminal));
    assert_eq!(spool.former_owners(), [HERE.terminal, AGAIN.terminal]);
    spool.release(Seq(3)).unwrap();
    assert_eq!(spool.former_owners(), [AGAIN.terminal]);
    spool.release(Seq(4)).unwrap();
    assert_eq!(spool.former_owners(), []);
}

#[test]
fn the_spool_of_another_facility_is_set_aside_and_none_replaces_an_earlier_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut lives = std::collections::BTreeSet::new();
    for (number, peer) in [HERE, ELSEWHERE, HERE, ELSEWHERE].into_iter().enumerate() {
        let spool = open_as(peer, dir.path());
        assert!(lives.insert(spool.life()), "a new life");
        assert_eq!((all(&spool).len(), spool.first_owner()), (0, peer.terminal), "nothing of the other facility");
        for second in 0..=number {
            spool.keep(&[sighting(2, second as i64)], &[], &[]).unwrap();
        }
        drop(spool);
        let aside: Vec<u64> = Spool::of_others(dir.path()).unwrap().into_iter().map(|(_, waiting)| waiting).collect();
        assert_eq!(aside, (1..=number as u64).collect::<Vec<_>>());
    }
}

#[test]
fn a_spool_of_which_nobody_knows_the_facility_is_set_aside_and_its_loss_reported() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), PLENTY).unwrap();
    let life = spool.life();
    spool.keep(&[sighting(2, 1)], &[], &[]).unwrap();
    drop(spool);
    // As an older version left it.
    let database = redb::Database::open(dir.path().join("spool.redb")).unwrap();
    let write = database.begin_write().unwrap();
    let meta: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("meta");
    assert!(write.open_table(meta).unwrap().remove("facility").unwrap().is_some());
    write.commit().unwrap();
    drop(database);
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(dir.path().join("spool.redb"), copy.path().join("spool.redb")).unwrap();

    let spool = open_as(AGAIN, dir.path());
    assert_ne!(spool.life(), life);
    assert!(matches!(&all(&spool)[..], [(Seq(1), Event::CollectionGap(gap))] if gap.source == GapSource::Spool));
    // Once its own terminal has opened it, the facility is known.
    drop(open_as(HERE, copy.path()));
    assert_eq!(open_as(AGAIN, copy.path()).life(), life);
}

#[test]
fn what_a_newer_agent_has_kept_is_read_and_carried() {
    let dir = tempfile::tempdir().unwrap();
    let spool = open(dir.path(), PLENTY).unwrap();
    spool.keep(&[sighting(2, 1), sighting(2, 2)], &[], &[]).unwrap();
    drop(spool);
    // An event with the field 200, also among the entries of the desk.
    let mut event = Vec::new();
    prost::encoding::bytes::encode(200, &b"later".to_vec(), &mut event);
    let newer = wire::Observation { seq: 2, occurred_at_us: 7, observed_at_us: 7, event };
    let value = [vec![3], newer.encode_to_vec()].concat();
    let database = redb::Database::open(dir.path().join("spool.redb")).unwrap();
    let write = database.begin_write().unwrap();
    for name in ["observations", "entries"] {
        let table: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new(name);
        write.open_table(table).unwrap().insert(2, value.as_slice()).unwrap();
    }
    write.commit().unwrap();
    drop(database);

    let spool = open(dir.path(), PLENTY).unwrap();
    assert_eq!(spool.last(), Seq(2), "the spool is the same");
    let read = spool.after(Seq(1), 10).unwrap();
    assert_eq!(encode::observation(&read[0]), newer);
    assert_eq!(spool.entries().unwrap(), read);
    assert_eq!(spool.keep(&[sighting(2, 3)], &[], &[]).unwrap(), Seq(3));
    drop(spool);
    // It is counted like any other when the spool is full.
    let spool = open(dir.path(), 200).unwrap();
    spool.keep(&[sighting(2, 4)], &[], &[]).unwrap();
    assert_eq!(all(&spool).len() as u64 + counted_lost(&spool), spool.last().0);
}

#[test]
fn the_previous_start_is_remembered() {
    let spool = Spool::in_memory(HERE, PLENTY).unwrap();
    let one = EarlierStart { boot: Boot(Uuid::from_u128(1)), agent_version: "0.1.0".to_owned() };
    let two = EarlierStart { boot: Boot(Uuid::from_u128(2)), ..one.clone() };
    assert_eq!(spool.started(&one).unwrap(), None);
    assert_eq!(spool.started(&two).unwrap(), Some((one, false)));
    let stopped = Sighting::now(at(1), AgentStopped { reason: StopReason::Service });
    spool.keep(std::slice::from_ref(&stopped), &[], &[]).unwrap();
    assert_eq!(spool.started(&two).unwrap(), Some((two.clone(), true)), "it ended in order");
    spool.keep(&[sighting(2, 2)], &[], &[]).unwrap();
    assert_eq!(spool.started(&two).unwrap(), Some((two, false)), "it has run since");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Flipped bits and truncated files: the spool either holds what it held, or reports the loss. It never fails to
    /// open.
    #[test]
    fn a_damaged_file_is_whole_or_set_aside(
        flips in proptest::collection::vec((any::<proptest::sample::Index>(), 0..8_u8), 0..4),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("spool.redb");
        let spool = open(dir.path(), PLENTY).unwrap();
        let life = spool.life();
        for second in 0..50 {
            spool.keep(&[sighting((second % 3) as u8, second)], &[], &[]).unwrap();
        }
        let before = all(&spool);
        drop(spool);
        let mut bytes = std::fs::read(&file).unwrap();
        for (place, bit) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        std::fs::write(&file, bytes).unwrap();

        let spool = open(dir.path(), PLENTY).unwrap();
        if spool.life() == life {
            prop_assert_eq!(all(&spool), before);
        } else if spool.last() > Seq::NONE {
            let events = all(&spool);
            prop_assert!(matches!(&events[..], [(Seq(1), Event::CollectionGap(_))]), "{events:?}");
        } else {
            // redb takes an empty file for a new one.
            prop_assert!(std::fs::metadata(dir.path().join("spool.broken.redb")).is_err());
        }
        spool.keep(&[sighting(2, 99)], &[], &[]).unwrap();
    }
}

#[derive(Clone, Debug)]
enum Act {
    Keep(Vec<u8>),
    /// Up to this share of what is stored.
    Release(proptest::sample::Index),
    Reopen,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => proptest::collection::vec(0..3_u8, 1..40).prop_map(Act::Keep),
        2 => any::<proptest::sample::Index>().prop_map(Act::Release),
        1 => Just(Act::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_spool_does_what_the_model_does(acts in proptest::collection::vec(act(), 1..60)) {
        let budget = 8 * 1024;
        let dir = tempfile::tempdir().unwrap();
        let mut spool = open(dir.path(), budget).unwrap();
        let life = spool.life();
        // Everything that ever had a number, and the highest number that was released.
        let mut given: BTreeMap<Seq, Event> = BTreeMap::new();
        let mut released = Seq::NONE;
        for (second, act) in (0..).zip(acts) {
            match act {
                Act::Keep(worths) => {
                    let sightings: Vec<_> = worths.into_iter().map(|worth| sighting(worth, second)).collect();
                    let before = spool.last();
                    let last = spool.keep(&sightings, &[], &[]).unwrap();
                    for (seq, sighting) in (before.0 + 1..).zip(sightings) {
                        given.insert(Seq(seq), sighting.event);
                    }
                    if given.len() as u64 + 1 == last.0 {
                        // The gap that reports the loss; its content is checked by the sum below.
                        let gap = spool.after(Seq(last.0 - 1), 1).unwrap();
                        given.insert(last, gap[0].event.clone());
                    }
                }
                Act::Release(share) => {
                    let through = Seq(share.index(spool.last().0 as usize + 1) as u64);
                    spool.release(through).unwrap();
                    released = released.max(through);
                }
                Act::Reopen => {
                    drop(spool);
                    spool = open(dir.path(), budget).unwrap();
                }
            }
            prop_assert_eq!(spool.life(), life);
            prop_assert_eq!(spool.last().0, given.len() as u64, "no number is skipped or given twice");
            prop_assert_eq!(spool.first_unacknowledged(), released.next());
            prop_assert!(spool.bytes() <= budget);
            for (seq, event) in all(&spool) {
                prop_assert!(seq > released);
                prop_assert_eq!(&event, &given[&seq]);
            }
        }
    }
}
