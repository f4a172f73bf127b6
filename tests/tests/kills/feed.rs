//! The records that arrive in the meantime: terminals that report, repeat and start new lives, statements of people,
//! closures that change the policy for every facility, and records that can't be decoded.

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
use yomitori_simulation::clock;
use yomitori_simulation::log::Writer;
use yomitori_tests::bench::traffic;
use yomitori_tests::oracle::Kept;
use yomitori_tests::world::World;

pub(crate) const FACILITIES: u64 = 40;
/// Terminals of each facility.
const TERMINALS: u64 = 2;
const EVERY: Duration = Duration::from_millis(50);
/// Number of records that arrive together.
const TOGETHER: usize = 5;
/// Limit for the observations of one life.
const LONGEST: usize = 4_000;
/// No message of the contract begins like this.
pub(crate) const GARBAGE: &[u8] = b"\xff\xff\xff\xff";

/// The shared state of all clones.
#[derive(Clone)]
pub(crate) struct Feed(Arc<Mutex<FeedState>>);

struct FeedState {
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
        // A server's facts about a terminal's line concern one facility only.
        let stated = |recorded: &Recorded| matches!(recorded.origin, Origin::Person(_) | Origin::List { .. });
        let of_record = |recorded: &Recorded| matches!(recorded.event, Event::RecordSkipped(_));
        let statements = example
            .into_iter()
            .filter(|recorded| recorded.facility != FacilityId::FLEET && stated(recorded) && !of_record(recorded));
        Ok(Self(Arc::new(Mutex::new(FeedState {
            rng: StdRng::seed_from_u64(seed),
            writer: Writer::open(&world.kafka.address, &world.topic)?,
            day,
            statements: statements.collect(),
            lives: BTreeMap::new(),
            stumbled: 0,
            left_out: BTreeSet::new(),
        }))))
    }

    /// Runs until `closing`.
    pub(crate) async fn flow(self, closing: CancellationToken) -> Result<()> {
        let mut tick = tokio::time::interval(EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while closing.run_until_cancelled(tick.tick()).await.is_some() {
            let mut state = self.state();
            for _ in 0..TOGETHER {
                state.append_random_fact()?;
            }
        }
        Ok(())
    }

    /// Registers every facility, and reports first observations of the terminals.
    pub(crate) fn begin(&self) -> Result<()> {
        let mut state = self.state();
        for number in 0..FACILITIES {
            let registered = state.statements.first().context("a registration")?.clone();
            state.append_statement(FacilityId(id(1, number)), registered)?;
        }
        (0..FACILITIES * TERMINALS).try_for_each(|terminal| state.observe(terminal, 40))
    }

    /// Writes an invalid record for `facility`, which blocks it.
    pub(crate) fn stumble(&self, facility: FacilityId) -> Result<()> {
        let mut state = self.state();
        state.stumbled += 1;
        state.writer.append_bytes(facility, GARBAGE)
    }

    /// Skips a record of `facility` for a person, unless it has been skipped already.
    pub(crate) fn leave_out(&self, facility: FacilityId, (partition, offset): (i32, i64)) -> Result<()> {
        let mut state = self.state();
        if !state.left_out.insert((partition, offset)) {
            return Ok(());
        }
        state.say(facility, RecordSkipped { partition, offset })
    }

    /// Closes the call centre on another day, so every facility is evaluated again.
    pub(crate) fn close_the_call_centre(&self) -> Result<()> {
        let mut state = self.state();
        let from = clock::now() + TimeDelta::days(state.rng.random_range(1..300));
        state.say(FacilityId::FLEET, ClosureSet { from, to: from + TimeDelta::days(1), closes: Closes::CallCentre })
    }

    /// Waits until the log has everything. Blocks.
    pub(crate) fn is_in_the_log(&self) -> Result<u64> {
        self.state().writer.flush()
    }

    /// The observations of every terminal, for the oracle.
    pub(crate) fn kept(&self) -> Vec<Kept> {
        let kept = |(&(terminal, life), &count): (&(u64, u64), &usize)| {
            let journal: Vec<u64> = (1..=count as u64).collect();
            let (terminal, life) = (TerminalId(id(2, terminal)), life_of(terminal, life));
            Kept { terminal, life, last: count as u64, journal }
        };
        self.state().lives.iter().map(kept).collect()
    }

    /// The number of invalid records, all of which must be skipped in the end.
    pub(crate) fn stumbled(&self) -> Result<usize> {
        let state = self.state();
        ensure!(state.left_out.len() == state.stumbled, "{} of {} are skipped", state.left_out.len(), state.stumbled);
        Ok(state.stumbled)
    }

    fn state(&self) -> MutexGuard<'_, FeedState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn life_of(terminal: u64, life: u64) -> Life {
    Life(id(3, terminal << 32 | life))
}

impl FeedState {
    /// Appends a random fact.
    fn append_random_fact(&mut self) -> Result<()> {
        let terminal = self.rng.random_range(0..FACILITIES * TERMINALS);
        if self.rng.random_bool(0.1) {
            let statement = self.statements.choose(&mut self.rng).context("a statement")?.clone();
            return self.append_statement(FacilityId(id(1, terminal / TERMINALS)), statement);
        }
        let more = self.rng.random_range(1..=8);
        self.observe(terminal, more)
    }

    /// A terminal reports `more` observations; now and then it repeats some, or starts a new life.
    fn observe(&mut self, terminal: u64, more: usize) -> Result<()> {
        let last =
            self.lives.range((terminal, 0)..(terminal + 1, 0)).next_back().map(|((_, life), count)| (*life, *count));
        let (life, known) = match last {
            Some((life, known)) if known + more > LONGEST || self.rng.random_bool(0.004) => (life + 1, 0),
            Some(last) => last,
            None => (0, 0),
        };
        let again = if self.rng.random_bool(0.25) { self.rng.random_range(1..=12).min(known) } else { 0 };
        // A part of it is new, or nothing.
        let until = if again > 0 && self.rng.random_bool(0.3) { known } else { known + more };
        let facts = self.day.get(known - again..until).context("a day that is long enough")?;
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

    fn append_statement(
        &mut self,
        facility: FacilityId,
        Recorded { received_at, origin, event, .. }: Recorded,
    ) -> Result<()> {
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
