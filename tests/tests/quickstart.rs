//! The quick start for a newcomer: one command, true data on every page, Ctrl-C, and no leftovers.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::tempdir;
use yomitori_simulation::demo::cast::{self, Part};
use yomitori_simulation::fleet::facility;
use yomitori_tests::world::browser::Browser;
use yomitori_tests::world::process::Process;
use yomitori_tests::world::{port, services, wait};

const UP_WITHIN: Duration = Duration::from_secs(240);
/// Promised time after which every page has data.
const SHOWN_WITHIN: Duration = Duration::from_secs(60);
/// Enough for every promised part.
const CLINICS: usize = 12;
/// The default of `yomitori-fleet`.
const SEED: u64 = 1;

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

/// The dashboard's API.
struct Api {
    client: reqwest::Client,
    url: String,
}

impl Api {
    async fn get(&self, path: &str) -> Result<Value> {
        let answer = self.client.get(format!("{}/api/v1/{path}", self.url)).send().await?.error_for_status()?;
        Ok(answer.json().await?)
    }

    /// Verifies that the clinic of `part` is among the facilities that `query` selects.
    async fn shows(&self, query: &str, part: Part) -> Result<()> {
        let answer = self.get(&format!("facilities?{query}")).await?;
        let found = answer["facilities"].as_array().context("facilities")?;
        let code = code_of(part);
        ensure!(found.iter().any(|one| one.to_string().contains(&code)), "{part:?} ({code}) is not among {answer}");
        Ok(())
    }

    /// Everything that a newcomer is promised.
    async fn shows_everything(&self) -> Result<()> {
        for (query, part) in [
            ("eligible=eligible", Part::Usual),
            ("eligible=eligible", Part::NotListedYet),
            ("opt_out=called", Part::OptOutUnderWay),
            ("opt_out=reflected", Part::OptOutReflected),
            ("opt_out=needed", Part::AgainstWish),
            ("flag=listed_against_wish", Part::AgainstWish),
            ("flag=capable_but_undecided", Part::CanonUndecided),
            ("freshness=silent", Part::Silent),
            ("flag=reader_unstable", Part::LooseCable),
            ("listing=listed", Part::NewlyListed),
            ("listing=delisted", Part::OptOutReflected),
        ] {
            self.shows(query, part).await.context(query.to_owned())?;
        }
        let calls = self.get("calls").await?;
        for part in [Part::AgainstWish, Part::OptOutUnderWay] {
            ensure!(calls.to_string().contains(&code_of(part)), "{part:?}: {calls}");
        }
        let listing = self.get("listing").await?;
        ensure!(listing["snapshots"].as_array().is_some_and(|all| all.len() == 2), "{listing}");
        let change = &listing["newest"][0]["change"];
        for what in ["appeared", "disappeared"] {
            ensure!(change[what]["ours"].as_i64() > Some(0) && change[what]["rows"].as_i64() > Some(0), "{listing}");
        }
        let moved = self.get(&format!("facilities/{}", new_code_of(Part::Relocated)?)).await?;
        ensure!(moved["facility"]["listing"] == "listed", "{moved}");
        let codes = moved["facility"]["status"]["codes"].as_array().context("codes")?;
        ensure!(codes.len() == 2 && codes[0]["code"] == code_of(Part::Relocated), "{moved}");
        let parked = self.get("parked").await?;
        ensure!(parked["facilities"][0]["code"] == code_of(Part::Parked), "{parked}");
        Ok(())
    }
}

fn index_of(part: Part) -> usize {
    (0..CLINICS).find(|index| Part::of(*index) == part).expect("a clinic has the part")
}

fn code_of(part: Part) -> String {
    facility::invent(CLINICS, SEED)[index_of(part)].code().to_string()
}

fn new_code_of(part: Part) -> Result<String> {
    let index = index_of(part);
    let new = cast::new_code(index, &facility::invent(CLINICS, SEED)[index]).context("a new code")?;
    Ok(new.to_string())
}

#[tokio::test]
async fn the_quick_start_has_data_on_every_page_and_ctrl_c_leaves_nothing() -> Result<()> {
    let place = tempdir()?;
    let folder = place.path().join("quick");
    let web = port::free()?;
    // The caller of the tests may ignore Ctrl-C, and a shell inherits that.
    let mut command = Command::new("env");
    command
        .arg("--default-signal=INT")
        .arg(services::root().join("deploy/quickstart"))
        .args(["--clinics", &CLINICS.to_string(), "--port", &web.to_string(), "--folder"])
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
    let api = Api { client, url: format!("http://127.0.0.1:{web}") };
    wait::until("something true on every screen", SHOWN_WITHIN, async || {
        quickstart.alive()?;
        api.shows_everything().await
    })
    .await
    .map_err(|error| quickstart.explain(error))?;

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

    // PostgreSQL keeps its data elsewhere if its user can't enter the folder; this removes that, too.
    let mut clean = Command::new(services::root().join("deploy/quickstart"));
    clean.args(["--clean", "--folder"]).arg(&folder);
    let mut clean = Process::start("deploy/quickstart --clean", clean, &place.path().join("clean.log"))?;
    let status = clean.ended(Duration::from_secs(60)).await.map_err(|error| clean.explain(error))?;
    ensure!(status.success() && !folder.exists(), "--clean ended with {status}");
    Ok(())
}
