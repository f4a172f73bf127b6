//! An installation with facilities, a terminal, a list and an analyst, which can be backed up, lost and restored.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;
use yomitori_agent::identity::Identity;
use yomitori_simulation::clock;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::services::root;
use yomitori_tests::world::wait::{self, PATIENCE};
use yomitori_tests::world::{World, postgres};

use super::page;

/// With a terminal, and eligible.
pub(crate) const TERMINAL: &str = "1319999015";
/// Opts out during the backup.
pub(crate) const DURING: &str = "1319999023";
/// On the ministry's list; opts out after the backup.
pub(crate) const AFTER: &str = "1339999011";

/// What follows from the log alone. Connections, and what depends on the hour, are left out.
const AXES: [&str; 9] =
    ["name", "codes", "equipment", "evidence", "eligible", "intent", "intent_history", "opt_out", "listing"];
const STOPS_WITHIN: Duration = Duration::from_secs(15);

/// The axes of each facility, by its first code.
pub(crate) type Statuses = BTreeMap<String, Value>;

/// Dropped in this order: a server that runs without its services delays their end.
pub(crate) struct Site {
    pub(crate) agent: Agent,
    pub(crate) server: Server,
    pub(crate) world: World,
    /// A token that is not used yet, for a second terminal.
    pub(crate) token: String,
}

impl Site {
    /// An installation by the page, with a little of everything that a backup has to keep.
    pub(crate) async fn open(test: &str) -> Result<Self> {
        let mut world = World::with_own_services(test).await?;
        world.new_folder("backup")?;
        succeeded(on_machine(&world, Path::new(""), &role_and_database()?).await?)?;
        world.database = login(&world, "yomitori:secret")?;
        let server = Server::start(&world, Plan::default()).await?;
        let register = "code,name,prefecture\n1319999015,のこる医院,東京都\n1319999023,とちゅうの医院,東京都\n\
                        1339999011,あとの歯科,東京都\n";
        server.import(register).await?;
        let agent = Agent::start(&world, &server, TERMINAL, AgentPlan::default()).await?;
        let token = server.token(TERMINAL).await?;
        let site = Self { world, server, agent, token };
        site.psql(&analyst()?).await?;
        site.server.run(&["read", "record", "--facility", TERMINAL, "--os", "ios", "--by", "Suzuki"]).await?;
        site.import_list().await?;
        site.result().await?;
        wait::until("everything to be folded", PATIENCE, async || {
            let statuses = site.statuses().await?;
            ensure!(statuses[TERMINAL]["eligible"]["key"] == "eligible", "{statuses:#?}");
            ensure!(statuses[AFTER]["listing"]["key"] == "listed", "{statuses:#?}");
            ensure!(statuses[DURING]["listing"]["key"] == "not_listed", "{statuses:#?}");
            Ok(())
        })
        .await?;
        Ok(site)
    }

    /// Imports the ministry's list, or imports it again.
    pub(crate) async fn import_list(&self) -> Result<String> {
        let file = self.world.folder().join("list.csv");
        std::fs::write(&file, format!("code,name\n{AFTER},あとの歯科\n4719900001,よその医院\n"))?;
        let file = file.to_string_lossy().into_owned();
        let import = ["listing", "import", &file, "--source", "mhlw", "--as-of", "2026-04-01", "--coverage", "full"];
        self.server.run(&import).await
    }

    /// Runs commands of a page; stops the server before them and starts it after them if they say so.
    pub(crate) async fn run(&mut self, commands: &str) -> Result<String> {
        if commands.contains("systemctl stop yomitori-server") {
            self.stop().await?;
        }
        let printed = succeeded(self.try_run(commands).await?)?;
        if commands.contains("systemctl start yomitori-server") {
            self.server.serve().await?;
        }
        Ok(printed)
    }

    /// Runs commands of a page that may fail, and touch neither the server's start nor its stop.
    pub(crate) async fn try_run(&self, commands: &str) -> Result<Output> {
        on_machine(&self.world, self.server.config(), &page::in_folder(commands)?).await
    }

