//! A person who runs rebuild, compare, swap and drop repeatedly, and whose every command is killed.

use std::os::unix::process::ExitStatusExt as _;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use tokio_postgres::Client;
use yomitori_tests::storm::{Blow, Kills};
use yomitori_tests::world::World;
use yomitori_tests::world::process::Process;
use yomitori_tests::world::server::Server;
use yomitori_tests::world::wait::{self, PATIENCE};

const SIGKILL: i32 = 9;
/// Printed when a command is refused.
const REFUSED: &str = "run `yomitori-server rebuild` first";
/// A rebuild lets the live projection go first, which is killed all the time.
const ENDS_WITHIN: Duration = Duration::from_secs(75);

/// The points of a rebuild: every partition passes them at least once.
pub(crate) const REBUILD: [(&str, u32); 3] =
    [("rebuild-after-fold", 4), ("rebuild-before-commit", 4), ("rebuild-after-commit", 4)];
/// The points of a swap.
pub(crate) const SWAP: [(&str, u32); 3] =
    [("swap-before-exchange", 1), ("swap-before-commit", 1), ("swap-after-commit", 1)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Rebuild,
    Swap,
    Difference,
    Drop,
}

impl Command {
    const fn name(self) -> &'static str {
        match self {
            Self::Rebuild => "rebuild",
            Self::Swap => "rebuild swap",
            Self::Difference => "rebuild diff",
            Self::Drop => "rebuild drop",
        }
    }
}

/// The end of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    Killed,
    Done,
    /// There is nothing to swap.
    Refused,
}

/// See the head of this file.
pub(crate) struct Operator<'a> {
    world: &'a World,
    /// Only its command line is used.
    server: &'a Server,
    store: Client,
}

impl<'a> Operator<'a> {
    pub(crate) async fn new(world: &'a World, server: &'a Server) -> Result<Self> {
        Ok(Self { world, server, store: world.store().await? })
    }

    /// Carries out all kills.
    pub(crate) async fn work(self, mut rng: StdRng) -> Result<Kills> {
        let of = |command| move |blow| (command, blow);
        let mut deck: Vec<(Command, Blow)> = Vec::new();
        deck.extend(Blow::deck(&mut rng, &REBUILD, 12, 20, 5..250).into_iter().map(of(Command::Rebuild)));
        deck.extend(Blow::deck(&mut rng, &SWAP, 9, 8, 5..200).into_iter().map(of(Command::Swap)));
        deck.extend(Blow::deck(&mut rng, &[], 0, 4, 5..200).into_iter().map(of(Command::Difference)));
        deck.extend(Blow::deck(&mut rng, &[], 0, 6, 1..50).into_iter().map(of(Command::Drop)));
        deck.shuffle(&mut rng);
        let mut kills = Kills::default();
        for (command, blow) in deck {
            let back = rng.random_bool(0.4);
            self.strike(command, blow, back).await.with_context(|| format!("kill `{}` at {blow:?}", command.name()))?;
            kills.count(command.name(), blow.name());
        }
        Ok(kills)
    }

    async fn strike(&self, command: Command, mut blow: Blow, back: bool) -> Result<()> {
        // The swapped generation may come back unchanged.
        let mut back = back && command == Command::Swap;
        let mut refused = 0;
        loop {
            if matches!(command, Command::Swap | Command::Difference) && !back {
                self.run(Command::Rebuild).await?;
            }
            match (self.is_killed(command, blow).await?, &mut blow) {
                (Ended::Killed, _) => return Ok(()),
                (Ended::Refused, _) if back => back = false,
                // A closure has changed the policy since the rebuild.
                (Ended::Refused, _) => {
                    refused += 1;
                    ensure!(refused < 5, "there was one to exchange");
                }
                // The kill came too late.
                (Ended::Done, Blow::Moment(after)) => *after /= 2,
                // A partial build would be continued, and would not pass the point again.
                (Ended::Done, Blow::Point { .. }) => self.run(Command::Drop).await?,
            }
        }
    }

    /// Runs `command` until it is killed or ends.
    async fn is_killed(&self, command: Command, blow: Blow) -> Result<Ended> {
        self.rebuild_lock_is_free().await?;
        let mut process = self.start(command, blow.crash())?;
        if let Blow::Moment(after) = blow {
            // No condition is awaited: the seed has chosen the moment.
            tokio::time::sleep(after).await;
            process.kill()?;
        }
        let status = process.ended(ENDS_WITHIN).await.map_err(|error| process.explain(error))?;
        if status.signal() == Some(SIGKILL) {
            return Ok(Ended::Killed);
        }
        let log = process.log();
        if !status.success() && log.lines().next_back().is_some_and(|line| line.ends_with(REFUSED)) {
            return Ok(Ended::Refused);
        }
        ensure!(status.success(), "{:#}", process.explain(anyhow::anyhow!("it ended: {status}")));
        Ok(Ended::Done)
    }

    async fn run(&self, command: Command) -> Result<()> {
        self.rebuild_lock_is_free().await?;
        let mut process = self.start(command, None)?;
        let status = process.ended(ENDS_WITHIN).await.map_err(|error| process.explain(error))?;
        ensure!(status.success(), "{:#}", process.explain(anyhow::anyhow!("it ended: {status}")));
        Ok(())
    }

    fn start(&self, what: Command, crash: Option<String>) -> Result<Process> {
        let mut command = self.server.command();
        command.args(what.name().split(' ')).envs(crash.map(|crash| ("YOMITORI_CRASH", crash)));
        Process::start(what.name(), command, &self.world.folder().join("operator.log"))
    }

    /// A killed process loses its lock as soon as the database notices.
    async fn rebuild_lock_is_free(&self) -> Result<()> {
        rebuild_lock_is_free(&self.store).await
    }
}

/// Waits until the lock for rebuilds is free.
pub(crate) async fn rebuild_lock_is_free(store: &Client) -> Result<()> {
    // The database shows a lock with a 64-bit number as two halves.
    const LOCK: [i64; 2] = [0x596f, 0x6d69_0002];
    let query = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 \
                 AND classid::int8 = $1 AND objid::int8 = $2 \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    wait::until("the rebuild lock is free", PATIENCE, async || {
        let count: i64 = store.query_one(query, &[&LOCK[0], &LOCK[1]]).await?.get(0);
        ensure!(count == 0, "{count} hold the lock");
        Ok(())
    })
    .await
}
