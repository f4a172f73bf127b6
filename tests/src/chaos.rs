//! An hour in which everything goes wrong: clinics that observe and send all the time, several servers, a broker and a database,
//! and faults at random. Then all is left in peace, and the oracle judges what remains: the log, the store, who is shown as
//! connected, and what is missing.

mod fault;
mod network;
mod terminal;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::fault::{Faults, Services};
use self::network::Forwarder;
use self::terminal::Crowd;
use crate::oracle::{Remains, Verdict, gather, judge};
use crate::storm::{Kills, Summary};
use crate::world::server::{self, Plan as ServerPlan, Server};
use crate::world::wait::{self, PATIENCE};
use crate::world::{Build, World, segment};
use yomitori_simulation::fleet::facility;

/// How long everything may take to be right again after the last fault.
const SETTLES_WITHIN: Duration = Duration::from_secs(180);
/// How long a terminal may be shown as what it is not, once all is in the database.
const PRESENCE_WITHIN: Duration = Duration::from_secs(30);
/// How often servers that ended are started again, as systemd does.
const START_AGAIN_EVERY: Duration = Duration::from_secs(2);

/// Which faults are dealt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deals {
    /// All of them, as they would come about.
    Everything,
    /// Servers are killed as fast as they start, and lines are cut. It goes on until this many kills were dealt.
    Kills { at_least: u32 },
}

/// How long, how many, and by which dice.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub deals: Deals,
    pub clinics: usize,
    pub servers: usize,
    pub lasts: Duration,
    pub seed: u64,
}

/// Runs it, and reports lines about the progress to `say`.
///
/// # Errors
/// If a part does not start, does not settle, or the oracle finds a fault.
pub async fn run(plan: Plan, say: &(dyn Fn(&str) + Sync)) -> Result<(Summary, Kills)> {
    let began = Instant::now();
    let mut rng = StdRng::seed_from_u64(plan.seed);
    let (world, build) = match plan.deals {
        Deals::Everything => (World::with_own_services("chaos").await?, Build::Released),
        Deals::Kills { .. } => (World::new("chaos-kills").await?, Build::CrashPoints),
    };
    let mut servers = Vec::new();
    for _ in 0..plan.servers {
        servers.push(Server::start(&world, ServerPlan { build, ..ServerPlan::default() }).await?);
    }
    let facilities = facility::invent(plan.clinics, plan.seed);
    servers[0].import(&facility::table(&facilities)).await?;
    let mut forwarders = Vec::new();
    for server in &servers {
        let port = server.uplink.rsplit(':').next().context("the server's port")?;
        forwarders.push(Forwarder::to(port.parse().context("the server's port")?).await?);
    }
    let crowd = Crowd::enrol(&world, &servers, &forwarders, &facilities, rng.random()).await?;
    let (clinics, count, seed) = (crowd.len(), servers.len(), plan.seed);
    say(&format!("{clinics} clinics, {count} servers, SEED={seed}; logs in {:?}", world.folder()));

    let closing = CancellationToken::new();
    let mut living = crowd.live(&closing);
    let faults = Faults::default();
    let until = Instant::now() + plan.lasts;
    let of_services = StdRng::seed_from_u64(rng.random());
    let of_services = async {
        match plan.deals {
            Deals::Everything => {
                let services = Services { kafka: &world.kafka.service, postgres: &world.postgres.service };
                faults.of_services(services, of_services, until).await
            }
            Deals::Kills { .. } => Ok(()),
        }
    };
    let of_servers = servers.iter_mut().map(|server| {
        let (faults, rng) = (&faults, StdRng::seed_from_u64(rng.random()));
        async move {
            match plan.deals {
                Deals::Everything => faults.of_server(server, rng, until).await,
                Deals::Kills { at_least } => faults.kills_of_server(server, rng, until, at_least).await,
            }
        }
    });
    let of_servers = try_join_all(of_servers.collect::<Vec<_>>());
    let of_terminals = faults.of_terminals(&crowd, StdRng::seed_from_u64(rng.random()), until);
    let of_network = StdRng::seed_from_u64(rng.random());
    let of_network = async {
        match plan.deals {
            Deals::Everything => faults.of_network(&forwarders, of_network, until).await,
            Deals::Kills { .. } => Ok(()),
        }
    };
    let reported = faults.reported(say, until);
    let storm = async { tokio::try_join!(of_servers, of_services, of_network, of_terminals, reported) };
    tokio::select! {
        ended = living.join_next() => anyhow::bail!("a terminal ended: {ended:?}"),
        passed = storm => drop(passed.with_context(|| format!("SEED={}, {:?}", plan.seed, world.folder()))?),
    }

    say("no more faults; until all is in the database");
    crowd.rests();
    let settled = settle(&world, &mut servers, &crowd).await;
    let settled_in = settled.with_context(|| format!("SEED={}, {:?}", plan.seed, world.folder()))?;
    let verdict = verdict(&world, &mut servers, &crowd).await?;
    if plan.deals == Deals::Everything {
        say("at last the topic loses its end");
        lost_end(&world, &servers).await.context("a topic that lost its end")?;
    }
    let kills = faults.kills();
    kills.note(world.folder().file_name().and_then(|name| name.to_str()).unwrap_or("chaos"))?;
    let mut summary = Summary::of("chaos", plan.seed, &kills);
    faults.lines().into_iter().for_each(|(what, count)| summary.row(&what, count));
    summary.row("seconds until all was right again", format_args!("{:.1}", settled_in.as_secs_f64()));
    summary.verdict(&verdict);
    summary.phases(&[], began.elapsed());
    closing.cancel();
    living.shutdown().await;
    Ok((summary, kills))
}

