//! How a program is killed, and the decks of kills that are dealt from a seed.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::Rng;
use rand::seq::SliceRandom as _;
use yomitori_tests::world::process::Process;

/// A terminal waits for up to a minute before it connects again, and most points need a connected one.
const REACHED_WITHIN: Duration = Duration::from_secs(75);
const SIGKILL: i32 = 9;
const ANY_MOMENT: &str = "any moment";

/// The points of the server, and up to which passage they are used.
pub(crate) const SERVER: [(&str, u32); 5] =
    [("before-append", 25), ("after-append", 25), ("after-fold", 12), ("before-commit", 12), ("after-commit", 12)];
/// The points of the agent.
pub(crate) const AGENT: [(&str, u32); 2] = [("after-kept", 25), ("after-sent", 12)];

/// One kill.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Blow {
    /// The program ends itself at the n-th passage of a point.
    Point { name: &'static str, passage: u32 },
    /// It is ended so long after its start, wherever it is.
    Moment(Duration),
}

impl Blow {
    /// `each` times every one of `points`, and `moments`, shuffled.
    pub(crate) fn deck(rng: &mut impl Rng, points: &[(&'static str, u32)], each: u32, moments: u32) -> Vec<Self> {
        let mut deck = Vec::new();
        for &(name, most) in points {
            deck.extend((0..each).map(|_| Self::Point { name, passage: rng.random_range(1..=most) }));
        }
        deck.extend((0..moments).map(|_| Self::Moment(Duration::from_millis(rng.random_range(50..2_500)))));
        deck.shuffle(rng);
        deck
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Point { name, .. } => name,
            Self::Moment(_) => ANY_MOMENT,
        }
    }
}

/// A program that is killed and started again.
pub(crate) trait Victim {
    /// What the summary calls it.
    const KIND: &'static str;

    /// Starts it; `crash` is the value of `YOMITORI_CRASH`.
    fn start(&mut self, crash: Option<String>) -> Result<&mut Process>;

    /// As it runs now.
    fn running(&mut self) -> Result<&mut Process>;
}

/// How often each program was killed where.
#[derive(Debug, Default)]
pub(crate) struct Kills(pub(crate) BTreeMap<(&'static str, &'static str), u32>);

impl Kills {
    pub(crate) fn total(&self) -> u32 {
        self.0.values().sum()
    }

    pub(crate) fn add(&mut self, others: Self) {
        for (place, count) in others.0 {
            *self.0.entry(place).or_default() += count;
        }
    }
}

/// Kills `victim` where it is, deals it all blows of `deck`, one start each, and leaves it running.
pub(crate) async fn storm<V: Victim>(victim: &mut V, deck: &[Blow]) -> Result<Kills> {
    let mut kills = Kills::default();
    kill(victim.running()?)?;
    kills.0.insert((V::KIND, ANY_MOMENT), 1);
    for blow in deck {
        strike(victim, *blow).await.with_context(|| format!("kill the {} at {blow:?}", V::KIND))?;
        *kills.0.entry((V::KIND, blow.name())).or_default() += 1;
    }
    victim.start(None)?;
    Ok(kills)
}

/// Starts `victim` and sees it die of `blow` and of nothing else.
async fn strike<V: Victim>(victim: &mut V, blow: Blow) -> Result<()> {
    match blow {
        Blow::Point { name, passage } => {
            let process = victim.start(Some(format!("{name}:{passage}")))?;
            let ended = process.ended(REACHED_WITHIN).await;
            let status = ended.map_err(|error| process.explain(error)).context("the point was not reached")?;
            ensure!(status.signal() == Some(SIGKILL), "{:#}", process.explain(anyhow::anyhow!("it ended: {status}")));
        }
        Blow::Moment(after) => {
            let process = victim.start(None)?;
            // Waits for nothing: the moment itself is what the seed has chosen.
            tokio::time::sleep(after).await;
            kill(process)?;
        }
    }
    Ok(())
}

/// It is an error if it has ended by itself.
fn kill(process: &mut Process) -> Result<()> {
    process.alive()?;
    process.kill()
}
