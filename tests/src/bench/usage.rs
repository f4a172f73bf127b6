//! The usage of a process, as the kernel reports it: processor time, memory, bytes on the network.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::figures::Bar;

/// The unit of processor time in `/proc`: a hundredth of a second on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// The usage of an idle process.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Bytes.
    pub resident: u64,
    pub peak: u64,
    /// Share of a core.
    pub share: f64,
    /// Bytes a day, both ways, including the headers of TCP and IP.
    pub carried: f64,
    /// Bytes of the program file.
    pub binary: u64,
}

/// Measure, value, unit and target.
type Row = (&'static str, f64, &'static str, Option<Bar>);

impl Cost {
    /// Measures the process for `span`.
    ///
    /// # Errors
    /// If the process has ended.
    pub async fn of_idling(pid: u32, span: Duration, binary: u64) -> Result<Self> {
        let (before, carried_before) = (ticks(pid)?, carried(pid)?);
        let began = tokio::time::Instant::now();
        tokio::time::sleep(span).await;
        let (used, over) = ((ticks(pid)? - before) / TICKS_PER_SECOND, began.elapsed());
        let per_day = (carried(pid)? - carried_before) / over.as_secs_f64() * 86_400.0;
        let share = used / over.as_secs_f64();
        Ok(Self { resident: memory(pid, "VmRSS")?, peak: memory(pid, "VmHWM")?, share, carried: per_day, binary })
    }

    /// The usage as rows of a table.
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

/// The processor time of a process.
///
/// # Errors
/// If the process has ended.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    Ok(ticks(pid)? / TICKS_PER_SECOND)
}

/// The processor time of a process, including its ended children that were waited for.
///
/// # Errors
/// If the process has ended.
pub fn cpu_seconds_with_ended(pid: u32) -> Result<f64> {
    Ok((ticks(pid)? + times(pid, [13, 14])?) / TICKS_PER_SECOND)
}

/// The peak resident memory of a process, in bytes.
///
/// # Errors
/// If the process has ended.
pub fn peak_memory(pid: u32) -> Result<u64> {
    memory(pid, "VmHWM")
}

/// Bytes carried by the process's connections, both ways, by the kernel's count.
fn carried(pid: u32) -> Result<f64> {
    /// Headers of IP and TCP with time stamps, for each segment.
    const HEADERS: f64 = 52.0;
    let output = Command::new("ss").args(["-tniHp", "state", "established"]).output().context("run ss")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let owner = format!("pid={pid},");
    // `ss` prints a connection on one line and its details on the next.
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

/// The sum of two fields of the process's times, counted after its name.
fn times(pid: u32, fields: [usize; 2]) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("read the agent's times")?;
    // The name in parentheses may contain any character.
    let (_, rest) = stat.rsplit_once(')').context("parse the agent's times")?;
    let words: Vec<&str> = rest.split_whitespace().collect();
    let [user, system] = fields.map(|field| words.get(field).and_then(|text| text.parse::<f64>().ok()));
    Ok(user.context("user time")? + system.context("system time")?)
}

/// A size that the kernel reports for a process, such as `VmRSS`, in bytes.
///
/// # Errors
/// If the process has ended.
pub fn memory(pid: u32, what: &str) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read the agent's memory")?;
    let line = status.lines().find(|line| line.starts_with(what)).context("find the agent's memory")?;
    let kib: u64 = line.split_whitespace().nth(1).context("a size")?.parse().context("a size")?;
    Ok(kib * 1024)
}
