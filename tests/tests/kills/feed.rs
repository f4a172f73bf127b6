//! What comes in meanwhile: many terminals that tell, tell again and begin anew, people who state, closures that change the
//! ground under every facility, and records that nobody can follow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;
use yomitori_proto::event::{ClosureSet, Event, LogBody, LogRecord, Origin, RecordSkipped, Recorded, Stated};
use yomitori_proto::id::{FacilityId, Life, Seq, TerminalId};
use yomitori_proto::vocabulary::Closes;
use yomitori_tests::bench::traffic;
use yomitori_tests::clock;
use yomitori_tests::oracle::Kept;
use yomitori_tests::world::World;
use yomitori_tests::world::log::Writer;

pub(crate) const FACILITIES: u64 = 40;
/// Of each facility.
const TERMINALS: u64 = 2;
const EVERY: Duration = Duration::from_millis(50);
/// Records that come in at a time.
const TOGETHER: usize = 5;
/// Observations of one life at most.
const LONGEST: usize = 4_000;
/// No message of the contract begins so.
pub(crate) const GARBAGE: &[u8] = b"\xff\xff\xff\xff";

/// All of it; its clones are the same one.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Mutex<Told>>);

struct Told {
    rng: StdRng,
    writer: Writer,
    day: Vec<Recorded>,
    statements: Vec<Recorded>,
    /// Observations so far, by terminal and life.
    lives: BTreeMap<(u64, u64), usize>,
    stumbled: usize,
    left_out: BTreeSet<(i32, i64)>,
}

fn id(what: u128, number: u64) -> Uuid {
    Uuid::from_u128(what << 64 | u128::from(number))
}

impl Feed {
    pub(crate) fn open(world: &World, seed: u64) -> Result<Self> {
        let example = traffic::example()?;
        let mut day = traffic::day(&example, LONGEST as u64)?;
        for (number, recorded) in (1..).zip(&mut day) {
            if let Origin::Terminal(observed) = &mut recorded.origin {
                observed.seq = Seq(number);
            }
        }
        // What servers say of a terminal's line is of one facility only.
        let stated = |recorded: &Recorded| matches!(recorded.origin, Origin::Person(_) | Origin::List { .. });
        let of_record = |recorded: &Recorded| matches!(recorded.event, Event::RecordSkipped(_));
        let statements = example
            .into_iter()
            .filter(|recorded| recorded.facility != FacilityId::FLEET && stated(recorded) && !of_record(recorded));
        Ok(Self(Arc::new(Mutex::new(Told {
            rng: StdRng::seed_from_u64(seed),
            writer: Writer::open(&world.kafka.address, &world.topic)?,
            day,
            statements: statements.collect(),
            lives: BTreeMap::new(),
            stumbled: 0,
            left_out: BTreeSet::new(),
        }))))
    }

    /// Goes on until `closing`.
    pub(crate) async fn flow(self, closing: CancellationToken) -> Result<()> {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while closing.run_until_cancelled(tick.tick()).await.is_some() {
            let mut told = self.told();
            for _ in 0..TOGETHER {
                told.tell()?;
            }
        }
        Ok(())
    }

    /// Every facility is registered, and its terminals tell of a first while.
    pub(crate) fn begin(&self) -> Result<()> {
        let mut told = self.told();
        for number in 0..FACILITIES {
            let registered = told.statements.first().context("a registration")?.clone();
            told.state(FacilityId(id(1, number)), registered)?;
        }
        (0..FACILITIES * TERMINALS).try_for_each(|terminal| told.observe(terminal, 40))
    }

    /// Writes what is no record for `facility`: it stops.
    pub(crate) fn stumble(&self, facility: FacilityId) -> Result<()> {
        let mut told = self.told();
        told.stumbled += 1;
        told.writer.append_bytes(facility, GARBAGE)
    }

