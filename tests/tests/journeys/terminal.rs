//! The agent's observations of the terminal itself: its software, its clock, its boots, and reader problems.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use serde_json::{Value, json};
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::pcscd::Pcscd;
use yomitori_tests::world::pretence::Pretence;
use yomitori_tests::world::process::Process;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::{World, wait};

const CODE: &str = "1319999015";
/// The agent looks every ten seconds, and a newly connected reader has twenty to appear.
const SOON: Duration = Duration::from_secs(60);

struct Clinic {
    world: World,
    server: Server,
    agent: Agent,
    pcscd: Pcscd,
    pretence: Pretence,
}

impl Clinic {
    async fn open(test: &str, more: impl FnOnce(&Path) -> String) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        server.import(&format!("code,name,prefecture\n{CODE},たんまつ診療所,東京都\n")).await?;
        let (pcscd, pretence) = (Pcscd::start().await?, Pretence::new(world.folder())?);
        // Devices of this machine must not be taken for the terminal's.
        pretence.show("/sys/bus/usb/devices/usb1/idVendor", "1d6b\n")?;
        let more = more(world.folder());
        let plan = AgentPlan { more, env: pretence.env(), ..AgentPlan::with_phone_reader(&pcscd) };
        let agent = Agent::start(&world, &server, CODE, plan).await?;
        Ok(Self { world, server, agent, pcscd, pretence })
    }

    /// The facts of `kind`, in the order of the terminal.
    async fn facts(&self, kind: &str) -> Result<Vec<Value>> {
        let query = "SELECT event::text FROM projection.fact WHERE kind = $1 ORDER BY seq";
        let rows = self.world.store().await?.query(query, &[&kind]).await?;
        rows.iter().map(|row| Ok(serde_json::from_str::<Value>(row.get(0))?[kind].take())).collect()
    }

    async fn reported(&self, kind: &str, expected: &[Value]) -> Result<()> {
        wait::until(kind, SOON, async || {
            let facts = self.facts(kind).await?;
            ensure!(facts == expected, "{facts:?}");
            Ok(())
        })
        .await
    }

    /// Waits until what the terminal observed has arrived: then its sources have begun.
    async fn observes(&self) -> Result<()> {
        wait::until("the readers", SOON, async || {
            let attached = self.facts("reader_attached").await?;
            ensure!(attached.len() >= 2, "{attached:?}");
            Ok(())
        })
        .await
    }

    /// Waits until the status of the facility contains `word`.
    async fn shows(&self, word: &str) -> Result<()> {
        wait::until(word, SOON, async || {
            let status = self.server.facility(CODE).await?.to_string();
            ensure!(status.contains(word), "{status}");
            Ok(())
        })
        .await
    }
}

/// A program that runs under the name of `file`.
fn sleeper(file: &Path) -> Result<Process> {
    std::fs::copy("/bin/sleep", file).context("copy a program")?;
    let mut command = Command::new(file);
    command.arg("1000");
    Process::start("sleeper", command, &file.with_extension("log"))
}

#[tokio::test]
async fn versions_and_programs_of_the_official_software_are_reported_as_they_change() -> Result<()> {
    let name = format!("oqs{}", std::process::id());
    let place = |folder: &Path, file: &str| folder.join(file);
    let mut running = None;
    let mut version = PathBuf::new();
    let clinic = Clinic::open("terminal-software", |folder| {
        version = place(folder, "Version.info");
        std::fs::write(&version, "Patient=山田太郎\r\nVersion=3.0.1\r\n").ok();
        running = sleeper(&place(folder, &name)).ok();
        format!(
            "[versions]\ncom_app = {version:?}\n[[program]]\ncomponent = \"com_app\"\nprocess = {name:?}\n\
             [[program]]\ncomponent = \"card_software\"\nprocess = \"nobody\"\n\
             [[program]]\ncomponent = \"distro_app\"\ntask = \"oqs-distro\"\n\
             [[program]]\ncomponent = \"face_reader_software\"\nprocess = {name:?}\npath = \"/nowhere/at/all\"\n"
        )
    })
    .await?;
    let mut running = running.context("a program that runs")?;
    let state = |component: &str, state: &str| json!({ "component": component, "state": state });
    let mut expected = vec![
        state("com_app", "running"),
        state("card_software", "stopped"),
        state("distro_app", "missing"),
        state("face_reader_software", "missing"),
    ];
    clinic.reported("component_state_observed", &expected).await?;
    clinic.shows("3.0.1").await?;
    ensure!(clinic.facts("software_versions_observed").await?.len() == 1, "reported once");

    running.kill()?;
    expected.push(state("com_app", "stopped"));
    clinic.reported("component_state_observed", &expected).await?;
    clinic.pretence.show("/etc/systemd/system/timers.target.wants/oqs-distro.timer", "")?;
    expected.push(state("distro_app", "running"));
    clinic.reported("component_state_observed", &expected).await?;
    std::fs::write(&version, "Version=3.1.0\r\n")?;
    clinic.shows("3.1.0").await?;
    ensure!(!clinic.agent.log().contains("山田"), "what stood beside the version is in the log");
    Ok(())
}

