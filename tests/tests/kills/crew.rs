//! Several servers that share the partitions. One or two are killed while they work, start or are suspended. A server
//! that is suspended until others take over is resumed, writes its batch, and must be refused.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rustix::process::Signal;
use tokio_postgres::Client;
use yomitori_tests::storm::{self, Kills};
use yomitori_tests::world::server::Server;
use yomitori_tests::world::wait::{self, PATIENCE};
use yomitori_tests::world::{World, holders, postgres};

const PROGRAM: &str = "one of several projectors";
/// Logged by a server that was refused.
const PAUSED: &str = "projection failed";
const REFUSED: &str = "is owned by another instance";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    One,
    Two,
    /// Another server starts, and is killed at once.
    Starting,
    /// It is suspended, and killed in that state.
    Still,
    /// It is suspended, loses its partitions without notice, and resumes.
    Stale,
}

impl Loss {
    const fn place(self) -> &'static str {
        match self {
            Self::One => "any moment",
            Self::Two => "any moment, with another one",
            Self::Starting => "its start",
            Self::Still => "a standstill",
            Self::Stale => "its return, fenced",
        }
    }
}

/// See the head of this file.
pub(crate) struct Crew<'a> {
    servers: &'a mut [Server],
    store: Client,
    rng: StdRng,
    kills: Kills,
}

impl<'a> Crew<'a> {
    /// The first of `servers` runs from now on, and others come and go.
    pub(crate) async fn new(world: &World, servers: &'a mut [Server], rng: StdRng) -> Result<Self> {
        let store = postgres::connect(&world.database).await?;
        Ok(Self { servers, store, rng, kills: Kills::default() })
    }

    /// Carries out all kills; returns how often a server was refused.
    pub(crate) async fn work(mut self) -> Result<(Kills, usize)> {
        let mut deck = Vec::new();
        for (loss, times) in
            [(Loss::One, 24), (Loss::Two, 10), (Loss::Starting, 18), (Loss::Still, 10), (Loss::Stale, 12)]
        {
            deck.extend(std::iter::repeat_n(loss, times));
        }
        deck.shuffle(&mut self.rng);
        let before = self.said(REFUSED);
        for loss in deck {
            self.suffer(loss).await.with_context(|| format!("kill {PROGRAM} at {}", loss.place()))?;
        }
        let refused = self.said(REFUSED) - before;
        Ok((self.kills, refused))
    }

    async fn suffer(&mut self, loss: Loss) -> Result<()> {
        self.all_are_there()?;
        self.each_holds_its_part().await?;
        match loss {
            Loss::One => self.kill_some(1, loss).await,
            Loss::Two => self.kill_some(2, loss).await,
            Loss::Starting => {
                let newest = self.rng.random_range(0..self.servers.len());
                self.kill(newest, Loss::One)?;
                self.servers[newest].launch()?;
                self.moment(0..150).await;
                self.kill(newest, loss)
            }
            Loss::Still => {
                let (victim, _) = self.a_holder().await?;
                self.servers[victim].process()?.signal(Signal::STOP)?;
                self.moment(0..50).await;
                self.kill(victim, loss)
            }
            Loss::Stale => self.wake_a_stale_one().await,
        }
    }

    async fn kill_some(&mut self, count: usize, loss: Loss) -> Result<()> {
        self.moment(0..200).await;
        let mut order: Vec<usize> = (0..self.servers.len()).collect();
        order.shuffle(&mut self.rng);
        order.into_iter().take(count).try_for_each(|victim| self.kill(victim, loss))
    }

    async fn wake_a_stale_one(&mut self) -> Result<()> {
        let (victim, connection) = self.a_holder().await?;
        let lost = holders::held(&self.store).await?.remove(&connection).unwrap_or_default();
        self.servers[victim].process()?.signal(Signal::STOP)?;
        holders::cut(&self.store, connection).await?;
        let before = self.places().await?;
        wait::until("others take over and continue", PATIENCE, async || {
            // A server that is suspended within a transaction is waited for, because it may still commit.
            if self.a_connection_is_waited_for().await? {
                return Ok(());
            }
            let now = self.places().await?;
            let on = lost.iter().any(|partition| now.get(partition) > before.get(partition));
            ensure!(on, "the places of {lost:?} are what they were: {now:?}");
            Ok(())
        })
        .await?;
        let paused = self.servers[victim].log().matches(PAUSED).count();
        let process = self.servers[victim].process()?;
        process.signal(Signal::CONT)?;
        if self.rng.random_bool(0.7) {
            wait::until("it hears that others took over", PATIENCE, async || {
                ensure!(self.servers[victim].log().matches(PAUSED).count() > paused, "it has not noticed");
                Ok(())
            })
            .await?;
        } else {
            self.moment(0..100).await;
        }
        self.kill(victim, Loss::Stale)
    }

    fn kill(&mut self, victim: usize, loss: Loss) -> Result<()> {
        storm::kill(self.servers[victim].process()?)?;
        self.kills.count(PROGRAM, loss.place());
        Ok(())
    }

    fn all_are_there(&mut self) -> Result<()> {
        for server in &mut *self.servers {
            if server.process().and_then(|process| process.alive()).is_err() {
                server.launch()?;
            }
        }
        Ok(())
    }

    /// Four partitions are shared as two, one and one.
    async fn each_holds_its_part(&self) -> Result<()> {
        wait::until("each holds its part", PATIENCE, async || {
            let held = holders::held(&self.store).await?;
            let mut parts: Vec<usize> = held.values().map(BTreeSet::len).collect();
            parts.sort_unstable();
            ensure!(parts == [1, 1, 2], "{held:?}");
            Ok(())
        })
        .await
    }

    /// One of the servers that holds partitions, and its connection.
    async fn a_holder(&mut self) -> Result<(usize, i32)> {
        let mut order: Vec<usize> = (0..self.servers.len()).collect();
        order.shuffle(&mut self.rng);
        wait::until("one that holds partitions", PATIENCE, async || {
            let held = holders::held(&self.store).await?;
            for server in order.iter().copied() {
                let connection = holders::connection_of(&self.store, self.servers[server].process()?).await;
                if let Ok(connection) = connection
                    && held.get(&connection).is_some_and(|partitions| !partitions.is_empty())
                {
                    return Ok((server, connection));
                }
            }
            anyhow::bail!("no server holds a partition: {held:?}")
        })
        .await
    }

    async fn a_connection_is_waited_for(&self) -> Result<bool> {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() \
                     AND now() - query_start > interval '500 ms'";
        Ok(self.store.query_one(query, &[]).await?.get::<_, i64>(0) > 0)
    }

    async fn places(&self) -> Result<BTreeMap<i64, i64>> {
        let rows = self.store.query("SELECT partition::int8, next_offset FROM projection.progress", &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// No condition is awaited: the seed has chosen the moment.
    async fn moment(&mut self, ms: Range<u64>) {
        let after = Duration::from_millis(self.rng.random_range(ms));
        tokio::time::sleep(after).await;
    }

    fn said(&self, words: &str) -> usize {
        self.servers.iter().map(|server| server.log().matches(words).count()).sum()
    }
}
