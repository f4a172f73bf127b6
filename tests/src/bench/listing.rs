//! The ministry's list against a group as large as the country: a master of facilities is imported, then a list that
//! names a part of them.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::time::Instant;

use crate::world::server::{Plan, Server};
use crate::world::{World, wait};

/// Imports a master of `facilities` and a list of `rows`, and prints what both took.
///
/// # Errors
/// Where a part does not start, or an import fails.
pub async fn measure(facilities: usize, rows: usize, print: impl Fn(&str)) -> Result<()> {
    let world = World::new("bench-listing").await?;
    let server = Server::start(&world, Plan::default()).await?;
    let master = world.folder().join("master.csv");
    std::fs::write(&master, table(facilities, 1)?).context("write the master")?;
    let list = world.folder().join("list.csv");
    std::fs::write(&list, table(rows, facilities / rows.max(1))?).context("write the list")?;

    let took = timed(&world, &server, &["facility", "import", path(&master)?]).await?;
    print(&format!("facility import of {facilities} rows: {took}"));
    // The list is matched against what is registered, not against what is on its way.
    let expected = i64::try_from(facilities)?;
    let store = world.store().await?;
    let began = Instant::now();
    wait::until("the facilities in the projection", Duration::from_secs(1200), async || {
        let known: i64 = store.query_one("SELECT count(*) FROM projection.facility", &[]).await?.get(0);
        ensure!(known >= expected, "{known} of {expected} are there");
        Ok(())
    })
    .await?;
    print(&format!("projected {:.1} s after the import", began.elapsed().as_secs_f64()));
    let import = ["list", "import", path(&list)?, "--source", "bench", "--as-of", "2026-04-01", "--coverage", "full"];
    let took = timed(&world, &server, &import).await?;
    print(&format!("list import of {rows} rows against {facilities} facilities: {took}"));
    Ok(())
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a path that is text")
}

/// A table of `rows` facilities, every `step`th number.
fn table(rows: usize, step: usize) -> Result<String> {
    let mut text = String::from("code,name,prefecture\n");
    for number in (0..rows).map(|row| row * step) {
        let (prefecture, institution) = (number % 47 + 1, number / 47);
        writeln!(text, "{prefecture:02}1{institution:07},第{number}診療所,{prefecture:02}")?;
    }
    Ok(text)
}

/// What a command took, and the most memory it held.
async fn timed(world: &World, server: &Server, arguments: &[&str]) -> Result<String> {
    let mut command: Command = server.command();
    let said = world.folder().join("said.log");
    let log = std::fs::File::create(&said).context("open a file for what is said")?;
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let began = Instant::now();
    let mut child = command.spawn().context("start the command")?;
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
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
    Ok(format!("{took:.1} s, at most {} MiB", peak / 1024))
}
