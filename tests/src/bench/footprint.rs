//! What the agent costs a terminal: memory, processor, disk and line, with a reader, two folders and a connected server.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::figures::{Bar, Figure, Report};
use crate::world::agent::{Agent, Plan as AgentPlan};
use crate::world::pcscd::Pcscd;
use crate::world::server::{Plan, Server};
use crate::world::{Build, World, wait};

const CODE: &str = "1319999015";
/// Type B without historical bytes: what a phone may look like.
const PHONE: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];
const DAY_OF_RESULTS: usize = 300;
const AT_ONCE: usize = 10;
const DAY_OF_TAPS: i64 = 10;
/// The unit of processor time in `/proc`; a hundredth of a second on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Lets an agent idle for `span` and reports what it took, beside rsyslog.
///
/// # Errors
/// Where a part does not start.
pub async fn measure(span: Duration, report: &Report) -> Result<()> {
    let world = World::new("bench-footprint").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},ベンチ診療所,東京都\n")).await?;
    let pcscd = Pcscd::start().await?;
    let plan = AgentPlan { desk: true, ..AgentPlan::with_phone_reader(&pcscd) };
    let mut agent = Agent::start(&world, &server, CODE, plan).await?;
    let pid = agent.process()?.pid();
    wait::until("the agent's reader", Duration::from_secs(20), async || {
        let status = server.facility(CODE).await?;
        ensure!(status.to_string().contains("\"readers\""), "nothing is known of the readers");
        ensure!(agent.log().contains("connected"), "the server is not connected");
        Ok(())
    })
    .await?;
    // A busy clinic's day first, so that everything that is allocated once has been: results, and taps on the reader.
    for _ in 0..DAY_OF_RESULTS / AT_ONCE {
        let results = (0..AT_ONCE).map(|_| agent.face_result(crate::clock::now()));
        futures_util::future::try_join_all(results).await?;
    }
    let store = world.store().await?;
    for taps in 1..=DAY_OF_TAPS {
        let card = pcscd.insert(0, &PHONE)?;
        card.noticed().await?;
        card.remove();
        wait::until("the tap in the store", Duration::from_secs(20), async || {
            let query = "SELECT count(*) FROM projection.fact WHERE kind = 'tap_observed'";
            let there: i64 = store.query_one(query, &[]).await?.get(0);
            ensure!(there >= taps, "{there} of {taps}");
            Ok(())
        })
        .await?;
    }
    reqwest::get(&agent.desk).await.context("open the desk page")?.error_for_status()?;
    let binary = std::fs::metadata(Build::Released.program("yomitori-agent")).context("look at the binary")?.len();
    let cost = Cost::of_idling(pid, span, binary).await?;
    agent.kill()?;
    let peer = super::peer::measure(&world, DAY_OF_RESULTS, span, report).await?;
    let theirs = peer.map(|cost| cost.rows().map(|(_, value, _, _)| value));
    for (row, (what, value, unit, bar)) in cost.rows().into_iter().enumerate() {
        let mut figure = Figure::new(format!("agent: {what}"), value, unit);
        if let Some(theirs) = theirs {
            figure = figure.beside("rsyslog", theirs[row]);
        }
        figure.bar = bar;
        report.add(figure);
    }
    Ok(())
}

/// What a process takes while nothing happens.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Bytes.
    pub resident: u64,
    pub peak: u64,
    /// Of a core.
    pub share: f64,
    /// Bytes a day, both ways, with the headers of TCP and IP.
    pub carried: f64,
    /// Bytes of its program.
    pub binary: u64,
}

/// What was measured, how much, in which unit, and what was promised.
type Row = (&'static str, f64, &'static str, Option<Bar>);