    /// A person leaves a record of `facility` out, unless one has already.
    pub(crate) fn leave_out(&self, facility: FacilityId, (partition, offset): (i32, i64)) -> Result<()> {
        let mut told = self.told();
        if !told.left_out.insert((partition, offset)) {
            return Ok(());
        }
        told.say(facility, RecordSkipped { partition, offset })
    }

    /// The call centre is closed on one more day: every facility is looked at anew.
    pub(crate) fn close_the_centre(&self) -> Result<()> {
        let mut told = self.told();
        let from = clock::now() + TimeDelta::days(told.rng.random_range(1..300));
        told.say(FacilityId::FLEET, ClosureSet { from, to: from + TimeDelta::days(1), closes: Closes::CallCentre })
    }

    /// Waits until the log has all of it. Blocks.
    pub(crate) fn is_in_the_log(&self) -> Result<u64> {
        self.told().writer.flush()
    }

    /// What every terminal has told, for the oracle.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        let kept = |(&(terminal, life), &count): (&(u64, u64), &usize)| {
            let journal: Vec<u64> = (1..=count as u64).collect();
            let (terminal, life) = (TerminalId(id(2, terminal)), life_of(terminal, life));
            Kept { terminal, life, last: count as u64, journal }
        };
        self.told().lives.iter().map(kept).collect()
    }

    /// How many records nobody can follow there are, of which all have to be left out in the end.
    pub(crate) fn stumbled(&self) -> Result<usize> {
        let told = self.told();
        ensure!(told.left_out.len() == told.stumbled, "{} of {} are left out", told.left_out.len(), told.stumbled);
        Ok(told.stumbled)
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn life_of(terminal: u64, life: u64) -> Life {
    Life(id(3, terminal << 32 | life))
}

impl Told {
    /// Somebody tells something.
    fn tell(&mut self) -> Result<()> {
        let terminal = self.rng.random_range(0..FACILITIES * TERMINALS);
        if self.rng.random_bool(0.1) {
            let statement = self.statements.choose(&mut self.rng).context("a statement")?.clone();
            return self.state(FacilityId(id(1, terminal / TERMINALS)), statement);
        }
        let more = self.rng.random_range(1..=8);
        self.observe(terminal, more)
    }

    /// A terminal tells of `more` observations; now and then of some that it has told of before, or in a new life.
    fn observe(&mut self, terminal: u64, more: usize) -> Result<()> {
        let last =
            self.lives.range((terminal, 0)..(terminal + 1, 0)).next_back().map(|((_, life), count)| (*life, *count));
        let (life, told) = match last {
            Some((life, told)) if told + more > LONGEST || self.rng.random_bool(0.004) => (life + 1, 0),
            Some(last) => last,
            None => (0, 0),
        };
        let again = if self.rng.random_bool(0.25) { self.rng.random_range(1..=12).min(told) } else { 0 };
        // Some of it is new, or nothing.
        let until = if again > 0 && self.rng.random_bool(0.3) { told } else { told + more };
        let facts = self.day.get(told - again..until).context("a day that is long enough")?;
        for mut record in traffic::records(facts, terminal, facts.len()) {
            record.facility = FacilityId(id(1, terminal / TERMINALS));
            if let LogBody::Terminal { life: of, .. } = &mut record.body {
                *of = life_of(terminal, life);
            }
            self.writer.append(&record)?;
        }
        self.lives.insert((terminal, life), until);
        Ok(())
    }

    fn state(&mut self, facility: FacilityId, Recorded { received_at, origin, event, .. }: Recorded) -> Result<()> {
        self.writer.append(&LogRecord { facility, received_at, body: LogBody::Statement { origin, event } })
    }

    fn say(&mut self, facility: FacilityId, event: impl Into<Event>) -> Result<()> {
        let now = clock::now();
        let origin =
            Origin::Person(Stated {
                by: "Suzuki".to_owned(), why: Some("試験".to_owned()), stated_at: now, id: None
            });
        self.writer.append(&LogRecord {
            facility,
            received_at: now,
            body: LogBody::Statement { origin, event: event.into() },
        })
    }
}
