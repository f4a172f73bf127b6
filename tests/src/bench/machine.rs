//! The machine of a figure, and the versions of the programs.

use std::collections::BTreeMap;
use std::fmt;
use std::process::Command;

use serde::{Deserialize, Serialize};

use super::number::number;
use crate::world::services;

/// The conditions of a figure that the figure doesn't show.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Machine {
    pub cores: usize,
    pub memory_mib: u64,
    pub kernel: String,
    /// Runnable processes during the minute before; above zero, other programs were running.
    pub busy: f64,
    pub versions: BTreeMap<String, String>,
}

impl Machine {
    /// This machine, now. Unknown values are omitted.
    #[must_use]
    pub fn here() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let memory = read("/proc/meminfo");
        let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
        let kib: u64 = total.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default();
        let load = read("/proc/loadavg");
        Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_mib: kib >> 10,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            busy: load.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default(),
            versions: versions(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, memory_mib, kernel, busy, versions } = self;
        let memory = number(*memory_mib as f64);
        write!(f, "{cores} cores, {memory} MiB, Linux {kernel}, load before {busy:.2}")?;
        for (program, version) in versions {
            write!(f, ", {program} {version}")?;
        }
        Ok(())
    }
}

fn versions() -> BTreeMap<String, String> {
    let of_debian = |package: &str| said("dpkg-query", &["-W", "-f", "${Version}\n", package]);
    let found = [
        ("Yomitori", Some(env!("CARGO_PKG_VERSION").to_owned())),
        ("librdkafka", Some(rdkafka::util::get_rdkafka_version().1)),
        ("Kafka", jar("kafka-libs", "kafka-clients-")),
        ("Debezium", jar("connect-libs", "debezium-connector-jdbc-")),
        ("PostgreSQL", of_debian("postgresql-[0-9]*")),
        ("rsyslog", of_debian("rsyslog")),
        ("Java", said("java", &["-XshowSettings:none", "--version"])),
        ("Rust", said("rustc", &["--version"])),
    ];
    found.into_iter().filter_map(|(name, version)| Some((name.to_owned(), version?))).collect()
}

/// The first word in a program's output that begins like a version.
fn said(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    Some(version.to_owned())
}

/// The version in the file name of a jar from Maven.
fn jar(folder: &str, name: &str) -> Option<String> {
    let folders = std::fs::read_dir(services::root().join("target").join(folder)).ok()?;
    let jars = folders.flatten().filter_map(|folder| std::fs::read_dir(folder.path()).ok()).flatten().flatten();
    let names = jars.filter_map(|jar| jar.file_name().into_string().ok());
    names.filter_map(|jar| Some(jar.strip_prefix(name)?.strip_suffix(".jar")?.to_owned())).next()
}
