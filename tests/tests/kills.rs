//! Whoever folds the log is killed five hundred times: the live projection, whoever folds the log anew, compares, exchanges
//! and forgets, a program that folds otherwise than the one before, and servers that hand the partitions over to each other.
//! Meanwhile records never stop coming in. Then an oracle looks for a single fact that is lost, doubled or out of place.
//!
//! `SEED=n` deals the same kills again; which passage they meet is up to the machine. The agents, the terminals' line and
//! the outages of Kafka and PostgreSQL are the crash matrix's.

#[path = "kills/crew.rs"]
mod crew;
#[path = "kills/feed.rs"]
mod feed;
#[path = "kills/operator.rs"]
mod operator;
#[path = "kills/stumble.rs"]
mod stumble;

use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::future::try_join_all;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use yomitori_facility::FOLD;
use yomitori_tests::oracle::{Fault, Remains, Verdict, gather, judge};
use yomitori_tests::storm::{self, Blow, Kills, Summary};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};
use yomitori_tests::world::{Build, World};

use crew::Crew;
use feed::{FACILITIES, Feed, GARBAGE};
use operator::Operator;

/// The points of the projection, and up to which passage they are used.
const PROJECTION: [(&str, u32); 5] =
    [("after-fold", 6), ("before-commit", 6), ("after-commit", 6), ("before-retry", 2), ("after-retry", 2)];
/// Moments lie so many milliseconds after a start: most starts end within the first half.
const MOMENTS: Range<u64> = 5..900;
const SERVERS: usize = 3;
/// With those of the crash matrix it is five hundred.
const KILLS: u32 = 450;
/// Everything that came in while everybody was killed.
const CATCH_UP: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_is_the_fold_of_the_log_whoever_is_killed_five_hundred_times() -> Result<()> {
    let seed = storm::seed()?;
    println!("kills: SEED={seed}");
    let began = Instant::now();
    let mut matrix = Matrix::open(seed).await?;
    let folder = matrix.world.folder().to_owned();
    let verdict = matrix.run().await.with_context(|| format!("SEED={seed}, folder {folder:?}"))?;
    println!("{}", matrix.summary(seed, &verdict, began.elapsed()));
    matrix.kills.note("kills")?;
    ensure!(matrix.kills.total() >= KILLS, "only {} kills", matrix.kills.total());
    ensure!(verdict.repeated > 0, "nothing was told again");
    ensure!(matrix.refused > 0, "nobody had to be refused");
    Ok(())
}

struct Matrix {
    world: World,
    store: Client,
    servers: Vec<Server>,
    feed: Feed,
    rng: StdRng,
    kills: Kills,
    /// How often somebody who had lost its partitions was kept from writing.
    refused: usize,
    since: Instant,
    phases: Vec<(&'static str, Duration)>,
}

impl Matrix {
    async fn open(seed: u64) -> Result<Self> {
        let world = World::new("kills").await?;
        let mut servers = Vec::new();
        for _ in 0..SERVERS {
            let plan = Plan { build: Build::CrashPoints, roles: "projector", ..Plan::default() };
            servers.push(Server::prepare(&world, plan).await?);
        }
        let mut rng = StdRng::seed_from_u64(seed);
        let feed = Feed::open(&world, rng.random())?;
        feed.begin()?;
        servers.iter_mut().try_for_each(|server| server.launch().map(drop))?;
        let store = world.store().await?;
        wait::until("every facility is in the store", PATIENCE, async || {
            servers.iter_mut().try_for_each(|server| server.process()?.alive())?;
            let count: i64 = store.query_one("SELECT count(*) FROM projection.facility_row", &[]).await?.get(0);
            ensure!(count.cast_unsigned() == FACILITIES, "{count}");
            Ok(())
        })
        .await?;
        let (kills, phases) = (Kills::default(), Vec::new());
        Ok(Self { world, store, servers, feed, rng, kills, refused: 0, since: Instant::now(), phases })
    }