    /// Stops the server, if it runs.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        let server = self.server.process()?;
        if server.alive().is_ok() {
            server.terminate(STOPS_WITHIN).await?;
        }
        Ok(())
    }

    /// The disk with everything on it is lost. On the new one are the role and an empty database.
    pub(crate) async fn lose_the_machine(&mut self) -> Result<()> {
        self.stop().await?;
        self.agent.kill()?;
        let commands = format!("lose_the_machine\n{}", role_and_database()?);
        succeeded(on_machine(&self.world, self.server.config(), &commands).await?)?;
        Ok(())
    }

    /// Runs SQL as the superuser.
    pub(crate) async fn psql(&self, sql: &str) -> Result<String> {
        let commands = format!("psql --quiet --tuples-only --set ON_ERROR_STOP=1 yomitori <<'SQL'\n{sql}\nSQL\n");
        succeeded(on_machine(&self.world, self.server.config(), &commands).await?)
    }

    /// The facility states that it opts out; returns when that is shown.
    pub(crate) async fn opts_out(&self, code: &str) -> Result<()> {
        let intent = ["intent", "set", "--intent", "do_not_want", "--facility", code, "--by", "Suzuki", "--why", "x"];
        self.server.run(&intent).await?;
        wait::until("the statement", PATIENCE, async || {
            let statuses = self.statuses().await?;
            ensure!(statuses[code]["intent"]["key"] == "do_not_want", "{statuses:#?}");
            Ok(())
        })
        .await
    }

    /// A result of the face reader at the terminal; returns when it is in the store.
    pub(crate) async fn result(&self) -> Result<()> {
        let before = self.results().await?;
        self.agent.face_result(clock::now()).await?;
        wait::until("the result in the store", PATIENCE, async || {
            ensure!(self.results().await? == before + 1, "it is not there");
            Ok(())
        })
        .await
    }

    async fn results(&self) -> Result<i64> {
        self.count("projection.fact WHERE kind = 'linkage_result_observed'").await
    }

    pub(crate) async fn count(&self, what: &str) -> Result<i64> {
        let store = self.world.store().await?;
        Ok(store.query_one(&format!("SELECT count(*) FROM {what}"), &[]).await?.get(0))
    }

    pub(crate) async fn statuses(&self) -> Result<Statuses> {
        let printed = self.server.run(&["status", "--format", "json"]).await?;
        let all: Vec<Value> = serde_json::from_str(&printed)?;
        let axes = |status: &Value| AXES.iter().map(|axis| ((*axis).to_owned(), status[*axis].clone())).collect();
        let code = |status: &Value| status["codes"][0]["code"].as_str().map(str::to_owned);
        all.iter().map(|status| Ok((code(status).context("a code")?, axes(status)))).collect()
    }

    /// Waits until the statuses are these.
    pub(crate) async fn shows(&self, expected: &Statuses) -> Result<()> {
        wait::until("the statuses of before", PATIENCE, async || {
            let found = self.statuses().await?;
            ensure!(found == *expected, "{found:#?} in place of {expected:#?}");
            Ok(())
        })
        .await
    }

    /// What was shown at an instant.
    pub(crate) async fn known_at(&self, at: DateTime<Utc>) -> Result<Vec<Value>> {
        let at = at.to_rfc3339_opts(SecondsFormat::Micros, true);
        Ok(serde_json::from_str(&self.server.run(&["status", "--known-at", &at, "--format", "json"]).await?)?)
    }

    /// The status now by all that is known now, which the restored history has otherwise.
    pub(crate) async fn as_of_now(&self) -> Result<Vec<Value>> {
        let at = clock::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        Ok(serde_json::from_str(&self.server.run(&["status", "--as-of", &at, "--format", "json"]).await?)?)
    }

    /// The database's clock.
    pub(crate) async fn now(&self) -> Result<DateTime<Utc>> {
        Ok(self.world.store().await?.query_one("SELECT clock_timestamp()", &[]).await?.get(0))
    }

    /// Whether log and store agree, and what `log verify` prints.
    pub(crate) async fn verified(&self) -> Result<(bool, String)> {
        let output = self.server.try_run(&["log", "verify"]).await?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
    }

    /// Waits until log and store agree: the restored database may still be folding.
    pub(crate) async fn agrees(&self) -> Result<()> {
        wait::until("log and store to agree", PATIENCE, async || {
            let (agree, said) = self.verified().await?;
            ensure!(agree && said.contains("they agree"), "{said}");
            ensure!(self.is_folded().await?, "not all is folded");
            Ok(())
        })
        .await
    }

    /// Whether the database has reached the end of the log.
    pub(crate) async fn is_folded(&self) -> Result<bool> {
        let ends = self.ends().await?;
        Ok(self.folded().await?.iter().all(|(partition, next)| ends.get(partition).copied().unwrap_or(0) == *next))
    }

    /// How far each partition is folded.
    async fn folded(&self) -> Result<BTreeMap<i32, i64>> {
        let rows =
            self.world.store().await?.query("SELECT partition, next_offset FROM projection.progress", &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Where each partition that has records ends.
    async fn ends(&self) -> Result<BTreeMap<i32, i64>> {
        let records = self.world.records().await?;
        Ok(records.iter().map(|record| (record.partition, record.offset + 1)).collect())
    }

    /// Waits until the server's journal says this.
    pub(crate) async fn says(&self, what: &str) -> Result<()> {
        wait::until(what, PATIENCE, async || {
            ensure!(self.server.log().contains(what));
            Ok(())
        })
        .await
    }

    /// People make statements until every partition is longer than what the database has folded of it.
    pub(crate) async fn outgrow(&self) -> Result<()> {
        let store = self.world.store().await?;
        for (partition, old) in self.folded().await? {
            let short = old - self.ends().await?.get(&partition).copied().unwrap_or(0);
            if short <= 0 {
                continue;
            }
            let query = "SELECT code FROM projection.facility WHERE partition = $1 LIMIT 1";
            let code: String = store.query_one(query, &[&partition]).await?.get(0);
            let span = ["--from", "2026-05-01", "--to", "2026-05-02", "--by", "Suzuki", "--why", "works"];
            for _ in 0..=short {
                self.server.run(&[&["maintenance", "set", "--facility", &code][..], &span].concat()).await?;
            }
        }
        Ok(())
    }

    /// The terminal connects with the identity that it has.
    pub(crate) async fn connects(&mut self) -> Result<()> {
        // It would come by itself, after a pause of up to a minute.
        self.agent.kill()?;
        self.agent.launch()?;
        wait::until("the terminal", PATIENCE, async || {
            let status = self.server.run(&["status", "--facility", TERMINAL, "--format", "json"]).await?;
            let status: Value = serde_json::from_str(&status)?;
            ensure!(status["connected"] == true, "{:#}; the agent: {}", status["terminals"], self.agent.log());
            Ok(())
        })
        .await
    }

    /// The certificate with which the terminal connects.
    pub(crate) fn certificate(&self) -> Result<Vec<u8>> {
        let identity = Identity::load(&self.agent.state)?.context("an identity")?;
        Ok(identity.certificate().to_vec())
    }

    /// Whether a token enrols a terminal.
    pub(crate) async fn enrols(&self, token: &str) -> Result<Output> {
        let agent = Agent::prepare(&self.world, &self.server.uplink, AgentPlan::default())?;
        agent.try_run(&["enrol", "--token", token]).await
    }

    /// The numbers of the terminal's observations that never arrived, by the API.
    pub(crate) async fn missing(&self) -> Result<Vec<Value>> {
        let facility = self.server.facility(TERMINAL).await?;
        let lives = facility["completeness"].as_array().context("completeness")?;
        let holes = lives.iter().filter_map(|life| life["holes"].as_array()).flatten();
        Ok(holes.filter(|hole| hole["what"] == "missing").cloned().collect())
    }

    /// The analyst reads the facts and the facilities.
    pub(crate) async fn analyst_reads(&self) -> Result<i64> {
        let analyst = postgres::connect(&login(&self.world, "analyst:change%20me")?).await?;
        let query = "SELECT count(*) FROM analytics.fact JOIN projection.facility USING (facility_id)";
        Ok(analyst.query_one(query, &[]).await?.get(0))
    }
}

/// The URL of the database `yomitori` for a role and its password.
fn login(world: &World, who: &str) -> Result<String> {
    let (_, place) = world.postgres.url.rsplit_once('@').context("a login in the URL")?;
    let (place, _) = place.rsplit_once('/').context("a database in the URL")?;
    Ok(format!("postgres://{who}@{place}/yomitori"))
}

/// The commands that make role and database; there is no socket here, so the role has a password.
fn role_and_database() -> Result<String> {
    let install = page::block("install-server.md", "3. PostgreSQL: role and database")?;
    let install = page::part(&install, "sudo -u postgres createuser", "sudo -u postgres createdb")?;
    Ok(format!("{install}\npsql --quiet --command \"ALTER ROLE yomitori PASSWORD 'secret'\"\n"))
}

/// The page's SQL for an account that can only read.
pub(crate) fn analyst() -> Result<String> {
    page::block("query.md", "An account that can only read")
}

/// The same without the role, which outlives the database.
pub(crate) fn analysts_rights() -> Result<String> {
    page::part(&analyst()?, "GRANT CONNECT", "ALTER DEFAULT PRIVILEGES")
}

async fn on_machine(world: &World, config: &Path, commands: &str) -> Result<Output> {
    let mut command = Command::new("bash");
    command
        .arg(root().join("tests/tests/journeys/restore/machine.sh"))
        .arg(commands)
        .env("ROOT", root())
        .env("WORLD", world.folder())
        .env("PROGRAM", yomitori_tests::world::Build::Released.program("yomitori-server"))
        .env("CONFIG", config)
        // The variables of the shared services would override the configuration.
        .env_remove("YOMITORI_KAFKA")
        .env_remove("YOMITORI_POSTGRES")
        .stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output()).await?.context("run bash")
}

/// What the commands printed, if they succeeded.
fn succeeded(output: Output) -> Result<String> {
    let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "the commands ended with {}: {error}{said}", output.status);
    Ok(said.into_owned())
}