impl Cost {
    /// Looks at it for `span`.
    ///
    /// # Errors
    /// Where it is gone.
    pub async fn of_idling(pid: u32, span: Duration, binary: u64) -> Result<Self> {
        let (before, carried_before) = (ticks(pid)?, carried(pid)?);
        let began = tokio::time::Instant::now();
        tokio::time::sleep(span).await;
        let (used, over) = ((ticks(pid)? - before) / TICKS_PER_SECOND, began.elapsed());
        let per_day = (carried(pid)? - carried_before) / over.as_secs_f64() * 86_400.0;
        let share = used / over.as_secs_f64();
        Ok(Self { resident: memory(pid, "VmRSS")?, peak: memory(pid, "VmHWM")?, share, carried: per_day, binary })
    }

    /// As rows of a table.
    #[must_use]
    pub fn rows(&self) -> [Row; 5] {
        #[expect(clippy::cast_precision_loss, reason = "sizes in MiB")]
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        [
            ("resident memory after a day", mib(self.resident), "MiB", Some(Bar::AtMost(10.0))),
            ("most memory", mib(self.peak), "MiB", None),
            ("processor while idle", self.share * 100.0, "% of a core", Some(Bar::AtMost(0.2))),
            ("over the line while idle", self.carried / f64::from(1 << 20), "MiB a day", Some(Bar::AtMost(1.0))),
            ("program", mib(self.binary), "MiB", Some(Bar::AtMost(8.0))),
        ]
    }
}

/// The processor time that a process has used.
///
/// # Errors
/// Where it is gone.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    Ok(ticks(pid)? / TICKS_PER_SECOND)
}

/// The same, and that of children that have ended and were waited for.
///
/// # Errors
/// Where it is gone.
pub fn cpu_seconds_with_ended(pid: u32) -> Result<f64> {
    Ok((ticks(pid)? + times(pid, [13, 14])?) / TICKS_PER_SECOND)
}

/// The most memory that a process has held, in bytes.
///
/// # Errors
/// Where it is gone.
pub fn peak_memory(pid: u32) -> Result<u64> {
    memory(pid, "VmHWM")
}

/// What the process's connections have carried both ways, in bytes, by the kernel's own count.
fn carried(pid: u32) -> Result<f64> {
    /// Of IP and TCP with time stamps, for each segment.
    const HEADERS: f64 = 52.0;
    let output = Command::new("ss").args(["-tniHp", "state", "established"]).output().context("run ss")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let owner = format!("pid={pid},");
    // A connection is a line, and what is known of it the next.
    let known = printed.lines().zip(printed.lines().skip(1)).filter(|(line, _)| line.contains(&owner));
    let number = |line: &str, name: &str| {
        let value = line.split_whitespace().find_map(|word| word.strip_prefix(name));
        value.and_then(|value| value.parse::<f64>().ok()).unwrap_or_default()
    };
    Ok(known
        .map(|(_, line)| {
            let bytes = number(line, "bytes_sent:") + number(line, "bytes_received:");
            bytes + HEADERS * (number(line, "segs_out:") + number(line, "segs_in:"))
        })
        .sum())
}

fn ticks(pid: u32) -> Result<f64> {
    times(pid, [11, 12])
}

/// The sum of two fields of the process's times, counted from behind its name.
fn times(pid: u32, fields: [usize; 2]) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read the agent's times")?;
    // The name in parentheses may hold anything.
    let (_, rest) = stat.rsplit_once(')').context("understand the agent's times")?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [user, system] = fields.map(|field| words.get(field).and_then(|text| text.parse::<f64>().ok()));
    Ok(user.context("user time")? + system.context("system time")?)
}

/// A size that the kernel tells of a process, such as `VmRSS`, in bytes.
///
/// # Errors
/// Where it is gone.
pub fn memory(pid: u32, what: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read the agent's memory")?;
    let line = status.lines().find(|line| line.starts_with(what)).context("find the agent's memory")?;
    let kib: u64 = line.split_whitespace().nth(1).context("a size")?.parse().context("a size")?;
    Ok(kib * 1024)
}