    async fn run(&mut self) -> Result<Verdict> {
        self.passed("until all are there");
        let closing = CancellationToken::new();
        let mut flow = tokio::spawn(self.feed.clone().flow(closing.clone()));
        tokio::select! {
            ended = &mut flow => bail!("nothing more comes in: {ended:?}"),
            killed = self.kill_everybody() => killed?,
        }
        closing.cancel();
        flow.await.context("what comes in")??;
        self.rest().await.context("until everything is folded")?;
        let verdict = self.judge().await.context("after all kills")?;
        self.passed("the first judgement");
        self.folds_the_same_anew().await.context("the log folded anew, in peace")?;
        self.passed("the second judgement");
        Ok(verdict)
    }

    async fn kill_everybody(&mut self) -> Result<()> {
        self.projection_and_rebuild().await.context("the projection and whoever folds anew")?;
        self.passed("projection and rebuild");
        self.another_fold().await.context("a program that folds otherwise")?;
        self.passed("another fold");
        self.hand_over().await.context("servers that share the partitions")?;
        self.passed("hand-over");
        Ok(())
    }

    fn passed(&mut self, phase: &'static str) {
        self.phases.push((phase, self.since.elapsed()));
        self.since = Instant::now();
    }

    fn chance(&mut self) -> StdRng {
        StdRng::seed_from_u64(self.rng.random())
    }

    /// Three that project and one who folds anew are killed side by side.
    async fn projection_and_rebuild(&mut self) -> Result<()> {
        self.feed.close_the_centre()?;
        let decks: Vec<Vec<Blow>> =
            (0..SERVERS).map(|_| Blow::deck(&mut self.rng, &PROJECTION, 13, 22, MOMENTS)).collect();
        let chance = self.chance();
        let hands = Server::prepare(&self.world, Plan { build: Build::CrashPoints, ..Plan::default() }).await?;
        let operator = Operator::new(&self.world, &hands).await?;
        let lanes = self.servers.iter_mut().zip(&decks).map(|(server, deck)| lane(server, deck));
        let killed = async { tokio::try_join!(try_join_all(lanes), operator.work(chance)) };
        let (lanes, operator) = tokio::select! {
            killed = killed => killed?,
            never = stumble::again_and_again(&self.world, &self.feed) => match never? {},
        };
        lanes.into_iter().chain([operator]).for_each(|kills| self.kills.add(kills));
        Ok(())
    }

    /// A program that folds otherwise folds the log anew by itself, and is killed over it.
    async fn another_fold(&mut self) -> Result<()> {
        const PROGRAM: &str = "projector of another fold";
        self.feed.close_the_centre()?;
        let points = [operator::REBUILD, operator::SWAP].concat();
        for blow in Blow::deck(&mut self.rng, &points, 2, 6, MOMENTS) {
            operator::nobody_rebuilds(&self.store).await?;
            // What is built by now would be gone on with, and need not pass the point once more.
            let anew = match blow {
                Blow::Point { name, .. } if name.starts_with("rebuild") => "DROP SCHEMA IF EXISTS shadow CASCADE;",
                _ => "",
            };
            let older = format!("{anew} UPDATE projection.generation SET fold = {}", FOLD - 1);
            self.store.batch_execute(&older).await.context("as an older program left it")?;
            storm::strike(&mut self.servers[0], blow)
                .await
                .with_context(|| format!("kill the {PROGRAM} at {blow:?}"))?;
            self.kills.count(PROGRAM, blow.name());
        }
        Ok(())
    }

    async fn hand_over(&mut self) -> Result<()> {
        self.feed.close_the_centre()?;
        let chance = self.chance();
        self.servers.iter_mut().try_for_each(|server| {
            server.set_env(Vec::new());
            server.launch().map(drop)
        })?;
        let crew = Crew::new(&self.world, &mut self.servers, chance).await?;
        let (kills, refused) = tokio::select! {
            killed = crew.work() => killed?,
            never = stumble::again_and_again(&self.world, &self.feed) => match never? {},
        };
        self.kills.add(kills);
        self.refused = refused;
        Ok(())
    }

