//! The partitions that each server instance projects, by the locks in the database; and the loss of them by a broken
//! connection.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use tokio_postgres::Client;

use super::process::Process;

/// The first half of the locks' numbers, which is the projector's.
const LOCKS: i64 = 0x596f_6d69;
/// Partitions are below; above is the lock that all instances share.
const PARTITIONS: i64 = 1 << 16;

/// The partitions held by each connection; connections that hold none are included.
///
/// # Errors
/// If the database doesn't answer.
pub async fn held(store: &Client) -> Result<BTreeMap<i32, BTreeSet<i64>>> {
    let query = "SELECT pid, objid::int8 FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid::int8 = $1 \
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let mut held: BTreeMap<i32, BTreeSet<i64>> = BTreeMap::new();
    for row in store.query(query, &[&LOCKS]).await.context("look who holds the partitions")? {
        let (connection, lock): (i32, i64) = (row.get(0), row.get(1));
        let partitions = held.entry(connection).or_default();
        if lock < PARTITIONS {
            partitions.insert(lock);
        }
    }
    Ok(held)
}

/// The connection by which `process` holds partitions.
///
/// # Errors
/// If it has none.
pub async fn connection_of(store: &Client, process: &Process) -> Result<i32> {
    let ports = ports_of(process.pid())?;
    let query = "SELECT pid FROM pg_stat_activity WHERE client_port = ANY($1) AND pid = ANY($2)";
    let holders: Vec<i32> = held(store).await?.into_keys().collect();
    let rows = store.query(query, &[&ports, &holders]).await.context("look for its connections")?;
    ensure!(rows.len() == 1, "{} connections hold locks for process {}", rows.len(), process.pid());
    Ok(rows[0].get(0))
}

/// Ends a connection at the database, like a firewall or a failover: the client notices at its next query.
///
/// # Errors
/// If it has already ended.
pub async fn cut(store: &Client, connection: i32) -> Result<()> {
    let row = store.query_one("SELECT pg_terminate_backend($1)", &[&connection]).await.context("end a connection")?;
    ensure!(row.get::<_, bool>(0), "connection {connection} is gone already");
    Ok(())
}

/// The local ports of a process's TCP connections.
fn ports_of(pid: u32) -> Result<Vec<i32>> {
    let mut sockets = BTreeSet::new();
    let folder = format!("/proc/{pid}/fd");
    for entry in std::fs::read_dir(&folder).with_context(|| format!("list {folder}"))? {
        // A descriptor that was closed in between is not a connection.
        let Ok(target) = std::fs::read_link(entry?.path()) else { continue };
        let target = target.to_string_lossy();
        sockets.extend(target.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')).map(str::to_owned));
    }
    let mut ports = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = std::fs::read_to_string(table) else { continue };
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (Some(local), Some(inode)) = (fields.get(1), fields.get(9)) else { continue };
            if sockets.contains(*inode) {
                let (_, port) = local.rsplit_once(':').context("a local address")?;
                ports.push(i32::from_str_radix(port, 16).context("a local port")?);
            }
        }
    }
    Ok(ports)
}
