//! A thousand power cuts on a disk that loses or tears unsynced data, is sometimes full and flips bits: nothing that
//! was reported as kept is lost or reordered without being counted.

mod disk;
mod model;

use std::io;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use redb::{Database, DatabaseError};
use uuid::Uuid;
use yomitori_agent::outlet::FileMark;
use yomitori_agent::spool::{EarlierStart, Spool, SpoolError};
use yomitori_proto::event::Event;
use yomitori_proto::id::{Boot, FacilityId, Life, Seq, TerminalId};
use yomitori_proto::uplink::Peer;
use yomitori_proto::vocabulary::GapSource;

use disk::Backend;
use model::{Asked, Content, at, sighting};

const HERE: Peer = Peer { terminal: TerminalId(Uuid::from_u128(1)), facility: FacilityId(Uuid::from_u128(2)) };
const CUTS: u64 = 1_000;
const BUDGET: u64 = 12 * 1024;

#[derive(Debug, Default)]
struct Tally {
    cuts: u64,
    kept: u64,
    restarts: u64,
    shed: u64,
    full: u64,
    flips: u64,
    set_aside: u64,
    not_kept: u64,
}

/// A terminal, and what its spool must hold.
struct World {
    random: StdRng,
    disk: Backend,
    life: Option<Life>,
    must: Content,
    /// What did not fit and is not reported yet.
    missed: u64,
    number: u64,
    tally: Tally,
}

impl World {
    fn new(seed: u64) -> Self {
        let must = Content { last: 0, released: 0, held: [].into(), marks: [].into() };
        let random = StdRng::seed_from_u64(seed);
        Self { random, disk: Backend::new(), life: None, must, missed: 0, number: 0, tally: Tally::default() }
    }

    /// Opens the spool as the agent does; `None` if the power failed meanwhile.
    fn open(&mut self) -> Option<Spool> {
        let disk = self.disk.clone();
        let create = move || -> Result<Database, DatabaseError> {
            let mut builder = Database::builder();
            builder.set_cache_size(1 << 20).set_check_integrity_on_open(true).create_with_backend(disk.clone())
        };
        let opened = create().map(|database| Spool::within(database, HERE, BUDGET));
        match opened {
            Ok(Ok(spool)) => Some(spool.reopened_by(create)),
            failed => {
                let had_power = self.disk.with(|disk| disk.has_power());
                let failed = failed.map(|spool| spool.map(|_| ()));
                assert!(!had_power, "the file is whole, and yet: {failed:?}; {:?}", self.tally);
                None
            }
        }
    }

    /// Runs the agent until the power fails, or for a while.
    fn run(&mut self) {
        let Some(spool) = self.open() else { return };
        if self.must.last > 0 {
            assert_eq!(Some(spool.life()), self.life, "the life is stored with its first observation");
        }
        self.life = Some(spool.life());
        // The agent starts, also on a full disk.
        let start = EarlierStart { boot: Boot(Uuid::from_u128(3)), agent_version: "0.1.0".to_owned() };
        if let Err(error) = spool.started(&start) {
            assert!(!self.disk.with(|disk| disk.has_power()), "it does not start: {error:?}; {:?}", self.tally);
            return;
        }
        // What did not fit and was not reported before the agent ended is not known any more.
        self.missed = 0;
        if let Ok(now) = Content::of(&spool) {
            assert_eq!(now, self.must, "{:?}", self.tally);
        }
        loop {
            if self.random.random_bool(0.03) {
                return self.tally.restarts += 1;
            }
            let asked = self.ask();
            let done = match &asked {
                Asked::Keep { sightings, marks, forgotten } => spool.keep(sightings, marks, forgotten).map(drop),
                Asked::Release(through) => spool.release(Seq(*through)),
            };
            let full = done.as_ref().is_err_and(SpoolError::is_full);
            match Content::of(&spool) {
                Ok(now) if done.is_ok() => self.done(&asked, &now),
                Ok(now) if full => {
                    assert_eq!(now, self.must, "a failed write changes nothing");
                    if let Asked::Keep { sightings, .. } = &asked {
                        self.missed += sightings.len() as u64;
                        self.tally.not_kept += 1;
                    }
                }
                Ok(_) | Err(_) => {
                    drop(spool);
                    return self.cut(&asked, done.is_ok());
                }
            }
        }
    }

    fn ask(&mut self) -> Asked {
        let random = &mut self.random;
        if random.random_bool(0.25) {
            return Asked::Release(random.random_range(self.must.released..=self.must.last));
        }
        // When the disk is full, other operations may or may not fit.
        if random.random_bool(0.05) {
            let room = self.disk.with(|disk| disk.taken()) + random.random_range(0..3);
            let room = if random.random() { room } else { usize::MAX };
            self.disk.with(|disk| disk.room = room);
            self.tally.full += u64::from(room < usize::MAX);
        }
        let clock_off = random.random_range(-3 * 3_600..=3 * 3_600);
        let count = random.random_range(1..=if self.tally.kept % 50 == 49 { 200 } else { 12 });
        let mut one = |_| {
            self.number += 1;
            sighting(self.number, random.random_range(0..3), clock_off)
        };
        let sightings: Vec<_> = (0..count).map(&mut one).collect();
        let marks = (0..self.number % 3).map(|name| FileMark { folder: 1, name: self.number + name }).collect();
        let forgotten = self.must.marks.iter().filter(|mark| mark.name % 7 == self.number % 7).copied().collect();
        Asked::Keep { sightings, marks, forgotten }
    }

