//! The agent's accesses to a terminal, as recorded by the operating system and the resource manager.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use yomitori_simulation::clock;
use yomitori_tests::hostile::chance::print_line;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::pcscd::Pcscd;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::{World, wait};

const CODE: &str = "1319999015";
const SOON: Duration = Duration::from_secs(60);
const PHONE: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];

/// Files that any program on Linux opens: the linker, the resolver, the C library.
const ANY_PROGRAM: [&str; 9] = [
    "/lib/",
    "/lib64/",
    "/usr/lib/",
    "/etc/ld.so.",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/hosts",
    "/etc/resolv.conf",
    "/dev/null",
];
/// Files of the kernel about the terminal.
const OF_KERNEL: [&str; 8] = [
    "/proc/self/",
    "/proc/sys/kernel/random/boot_id",
    "/proc/sys/kernel/osrelease",
    "/proc/uptime",
    "/proc/stat",
    "/sys/bus/usb/devices/",
    "/sys/fs/cgroup/",
    "/sys/devices/system/cpu/",
];

/// Whether the agent may open `path`.
fn may_open(path: &str, own: &[PathBuf], folders: &[&Path]) -> bool {
    let process = path.strip_prefix("/proc/").and_then(|rest| rest.split_once('/'));
    let name_of_process =
        process.is_some_and(|(pid, file)| pid.bytes().all(|byte| byte.is_ascii_digit()) && file == "comm");
    ANY_PROGRAM.iter().chain(&OF_KERNEL).any(|known| path.starts_with(known))
        || ["/proc", "/sys/bus/usb/devices"].contains(&path)
        || name_of_process
        || own.iter().any(|own| Path::new(path).starts_with(own))
        // It may list the folder, and open nothing in it.
        || folders.contains(&Path::new(path))
}

