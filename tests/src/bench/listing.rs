//! The ministry's list for a group as large as the country: imports a master of facilities, then a list that names a
//! part of them.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;

use super::figures::{Bar, Figure, Report};
use crate::world::server::{Plan, Server};
use crate::world::{World, wait};

/// Imports a master of `facilities` and a list of `rows`, and reports the cost of both.
///
/// # Errors
/// If a part does not start, or an import fails.
pub async fn measure(facilities: usize, rows: usize, report: &Report) -> Result<()> {
    let world = World::new("bench-listing").await?;
    let server = Server::start(&world, Plan::default()).await?;
    let master = world.folder().join("master.csv");
    std::fs::write(&master, table(facilities, 1)?).context("write the master")?;
    let list = world.folder().join("list.csv");
    std::fs::write(&list, table(rows, facilities / rows.max(1))?).context("write the list")?;

    let (took, memory) = timed(&world, &server, &["facility", "import", path(&master)?]).await?;
    report.add(Figure::new(format!("facility import of {facilities} rows"), took, "s").promised(Bar::AtMost(20.0)));
    report.add(Figure::new("  most memory", memory, "MiB"));
    // The list is matched with registered facilities, so the registration must be complete.
    let began = Instant::now();
    shown(&world, facilities).await?;
    report.add(Figure::new("  and then shown after", began.elapsed().as_secs_f64(), "s"));
    let import =
        ["listing", "import", path(&list)?, "--source", "bench", "--as-of", "2026-04-01", "--coverage", "full"];
    let (took, memory) = timed(&world, &server, &import).await?;
    let what = format!("list import of {rows} rows against {facilities} facilities");
    report.add(Figure::new(what, took, "s").promised(Bar::AtMost(5.0)));
    report.add(Figure::new("  most memory", memory, "MiB").promised(Bar::AtMost(300.0)));
    Ok(())
}

/// Waits until this many facilities have rows.
pub(super) async fn shown(world: &World, facilities: usize) -> Result<()> {
    let (expected, store) = (i64::try_from(facilities)?, world.store().await?);
    wait::until("the facilities in the projection", Duration::from_secs(1200), async || {
        let known: i64 = store.query_one("SELECT count(*) FROM projection.facility", &[]).await?.get(0);
        ensure!(known >= expected, "{known} of {expected} are there");
        Ok(())
    })
    .await
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is text")
}

/// A table of `rows` facilities, every `step`th number.
pub(super) fn table(rows: usize, step: usize) -> Result<String> {
    let mut text = String::from("code,name,prefecture\n");
    for number in (0..rows).map(|row| row * step) {
        let (prefecture, institution) = (number % 47 + 1, number / 47);
        writeln!(text, "{prefecture:02}1{institution:07},第{number}診療所,{prefecture:02}")?;
    }
    Ok(text)
}

/// The duration of a command, in seconds, and its peak memory, in MiB.
async fn timed(world: &World, server: &Server, arguments: &[&str]) -> Result<(f64, f64)> {
    let mut command: Command = server.command();
    let said = world.folder().join("said.log");
    let log = std::fs::File::create(&said).context("open a file for what is said")?;
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let began = Instant::now();
    let mut child = command.spawn().context("start the command")?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0_u32;
    let ended = loop {
        if let Ok(text) = std::fs::read_to_string(&status) {
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            peak = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak);
        }
        if let Some(ended) = child.try_wait().context("wait for the command")? {
            break ended;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let took = began.elapsed().as_secs_f64();
    let said = std::fs::read_to_string(said).unwrap_or_default();
    ensure!(ended.success(), "`{}` failed: {ended}: {said}", arguments.join(" "));
    Ok((took, f64::from(peak) / 1024.0))
}
