//! The Windows package: built by its script, with its tables inspected as by the Windows installer. The program in it
//! is a placeholder here; `tests/run --windows` builds the real one. Also the first start of the service, with a real
//! server.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use yomitori_agent::identity::Identity;
use yomitori_agent::service::NAME;
use yomitori_agent::service::handover::{self, Handover};
use yomitori_agent::service::readiness::{self, MissingSetup};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::services::root;
use yomitori_tests::world::{Build, World};

const CODE: &str = "1319999015";

const INSTALL: u32 = 0x1;
const STOP: u32 = 0x2 | 0x20;
const DELETE: u32 = 0x80;
/// A custom action: a program of the package, in the installation script, as the system, with a target that no log
/// shows.
const HIDDEN_COMMAND: &str = "11282";

fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let done = Command::new(program).args(arguments).output().with_context(|| format!("run {program}"))?;
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    ensure!(done.status.success(), "{program} {arguments:?}: {said}{}", String::from_utf8_lossy(&done.stderr));
    Ok(said)
}

/// Rows of a table: the first column, and all columns by name.
fn table(package: &str, name: &str) -> Result<BTreeMap<String, BTreeMap<String, String>>> {
    let text = run("msiinfo", &["export", package, name])?;
    let mut lines = text.lines().map(|line| line.trim_end_matches('\r').split('\t').map(str::to_owned));
    let columns: Vec<_> = lines.next().context("no columns")?.collect();
    let rows = lines.skip(2).map(|cells| {
        let row: BTreeMap<_, _> = columns.iter().cloned().zip(cells).collect();
        (row.get(&columns[0]).cloned().unwrap_or_default(), row)
    });
    Ok(rows.collect())
}

fn package(out: &Path) -> Result<String> {
    let program = Build::Released.program("yomitori-agent");
    let (script, out) = (root().join("deploy/build-windows"), out.to_str().context("a path in UTF-8")?.to_owned());
    let arguments = ["--program", program.to_str().context("a path in UTF-8")?, "--out", &out];
    Ok(run(script.to_str().context("a path in UTF-8")?, &arguments)?.trim().to_owned())
}