    fn done(&mut self, asked: &Asked, now: &Content) {
        if matches!(asked, Asked::Release(_)) && *now == self.must && self.disk.with(|disk| disk.room) < usize::MAX {
            return; // There was not even space for the release.
        }
        if let Err(why) = asked.explains(&self.must, now, self.missed) {
            panic!("{asked:?} did not do what it must: {why}; {:?}", self.tally);
        }
        if let Asked::Keep { sightings, .. } = asked {
            self.tally.kept += 1;
            self.tally.shed += u64::from(now.last - self.must.last > sightings.len() as u64);
            self.missed = 0;
        }
        self.must = now.clone();
    }

    /// The power failed: the state is that after `asked`, or the one before it if `asked` was not reported as done.
    fn cut(&mut self, asked: &Asked, reported: bool) {
        assert!(!self.disk.with(|disk| disk.has_power()), "only a power cut may prevent {asked:?}");
        self.power_up();
        let was_full = self.disk.with(|disk| std::mem::replace(&mut disk.room, usize::MAX)) < usize::MAX;
        let spool = self.open().expect("the power is back");
        let now = Content::of(&spool).expect("what is kept can be read");
        let may_be_undone = !reported || was_full && matches!(asked, Asked::Release(_));
        if !(may_be_undone && now == self.must)
            && let Err(why) = asked.explains(&self.must, &now, self.missed)
        {
            panic!("{asked:?} was cut and is neither done nor not: {why}; {:?}", self.tally);
        }
        self.must = now;
        self.life = Some(spool.life());
    }

    fn power_up(&mut self) {
        self.tally.cuts += 1;
        let random = &mut self.random;
        self.disk.with(|disk| {
            disk.cut(random);
            disk.operations_left = u64::MAX;
        });
    }

    /// Flips bits while the agent is down: the real file either holds everything, or is set aside and the loss
    /// reported.
    fn flip(&mut self) -> io::Result<()> {
        let mut bytes = self.disk.with(|disk| disk.file().to_vec());
        if bytes.is_empty() {
            return Ok(());
        }
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("spool.redb");
        for _ in 0..self.random.random_range(1..4) {
            let place = self.random.random_range(0..bytes.len());
            bytes[place] ^= 1 << self.random.random_range(0..8);
        }
        std::fs::write(&path, bytes)?;
        let spool = Spool::open(dir.path(), HERE, BUDGET, at(self.number, 0)).expect("there is always a spool");
        let now = Content::of(&spool).expect("what is kept can be read");
        self.tally.flips += 1;
        if Some(spool.life()) == self.life {
            assert_eq!(now, self.must, "a flipped bit changes nothing without a report");
        } else {
            let events: Vec<_> = now.held.values().map(|sighting| &sighting.event).collect();
            assert!(
                matches!(&events[..], [Event::CollectionGap(gap)] if gap.source == GapSource::Spool && gap.lost.is_none()),
                "{events:?}"
            );
            assert!(dir.path().join("spool.broken.redb").exists());
            self.tally.set_aside += 1;
        }
        (self.life, self.must, self.missed) = (Some(spool.life()), now, 0);
        drop(spool);
        let file = std::fs::read(path)?;
        self.disk.with(|disk| disk.restore(file));
        Ok(())
    }
}

#[test]
fn a_thousand_power_cuts_lose_nothing_that_was_kept() -> io::Result<()> {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    let mut world = World::new(seed);
    while world.tally.cuts < CUTS {
        let operations = world.random.random_range(1..400);
        world.disk.with(|disk| disk.operations_left = operations);
        world.run();
        if world.disk.with(|disk| disk.has_power()) {
            // The agent ended in order or by `kill`, so the disk keeps all writes.
            if world.random.random_bool(0.2) {
                world.power_up();
            } else if world.random.random_bool(0.3) {
                world.flip()?;
            }
        } else {
            // The power failed during opening; `run` has handled every other cut.
            world.power_up();
        }
        world.disk.with(|disk| disk.operations_left = u64::MAX);
    }
    println!("{:?}", world.tally);
    let Tally { cuts, kept, restarts, shed, full, flips, set_aside, .. } = world.tally;
    assert!(cuts >= CUTS && kept > CUTS, "the disk was up for long enough to keep something");
    assert!(restarts > 0 && shed > 0 && full > 0 && flips > 0 && set_aside > 0, "every kind of fault has occurred");
    Ok(())
}
