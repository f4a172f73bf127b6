//! A headless Chromium.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tempfile::TempDir;

use super::process::Process;
use super::{port, wait};

/// A browser with one page. It stops when it is dropped; [`close`](Self::close) stops it in order.
#[derive(Debug)]
pub struct Browser {
    pub page: Client,
    /// The argument that identifies the browser's processes; no two browsers share a profile.
    profile: String,
    _driver: Process,
    _sockets: TempDir,
}

impl Browser {
    /// Opens a window of `width` by `height`; profile and log are in `folder`.
    ///
    /// # Errors
    /// If Chromium or its driver doesn't start.
    pub async fn open(folder: &Path, width: u32, height: u32) -> Result<Self> {
        let port = port::free()?;
        let mut command = Command::new("chromedriver");
        // Chromium creates a socket in its temporary folder and exits at once if the path is too long for one.
        let sockets = tempfile::tempdir().context("make a folder for the browser's sockets")?;
        command.arg(format!("--port={port}")).env("TMPDIR", sockets.path());
        let mut driver = Process::start("chromedriver", command, &folder.join("chromedriver.log"))?;
        let profile = format!("--user-data-dir={}", folder.join(format!("profile-{port}")).display());
        let mut options = serde_json::Map::new();
        options.insert(
            "goog:chromeOptions".to_owned(),
            json!({ "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
                "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--no-proxy-server", "--lang=ja", "--hide-scrollbars",
                profile,
            ],
            // A window can't be as narrow as a phone, and its frame takes part of the height, so the size is set for
            // the page itself.
            "mobileEmulation": {
                "deviceMetrics": { "width": width, "height": height, "pixelRatio": 1, "touch": false, "mobile": width < 600 },
            } }),
        );
        let address = format!("http://127.0.0.1:{port}");
        wait::until("chromedriver", wait::PATIENCE, async || {
            driver.alive()?;
            anyhow::ensure!(port::listening(port)?, "nothing listens on {port}");
            Ok(())
        })
        .await?;
        let connected = ClientBuilder::new(HttpConnector::new()).capabilities(options).connect(&address).await;
        let page = connected.context("open a browser").map_err(|error| driver.explain(error))?;
        Ok(Self { page, profile, _driver: driver, _sockets: sockets })
    }

    /// Waits until the first element for `selector` shows `text`.
    ///
    /// # Errors
    /// If it doesn't within `limit`.
    pub async fn shows(&self, selector: &str, text: &str, limit: Duration) -> Result<()> {
        wait::until(&format!("`{selector}` shows `{text}`"), limit, async || {
            let element = self.page.find(Locator::Css(selector)).await.context("find it")?;
            let shown = element.text().await.context("read it")?;
            anyhow::ensure!(shown.contains(text), "it shows `{shown}`");
            Ok(())
        })
        .await
    }

    /// Writes the window's contents as PNG.
    ///
    /// # Errors
    /// If the file can't be written.
    pub async fn screenshot(&self, file: &Path) -> Result<()> {
        let png = self.page.screenshot().await.context("take a screenshot")?;
        std::fs::write(file, png).with_context(|| format!("write {file:?}"))
    }

    /// Stops browser and driver.
    ///
    /// # Errors
    /// If the browser has already ended.
    pub async fn close(self) -> Result<()> {
        self.page.clone().close().await.context("close the browser")
    }
}

/// A killed driver leaves its browser running, so a failed test stops it here.
impl Drop for Browser {
    fn drop(&mut self) {
        let Ok(processes) = std::fs::read_dir("/proc") else { return };
        for process in processes.flatten() {
            let pid = process.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
            let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let is_ours = line.split(|byte| *byte == 0).any(|argument| argument == self.profile.as_bytes());
            if let Some(pid) = pid.filter(|_| is_ours) {
                // It may have ended in between.
                kill_process(pid, Signal::KILL).ok();
            }
        }
    }
}