    /// No more faults and nothing more comes in; all is folded, and nobody waits.
    async fn rest(&mut self) -> Result<()> {
        for server in &mut self.servers {
            if server.process()?.alive().is_err() {
                server.launch()?;
            }
        }
        wait::until("everything is folded", CATCH_UP, async || {
            self.servers.iter_mut().try_for_each(|server| server.process()?.alive())?;
            stumble::help(&self.store, &self.feed).await?;
            let stumbled = self.feed.stumbled()?;
            let feed = self.feed.clone();
            let records = tokio::task::spawn_blocking(move || feed.is_in_the_log()).await??;
            let query = "SELECT (SELECT coalesce(sum(next_offset), 0)::int8 FROM projection.progress), \
                         (SELECT count(*) FROM projection.parked), \
                         (SELECT count(DISTINCT policy_hash) FROM projection.facility_row)";
            let row = self.store.query_one(query, &[]).await?;
            let (folded, parked, grounds): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
            ensure!(folded.cast_unsigned() == records, "{folded} of {records} are folded");
            ensure!(parked == 0 && grounds == 1, "{parked} wait, {stumbled} are left out, {grounds} grounds");
            Ok(())
        })
        .await
    }

    /// Nothing is lost, doubled or out of place: so says the oracle, and so says the program's own verification.
    async fn judge(&self) -> Result<Verdict> {
        let mut remains =
            Remains { records: self.world.records().await?, kept: self.feed.kept(), ..Remains::default() };
        remains.stored = gather::stored(&mut self.world.store().await?).await?;
        for server in &self.servers {
            // Of those who stumble a person is told, and that is right.
            let told = |line: &String| !line.contains("its records are set aside");
            remains.complaints.extend(gather::complaints("server", &server.log()).into_iter().filter(told));
        }
        let left_out = remains.records.iter().filter(|record| record.value == GARBAGE).count();
        ensure!(left_out == self.feed.stumbled()?, "{left_out} records that nobody can follow");
        let mut verdict = judge(&remains);
        let mut unreadable = 0;
        verdict.faults.retain(|fault| {
            let garbage = matches!(fault, Fault::Unreadable { .. });
            unreadable += usize::from(garbage);
            !garbage
        });
        ensure!(unreadable == left_out, "{unreadable} records are unreadable, and {left_out} were written so");
        verdict.faults.none()?;
        let verified = self.servers[0].try_run(&["log", "verify", "--format", "json"]).await?;
        let report: serde_json::Value = serde_json::from_slice(&verified.stdout).context("the report")?;
        ensure!(verified.status.success() && report["disagreements"] == 0 && report["behind"] == 0, "{report:#}");
        Ok(verdict)
    }

    /// What comes of the log in peace is what is there.
    async fn folds_the_same_anew(&mut self) -> Result<()> {
        operator::nobody_rebuilds(&self.store).await?;
        for arguments in [&["rebuild", "--facts"][..], &["rebuild", "diff"], &["rebuild", "swap"], &["rebuild", "drop"]]
        {
            self.servers[0].run(arguments).await?;
        }
        self.judge().await?;
        for server in &mut self.servers {
            let status = server.process()?.terminate(PATIENCE).await?;
            ensure!(status.success(), "a server ended: {status}");
        }
        Ok(())
    }

    fn summary(&self, seed: u64, verdict: &Verdict, took: Duration) -> Summary {
        let mut summary = Summary::of("kills", seed, &self.kills);
        summary.row("writes refused to whoever had lost its partitions", self.refused);
        summary.verdict(verdict);
        summary.phases(&self.phases, took);
        summary
    }
}

/// Deals one server its kills, and leaves it dead: the partitions are the others' from then on.
async fn lane(server: &mut Server, deck: &[Blow]) -> Result<Kills> {
    let mut kills = storm::storm(server, deck).await?;
    storm::strike(server, Blow::Moment(Duration::ZERO)).await?;
    kills.count("projector", "any moment");
    Ok(kills)
}