/// The text in the first quotes.
fn quoted(call: &str) -> Option<&str> {
    call.split('"').nth(1)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_opens_connects_and_starts_only_what_it_needs() -> Result<()> {
    let more_than_needed = more_than_needed("restraint", "names").await?;
    ensure!(more_than_needed.is_empty(), "{}", more_than_needed.join("\n"));
    Ok(())
}

/// This access is recorded, which shows that others would be, too.
#[tokio::test(flavor = "multi_thread")]
async fn only_results_are_opened_if_headers_are_read() -> Result<()> {
    let more_than_needed = more_than_needed("restraint-headers", "headers").await?;
    let is_result = |call: &String| call.contains("openat(") && call.contains("/face/OQSsiquc01res_face_");
    ensure!(!more_than_needed.is_empty(), "no result was opened");
    ensure!(more_than_needed.iter().all(is_result), "{}", more_than_needed.join("\n"));
    Ok(())
}

/// Runs an agent with collection level `level` through all its activities; returns the calls beyond those that file
/// names require.
async fn more_than_needed(test: &str, level: &str) -> Result<Vec<String>> {
    let world = World::new(test).await?;
    let mut server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},ひかえめ診療所,東京都\n")).await?;
    let pcscd = Pcscd::talkative().await?;
    let version = world.folder().join("Version.info");
    std::fs::write(&version, "Version=3.0.1\r\n")?;
    let more = format!(
        "[collection]\nlevel = {level:?}\n[versions]\ncom_app = {version:?}\n[[program]]\ncomponent = \"com_app\"\nprocess = \"nobody\"\n\
         [[program]]\ncomponent = \"distro_app\"\nservice = \"nobody\"\n"
    );
    let plan = AgentPlan { more, desk: true, traced: true, ..AgentPlan::with_phone_reader(&pcscd) };
    let mut agent = Agent::start(&world, &server, CODE, plan).await?;
    let store = world.store().await?;
    let count = async |kind: &str, least: i64| {
        wait::until(kind, SOON, async || {
            let query = "SELECT count(*) FROM projection.fact WHERE kind = $1";
            let there: i64 = store.query_one(query, &[&kind]).await?.get(0);
            ensure!(there >= least, "{there} of {least}");
            Ok(())
        })
        .await
    };
    // All activities of an agent: readers, a tap, results, the desk, a server that stops and restarts, an orderly stop.
    count("reader_attached", 2).await?;
    count("component_state_observed", 2).await?;
    for number in 1..=3 {
        let card = pcscd.insert(0, &PHONE)?;
        card.noticed().await?;
        card.remove();
        agent.face_result(clock::now()).await?;
        count("tap_observed", number).await?;
    }
    count("linkage_result_observed", 3).await?;
    ensure!(reqwest::get(&agent.desk).await?.text().await?.contains("data-entry"), "the desk page");
    server.kill()?;
    agent.face_result(clock::now()).await?;
    server.serve().await?;
    count("linkage_result_observed", 4).await?;
    agent.process()?.terminate(Duration::from_secs(20)).await?;

    let trace = agent.trace();
    let folder = agent.config().parent().context("a folder")?;
    let own = [agent.state.clone(), agent.config().to_owned(), version];
    let folders = [agent.face.as_path(), agent.res.as_path()];
    let port = server.uplink.rsplit(':').next().context("a port")?;
    let desk = agent.desk.rsplit(':').next().context("a port")?;
    let socket = pcscd.socket();
    let mut wrong = Vec::new();
    let (mut opened, mut called, mut started) = (BTreeSet::new(), BTreeSet::new(), 0);
    for line in trace.lines() {
        let Some((_, call)) = line.split_once(' ') else { continue };
        let call = call.trim_start();
        let name = call.split('(').next().unwrap_or_default();
        let harmless = match name {
            "open" | "openat" | "openat2" | "creat" => {
                let path = quoted(call).context("a path")?;
                opened.insert(path.to_owned());
                may_open(path, &own, &folders)
            }
            "connect" => {
                called.insert(call.split_once('{').map_or(call, |(_, rest)| rest).to_owned());
                let pcsc = quoted(call).is_some_and(|path| Path::new(path) == socket);
                pcsc || call.contains(&format!("htons({port})")) || call.contains("/var/run/nscd/socket")
            }
            "bind" => call.contains(&format!("htons({desk})")) || call.contains("AF_NETLINK"),
            "execve" => {
                started += 1;
                started == 1
            }
            "unlink" | "unlinkat" | "rename" | "renameat" | "renameat2" | "mkdir" | "mkdirat" | "chmod"
            | "fchmodat" => quoted(call).is_some_and(|path| Path::new(path).starts_with(&agent.state)),
            // Of the parents it only learns whether the next folder on the way is renamed or replaced.
            "inotify_add_watch" => {
                quoted(call).is_some_and(|path| folders.iter().any(|folder| folder.starts_with(path)))
            }
            _ => true,
        };
        if !harmless {
            wrong.push(line.to_owned());
        }
    }
    // The trace belongs to this agent, and would contain the calls in question.
    let shows = |path: &Path| opened.contains(path.to_string_lossy().as_ref());
    ensure!(shows(agent.config()) && shows(&agent.face) && started == 1, "opened: {opened:?}");
    ensure!(called.len() >= 2, "called: {called:?}");
    ensure!(!may_open(&folder.join("face/x.xml").to_string_lossy(), &own, &folders));
    ensure!(!may_open("/proc/1/cmdline", &own, &folders) && !may_open("/etc/shadow", &own, &folders));

    let log = pcscd.log();
    ensure!(log.contains("Received command: ESTABLISH_CONTEXT"), "pcscd does not log its clients' commands");
    for command in ["CONNECT", "RECONNECT", "TRANSMIT", "CONTROL", "BEGIN_TRANSACTION", "SET_ATTRIB"] {
        ensure!(!log.contains(&format!("Received command: {command} ")), "the agent has asked for {command}");
    }
    ensure!(!log.contains("APDU: "), "a client has sent a command to the card");
    print_line(&format!("{level}: {} files opened, {} places called", opened.len(), called.len()));
    Ok(wrong)
}
