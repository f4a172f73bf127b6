//! Terminals that were switched off longer than their certificate is valid: they return automatically while their
//! facility uses them; others are rejected.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use yomitori_agent::address::ServerAddress;
use yomitori_agent::connect::{Route, mutual};
use yomitori_agent::identity::Identity;
use yomitori_agent::uplink::stream::{StreamError, check_access};
use yomitori_proto::id::TerminalId;
use yomitori_simulation::clock;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::pretence::Pretence;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::{World, wait};

const CODE: &str = "1319999015";
const SOON: Duration = Duration::from_secs(60);

struct Group {
    world: World,
    server: Server,
    pretence: Pretence,
}

impl Group {
    /// A server whose clock can be set.
    async fn open(test: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let pretence = Pretence::new(world.folder())?;
        let server = Server::start(&world, Plan { env: pretence.env(), ..Plan::default() }).await?;
        server.import(&format!("code,name,prefecture\n{CODE},ながい休みの診療所,東京都\n")).await?;
        wait::until("the facility", SOON, async || server.run(&["status", "--facility", CODE]).await).await?;
        Ok(Self { world, server, pretence })
    }

    /// A terminal that was enrolled this number of days ago, and switched off at once.
    async fn enrolled(&self, days_ago: i64) -> Result<Agent> {
        let agent = Agent::prepare(&self.world, &self.server.uplink, AgentPlan::default())?;
        self.pretence.clock(-TimeDelta::days(days_ago))?;
        agent.enrol(&self.server, CODE).await?;
        self.pretence.clock(TimeDelta::zero())?;
        Ok(agent)
    }

    async fn connections(&self, terminal: TerminalId) -> Result<i64> {
        let query = "SELECT count(*) FROM projection.fact WHERE kind = 'terminal_connected' \
                     AND event::jsonb->'terminal_connected'->>'terminal' = $1";
        Ok(self.world.store().await?.query_one(query, &[&terminal.to_string()]).await?.get(0))
    }
}

fn identity(agent: &Agent) -> Result<Identity> {
    Identity::load(&agent.state)?.context("it is enrolled")
}

#[tokio::test]
async fn a_terminal_that_was_off_for_months_returns_automatically() -> Result<()> {
    let group = Group::open("lapsed-back").await?;
    let mut agent = group.enrolled(200).await?;
    let old = identity(&agent)?;
    ensure!(old.days_left(clock::now()) < -160, "the certificate has ended");

    // The certificate only permits the renewal.
    let route =
        std::sync::Arc::new(Route::from(group.server.uplink.parse::<ServerAddress>().map_err(anyhow::Error::msg)?));
    let refused = check_access(mutual(&route, &old).await?).await;
    ensure!(matches!(refused, Err(StreamError::Uncertified { .. })), "{refused:?}");
    ensure!(group.connections(old.terminal()).await? == 0, "the stream was opened");
    let printed = agent.try_run(&["check"]).await?;
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    ensure!(
        printed.contains("renewed when the agent connects") && printed.contains("renews the certificate"),
        "{printed}"
    );

    agent.launch()?;
    wait::until("the terminal", SOON, async || {
        ensure!(group.connections(old.terminal()).await? > 0, "{}", agent.log());
        Ok(())
    })
    .await?;
    let new = identity(&agent)?;
    ensure!(new.terminal() == old.terminal() && new.facility() == old.facility(), "it is the same terminal");
    ensure!(new.days_left(clock::now()) >= 29, "{} days left", new.days_left(clock::now()));
    Ok(())
}

#[tokio::test]
async fn a_terminal_that_is_retired_or_was_off_for_too_long_stays_out() -> Result<()> {
    let group = Group::open("lapsed-out").await?;
    let (mut retired, mut ancient) = (group.enrolled(100).await?, group.enrolled(500).await?);
    let (old, oldest) = (identity(&retired)?, identity(&ancient)?);
    let name = old.terminal().to_string();
    wait::until("the enrolment", SOON, async || {
        let status = group.server.facility(CODE).await?.to_string();
        ensure!(status.contains(&name), "{status}");
        Ok(())
    })
    .await?;
    let words = ["terminal", "retire", "--terminal", &name, "--facility", CODE, "--by", "Test", "--why", "sold"];
    group.server.run(&words).await?;
    retired.launch()?;
    ancient.launch()?;
    wait::until("the refusals", SOON, async || {
        ensure!(retired.log().contains("no longer in use"), "{}", retired.log());
        ensure!(ancient.log().contains("The server is not connected"), "{}", ancient.log());
        Ok(())
    })
    .await?;
    for (agent, old) in [(&retired, &old), (&ancient, &oldest)] {
        ensure!(group.connections(old.terminal()).await? == 0, "{} is connected", old.terminal());
        ensure!(identity(agent)?.certificate() == old.certificate(), "it has a new certificate");
    }
    Ok(())
}
