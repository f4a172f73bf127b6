//! The server can reduce the collection level and never increase it: while terminals are connected, across restarts,
//! and while the server is down.

use anyhow::{Result, ensure};
use serde_json::Value;
use yomitori_proto::wire::{self, down, up};
use yomitori_simulation::clock;
use yomitori_tests::hostile::siege::{HONEST, Intruder, Siege};
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";
const SUCCEEDED: &str = "<?xml version=\"1.0\"?><XmlMsg><MessageHeader><SegmentOfResult>1</SegmentOfResult></MessageHeader>\
                         <MessageBody><ProcessingResultStatus>1</ProcessingResultStatus><ResultList>";

struct Clinic {
    world: World,
    server: Server,
    agent: Agent,
}

impl Clinic {
    async fn open(test: &str, level: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        server.import(&format!("code,name,prefecture\n{CODE},ひかえめ医院,東京都\n")).await?;
        let more = format!("[collection]\nlevel = {level:?}\n");
        let agent = Agent::start(&world, &server, CODE, AgentPlan { more, ..AgentPlan::default() }).await?;
        Ok(Self { world, server, agent })
    }

    async fn limit(&self, most: &str) -> Result<()> {
        let limit = ["collection", "set", "--most", most, "--facility", CODE, "--by", "鈴木", "--why", "院長の希望"];
        self.server.run(&limit).await.map(drop)
    }

    /// Waits until the terminal reports this level, and this number of applied settings.
    async fn collects(&self, level: &str, taken: i64) -> Result<()> {
        let store = self.world.store().await?;
        wait::until(&format!("the terminal to collect {level}"), PATIENCE, async || {
            let facility = self.server.facility(CODE).await?;
            let terminal = &facility["facility"]["status"]["terminals"][0];
            ensure!(terminal["collection"] == level, "{terminal}");
            ensure!(terminal["collects_too_much"] == false, "{terminal}");
            let query = "SELECT count(*) FROM projection.fact WHERE kind = 'settings_taken'";
            let count: i64 = store.query_one(query, &[]).await?.get(0);
            ensure!(count == taken, "{count} settings were taken");
            Ok(())
        })
        .await
    }

    /// Writes a result into the folder for a moment.
    async fn result(&self) -> Result<()> {
        self.agent.face_result_for(clock::now(), std::time::Duration::from_millis(50), SUCCEEDED).await
    }

    /// The facts about results, in order.
    async fn reported_outcomes(&self) -> Result<Vec<String>> {
        let query = "SELECT event::jsonb->'linkage_result_observed'->>'outcome' FROM projection.fact \
                     WHERE kind = 'linkage_result_observed' ORDER BY seq";
        let rows = self.world.store().await?.query(query, &[]).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    async fn outcomes(&self, expected: &[&str]) -> Result<()> {
        wait::until(&format!("{expected:?}"), PATIENCE, async || {
            let outcomes = self.reported_outcomes().await?;
            ensure!(outcomes == expected, "{outcomes:?}");
            Ok(())
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn collection_is_reduced_at_once_and_stays_reduced_while_the_server_is_down() -> Result<()> {
    let mut clinic = Clinic::open("collection", "headers").await?;
    clinic.collects("headers", 0).await?;
    clinic.result().await?;
    clinic.outcomes(&["ok"]).await?;

    clinic.limit("names").await?;
    clinic.collects("names", 1).await?;
    clinic.result().await?;
    clinic.outcomes(&["ok", "not_read"]).await?;

    clinic.limit("readers").await?;
    clinic.collects("readers", 2).await?;
    clinic.result().await?;
    let sent = clinic.agent.run(&["sent"]).await?;
    let taken = sent.lines().filter(|line| line.contains("settings_taken")).count();
    ensure!(taken == 2, "`sent` shows the answer to the settings like everything else that leaves:\n{sent}");

    // The server stops and the terminal restarts: the last settings still apply.
    clinic.server.kill()?;
    clinic.agent.process()?.terminate(PATIENCE).await?;
    clinic.agent.launch()?;
    let check = clinic.agent.try_run(&["check"]).await?;
    let said = String::from_utf8(check.stdout)?;
    ensure!(said.contains("lowered to \"readers\""), "{said}");
    clinic.result().await?;

    // After its restart the terminal reports the settings once more.
    clinic.server.serve().await?;
    clinic.collects("readers", 3).await?;
    clinic.limit("headers").await?;
    clinic.collects("headers", 4).await?;
    // The agent looks again within a second. The first result that it sees is read like the earlier ones, and none from
    // the pause is reported.
    let mut left = 0;
    let outcomes = wait::until("results to be read again", PATIENCE, async || {
        clinic.result().await?;
        left += 1;
        let outcomes = clinic.reported_outcomes().await?;
        ensure!(outcomes.len() > 2, "{outcomes:?}");
        Ok(outcomes)
    })
    .await?;
    let (before, after) = outcomes.split_at(2);
    ensure!(before == ["ok", "not_read"] && after.len() <= left && after.iter().all(|one| one == "ok"), "{outcomes:?}");

    let page = reqwest::get(format!("{}/facilities/{CODE}?lang=ja", clinic.server.web)).await?.text().await?;
    ensure!(page.contains("収集範囲") && page.contains("結果ファイルの見出しまで"), "{page}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_more_is_collected_than_the_terminal_is_configured_for() -> Result<()> {
    let clinic = Clinic::open("collection-raised", "names").await?;
    clinic.collects("names", 0).await?;
    clinic.limit("headers").await?;
    clinic.collects("names", 1).await?;
    clinic.result().await?;
    clinic.outcomes(&["not_read"]).await?;
    let limit = clinic.server.facility(CODE).await?["facility"]["status"]["collection_limit"].clone();
    ensure!(limit["most"] == "headers" && limit["by"] == "鈴木" && limit["reason"] == "院長の希望", "{limit}");
    let explained = clinic.server.run(&["explain", CODE, "--format", "json"]).await?;
    let explained: Value = serde_json::from_str(&explained)?;
    ensure!(explained.to_string().contains("collection_limited"), "{explained}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_agent_is_sent_no_settings() -> Result<()> {
    let siege = Siege::begin("collection-older").await?;
    let it = Intruder::enter(&siege, HONEST).await?;
    siege
        .server
        .run(&["collection", "set", "--most", "readers", "--facility", HONEST, "--by", "鈴木", "--why", "希望"])
        .await?;
    let hears = async |takes_settings: bool| -> Result<Vec<wire::Down>> {
        let hello = wire::Hello { takes_settings, ..it.hello() };
        it.say([up::Message::Hello(hello)]).await?.messages()
    };
    let is_settings = |down: &wire::Down| matches!(down.message, Some(down::Message::Settings(_)));
    wait::until("one that takes settings to be sent them", PATIENCE, async || {
        let heard = hears(true).await?;
        ensure!(heard.iter().any(is_settings), "{heard:?}");
        Ok(())
    })
    .await?;
    let heard = hears(false).await?;
    ensure!(heard.len() == 1 && matches!(heard[0].message, Some(down::Message::Welcome(_))), "{heard:?}");
    Ok(())
}
