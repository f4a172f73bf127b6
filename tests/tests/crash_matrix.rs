//! The crash matrix: agents and server are killed repeatedly, at named points and at random moments, while Kafka and
//! PostgreSQL stop and restart. Then an oracle searches for any lost or duplicated observation.
//!
//! `SEED=n` repeats the same kills; the passages that they meet depend on the machine.

#[path = "crash_matrix/clinic.rs"]
mod clinic;

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use tokio::time::Instant;
use uuid::Uuid;
use yomitori_proto::id::{Life, TerminalId};
use yomitori_tests::oracle::{Remains, Verdict, gather, judge};
use yomitori_tests::storm::{self, Blow, Kills, Summary, storm};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::{Build, World, wait};

use clinic::Clinic;

/// The points of the server, and the highest passage that is used.
const SERVER: [(&str, u32); 5] =
    [("before-append", 25), ("after-append", 25), ("after-fold", 12), ("before-commit", 12), ("after-commit", 12)];
/// The points of the agent.
const AGENT: [(&str, u32); 2] = [("after-kept", 25), ("after-sent", 12)];
/// The random moments, in milliseconds after a start.
const MOMENTS: Range<u64> = 50..2_500;

const CODES: [&str; 3] = ["1319999015", "1319999015", "1339999011"];
const KAFKA_AWAY: Duration = Duration::from_secs(20);
/// A terminal may wait for a minute before it connects again.
const CATCH_UP: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_duplicated_when_any_process_is_killed() -> Result<()> {
    let seed = storm::seed()?;
    println!("crash matrix: SEED={seed}");
    let began = Instant::now();
    let mut matrix = Matrix::open(seed).await?;
    let verdict = match matrix.run().await {
        Ok(verdict) => verdict,
        Err(error) => return Err(error.context(format!("SEED={seed}, folder {:?}", matrix.world.folder()))),
    };
    println!("{}", matrix.summary(seed, &verdict, began.elapsed()));
    verdict.faults.none()?;
    ensure!(verdict.results as u64 <= matrix.results, "a result file was reported twice");
    matrix.kills.note("crash_matrix")?;
    ensure!(matrix.kills.total() >= 50, "only {} kills", matrix.kills.total());
    ensure!(verdict.repeated > 0, "nothing was ever sent again: the kills hit nothing");
    Ok(())
}

struct Matrix {
    world: World,
    server: Server,
    clinics: Vec<Clinic>,
    rng: StdRng,
    kills: Kills,
    results: u64,
    since: Instant,
    phases: Vec<(&'static str, Duration)>,
}

impl Matrix {
    async fn open(seed: u64) -> Result<Self> {
        let world = World::with_own_services("crash-matrix").await?;
        let plan = Plan { build: Build::CrashPoints, ..Plan::default() };
        let server = Server::start(&world, plan).await?;
        server.import("code,name,prefecture\n1319999015,一番医院,東京都\n1339999011,二番歯科,東京都\n").await?;
        let mut clinics = Vec::new();
        for code in CODES {
            clinics.push(Clinic::open(&world, &server, code).await?);
        }
        let (rng, kills) = (StdRng::seed_from_u64(seed), Kills::default());
        Ok(Self { world, server, clinics, rng, kills, results: 0, since: Instant::now(), phases: Vec::new() })
    }

    async fn run(&mut self) -> Result<Verdict> {
        self.wave(5).await.context("the first wave")?;
        self.passed("first wave");
        self.kafka_away().await.context("Kafka away")?;
        self.passed("kafka away");
        self.postgres_restarts_in_a_batch().await.context("the first restart of PostgreSQL")?;
        self.passed("postgres restarts");
        self.wave(4).await.context("the second wave")?;
        self.passed("second wave");
        self.postgres_restarts_in_a_batch().await.context("the second restart of PostgreSQL")?;
        self.passed("postgres restarts again");
        self.quiet().await.context("until all is quiet")?;
        self.passed("until quiet");
        self.judge().await.context("gather what the oracle looks at")
    }

    fn passed(&mut self, phase: &'static str) {
        self.phases.push((phase, self.since.elapsed()));
        self.since = Instant::now();
    }

    /// Kills everything concurrently, `each` times at each point.
    async fn wave(&mut self, each: u32) -> Result<()> {
        let server = Blow::deck(&mut self.rng, &SERVER, each, 2, MOMENTS);
        let agents: Vec<_> = self.clinics.iter().map(|_| Blow::deck(&mut self.rng, &AGENT, each, 2, MOMENTS)).collect();
        self.storms(&server, &agents).await
    }

    async fn storms(&mut self, server: &[Blow], agents: &[Vec<Blow>]) -> Result<()> {
        let agents = self.clinics.iter_mut().zip(agents).map(|(clinic, deck)| storm(clinic, deck));
        let (server, agents) = tokio::try_join!(storm(&mut self.server, server), try_join_all(agents))?;
        self.kills.add(server);
        agents.into_iter().for_each(|kills| self.kills.add(kills));
        Ok(())
    }

    /// Kafka is killed and stays down; the clinics continue, and both sides are killed in the meantime.
    async fn kafka_away(&mut self) -> Result<()> {
        let before = self.last()?;
        self.world.kafka.service.kill().await?;
        let server = Blow::deck(&mut self.rng, &[], 0, 1, MOMENTS);
        let agents: Vec<_> =
            self.clinics.iter().map(|_| Blow::deck(&mut self.rng, &AGENT[..1], 2, 0, MOMENTS)).collect();
        let away = async {
            tokio::time::sleep(KAFKA_AWAY).await;
            Ok(())
        };
        tokio::try_join!(self.storms(&server, &agents), away)?;
        for ((_, _, before), (terminal, _, last)) in before.into_iter().zip(self.last()?) {
            ensure!(last > before, "{terminal} kept nothing while Kafka was away");
        }
        self.world.kafka.service.restart().await
    }

