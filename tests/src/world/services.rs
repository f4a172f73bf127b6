//! `deploy/services`, which starts and stops Kafka and PostgreSQL everywhere.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::wait;

/// The project's folder.
#[must_use]
pub fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// Cargo's folder for build output.
#[must_use]
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A variable that `tests/run` sets.
///
/// # Errors
/// If it is missing.
fn given(variable: &str) -> Result<String> {
    std::env::var(variable).with_context(|| {
        format!(
            "{variable} is not set: run tests/run (with --filter NAME for some tests only), \
             or `deploy/services start target/tests` and export what `deploy/services env target/tests` prints"
        )
    })
}

/// A service that all tests share, or a test's own, which it may stop, kill and start again.
#[derive(Debug)]
pub struct Service {
    /// HOST:PORT or URL.
    address: String,
    own: Option<Own>,
}

impl Service {
    /// The service that `tests/run` started; its address is in `variable`.
    pub(super) fn shared(variable: &str) -> Result<Self> {
        Ok(Self { address: given(variable)?, own: None })
    }

    /// The service `name` under `folder`; `deploy/services` gives its address in `variable`.
    pub(super) async fn start(folder: &Path, name: &'static str, variable: &str) -> Result<Self> {
        let own = Own::start(folder, name).await?;
        Ok(Self { address: own.address(variable)?, own: Some(own) })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Stops it in order; open connections end.
    ///
    /// # Errors
    /// If it doesn't end, or is the shared one.
    pub async fn stop(&self) -> Result<()> {
        self.own()?.run("stop").await
    }

    /// `kill -9` of the first process; the others follow.
    ///
    /// # Errors
    /// If it has already ended, or is the shared one.
    pub async fn kill(&self) -> Result<()> {
        self.own()?.kill().await
    }

    /// Sends a signal to the first process.
    ///
    /// # Errors
    /// If it has ended, or is the shared one.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill_process(self.own()?.pid()?, signal).context("signal a service")
    }

    /// Starts it again with the same data and port.
    ///
    /// # Errors
    /// If it doesn't start, or is the shared one.
    pub async fn restart(&self) -> Result<()> {
        self.own()?.run("start").await
    }

    fn own(&self) -> Result<&Own> {
        self.own.as_ref().context("a shared service must keep running: a test that stops it needs its own")
    }
}

/// A service under a test's own folder.
#[derive(Debug)]
struct Own {
    folder: PathBuf,
    service: &'static str,
}

impl Own {
    async fn start(folder: &Path, service: &'static str) -> Result<Self> {
        let own = Self { folder: folder.to_owned(), service };
        own.run("start").await?;
        Ok(own)
    }

    /// Starts or stops the service in order; repeating either is permitted.
    async fn run(&self, verb: &'static str) -> Result<()> {
        let (folder, service) = (self.folder.clone(), self.service);
        tokio::task::spawn_blocking(move || call(verb, &folder, service)).await.context("run deploy/services")??;
        Ok(())
    }

    /// The address in the variable `variable`.
    fn address(&self, variable: &str) -> Result<String> {
        let output = call("env", &self.folder, self.service)?;
        let text = String::from_utf8(output.stdout).context("what deploy/services prints")?;
        let line = text.lines().find_map(|line| line.strip_prefix(variable)?.strip_prefix('='));
        Ok(line.with_context(|| format!("{variable} in {text:?}"))?.to_owned())
    }

    fn pid(&self) -> Result<Pid> {
        let file = self.folder.join(self.service).join("pid");
        let number = std::fs::read_to_string(&file).with_context(|| format!("read {file:?}"))?;
        number.trim().parse().ok().and_then(Pid::from_raw).context("a process number")
    }

    /// `kill -9`; returns when the process is gone.
    async fn kill(&self) -> Result<()> {
        let pid = self.pid()?;
        kill_process(pid, Signal::KILL).context("kill")?;
        // A dead process that has not been waited for still has its folder, but no command line.
        let line = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
        wait::until("its end", wait::PATIENCE, async || {
            ensure!(std::fs::read(&line).unwrap_or_default().is_empty(), "{} is still there", self.service);
            Ok(())
        })
        .await
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // The log remains. The next tests/run stops and removes leftovers.
        call("remove", &self.folder, self.service).ok();
    }
}

fn call(verb: &str, folder: &Path, service: &str) -> Result<Output> {
    let script = root().join("deploy/services");
    let output = Command::new(script)
        .arg(verb)
        .arg(folder)
        .arg(service)
        .stdin(Stdio::null())
        .output()
        .context("run deploy/services")?;
    if !output.status.success() {
        bail!("deploy/services {verb} {service}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(output)
}
