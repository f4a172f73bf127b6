//! A program that a test runs and stops, with its output in a file.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process, setpriority_process};

use super::wait;

/// `program`, with the words of `within` before it, such as the entry into a network namespace.
pub(super) fn command_within(within: &[String], program: &Path) -> Command {
    let Some((first, rest)) = within.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

/// A running program. It stops when it is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`; its output is appended to `log`.
    ///
    /// # Errors
    /// If it can't be started.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log).with_context(|| format!("open {log:?}"))?;
        let err = out.try_clone().context("share the log")?;
        command.stdout(out).stderr(err);
        Self::start_with_own_output(name, command, log)
    }

    /// Starts `command`, whose output the caller has redirected; failures quote `log`.
    ///
    /// # Errors
    /// If it can't be started.
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

    /// The process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its output so far.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read(&self.log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }

    /// Adds the end of the log to `error`.
    #[must_use]
    pub fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines.iter().skip(lines.len().saturating_sub(25)).copied().collect::<Vec<_>>().join("\n");
        error.context(format!("{} (process {})\n--- the end of {:?}\n{tail}\n---", self.name, self.pid(), self.log))
    }

    /// Returns an error if the process has ended, for use while waiting for it.
    ///
    /// # Errors
    /// If it has ended.
    pub fn alive(&mut self) -> Result<()> {
        match self.child.try_wait().context("poll the process")? {
            None => Ok(()),
            Some(status) => Err(self.explain(anyhow!("{} has ended: {status}", self.name))),
        }
    }

    /// `kill -9`, like a power cut.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        if self.child.try_wait().context("poll the process")?.is_none() {
            self.child.kill().context("kill")?;
        }
        self.child.wait().context("wait for the killed process")?;
        Ok(())
    }

    /// Sends SIGTERM, like an administrator or the system.
    ///
    /// # Errors
    /// If it doesn't end within `limit`.
    pub async fn terminate(&mut self, limit: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.ended(limit).await
    }

    /// Gives the process more of the processor than others, where the system allows it: for a test in which it must not
    /// wait because of other tests.
    ///
    /// # Errors
    /// If its threads can't be listed.
    pub fn prefer(&self) -> Result<()> {
        const BEFORE_OTHERS: i32 = -10;
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.pid())).context("list the threads")?;
        for thread in threads {
            let number = thread.context("a thread")?.file_name().to_string_lossy().parse().ok();
            let pid = number.and_then(Pid::from_raw).context("a thread's number")?;
            setpriority_process(Some(pid), BEFORE_OTHERS).ok();
        }
        Ok(())
    }

    /// Sends `signal`.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.alive()?;
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("a process number")?;
        kill_process(pid, signal).with_context(|| format!("signal {}", self.name))
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// If it doesn't end within `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Result<ExitStatus> {
        let what = format!("the end of {}", self.name);
        wait::until(&what, limit, async || self.child.try_wait()?.context("it is still running")).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A failure here can't be handled; a test that needs the result calls `kill` or `terminate` itself.
        self.kill().ok();
    }
}
