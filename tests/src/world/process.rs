//! A program that a test runs: its output in a file, its end in the test's hands.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process};

use super::wait;

/// `program`, with the words of `within` in front of it, such as the entry into a network namespace.
pub(super) fn command_within(within: &[String], program: &Path) -> Command {
    let Some((first, rest)) = within.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

/// A running program. It ends with its value.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; what it prints is appended to `log`.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log).with_context(|| format!("open {log:?}"))?;
        let err = out.try_clone().context("share the log")?;
        command.stdout(out).stderr(err);
        Self::start_with_own_output(name, command, log)
    }

    /// Starts `command`, whose output the caller has directed; `log` is what failures quote.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start_with_own_output(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        command.stdin(Stdio::null());
        Self::start_as_is(name, command, log)
    }

    pub(super) fn start_as_is(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let program = command.get_program().to_owned();
        let child =
            command.spawn().with_context(|| format!("start {name} ({program:?}); is it built? tests/run does"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has printed so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// `error` with the end of the log, as a failure should tell it.
    #[must_use]
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.iter().skip(lines.len().saturating_sub(25)).copied().collect::<Vec<_>>().join("\n");
        error.context(format!("{} (process {})\n--- the end of {:?}\n{tail}\n---", self.name, self.pid(), self.log))
    }

    /// An error once it has ended, for use while waiting for it.
    ///
    /// # Errors
    /// When it has ended.
    pub fn alive(&mut self) -> Result<()> {
        match self.child.try_wait().context("ask for the process")? {
            None => Ok(()),
            Some(status) => Err(self.explain(anyhow!("{} has ended: {status}", self.name))),
        }
    }

    /// `kill -9`, as a power cut does it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        if self.child.try_wait().context("ask for the process")?.is_none() {
            self.child.kill().context("kill")?;
        }
        self.child.wait().context("wait for the killed process")?;
        Ok(())
    }

    /// SIGTERM, as an administrator or the system does it.
    ///
    /// # Errors
    /// When it doesn't end within `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended(limit).await
    }

    /// Sends `signal`.
    ///
    /// # Errors
    /// When the process is gone.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.alive()?;
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("a process number")?;
        kill_process(pid, signal).with_context(|| format!("signal {}", self.name))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When it doesn't come within `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait::until(&what, limit, async || self.child.try_wait()?.context("it is still running")).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing can be done about a failure here; a test that cares calls `kill` or `terminate` itself.
        self.kill().ok();
    }
}
