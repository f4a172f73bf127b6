//! A relay on another machine of the clinic, run by its command line.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result};

use super::process::{Process, command_within};
use super::{Build, World};

/// A relay of a world. It stops when it is dropped.
#[derive(Debug)]
pub struct Relay {
    /// Words before the program, such as the entry into a network namespace.
    within: Vec<String>,
    arguments: Vec<String>,
    log: PathBuf,
    process: Option<Process>,
}

impl Relay {
    /// A relay from `terminals` to `server`, each `host:port`; not started yet.
    #[must_use]
    pub fn prepare(world: &World, server: &str, terminals: &[String], within: &[String]) -> Self {
        let mut arguments = vec!["relay".to_owned(), "--server".to_owned(), server.to_owned()];
        for terminal in terminals {
            arguments.extend(["--terminal".to_owned(), terminal.clone()]);
        }
        let log = world.folder().join(format!("relay-{}.log", uuid::Uuid::new_v4().simple()));
        Self { within: within.to_vec(), arguments, log, process: None }
    }

    /// Starts the process, also after it was killed.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn launch(&mut self) -> Result<&mut Process> {
        let command = self.command();
        Ok(self.process.insert(Process::start("yomitori-agent relay", command, &self.log)?))
    }

    /// Its process.
    ///
    /// # Errors
    /// If it was never started.
    pub fn process(&mut self) -> Result<&mut Process> {
        self.process.as_mut().context("the relay was not started")
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    /// The output of `relay --check`.
    ///
    /// # Errors
    /// If the program can't be run.
    pub async fn check(&self) -> Result<Output> {
        let mut command = self.command();
        command.arg("--check").stdin(Stdio::null());
        tokio::task::spawn_blocking(move || command.output()).await?.context("run yomitori-agent; is it built?")
    }

    fn command(&self) -> Command {
        let mut command = command_within(&self.within, &Build::Released.program("yomitori-agent"));
        command.args(&self.arguments);
        command
    }
}
