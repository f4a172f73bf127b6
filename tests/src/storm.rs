//! The killing of programs: decks of kills drawn from a seed, and their count.
//!
//! Every test that kills writes its kills to a file. `tests/run` adds them up, prints them by program and place, and
//! requires the promised number.

mod summary;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rand::Rng;
use rand::seq::SliceRandom as _;

use crate::world::process::Process;
use crate::world::server::Server;
use crate::world::services;
pub use summary::Summary;

/// A terminal waits up to a minute before it connects again, and most points need a connected one.
const REACHED_WITHIN: Duration = Duration::from_secs(75);
const SIGKILL: i32 = 9;
const ANY_MOMENT: &str = "any moment";

/// The seed of this run: `SEED`, or a new one.
///
/// # Errors
/// If `SEED` is not a number.
pub fn seed() -> Result<u64> {
    match std::env::var("SEED") {
        Ok(seed) => seed.parse().context("SEED is a number"),
        Err(_) => Ok(rand::rng().random_range(1..1_000_000)),
    }
}

/// One kill.
#[derive(Debug, Clone, Copy)]
pub enum Blow {
    /// The program kills itself at the n-th passage of a point.
    Point { name: &'static str, passage: u32 },
    /// The program is killed this long after its start, at an arbitrary point.
    Moment(Duration),
}

impl Blow {
    /// A shuffled deck: `each` kills at every one of `points`, at a passage up to the given one, and a number of
    /// `moments`, within a range of milliseconds after the start.
    pub fn deck(
        rng: &mut impl Rng,
        points: &[(&'static str, u32)],
        each: u32,
        moments: u32,
        after_ms: Range<u64>,
    ) -> Vec<Self> {
        let mut deck = Vec::new();
        for &(name, most) in points {
            deck.extend((0..each).map(|_| Self::Point { name, passage: rng.random_range(1..=most) }));
        }
        deck.extend((0..moments).map(|_| Self::Moment(Duration::from_millis(rng.random_range(after_ms.clone())))));
        deck.shuffle(rng);
        deck
    }

    /// The name of the place in the count.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Point { name, .. } => name,
            Self::Moment(_) => ANY_MOMENT,
        }
    }

    /// The value of `YOMITORI_CRASH` for this kill.
    #[must_use]
    pub fn crash(&self) -> Option<String> {
        match self {
            Self::Point { name, passage } => Some(format!("{name}:{passage}")),
            Self::Moment(_) => None,
        }
    }
}

/// A program that is killed and started again.
pub trait Victim {
    /// The name of the program in the count.
    fn kind(&self) -> &'static str;

    /// Starts the program; `crash` is the value of `YOMITORI_CRASH`.
    ///
    /// # Errors
    /// If it can't be started.
    fn start(&mut self, crash: Option<String>) -> Result<&mut Process>;

    /// The running process.
    ///
    /// # Errors
    /// If it was never started.
    fn running(&mut self) -> Result<&mut Process>;
}

impl Victim for Server {
    fn kind(&self) -> &'static str {
        if self.roles() == "projector" { "projector" } else { "server" }
    }

    fn start(&mut self, crash: Option<String>) -> Result<&mut Process> {
        self.set_env(crash.map(|crash| ("YOMITORI_CRASH".to_owned(), crash)).into_iter().collect());
        self.launch()
    }

    fn running(&mut self) -> Result<&mut Process> {
        self.process()
    }
}

/// The number of kills by program and place.
#[derive(Debug, Clone, Default)]
pub struct Kills(BTreeMap<(&'static str, &'static str), u32>);

impl Kills {
    /// Adds one kill.
    pub fn count(&mut self, program: &'static str, place: &'static str) {
        *self.0.entry((program, place)).or_default() += 1;
    }

    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.values().sum()
    }

    pub fn add(&mut self, others: Self) {
        for (place, count) in others.0 {
            *self.0.entry(place).or_default() += count;
        }
    }

    /// A line for each program and place.
    pub fn lines(&self) -> impl Iterator<Item = (String, u32)> {
        self.0.iter().map(|((program, place), count)| (format!("{program} killed at {place}"), *count))
    }

    /// Writes the counts for the total that `tests/run` prints.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn note(&self, test: &str) -> Result<()> {
        let mut text = String::new();
        for ((program, place), count) in &self.0 {
            writeln!(text, "{program}\t{place}\t{count}").expect("a string grows");
        }
        let folder = services::root().join("target/tests/kills");
        std::fs::create_dir_all(&folder).with_context(|| format!("make {folder:?}"))?;
        let file = folder.join(test);
        std::fs::write(&file, text).with_context(|| format!("write {file:?}"))
    }
}

/// Kills `victim` immediately, then once for every entry of `deck`, one start each, and leaves it running.
///
/// # Errors
/// If a kill doesn't happen, or the program ends for another reason.
pub async fn storm<V: Victim>(victim: &mut V, deck: &[Blow]) -> Result<Kills> {
    let mut kills = Kills::default();
    let kind = victim.kind();
    kill(victim.running()?)?;
    kills.count(kind, ANY_MOMENT);
    for blow in deck {
        strike(victim, *blow).await.with_context(|| format!("kill the {kind} at {blow:?}"))?;
        kills.count(kind, blow.name());
    }
    victim.start(None)?;
    Ok(kills)
}

/// Starts `victim` and verifies that it dies of `blow` and of nothing else.
///
/// # Errors
/// If it does not.
pub async fn strike<V: Victim>(victim: &mut V, blow: Blow) -> Result<()> {
    let process = victim.start(blow.crash())?;
    match blow {
        Blow::Point { .. } => {
            let ended = process.ended(REACHED_WITHIN).await;
            let status = ended.map_err(|error| process.explain(error)).context("the point was not reached")?;
            ensure!(status.signal() == Some(SIGKILL), "{:#}", process.explain(anyhow!("it ended: {status}")));
        }
        Blow::Moment(after) => {
            // No condition is awaited: the seed has chosen the moment.
            tokio::time::sleep(after).await;
            kill(process)?;
        }
    }
    Ok(())
}

/// `kill -9`. It is an error if the process has already ended.
///
/// # Errors
/// If it has, or the system refuses.
pub fn kill(process: &mut Process) -> Result<()> {
    process.alive()?;
    process.kill()
}
