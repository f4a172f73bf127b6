//! A terminal that may not send: its open stream ends on whichever server holds it, it stays out until it is resumed, and the
//! registry can be filled from the log.

use anyhow::{Context, Result, ensure};
use yomitori_agent::identity::Identity;
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";

struct Site {
    world: World,
    /// The first records statements; the second holds the streams.
    servers: [Server; 2],
    agent: Agent,
    terminal: String,
}

impl Site {
    async fn open(test: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let servers = [Server::start(&world, Plan::default()).await?, Server::start(&world, Plan::default()).await?];
        servers[0].import(&format!("code,name,prefecture\n{CODE},ひとこと医院,東京都\n")).await?;
        world.has_facilities(1).await?;
        let mut agent = Agent::prepare(&world, &servers[1].uplink, AgentPlan::default())?;
        agent.enrol(&servers[0], CODE).await?;
        agent.launch()?;
        let terminal = Identity::load(&agent.state)?.context("it is enrolled")?.terminal().to_string();
        let site = Self { world, servers, agent, terminal };
        site.is_connected(true).await?;
        Ok(site)
    }

    async fn is_connected(&self, expected: bool) -> Result<()> {
        let store = self.world.store().await?;
        wait::until(&format!("connected to be {expected}"), PATIENCE, async || {
            let open: i64 = store.query_one("SELECT count(*) FROM projection.connection", &[]).await?.get(0);
            ensure!((open == 1) == expected, "{open} connections: {}", self.agent.log());
            Ok(())
        })
        .await
    }

    async fn state(&self, verb: &str) -> Result<String> {
        let words = ["terminal", verb, "--terminal", &self.terminal, "--facility", CODE, "--by", "鈴木", "--why", "x"];
        self.servers[0].run(&words).await
    }

    /// The registry's word for the terminal.
    async fn registered(&self) -> Result<String> {
        let listed = self.servers[0].run(&["terminal", "list", "--format", "json"]).await?;
        let listed: serde_json::Value = serde_json::from_str(&listed)?;
        ensure!(listed[0]["terminal"] == *self.terminal && listed[0]["code"] == CODE, "{listed}");
        listed[0]["state"].as_str().map(str::to_owned).context("a state")
    }

    async fn says(&self, what: &str) -> Result<()> {
        wait::until(what, PATIENCE, async || {
            ensure!(self.agent.log().contains(what), "{}", self.agent.log());
            Ok(())
        })
        .await
    }

    /// Waits until the facility's page shows `word` for the terminal, and offers these statements about it and no others.
    async fn page_shows(&self, word: &str, statements: &[&str]) -> Result<()> {
        wait::until(word, PATIENCE, async || {
            let page = reqwest::get(format!("{}/facilities/{CODE}", self.servers[0].web)).await?.text().await?;
            let offered = ["suspend", "resume", "retire", "revoke"]
                .into_iter()
                .filter(|key| page.contains(&format!("/record/{key}?terminal={}", self.terminal)));
            let offered: Vec<&str> = offered.collect();
            ensure!(page.contains(word) && offered == statements, "{offered:?} in {page}");
            Ok(())
        })
        .await
    }

    /// The reason of the newest end of a stream.
    async fn ended_as(&self, reason: &str) -> Result<()> {
        let query = "SELECT event->>'reason' FROM analytics.fact WHERE kind = 'terminal_disconnected' \
                     ORDER BY received_at DESC LIMIT 1";
        let found: String = self.world.store().await?.query_one(query, &[]).await?.get(0);
        ensure!(found == reason, "{found}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_may_not_send_is_cut_on_every_server_and_stays_out() -> Result<()> {
    let mut site = Site::open("revocation").await?;
    ensure!(site.registered().await? == "enrolled");

    let said = site.state("suspend").await?;
    ensure!(said.contains("ひとこと医院 1319999015"), "{said}");
    site.is_connected(false).await?;
    site.ended_as("revoked").await?;
    site.says("this terminal is suspended").await?;
    ensure!(site.registered().await? == "suspended");
    site.page_shows("一時停止中", &["resume", "retire", "revoke"]).await?;
    // A restart of the agent does not help, nor a check.
    site.agent.kill()?;
    let printed = site.agent.try_run(&["check"]).await?;
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    ensure!(printed.contains("suspended"), "{printed}");
    // What is observed meanwhile arrives after it is resumed.
    site.state("resume").await?;
    site.agent.launch()?;
    site.is_connected(true).await?;
    ensure!(site.registered().await? == "enrolled");

    // A retirement by mistake is withdrawn.
    let said = site.state("retire").await?;
    site.is_connected(false).await?;
    let id = said.split("--statement ").nth(1).and_then(|rest| rest.split(' ').next()).context("an identifier")?;
    let withdraw = ["statement", "withdraw", "--statement", id, "--facility", CODE, "--by", "鈴木", "--why", "mistake"];
    site.servers[0].run(&withdraw).await?;
    ensure!(site.registered().await? == "enrolled");
    site.agent.kill()?;
    site.agent.launch()?;
    site.is_connected(true).await?;

    // The withdrawal of a retirement does not resume a terminal that was suspended.
    site.state("suspend").await?;
    let said = site.state("retire").await?;
    let id = said.split("--statement ").nth(1).and_then(|rest| rest.split(' ').next()).context("an identifier")?;
    let withdraw = ["statement", "withdraw", "--statement", id, "--facility", CODE, "--by", "鈴木", "--why", "mistake"];
    site.servers[0].run(&withdraw).await?;
    ensure!(site.registered().await? == "suspended");
    site.state("resume").await?;
    site.agent.kill()?;
    site.agent.launch()?;
    site.is_connected(true).await?;

    // A revocation is final.
    let said = site.state("revoke").await?;
    ensure!(!said.contains("statement withdraw"), "{said}");
    site.is_connected(false).await?;
    site.says("certificate is revoked").await?;
    site.page_shows("証明書失効", &[]).await?;
    ensure!(site.state("resume").await.is_err_and(|error| format!("{error:#}").contains("revoked already")));

    // A registry that is lost is filled from the log.
    let store = site.world.store().await?;
    store.execute("DELETE FROM registry.terminal", &[]).await?;
    site.servers[0].run(&["rebuild", "--facts"]).await?;
    ensure!(site.registered().await? == "revoked", "after the rebuild");
    Ok(())
}
