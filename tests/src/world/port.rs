//! Ports on loopback.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result};

/// The kernel uses source ports from 32768 upwards. A server's port is below: otherwise a client that retries against a
/// stopped server could take its port, or even connect to itself.
const FIRST: u16 = 12_000;
const COUNT: u16 = 8_000;

/// A free port.
///
/// # Errors
/// If there is none.
pub fn free() -> Result<u16> {
    free_row(1)
}

/// The first of `count` consecutive free ports. Each call continues after the previous one, so two tests of one process
/// never get the same port.
///
/// # Errors
/// If there are none.
pub fn free_row(count: u16) -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Concurrent test processes start at different ports.
    let start = (std::process::id() % u32::from(COUNT)) as u16;
    for _ in 0..COUNT {
        let offset = NEXT.fetch_add(count, Ordering::Relaxed);
        let first = FIRST + (start.wrapping_add(offset)) % (COUNT - count);
        if (first..first + count).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return Ok(first);
        }
    }
    anyhow::bail!("no free port between {FIRST} and {}", FIRST + COUNT)
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
