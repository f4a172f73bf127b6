//! `deploy/services`, by which Kafka and PostgreSQL are started and stopped everywhere.

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

/// Where cargo puts what it builds.
#[must_use]
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A variable that `tests/run` sets.
///
/// # Errors
/// When it is missing.
pub(super) fn given(variable: &str) -> Result<String> {
    std::env::var(variable).with_context(|| {
        format!(
            "{variable} is not set: run tests/run (with --filter NAME for some tests only), \
             or `deploy/services start target/tests` and export what `deploy/services env target/tests` prints"
        )
    })
}

/// The service under a folder that a test has for itself.
#[derive(Debug)]
pub(super) struct Own {
    folder: PathBuf,
    service: &'static str,
}

impl Own {
    pub(super) async fn start(folder: &Path, service: &'static str) -> Result<Self> {
        let own = Self { folder: folder.to_owned(), service };
        own.run("start").await?;
        Ok(own)
    }

    /// Starts or stops it in order; both are fine twice.
    pub(super) async fn run(&self, verb: &'static str) -> Result<()> {
        let (folder, service) = (self.folder.clone(), self.service);
        tokio::task::spawn_blocking(move || call(verb, &folder, service)).await.context("run deploy/services")??;
        Ok(())
    }

    /// The address that stands behind `variable`.
    pub(super) fn address(&self, variable: &str) -> Result<String> {
        let output = call("env", &self.folder, self.service)?;
        let text = String::from_utf8(output.stdout).context("what deploy/services prints")?;
        let line = text.lines().find_map(|line| line.strip_prefix(variable)?.strip_prefix('='));
        Ok(line.with_context(|| format!("{variable} in {text:?}"))?.to_owned())
    }

    /// `kill -9`; returns when it is gone.
    pub(super) async fn kill(&self) -> Result<()> {
        let file = self.folder.join(self.service).join("pid");
        let number = std::fs::read_to_string(&file).with_context(|| format!("read {file:?}"))?;
        let number = number.trim();
        let pid = number.parse().ok().and_then(Pid::from_raw).context("a process number")?;
        kill_process(pid, Signal::KILL).context("kill")?;
        // A dead process that nobody has waited for yet still has its folder, but no command line.
        let line = format!("/proc/{number}/cmdline");
        wait::until("its end", wait::PATIENCE, async || {
            ensure!(std::fs::read(&line).unwrap_or_default().is_empty(), "{} is still there", self.service);
            Ok(())
        })
        .await
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        // Its log stays. What is left over is stopped and removed by the next tests/run.
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
