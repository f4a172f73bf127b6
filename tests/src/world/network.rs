//! Three hosts on one machine: the server's host (the machine itself), a relay behind a bad line, and a terminal behind
//! the relay without any other connection. Network namespaces by `ip`, TUN devices by `socat`; needs root.

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rand::rngs::StdRng;
use tempfile::TempDir;

use super::line::{Badness, Line};
use super::process::Process;
use super::wait;

/// See the head of this file. The network is removed when it is dropped.
#[derive(Debug)]
pub struct Network {
    /// The server's address for the relay.
    pub centre: Ipv4Addr,
    /// The terminal's address for the relay.
    pub terminal: Ipv4Addr,
    relay_host: String,
    terminal_host: String,
    // Dropped in this order: devices, line, sockets.
    _devices: Vec<Process>,
    _line: Line,
    _folder: TempDir,
}

impl Network {
    /// Builds the network, with a line of quality `badness` between server and relay.
    ///
    /// # Errors
    /// If the system refuses. The error contains its message.
    pub async fn build(badness: Badness, chance: &mut StdRng) -> Result<Self> {
        let number = std::process::id();
        let third = u8::try_from(number % 250).context("a part of an address")?;
        let (relay_host, terminal_host) = (format!("yomitori-r{number}"), format!("yomitori-t{number}"));
        let (centre, relay) = (Ipv4Addr::new(10, 201, third, 1), Ipv4Addr::new(10, 201, third, 2));
        let (inner, terminal) = (Ipv4Addr::new(10, 202, third, 1), Ipv4Addr::new(10, 202, third, 2));
        let folder = tempfile::Builder::new().prefix("yomitori-line-").tempdir().context("make a folder")?;
        let [a, to_a, b, to_b] = ["a", "to-a", "b", "to-b"].map(|name| folder.path().join(name));
        let line = Line::between([(&a, &to_a), (&b, &to_b)], badness, chance)?;
        let mut network = Self {
            centre,
            terminal,
            relay_host: relay_host.clone(),
            terminal_host: terminal_host.clone(),
            _devices: Vec::new(),
            _line: line,
            _folder: folder,
        };
        for host in [&relay_host, &terminal_host] {
            ip(&["netns", "add", host])?;
            ip(&["-n", host, "link", "set", "lo", "up"])?;
        }
        ip(&["-n", &relay_host, "link", "add", "lan", "type", "veth", "peer", "name", "lan", "netns", &terminal_host])?;
        for (host, address) in [(&relay_host, inner), (&terminal_host, terminal)] {
            ip(&["-n", host, "addr", "add", &format!("{address}/30"), "dev", "lan"])?;
            ip(&["-n", host, "link", "set", "lan", "up"])?;
        }
        let log = |name: &str| network._folder.path().join(format!("{name}.log"));
        let device = |within: &[&str], address: Ipv4Addr, ours: &std::path::Path, theirs: &std::path::Path| {
            let mut words = within.to_vec();
            let tun = format!("TUN:{address}/30,tun-name=yt{number},tun-type=tun,iff-no-pi,iff-up");
            let socket = format!("UNIX-SENDTO:{},bind={}", theirs.display(), ours.display());
            words.extend(["socat", &tun, &socket]);
            let mut command = Command::new(words[0]);
            command.args(&words[1..]);
            Process::start("socat", command, &log(if within.is_empty() { "centre" } else { "relay" }))
        };
        let here = device(&[], centre, &to_a, &a)?;
        let there = device(&["ip", "netns", "exec", &relay_host], relay, &to_b, &b)?;
        network._devices = vec![here, there];
        for host in [None, Some(&relay_host)] {
            let (name, log) = (format!("yt{number}"), log(if host.is_none() { "centre" } else { "relay" }));
            wait::until("a TUN device (/dev/net/tun has to be there)", wait::PATIENCE, async || {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                let up = match host {
                    None => ip(&["link", "show", "dev", &name, "up"]),
                    Some(host) => ip(&["-n", host, "link", "show", "dev", &name, "up"]),
                };
                ensure!(up.with_context(|| said.clone())?.contains("UP"), "it is not up: {said}");
                Ok(())
            })
            .await?;
        }
        Ok(network)
    }

    /// Words before a program that runs on the relay's host.
    #[must_use]
    pub fn on_relay(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.relay_host].map(str::to_owned).to_vec()
    }

    /// Words before a program that runs on the terminal.
    #[must_use]
    pub fn on_terminal(&self) -> Vec<String> {
        ["ip", "netns", "exec", &self.terminal_host].map(str::to_owned).to_vec()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in [&self.relay_host, &self.terminal_host] {
            // The namespace may not exist yet.
            ip(&["netns", "del", host]).ok();
        }
    }
}

fn ip(words: &[&str]) -> Result<String> {
    let done = Command::new("ip").args(words).output().context("run `ip` (Debian package iproute2)")?;
    let said = String::from_utf8_lossy(&done.stderr);
    ensure!(
        done.status.success(),
        "`ip {}` failed: {} (this test makes network namespaces, which needs root and a kernel that has them)",
        words.join(" "),
        said.trim()
    );
    Ok(String::from_utf8_lossy(&done.stdout).into_owned())
}
