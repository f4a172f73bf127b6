//! The server, run by its configuration file, its command line and its web pages, as by an operator.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::process::Process;
use super::{Build, World, port, wait};

/// The test's settings for a server.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub build: Build,
    /// The value of `--roles`; all roles if empty.
    pub roles: &'static str,
    /// The uplink's address; loopback if `None`.
    pub at: Option<Ipv4Addr>,
    /// The value of `agents.unconfirmed_mib`; the default if `None`.
    pub unconfirmed_mib: Option<u32>,
    /// Environment variables, such as `YOMITORI_CRASH`.
    pub env: Vec<(String, String)>,
}

/// The partitions of a world's topic.
pub const PARTITIONS: i32 = 4;

/// A server of a world. It stops when it is dropped.
#[derive(Debug)]
pub struct Server {
    /// The address of the pages, such as `http://127.0.0.1:12345`.
    pub web: String,
    /// The address for agents, such as `https://127.0.0.1:12346`.
    pub uplink: String,
    plan: Plan,
    config: PathBuf,
    log: PathBuf,
    process: Option<Process>,
    client: reqwest::Client,
}

impl Server {
    /// Prepares database, topic and certificate authority, and starts the server; returns when it answers.
    ///
    /// # Errors
    /// If it doesn't start.
    pub async fn start(world: &World, plan: Plan) -> Result<Self> {
        let mut server = Self::prepare(world, plan).await?;
        server.serve().await?;
        Ok(server)
    }

    /// Like [`start`](Self::start), without the start itself.
    ///
    /// # Errors
    /// If `migrate` fails.
    pub async fn prepare(world: &World, plan: Plan) -> Result<Self> {
        let server = Self::configure(world, plan)?;
        server.run(&["migrate"]).await?;
        Ok(server)
    }

    /// Writes the configuration, and nothing else.
    ///
    /// # Errors
    /// If it can't be written.
    pub fn configure(world: &World, plan: Plan) -> Result<Self> {
        let (web, uplink) = (port::free()?, port::free()?);
        let folder = world.new_folder(&format!("server-{web}"))?;
        // One certificate authority for all servers of a world.
        let state = world.new_folder("authority")?;
        let config = folder.join("server.toml");
        let at = plan.at.unwrap_or(Ipv4Addr::LOCALHOST);
        let unconfirmed = plan.unconfirmed_mib.map(|mib| format!("unconfirmed_mib = {mib}\n")).unwrap_or_default();
        let text = format!(
            "state_dir = {state:?}\n[database]\nurl = {:?}\n[kafka]\nbootstrap_servers = {:?}\ntopic = {:?}\npartitions = {PARTITIONS}\n\
             [agents]\nlisten = \"{at}:{uplink}\"\nnames = [\"localhost\", \"{at}\"]\n{unconfirmed}\
             [web]\nlisten = \"127.0.0.1:{web}\"\n",
            world.database, world.kafka.address, world.topic
        );
        std::fs::write(&config, text).context("write the server's configuration")?;
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build()?;
        Ok(Self {
            web: format!("http://127.0.0.1:{web}"),
            uplink: format!("https://{at}:{uplink}"),
            plan,
            config,
            log: folder.join("server.log"),
            process: None,
            client,
        })
    }

    /// Starts the process, also after [`kill`](Self::kill); returns when it answers.
    ///
    /// # Errors
    /// If it doesn't start.
    pub async fn serve(&mut self) -> Result<()> {
        self.launch()?;
        self.ready().await
    }

    /// Starts the process without waiting for an answer, because a planned crash may prevent one.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn launch(&mut self) -> Result<&mut Process> {
        let mut command = self.command();
        command.arg("serve").envs(self.plan.env.iter().map(|(name, value)| (name, value)));
        if !self.plan.roles.is_empty() {
            command.args(["--roles", self.plan.roles]);
        }
        Ok(self.process.insert(Process::start("yomitori-server", command, &self.log)?))
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// If it doesn't, or has ended.
    pub async fn ready(&mut self) -> Result<()> {
        let url = format!("{}/healthz", self.web);
        let (client, process) = (self.client.clone(), self.process()?);
        wait::until("the server's /healthz", wait::PATIENCE, async || {
            process.alive()?;
            client.get(&url).send().await?.error_for_status()?;
            Ok(())
        })
        .await
    }