#[tokio::test]
async fn a_clock_step_and_a_boot_are_reported() -> Result<()> {
    let boot = "/proc/sys/kernel/random/boot_id";
    let mut clinic = Clinic::open("terminal-clock", |_| String::new()).await?;
    clinic.observes().await?;
    clinic.pretence.clock(TimeDelta::hours(-3))?;
    let step = async |number: usize, about_ms: i64| {
        wait::until("a step of the clock", SOON, async || {
            let facts = clinic.facts("clock_stepped").await?;
            let reported = facts.get(number).and_then(|fact| fact["delta_ms"].as_i64()).context("not reported yet")?;
            ensure!((reported - about_ms).abs() < 1_000 && facts.len() == number + 1, "{facts:?}");
            Ok(())
        })
        .await
    };
    step(0, -3 * 3_600_000).await?;
    clinic.pretence.clock(TimeDelta::zero())?;
    step(1, 3 * 3_600_000).await?;
    ensure!(clinic.facts("terminal_rebooted").await?.is_empty(), "nothing was booted");

    // An orderly shutdown, then a power cut, then no boot.
    clinic.agent.process()?.terminate(Duration::from_secs(10)).await?;
    clinic.pretence.show(boot, "00000000-0000-4000-8000-000000000001\n")?;
    clinic.agent.launch()?;
    clinic.reported("terminal_rebooted", &[json!({ "kind": "clean" })]).await?;
    clinic.agent.kill()?;
    clinic.pretence.show(boot, "00000000-0000-4000-8000-000000000002\n")?;
    clinic.agent.launch()?;
    let both = [json!({ "kind": "clean" }), json!({ "kind": "unexpected" })];
    clinic.reported("terminal_rebooted", &both).await?;
    clinic.agent.kill()?;
    clinic.agent.launch()?;
    wait::until("the fourth start", SOON, async || {
        let starts = clinic.facts("agent_started").await?;
        ensure!(starts.len() == 4, "{} starts", starts.len());
        Ok(())
    })
    .await?;
    clinic.reported("terminal_rebooted", &both).await
}

#[tokio::test]
async fn a_blocked_reader_and_an_unstable_one_are_reported() -> Result<()> {
    let mut clinic = Clinic::open("terminal-readers", |_| String::new()).await?;
    clinic.observes().await?;
    // A Sony RC-S300, and a mouse.
    for (device, vendor, product) in [("1-1", "054c", "0dc8"), ("1-2", "046d", "c077")] {
        clinic.pretence.show(&format!("/sys/bus/usb/devices/{device}/idVendor"), &format!("{vendor}\n"))?;
        clinic.pretence.show(&format!("/sys/bus/usb/devices/{device}/idProduct"), &format!("{product}\n"))?;
    }
    clinic.reported("reader_blocked", &[json!({ "vid": 0x054c, "pid": 0x0dc8 })]).await?;

    for round in 1..=3 {
        clinic.pcscd.unplug()?;
        wait::until("the reader to go", SOON, async || {
            let gone = clinic.facts("reader_detached").await?.len();
            ensure!(gone >= 2 * round, "{gone} went");
            Ok(())
        })
        .await?;
        clinic.pcscd.plug().await?;
        wait::until("the reader to come", SOON, async || {
            let came = clinic.facts("reader_attached").await?.len();
            ensure!(came >= 2 * round + 2, "{came} came");
            Ok(())
        })
        .await?;
    }
    let flapping = wait::until("flapping", SOON, async || {
        let facts = clinic.facts("reader_flapping").await?;
        ensure!(facts.len() == 2, "{facts:?}");
        Ok(facts)
    })
    .await?;
    ensure!(flapping.iter().all(|fact| fact["count"] == 3 && fact["window_s"] == 600), "{flapping:?}");
    clinic.shows("reader_flapping").await
}
