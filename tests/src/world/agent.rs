//! The agent of one terminal, run by its configuration file and its command line, as at a clinic.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};

use super::pcscd::Pcscd;
use super::process::{Process, command_within};
use super::server::Server;
use super::{Build, World, port};

/// The test's settings for an agent.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub build: Build,
    /// Reader names or patterns, each with its role: `phone`, `face_auth`, `staff_login` or `other`.
    pub readers: Vec<(&'static str, &'static str)>,
    /// The socket of a [`Pcscd`]; without it, the agent finds no resource manager.
    pub pcscd: Option<PathBuf>,
    /// Whether there is a desk page.
    pub desk: bool,
    /// More lines for the end of the configuration, such as `[spool]` and its settings.
    pub more: String,
    /// Whether strace records the files that it opens and its connections; see [`Agent::trace`].
    pub traced: bool,
    /// Words before the program, such as the entry into a network namespace.
    pub within: Vec<String>,
    /// Environment variables, such as `YOMITORI_CRASH`.
    pub env: Vec<(String, String)>,
}

impl Plan {
    /// A terminal with the reader for phones on the first slot of `pcscd`.
    #[must_use]
    pub fn with_phone_reader(pcscd: &Pcscd) -> Self {
        Self { readers: vec![(Pcscd::READERS[0], "phone")], pcscd: Some(pcscd.socket()), ..Self::default() }
    }
}

/// An agent of a world. It stops when it is dropped.
#[derive(Debug)]
pub struct Agent {
    /// The linkage folder for results of the face reader.
    pub face: PathBuf,
    /// The linkage folder for results requested by the clinic's software.
    pub res: PathBuf,
    /// Identity and spool.
    pub state: PathBuf,
    /// The address of the desk page, such as `http://127.0.0.1:7480`; empty without a desk page.
    pub desk: String,
    plan: Plan,
    config: PathBuf,
    log: PathBuf,
    process: Option<Process>,
}

impl Agent {
    /// Enrols a terminal for the facility with `code`, and starts its agent.
    ///
    /// # Errors
    /// If it can't be enrolled or started.
    pub async fn start(world: &World, server: &Server, code: &str, plan: Plan) -> Result<Self> {
        let mut agent = Self::prepare(world, &server.uplink, plan)?;
        agent.enrol(server, code).await?;
        agent.launch()?;
        Ok(agent)
    }

    /// Writes the configuration of a terminal for the server at `uplink`, without an identity.
    ///
    /// # Errors
    /// If a file can't be written.
    pub fn prepare(world: &World, uplink: &str, plan: Plan) -> Result<Self> {
        let folder = world.new_folder(&format!("agent-{}", uuid::Uuid::new_v4().simple()))?;
        let [face, res, state] = ["face", "res", "state"].map(|name| folder.join(name));
        for made in [&face, &res, &state] {
            std::fs::create_dir(made).with_context(|| format!("make {made:?}"))?;
        }
        let mut text = format!(
            "state_dir = {state:?}\n[server]\naddress = {uplink:?}\n\
             [[linkage]]\nfolder = \"face\"\npath = {face:?}\n[[linkage]]\nfolder = \"res\"\npath = {res:?}\n"
        );
        for (name, role) in &plan.readers {
            text += &format!("[[reader]]\nname = {name:?}\nrole = {role:?}\n");
        }
        // Concurrent agents need different ports.
        let listen = if plan.desk { format!("127.0.0.1:{}", port::free()?) } else { "off".to_owned() };
        text += &format!("[desk]\nlisten = {listen:?}\n");
        text += &plan.more;
        let config = folder.join("agent.toml");
        std::fs::write(&config, text).context("write the agent's configuration")?;
        Ok(Self {
            face,
            res,
            state,
            desk: format!("http://{listen}"),
            plan,
            config,
            log: folder.join("agent.log"),
            process: None,
        })
    }

