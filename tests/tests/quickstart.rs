//! The quick start as a newcomer runs it: one command, an eligible facility, Ctrl-C, and nothing left behind.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::tempdir;
use yomitori_tests::world::browser::Browser;
use yomitori_tests::world::process::Process;
use yomitori_tests::world::{port, services, wait};

const UP_WITHIN: Duration = Duration::from_secs(240);
/// The bar: two minutes after the start some facilities are eligible.
const ELIGIBLE_WITHIN: Duration = Duration::from_secs(120);

/// Every process that has `folder` in its command line or works in it.
fn processes_of(folder: &Path) -> Result<Vec<String>> {
    let folder = folder.to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").context("list processes")? {
        let Ok(command) = std::fs::read(entry?.path().join("cmdline")) else { continue };
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&folder) {
            found.push(command);
        }
    }
    Ok(found)
}

#[tokio::test]
async fn a_newcomer_sees_an_eligible_facility_and_ctrl_c_leaves_nothing_behind() -> Result<()> {
    let place = tempdir()?;
    let folder = place.path().join("quick");
    let web = port::free()?;
    // Whoever started the tests may have them ignore Ctrl-C, which a shell then can't hear either.
    let mut command = Command::new("env");
    command
        .arg("--default-signal=INT")
        .arg(services::root().join("deploy/quickstart"))
        .args(["--clinics", "8", "--port", &web.to_string(), "--folder"])
        .arg(&folder)
        .env_remove("YOMITORI_KAFKA")
        .env_remove("YOMITORI_POSTGRES");
    let mut quickstart = Process::start("deploy/quickstart", command, &place.path().join("quickstart.log"))?;
    let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).no_proxy().build()?;

    wait::until("the address", UP_WITHIN, async || {
        quickstart.alive()?;
        ensure!(quickstart.log().contains(&format!("http://127.0.0.1:{web}")), "it has not said its address yet");
        Ok(())
    })
    .await?;
    let url = format!("http://127.0.0.1:{web}/api/v1/facilities?eligible=eligible");
    let eligible = wait::until("an eligible facility over the API", ELIGIBLE_WITHIN, async || {
        quickstart.alive()?;
        let answer: Value = client.get(&url).send().await?.error_for_status()?.json().await?;
        let found = answer["facilities"].as_array().cloned().unwrap_or_default();
        ensure!(!found.is_empty(), "none yet: {answer}");
        Ok(found)
    })
    .await
    .map_err(|error| quickstart.explain(error))?;
    ensure!(eligible.iter().all(|facility| facility.to_string().contains("eligible")), "{eligible:?}");

    let browser = Browser::open(place.path(), 1280, 900).await?;
    browser.page.goto(&format!("http://127.0.0.1:{web}/?lang=en&eligible=eligible")).await?;
    browser.shows("#rows tr td:nth-child(2)", "Eligible", Duration::from_secs(20)).await?;
    browser.close().await?;

    quickstart.signal(rustix::process::Signal::INT)?;
    let status = quickstart.ended(Duration::from_secs(60)).await.map_err(|error| quickstart.explain(error))?;
    ensure!(status.success(), "it ended with {status}");
    ensure!(!port::listening(web)?, "port {web} is still open");
    let left = processes_of(&folder)?;
    ensure!(left.is_empty(), "left behind: {left:?}");

    // PostgreSQL keeps its data elsewhere where its user can't enter the folder; this takes that along.
    let mut clean = Command::new(services::root().join("deploy/quickstart"));
    clean.args(["--clean", "--folder"]).arg(&folder);
    let mut clean = Process::start("deploy/quickstart --clean", clean, &place.path().join("clean.log"))?;
    let status = clean.ended(Duration::from_secs(60)).await.map_err(|error| clean.explain(error))?;
    ensure!(status.success() && !folder.exists(), "--clean ended with {status}");
    Ok(())
}
