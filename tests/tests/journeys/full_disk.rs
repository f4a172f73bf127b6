//! A terminal whose disk is full empties its spool once the server is there, although the record of what it sends has no
//! room. The record says how many of its lines are missing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use yomitori_proto::id::FacilityId;
use yomitori_simulation::clock;
use yomitori_tests::world::World;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wait::{self, PATIENCE};

const CODE: &str = "1319999015";
/// Enough for the spool, whose file begins with more than a MiB.
const DISK: &str = "size=8m";
/// Their lines do not fit into what is left of the last page of the record.
const RESULTS: i64 = 30;

/// A small file system of its own; needs root.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: &Path) -> Result<Self> {
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", DISK, "tmpfs"]).arg(at).status();
        ensure!(done.context("run mount")?.success(), "a file system can't be mounted");
        Ok(Self(at.to_owned()))
    }

    /// Fills it to the last byte.
    fn fill(&self) -> Result<()> {
        let mut file = std::fs::File::create(self.0.join("filler")).context("make a file")?;
        let mut size = 1 << 16;
        while size > 0 {
            if file.write_all(&vec![7; size]).is_err() {
                size /= 2;
            }
        }
        Ok(())
    }

    fn free(&self) -> Result<()> {
        std::fs::remove_file(self.0.join("filler")).context("remove the file")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

struct Clinic {
    agent: Agent,
    server: Server,
    disk: Disk,
    world: World,
}

impl Clinic {
    /// An enrolled terminal whose state lies on a disk of its own.
    async fn open(test: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        server.import(&format!("code,name,prefecture\n{CODE},いっぱいの医院,東京都\n")).await?;
        wait::until(CODE, PATIENCE, async || server.facility(CODE).await).await?;
        let env = vec![("YOMITORI_LOG".to_owned(), "debug".to_owned())];
        let mut agent = Agent::prepare(&world, &server.uplink, AgentPlan { env, ..AgentPlan::default() })?;
        let disk = Disk::mount(&agent.state)?;
        agent.enrol(&server, CODE).await?;
        agent.launch()?;
        Ok(Self { agent, server, disk, world })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_does_not_stop_what_is_sent() -> Result<()> {
    let Clinic { world, mut server, agent, disk } = Clinic::open("full-disk").await?;
    let store = world.store().await?;
    let arrived = async |count: i64| {
        let query = "SELECT count(*) FROM projection.fact WHERE facility_id = $1 AND kind = 'linkage_result_observed'";
        wait::until(&format!("{count} results"), PATIENCE, async || {
            let found: i64 = store.query_one(query, &[&FacilityId::of_code(CODE).0]).await?.get(0);
            ensure!(found == count, "{found}: {}", agent.log());
            Ok(())
        })
        .await
    };
    agent.face_result(clock::now()).await?;
    arrived(1).await?;
    server.kill()?;
    let kept = || agent.log().matches("An observation was stored").count();
    for _ in 1..RESULTS {
        let before = kept();
        agent.face_result(clock::now()).await?;
        wait::until("the result to be kept", PATIENCE, async || {
            ensure!(kept() > before, "{}", agent.log());
            Ok(())
        })
        .await?;
    }
    disk.fill()?;
    server.serve().await?;
    arrived(RESULTS).await?;

    // The record says what it lacks.
    let sent = agent.try_run(&["sent", "--last", "10000"]).await?;
    let said = String::from_utf8_lossy(&sent.stderr).into_owned();
    ensure!(said.contains("because the disk is full"), "{said}");
    // With room, also after a restart, the place of the missing lines is marked.
    disk.free()?;
    agent.face_result(clock::now()).await?;
    arrived(RESULTS + 1).await?;
    let sent = agent.run(&["sent", "--last", "10000"]).await?;
    let all: Vec<Value> = sent.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let missing: Vec<u64> = all.iter().filter_map(|line| line["missing"]["lines"].as_u64()).collect();
    ensure!(missing.iter().sum::<u64>() + 1 >= RESULTS.unsigned_abs(), "{missing:?} in {sent}");
    ensure!(!agent.log().contains("panicked"), "{}", agent.log());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_full_disk_lost_is_reported_after_a_restart_and_once() -> Result<()> {
    let Clinic { world, mut server, mut agent, disk } = Clinic::open("full-disk-lost").await?;
    let store = world.store().await?;
    let facility = FacilityId::of_code(CODE);
    let count = async |what: &str| -> Result<i64> {
        let query = format!("SELECT {what} FROM projection.fact WHERE facility_id = $1");
        Ok(store.query_one(&query, &[&facility.0]).await?.get(0))
    };
    let results = "count(*) FILTER (WHERE kind = 'linkage_result_observed')";
    let gaps =
        "count(*) FILTER (WHERE kind = 'collection_gap' AND event::jsonb->'collection_gap'->>'source' = 'spool')";
    let lost = "coalesce(sum((event::jsonb->'collection_gap'->>'lost')::int8) FILTER (WHERE kind = 'collection_gap'), 0)::int8";
    agent.face_result(clock::now()).await?;
    wait::until("the first result", PATIENCE, async || {
        ensure!(count(results).await? == 1);
        Ok(())
    })
    .await?;

    // Nothing is acknowledged, so no room in the spool becomes free.
    server.kill()?;
    disk.fill()?;
    let losses = |agent: &Agent| agent.log().matches("Observations were lost").count();
    let mut made = 1;
    wait::until("observations to be lost", 3 * PATIENCE, async || {
        let results = (0..20).map(|_| agent.face_result(clock::now()));
        futures_util::future::try_join_all(results).await?;
        made += 20;
        ensure!(losses(&agent) >= 3, "{}", agent.log());
        Ok(())
    })
    .await?;
    let check = agent.try_run(&["check"]).await?;
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    ensure!(!check.status.success() && said.contains("could not be stored"), "{said}");
    agent.kill()?;
    agent.launch()?;
    disk.free()?;
    server.serve().await?;
    agent.face_result(clock::now()).await?;
    made += 1;
    wait::until("the gap", PATIENCE, async || {
        let (arrived, lost, gaps) = (count(results).await?, count(lost).await?, count(gaps).await?);
        ensure!(gaps >= 1 && arrived + lost >= made, "{arrived} and {lost} lost of {made}: {}", agent.log());
        Ok(())
    })
    .await?;
    ensure!(agent.log().matches("The disk is full").count() <= 2, "once for each start: {}", agent.log());
    let check = agent.try_run(&["check"]).await?;
    ensure!(!String::from_utf8_lossy(&check.stdout).contains("could not be stored"));
    // Neither another start nor another result reports it again.
    let reported = (count(gaps).await?, count(lost).await?);
    agent.kill()?;
    agent.launch()?;
    let arrived = count(results).await?;
    wait::until("one more result", PATIENCE, async || {
        // The first ones may be there before the agent watches.
        agent.face_result(clock::now()).await?;
        ensure!(count(results).await? > arrived);
        Ok(())
    })
    .await?;
    ensure!((count(gaps).await?, count(lost).await?) == reported, "reported again: {}", agent.log());
    server.run(&["log", "verify"]).await?;
    Ok(())
}