    /// Changes the environment of the next start.
    pub fn set_env(&mut self, env: Vec<(String, String)>) {
        self.plan.env = env;
    }

    /// The value of `--roles`; empty for all roles.
    #[must_use]
    pub const fn roles(&self) -> &'static str {
        self.plan.roles
    }

    /// Its process.
    ///
    /// # Errors
    /// If it was never started.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the server was not started")
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// If it was never started.
    pub fn kill(&mut self) -> Result<()> {
        self.process()?.kill()
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// The program.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.plan.build.program("yomitori-server")
    }

    /// Its configuration file.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The program with its configuration, without a command.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(self.program());
        // The variables of the shared services would override the file.
        command.arg("--config").arg(&self.config).env_remove("YOMITORI_KAFKA").env_remove("YOMITORI_POSTGRES");
        command
    }

    /// Runs a command such as `status`, and returns its output whether it succeeds or fails.
    ///
    /// # Errors
    /// If the program can't be run.
    pub async fn try_run(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::null());
        tokio::task::spawn_blocking(move || command.output()).await?.context("run yomitori-server; is it built?")
    }

    /// Waits until no record is parked.
    ///
    /// # Errors
    /// If some still are after a while.
    pub async fn nothing_waits(&self) -> Result<()> {
        wait::until("nothing to wait", wait::PATIENCE, async || {
            let found: Value = serde_json::from_str(&self.run(&["parked", "list", "--format", "json"]).await?)?;
            ensure!(found.as_array().is_some_and(Vec::is_empty), "{found:#}");
            Ok(())
        })
        .await
    }

    /// Runs a command that must succeed, and returns its output.
    ///
    /// # Errors
    /// If the command fails. The error contains its output.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.try_run(arguments).await?;
        let error = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            bail!("yomitori-server {}: {}: {error}", arguments.join(" "), output.status);
        }
        String::from_utf8(output.stdout).context("what yomitori-server printed")
    }

    /// Registers facilities; `csv` has the columns code, name and prefecture. Where this server projects, returns when the
    /// store knows the last one: on a busy machine that takes longer than the command waits.
    ///
    /// # Errors
    /// If the import is refused.
    pub async fn import(&self, csv: &str) -> Result<()> {
        let file = self.config.with_file_name("facilities.csv");
        std::fs::write(&file, csv).context("write the table")?;
        self.run(&["facility", "import", &file.to_string_lossy()]).await?;
        let projects = self.plan.roles.is_empty() || self.plan.roles.contains("projector");
        let last = csv.lines().last().and_then(|row| row.split([',', ' ']).next()).unwrap_or_default();
        if self.process.is_none() || !projects || csv.lines().count() < 2 {
            return Ok(());
        }
        wait::until("the last facility to be known", wait::PATIENCE, async || {
            self.run(&["status", "--facility", last, "--format", "json"]).await.map(|_| ())
        })
        .await
    }

    /// An enrolment token for a terminal of the facility with `code`.
    ///
    /// # Errors
    /// If the facility is unknown.
    pub async fn token(&self, code: &str) -> Result<String> {
        let printed = self.run(&["token", "issue", "--facility", code]).await?;
        Ok(printed.trim().to_owned())
    }

    /// The JSON at `path`, such as `/api/v1/facilities`.
    ///
    /// # Errors
    /// If the server doesn't answer with success.
    pub async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.client.get(format!("{}{path}", self.web)).send().await.context("ask the server")?;
        answer.error_for_status().context("the server's answer")?.json().await.context("read the answer")
    }

    /// The API's answer about the facility with `code`.
    ///
    /// # Errors
    /// If the facility is unknown.
    pub async fn facility(&self, code: &str) -> Result<Value> {
        self.get(&format!("/api/v1/facilities/{code}")).await
    }
}