/// Waits until everything that was kept is acknowledged and folded, and until every terminal is shown as connected.
async fn settle(world: &World, servers: &mut [Server], crowd: &Crowd) -> Result<Duration> {
    let began = Instant::now();
    let mut started_at = began;
    wait::until("everything to be acknowledged and folded", SETTLES_WITHIN, async || {
        for server in servers.iter_mut() {
            if server.process()?.alive().is_err() && started_at.elapsed() >= START_AGAIN_EVERY {
                started_at = Instant::now();
                server.launch()?;
            }
        }
        let waiting = crowd.waiting();
        ensure!(waiting == 0, "{waiting} terminals have unsent observations");
        let records = world.records().await?.len() as i64;
        let store = world.store().await?;
        let query = "SELECT coalesce(sum(next_offset), 0)::int8 FROM projection.progress";
        let folded: i64 = store.query_one(query, &[]).await?.get(0);
        ensure!(folded == records, "{folded} of {records} records are folded");
        Ok(())
    })
    .await?;
    let settled = began.elapsed();
    let store = world.store().await?;
    wait::until("every terminal to be shown as connected", PRESENCE_WITHIN, async || {
        let query = "SELECT (SELECT count(*) FROM projection.connection), \
                     (SELECT count(*) FROM projection.facility f, jsonb_array_elements(f.status->'terminals') AS t \
                      WHERE t->'connected' = 'false')";
        let row = store.query_one(query, &[]).await?;
        let (connected, not): (i64, i64) = (row.get(0), row.get(1));
        ensure!(connected == crowd.len() as i64 && not == 0, "{connected} of {}, {not} shown as away", crowd.len());
        Ok(())
    })
    .await?;
    Ok(settled)
}

/// Cuts the last batch off each partition, which no server may take for the log that it folded.
async fn lost_end(world: &World, servers: &[Server]) -> Result<()> {
    let query = "SELECT count(*) FROM projection.fact";
    let before: i64 = world.store().await?.query_one(query, &[]).await?.get(0);
    world.kafka.service.stop().await?;
    for partition in 0..server::PARTITIONS {
        segment::cut_tail(world.folder(), &world.topic, partition, 1)?;
    }
    world.kafka.service.restart().await?;
    for server in servers {
        wait::until("the server to refuse the topic", PATIENCE, async || {
            // With 503, which is no error here.
            let health: serde_json::Value = reqwest::get(format!("{}/healthz", server.web)).await?.json().await?;
            ensure!(health["status"] == "log_changed", "{health}");
            Ok(())
        })
        .await?;
    }
    let after: i64 = world.store().await?.query_one(query, &[]).await?.get(0);
    ensure!(after == before, "{after} facts after {before}: something of the shorter topic was folded");
    Ok(())
}

/// Judges what remains.
async fn verdict(world: &World, servers: &mut [Server], crowd: &Crowd) -> Result<Verdict> {
    // Nothing may arrive while the log and the store are read.
    crowd.leave();
    wait::until("the log to stand still", PATIENCE, async || {
        let store = world.store().await?;
        let query = "SELECT (SELECT count(*) FROM projection.connection), \
                     (SELECT coalesce(sum(next_offset), 0)::int8 FROM projection.progress)";
        let row = store.query_one(query, &[]).await?;
        let (connected, folded): (i64, i64) = (row.get(0), row.get(1));
        let records = world.records().await?.len() as i64;
        ensure!(connected == 0 && folded == records, "{connected} connected, {folded} of {records} folded");
        Ok(())
    })
    .await?;
    let mut remains = Remains { records: world.records().await?, kept: crowd.kept(), ..Remains::default() };
    remains.stored = gather::stored(&mut world.store().await?).await?;
    for server in servers.iter() {
        let panics =
            server.log().lines().filter(|line| line.contains("panicked")).map(str::to_owned).collect::<Vec<_>>();
        remains.complaints.extend(panics);
    }
    let verdict = judge(&remains);
    verdict.faults.none()?;
    ensure!(verdict.folded > 0, "nothing was observed");
    let missing = "SELECT count(*) FROM analytics.completeness WHERE holes @> '[{\"what\": \"missing\"}]'";
    let missing: i64 = world.store().await?.query_one(missing, &[]).await?.get(0);
    ensure!(missing == 0, "{missing} lives have missing numbers");
    let verified = servers.first().context("a server")?.try_run(&["log", "verify", "--format", "json"]).await?;
    ensure!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    Ok(verdict)
}
