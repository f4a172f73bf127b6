//! Whether a terminal is shown as connected is true again soon after every fault: Kafka away, PostgreSQL away, a server
//! that stands still for longer than its lease.

use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::Signal;
use tokio::time::Instant;
use tokio_postgres::Client;
use yomitori_proto::decode;
use yomitori_proto::event::Event;
use yomitori_proto::id::FacilityId;
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODES: [&str; 2] = ["1319999015", "1319999023"];
/// Longer than a lease.
const OUTAGE: Duration = Duration::from_secs(15);
const LEASE: Duration = Duration::from_secs(10);

/// Two servers that take in, each with a terminal of its own.
struct Two {
    world: World,
    servers: [Server; 2],
    agents: [Agent; 2],
}

impl Two {
    async fn open(test: &str) -> Result<Self> {
        let world = World::with_own_services(test).await?;
        let first = Server::start(&world, Plan::default()).await?;
        let [one, other] = CODES;
        let facilities = format!("code,name,prefecture\n{one},いち医院,東京都\n{other},に医院,東京都\n");
        first.import(&facilities).await?;
        for code in CODES {
            wait::until(code, PATIENCE, async || first.facility(code).await).await?;
        }
        let second = Server::start(&world, Plan::default()).await?;
        let agents = [
            Agent::start(&world, &first, one, AgentPlan::default()).await?,
            Agent::start(&world, &second, other, AgentPlan::default()).await?,
        ];
        let two = Self { world, servers: [first, second], agents };
        for code in CODES {
            two.is_connected(code, PATIENCE).await?;
        }
        Ok(two)
    }

    /// Waits until the facility's terminal is shown as connected.
    async fn is_connected(&self, code: &str, limit: Duration) -> Result<()> {
        let store = self.world.store().await?;
        wait::until(&format!("{code} to be connected"), limit, async || {
            ensure!(connections(&store, code).await? == 1);
            Ok(())
        })
        .await
    }

    /// How often the log says that a terminal has disconnected.
    async fn disconnects(&self) -> Result<usize> {
        let mut count = 0;
        for record in self.world.records().await? {
            let facts = decode::log_record(&record.value)?.into_facts();
            count += facts.filter(|fact| matches!(fact.event, Event::TerminalDisconnected(_))).count();
        }
        Ok(count)
    }
}

async fn connections(store: &Client, code: &str) -> Result<i64> {
    let query = "SELECT count(*) FROM projection.connection WHERE facility_id = $1";
    Ok(store.query_one(query, &[&FacilityId::of_code(code).0]).await?.get(0))
}

/// Lets a fault last.
async fn lasts(what: &str, limit: Duration) -> Result<()> {
    let began = Instant::now();
    wait::until(what, limit + PATIENCE, async || {
        ensure!(began.elapsed() >= limit);
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_left_while_the_log_was_away_is_gone() -> Result<()> {
    let mut two = Two::open("presence-log-away").await?;
    two.world.kafka.service.stop().await?;
    two.agents[0].kill()?;
    wait::until("the server to notice", PATIENCE, async || {
        ensure!(two.servers[0].log().contains("terminal disconnected"));
        Ok(())
    })
    .await?;
    // Longer than one attempt to append.
    lasts("the log to be away", Duration::from_secs(8)).await?;
    two.world.kafka.service.restart().await?;
    let store = two.world.store().await?;
    wait::until("the terminal to be gone", PATIENCE, async || {
        ensure!(connections(&store, CODES[0]).await? == 0);
        Ok(())
    })
    .await?;
    two.is_connected(CODES[1], PATIENCE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_postgresql_disconnects_nobody() -> Result<()> {
    let two = Two::open("presence-store-away").await?;
    two.world.postgres.service.stop().await?;
    lasts("the database to be away", OUTAGE).await?;
    two.world.postgres.service.restart().await?;
    let store = wait::until("the database", PATIENCE, async || two.world.store().await).await?;
    wait::until("two leases", PATIENCE, async || {
        let query = "SELECT count(*) FROM registry.lease WHERE expires_at > now()";
        let leases: i64 = store.query_one(query, &[]).await?.get(0);
        ensure!(leases == 2, "{leases}");
        Ok(())
    })
    .await?;
    // By then each server has judged the other.
    lasts("a lease and a half", LEASE * 3 / 2).await?;
    ensure!(two.disconnects().await? == 0, "a terminal was reported as gone");
    for code in CODES {
        two.is_connected(code, PATIENCE).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_terminals_of_a_server_that_stood_still_are_connected_again() -> Result<()> {
    let mut two = Two::open("presence-stopped").await?;
    let store = two.world.store().await?;
    two.servers[0].process()?.signal(Signal::STOP)?;
    // In the log only: the partition of the report may be one that the stopped server still holds.
    wait::until("the other server to report its terminal", PATIENCE, async || {
        ensure!(two.disconnects().await? == 1);
        Ok(())
    })
    .await?;
    two.servers[0].process()?.signal(Signal::CONT)?;
    let session = "SELECT count(*) FROM projection.fact WHERE facility_id = $1 AND kind = 'terminal_connected'";
    wait::until("the terminal to be connected once more", PATIENCE, async || {
        let times: i64 = store.query_one(session, &[&FacilityId::of_code(CODES[0]).0]).await?.get(0);
        ensure!(times == 2, "{times}");
        Ok(())
    })
    .await?;
    two.is_connected(CODES[0], PATIENCE).await?;
    // It stays so: nobody reports it again.
    let before = two.disconnects().await?;
    lasts("a lease and a half", LEASE * 3 / 2).await?;
    ensure!(two.disconnects().await? == before, "it was reported as gone again");
    for code in CODES {
        two.is_connected(code, PATIENCE).await?;
    }
    Ok(())
}