    /// Kills PostgreSQL while a batch is written and not committed, and restarts it at once.
    async fn postgres_restarts_in_a_batch(&mut self) -> Result<()> {
        let store = self.world.store().await?;
        // A batch raises the high-water marks last; reading them stays possible.
        store.batch_execute("BEGIN; LOCK TABLE projection.life IN EXCLUSIVE MODE").await?;
        let waiting = "SELECT count(*) FROM pg_locks \
                       WHERE relation = 'projection.life'::regclass AND NOT granted AND mode = 'RowExclusiveLock'";
        wait::until("a batch in the middle", CATCH_UP, async || {
            let count: i64 = store.query_one(waiting, &[]).await?.get(0);
            self.server.process()?.alive()?;
            ensure!(count == 1, "{count} batches wait");
            Ok(())
        })
        .await?;
        let before = facts(&store).await?;
        self.world.postgres.service.kill().await?;
        self.world.postgres.service.restart().await?;
        let store = self.world.store().await?;
        wait::until("the projection to continue", CATCH_UP, async || {
            self.server.process()?.alive()?;
            ensure!(facts(&store).await? > before, "no more than {before} facts");
            Ok(())
        })
        .await
    }

    /// No more faults: the clinics work for a while, close, and everything comes to rest.
    async fn quiet(&mut self) -> Result<()> {
        let before = self.last()?;
        wait::until("more results", CATCH_UP, async || {
            let go_on = |((_, _, before), (terminal, _, last))| {
                ensure!(last >= before + 40_u64, "{terminal} keeps nothing: {before}, {last}");
                Ok(())
            };
            before.iter().copied().zip(self.last()?).try_for_each(go_on)
        })
        .await?;
        for clinic in &mut self.clinics {
            self.results += clinic.close().await?;
        }
        let store = self.world.store().await?;
        wait::until("everything to be folded and acknowledged", CATCH_UP, async || {
            self.server.process()?.alive()?;
            let folded = last_folded(&store).await?;
            for clinic in &mut self.clinics {
                clinic.agent.process()?.alive()?;
                let (terminal, life, last) = clinic.last()?;
                let folded = folded.get(&(terminal, life)).copied().unwrap_or_default();
                ensure!(folded >= last, "{terminal} has kept {last}, and {folded} is folded");
                clinic.has_acknowledged(last)?;
            }
            Ok(())
        })
        .await?;
        for clinic in &mut self.clinics {
            clinic.agent.kill()?;
        }
        wait::until("the end of the log to be folded", CATCH_UP, async || {
            let open: i64 = store.query_one("SELECT count(*) FROM projection.connection", &[]).await?.get(0);
            ensure!(open == 0, "{open} streams count as open");
            let folded: i64 = store
                .query_one("SELECT coalesce(sum(next_offset), 0)::bigint FROM projection.progress", &[])
                .await?
                .get(0);
            let records = self.world.records().await?.len();
            ensure!(usize::try_from(folded)? == records, "{folded} of {records} records are folded");
            Ok(())
        })
        .await?;
        let status = self.server.process()?.terminate(wait::PATIENCE).await?;
        ensure!(status.success(), "the server ended: {status}");
        Ok(())
    }

    async fn judge(&self) -> Result<Verdict> {
        let mut remains = Remains { records: self.world.records().await?, ..Remains::default() };
        remains.stored = gather::stored(&mut self.world.store().await?).await?;
        for clinic in &self.clinics {
            remains.kept.extend(clinic.kept()?);
            remains.complaints.extend(gather::complaints("agent", &clinic.agent.log()));
        }
        remains.complaints.extend(gather::complaints("server", &self.server.log()));
        Ok(judge(&remains))
    }

    fn last(&self) -> Result<Vec<(TerminalId, Life, u64)>> {
        self.clinics.iter().map(Clinic::last).collect()
    }

    fn summary(&self, seed: u64, verdict: &Verdict, took: Duration) -> Summary {
        let mut summary = Summary::of("crash matrix", seed, &self.kills);
        summary.row("kafka killed, away for 20 s", 1);
        summary.row("postgres killed in a batch", 2);
        summary.row("result files", self.results);
        summary.row("of these observed", verdict.results);
        summary.verdict(verdict);
        summary.phases(&self.phases, took);
        summary
    }
}

async fn facts(store: &tokio_postgres::Client) -> Result<i64> {
    Ok(store.query_one("SELECT count(*) FROM projection.fact", &[]).await?.get(0))
}

/// The highest number of every life that is in the store.
async fn last_folded(store: &tokio_postgres::Client) -> Result<BTreeMap<(TerminalId, Life), u64>> {
    let query = "SELECT terminal_id, life, max(seq) FROM projection.fact WHERE life IS NOT NULL GROUP BY 1, 2";
    let life = |row: tokio_postgres::Row| {
        let (terminal, life, seq): (Uuid, Uuid, i64) = (row.get(0), row.get(1), row.get(2));
        ((TerminalId(terminal), Life(life)), seq.cast_unsigned())
    };
    Ok(store.query(query, &[]).await?.into_iter().map(life).collect())
}
