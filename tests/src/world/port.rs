//! Ports on loopback.

use std::net::TcpListener;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result};

/// The kernel uses source ports from 32768 upwards. A server's port is below: otherwise a client that retries against a
/// stopped server could take its port, or even connect to itself.
const FIRST: u16 = 12_000;
/// Each test process has a block of its own, so that two of them never hand out the same port.
const BLOCKS: u16 = 13;
const BLOCK: u16 = 600;

/// A free port.
///
/// # Errors
/// If there is none.
pub fn free() -> Result<u16> {
    free_row(1)
}

/// The first of `count` consecutive free ports. Each call continues after the previous one, so two tests of one process
/// don't get the same port.
///
/// # Errors
/// If there are none.
pub fn free_row(count: u16) -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let block = block()?;
    for _ in 0..BLOCK {
        let offset = NEXT.fetch_add(count, Ordering::Relaxed) % (BLOCK - count);
        let first = block + 1 + offset;
        if (first..first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return Ok(first);
        }
    }
    anyhow::bail!("no free port between {block} and {}", block + BLOCK)
}

/// The first port of this process's block; holding it marks the block as taken.
fn block() -> Result<u16> {
    static HELD: OnceLock<Option<(u16, TcpListener)>> = OnceLock::new();
    let hold = || {
        let firsts = (0..BLOCKS).map(|block| FIRST + block * BLOCK);
        firsts.filter_map(|first| Some((first, TcpListener::bind(("127.0.0.1", first)).ok()?))).next()
    };
    let held = HELD.get_or_init(hold).as_ref();
    held.map(|(first, _)| *first).context("all blocks of ports are taken: do many test processes run?")
}

/// Whether a process listens on `port`, read from the kernel's table, because the process would notice a connection.
///
/// # Errors
/// If the table can't be read.
pub fn listening(port: u16) -> Result<bool> {
    let local = format!(":{port:04X}");
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = std::fs::read_to_string(table) else { continue };
        for line in text.lines().skip(1) {
            let mut fields = line.split_whitespace().skip(1);
            let address = fields.next().context("local address")?;
            if address.ends_with(&local) && fields.nth(1) == Some("0A") {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