    /// Enrols the terminal with a token from an operator of `server`.
    ///
    /// # Errors
    /// If either side refuses.
    pub async fn enrol(&self, server: &Server, code: &str) -> Result<()> {
        let token = server.token(code).await?;
        self.run(&["enrol", "--token", &token]).await?;
        Ok(())
    }

    /// Starts the process, also after [`kill`](Self::kill).
    ///
    /// # Errors
    /// If it can't be started.
    pub fn launch(&mut self) -> Result<&mut Process> {
        let mut command = self.command();
        command.arg("run").envs(self.plan.env.iter().map(|(name, value)| (name, value)));
        let command = if self.plan.traced { self.under_strace(&command) } else { command };
        Ok(self.process.insert(Process::start("yomitori-agent", command, &self.log)?))
    }

    /// Runs strace as a second process, so that the process is still the agent's.
    fn under_strace(&self, agent: &Command) -> Command {
        let mut command = Command::new("strace");
        command.args([
            "-D",
            "-f",
            "-qq",
            "-s",
            "4096",
            "-e",
            "trace=%file,%network,execve,inotify_add_watch",
            "-A",
            "-o",
        ]);
        command.arg(self.log.with_extension("trace")).arg(agent.get_program()).args(agent.get_args());
        // Cargo's library folders don't belong to the agent.
        command.env_remove("LD_LIBRARY_PATH").envs(agent.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command
    }

    /// The system calls that strace recorded, if the plan asks for them.
    #[must_use]
    pub fn trace(&self) -> String {
        let bytes = std::fs::read(self.log.with_extension("trace")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The path of the agent's configuration.
    #[must_use]
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Changes the environment of the next start.
    pub fn set_env(&mut self, env: Vec<(String, String)>) {
        self.plan.env = env;
    }

    /// Its process.
    ///
    /// # Errors
    /// If it was never started.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the agent was not started")
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

    /// A result of the face reader as the official software writes it: named by the time `at`, removed after 200 ms.
    ///
    /// # Errors
    /// If the file can't be written.
    pub async fn face_result(&self, at: DateTime<Utc>) -> Result<()> {
        self.face_result_for(at, Duration::from_millis(200), "<XmlMsg/>").await
    }

    /// A result of the face reader that exists for `for_long` and contains `text`.
    ///
    /// # Errors
    /// If the file can't be written.
    pub async fn face_result_for(&self, at: DateTime<Utc>, for_long: Duration, text: &str) -> Result<()> {
        // The official software numbers them, because several may appear in one second.
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let japan = (at.naive_utc() + TimeDelta::hours(9)).format("%Y%m%d%H%M%S");
        let file = self.face.join(format!("OQSsiquc01res_face_1319999015{count:06}_{japan}.xml"));
        std::fs::write(&file, text).with_context(|| format!("write {file:?}"))?;
        tokio::time::sleep(for_long).await;
        std::fs::remove_file(&file).with_context(|| format!("remove {file:?}"))
    }

    fn command(&self) -> Command {
        let mut command = command_within(&self.plan.within, &self.plan.build.program("yomitori-agent"));
        let nowhere = self.state.join("no-resource-manager");
        command
            .arg("--config")
            .arg(&self.config)
            .env("PCSCLITE_CSOCK_NAME", self.plan.pcscd.as_ref().unwrap_or(&nowhere));
        command
    }

    /// Runs a command such as `check` or `sent`, and returns its output whether it succeeds or fails.
    ///
    /// # Errors
    /// If the program can't be run.
    pub async fn try_run(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command();
        command.args(arguments).stdin(Stdio::null());
        tokio::task::spawn_blocking(move || command.output()).await?.context("run yomitori-agent; is it built?")
    }

    /// Runs a command that must succeed, and returns its output.
    ///
    /// # Errors
    /// If the command fails. The error contains its output.
    pub async fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.try_run(arguments).await?;
        let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            let command = arguments.first().copied().unwrap_or_default();
            bail!("yomitori-agent {command}: {}: {error}{said}", output.status);
        }
        Ok(said.into_owned())
    }
}