#[test]
fn the_package_installs_a_service_and_hides_the_token() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let package = &package(folder.path())?;

    let properties = table(package, "Property")?;
    let property = |name: &str| properties.get(name).map(|row| row["Value"].as_str()).unwrap_or_default();
    ensure!(property("ProductVersion") == env!("CARGO_PKG_VERSION") && property("ALLUSERS") == "1");
    for public in ["SERVER", "TOKEN", "PURGE"] {
        ensure!(property("SecureCustomProperties").split(';').any(|name| name == public), "{public} gets lost");
        ensure!(!properties.contains_key(public), "{public} has a default");
    }
    ensure!(property("MsiHiddenProperties").split(';').any(|name| name == "TOKEN"), "a log shows the token");
    // Another code would make it a second product next to the old one, with the same service.
    ensure!(property("UpgradeCode") == "{0AD9B7A4-9A3D-4F0C-8E19-5D1F6D1C2B7E}", "{}", property("UpgradeCode"));
    let upgrade = table(package, "Upgrade")?;
    let other = upgrade.get(property("UpgradeCode")).context("nothing is upgraded")?;
    ensure!(other["VersionMax"].is_empty() && other["ActionProperty"] == "OTHERVERSION", "{other:?}");

    let services = table(package, "ServiceInstall")?;
    let service = services.values().next().context("no service")?;
    ensure!(services.len() == 1 && service["Name"] == NAME, "{service:?}");
    ensure!(service["StartType"] == "2" && service["StartName"] == r"NT AUTHORITY\LocalService", "{service:?}");
    let config = r#"--config "[CommonAppDataFolder]Yomitori\agent.toml" service"#;
    ensure!(service["Arguments"] == config, "{service:?}");
    let controls = table(package, "ServiceControl")?;
    let control = controls.values().find(|row| row["Name"] == NAME).context("no row starts the service")?;
    ensure!(control["Event"].parse::<u32>()? == INSTALL | STOP | DELETE && control["Wait"] == "1", "{control:?}");

    let actions = table(package, "CustomAction")?;
    let prepare = actions.get("Prepare").context("nothing is handed over")?;
    ensure!(prepare["Type"] == HIDDEN_COMMAND, "{prepare:?}");
    ensure!(prepare["Target"] == format!(r#"{config} prepare --server "[SERVER]" --token "[TOKEN]""#), "{prepare:?}");
    let sequence = table(package, "InstallExecuteSequence")?;
    let at = |action: &str| -> Result<u32> {
        Ok(sequence.get(action).with_context(|| format!("{action} is missing"))?["Sequence"].parse()?)
    };
    let order = [
        "InstallInitialize",
        "RemoveExistingProducts",
        "ProcessComponents",
        "StopServices",
        "Purge",
        "DeleteServices",
        "RemoveFiles",
        "InstallFiles",
        "InstallServices",
        "Prepare",
        "StartServices",
        "InstallFinalize",
    ];
    let places = order.iter().map(|action| at(action)).collect::<Result<Vec<_>>>()?;
    ensure!(places.is_sorted_by(|one, next| one < next), "out of order: {order:?} {places:?}");
    ensure!(sequence["Prepare"]["Condition"] == "NOT REMOVE", "{:?}", sequence["Prepare"]);
    let purge = &sequence["Purge"]["Condition"];
    ensure!(purge == r#"REMOVE="ALL" AND PURGE AND NOT UPGRADINGPRODUCTCODE"#, "data could be lost: {purge}");
    Ok(())
}

#[test]
fn the_package_holds_the_program_and_nothing_of_the_terminals_data() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let package = &package(folder.path())?;
    let files = table(package, "File")?;
    ensure!(files.len() == 1 && files["Agent.exe"]["FileName"] == "yomitori-agent.exe", "{files:?}");
    let components = table(package, "Component")?;
    ensure!(components.len() == 1 && components["Agent"]["Directory_"] == "INSTALLDIR", "{components:?}");
    ensure!(table(package, "RemoveFile")?.is_empty(), "an upgrade could delete what the terminal holds");
    let events = table(package, "Registry")?;
    let messages = events.values().find(|row| row["Name"] == "EventMessageFile").context("no source of events")?;
    ensure!(
        messages["Key"] == format!(r"SYSTEM\CurrentControlSet\Services\EventLog\Application\{NAME}"),
        "{messages:?}"
    );
    ensure!(messages["Value"] == r"#%%SystemRoot%\System32\EventCreate.exe", "{messages:?}");
    // The same sources give another product code each time, so that a version can replace itself.
    let again = tempfile::tempdir()?;
    let code = |package: &str| -> Result<String> { Ok(table(package, "Property")?["ProductCode"]["Value"].clone()) };
    ensure!(code(package)? != code(&self::package(again.path())?)?);
    Ok(())
}

#[tokio::test]
async fn the_service_enrols_with_the_installers_values_and_uses_the_token_up() -> Result<()> {
    let world = World::new("windows-first-start").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},はじめて診療所,東京都\n")).await?;
    let token = server.token(CODE).await?;
    let config = world.new_folder("ProgramData")?.join("Yomitori/agent.toml");
    // Windows paths are not absolute here.
    let write = |handover: Handover| -> Result<()> {
        handover.write(&config)?;
        Ok(std::fs::write(&config, std::fs::read_to_string(&config)?.replace(r"C:\", "/"))?)
    };
    let said = |token: &str| Handover::parse(&server.uplink, token).map_err(anyhow::Error::msg);
    write(said(&token)?)?;
    let begun = readiness::attempt(&config).await?;
    let identity = Identity::load(&begun.state_dir)?.context("not enrolled")?;
    ensure!(handover::token(&config)?.is_none(), "the token lies around");

    // Deployment tools repeat the command with every upgrade.
    write(said(&token)?)?;
    readiness::attempt(&config).await?;
    let kept = Identity::load(&begun.state_dir)?.context("the certificate is gone")?;
    ensure!(kept.certificate() == identity.certificate() && handover::token(&config)?.is_none());

    // Another terminal with a used token is rejected, and stops trying.
    std::fs::remove_dir_all(&begun.state_dir)?;
    write(said(&token)?)?;
    let refused = readiness::attempt(&config).await;
    ensure!(matches!(refused, Err(MissingSetup::Enrol(_))), "{refused:?}");
    ensure!(handover::token(&config)?.is_none(), "the token is tried again");
    Ok(())
}
