//! Usage of processes: processor time, memory, disk.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::usage;
use crate::world::services;

/// The folder of `tests/bench` for Kafka, PostgreSQL and results.
#[must_use]
pub fn folder() -> PathBuf {
    services::root().join("target/bench")
}

/// A service of the bench, which may consist of many processes.
#[derive(Debug, Clone, Copy)]
pub struct Service(u32);

impl Service {
    /// `kafka` or `postgres`; `None` if `tests/bench` didn't start it.
    #[must_use]
    pub fn of_bench(name: &str) -> Option<Self> {
        let pid = std::fs::read_to_string(folder().join(name).join("pid")).ok()?;
        let pid = pid.trim().parse().ok()?;
        usage::cpu_seconds(pid).ok().map(|_| Self(pid))
    }

    /// The processor time of the first process and of all children, including ended ones.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn cpu_seconds(self) -> Result<f64> {
        let children: f64 = children(self.0).into_iter().filter_map(|pid| usage::cpu_seconds(pid).ok()).sum();
        Ok(usage::cpu_seconds_with_ended(self.0)? + children)
    }
}

/// The processor time of this process.
///
/// # Errors
/// If the system doesn't report it.
pub fn own_cpu_seconds() -> Result<f64> {
    usage::cpu_seconds(std::process::id())
}

/// The processor time of the ended children of this process.
///
/// # Errors
/// If the system doesn't report it.
pub fn ended_children_cpu_seconds() -> Result<f64> {
    let own = std::process::id();
    Ok(usage::cpu_seconds_with_ended(own)? - usage::cpu_seconds(own)?)
}

fn children(of: u32) -> Vec<u32> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{of}/task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// The size in bytes of the log of `topic` on the bench's broker.
///
/// # Errors
/// If the log doesn't exist.
pub fn bytes_of_log(topic: &str) -> Result<u64> {
    let data = folder().join("kafka/data");
    let mut bytes = 0;
    for entry in std::fs::read_dir(&data).with_context(|| format!("look into {data:?}"))? {
        let entry = entry.context("look at a partition")?;
        let name = entry.file_name().into_string().unwrap_or_default();
        if name.rsplit_once('-').is_some_and(|(of, _)| of == topic) {
            bytes += segments(&entry.path())?;
        }
    }
    Ok(bytes)
}

/// Index files are preallocated, so only the record files count.
fn segments(partition: &Path) -> Result<u64> {
    let files = std::fs::read_dir(partition).context("look into a partition")?;
    let logs = files.flatten().filter(|file| file.path().extension().is_some_and(|extension| extension == "log"));
    logs.map(|file| Ok(file.metadata().context("look at a segment")?.len())).sum()
}
