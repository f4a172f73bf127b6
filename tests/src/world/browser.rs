//! A headless Chromium.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;

use super::process::Process;
use super::{port, wait};

/// A browser with one page. Ends with its value; [`close`](Self::close) ends it politely.
#[derive(Debug)]
pub struct Browser {
    pub page: Client,
    _driver: Process,
}

impl Browser {
    /// Opens a window of `width` by `height`; profile and log lie in `folder`.
    ///
    /// # Errors
    /// When Chromium or its driver doesn't come up.
    pub async fn open(folder: &Path, width: u32, height: u32) -> Result<Self> {
        let port = port::free()?;
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).env("TMPDIR", folder);
        let mut driver = Process::start("chromedriver", command, &folder.join("chromedriver.log"))?;
        let profile = folder.join("profile");
        let mut options = serde_json::Map::new();
        options.insert(
            "goog:chromeOptions".to_owned(),
            json!({ "args": [
                "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
                "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--no-proxy-server", "--lang=ja", "--hide-scrollbars",
                format!("--user-data-dir={}", profile.display()),
            ],
            // A window can't be as narrow as a phone, and its frame takes part of its height: the page gets its size
            // itself.
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
        Ok(Self { page, _driver: driver })
    }

    /// Waits until the first element for `selector` shows `text`.
    ///
    /// # Errors
    /// When it doesn't within `limit`.
    pub async fn shows(&self, selector: &str, text: &str, limit: Duration) -> Result<()> {
        wait::until(&format!("`{selector}` shows `{text}`"), limit, async || {
            let element = self.page.find(Locator::Css(selector)).await.context("find it")?;
            let shown = element.text().await.context("read it")?;
            anyhow::ensure!(shown.contains(text), "it shows `{shown}`");
            Ok(())
        })
        .await
    }

    /// Writes what the window shows as PNG.
    ///
    /// # Errors
    /// When the file can't be written.
    pub async fn screenshot(&self, file: &Path) -> Result<()> {
        let png = self.page.screenshot().await.context("take a screenshot")?;
        std::fs::write(file, png).with_context(|| format!("write {file:?}"))
    }

    /// Ends browser and driver.
    ///
    /// # Errors
    /// When the browser is gone already.
    pub async fn close(self) -> Result<()> {
        self.page.close().await.context("close the browser")
    }
}
