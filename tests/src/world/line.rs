//! A bad line between two hosts: slow, with high latency and packet loss. The same random generator loses the same
//! packets.
//!
//! Not every kernel has its own emulation (`tc netem`), so the packets of two TUN devices are forwarded here.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::net::UnixDatagram;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::task::AbortOnDropHandle;

/// The quality of the line in each direction.
#[derive(Debug, Clone, Copy)]
pub struct Badness {
    pub bits_a_second: u32,
    /// Share of all packets.
    pub loss: f64,
    pub delay: Duration,
}

/// More than a device's queue can hold.
const PACKETS: usize = 1_000;
/// The maximal packet with TUN's header.
const LONGEST: usize = 2_048;

/// See the head of this file. The line is cut when it is dropped.
#[derive(Debug)]
pub struct Line {
    _ways: [AbortOnDropHandle<()>; 4],
}

impl Line {
    /// Forwards the packets of the sockets `ends[0].0` and `ends[1].0` to the other side's device at `ends[_].1`.
    ///
    /// # Errors
    /// If the sockets can't be created.
    pub fn between(ends: [(&Path, &Path); 2], badness: Badness, chance: &mut StdRng) -> Result<Self> {
        let open = |path: &Path| UnixDatagram::bind(path).map(Arc::new).with_context(|| format!("make {path:?}"));
        let [(a, to_a), (b, to_b)] = ends;
        let (a, b) = (open(a)?, open(b)?);
        let mut way = |from: &Arc<UnixDatagram>, to: &Arc<UnixDatagram>, device: &Path| {
            let (enter, leave) = mpsc::channel(PACKETS);
            let chance = StdRng::seed_from_u64(chance.random());
            let entry = tokio::spawn(take_in(Arc::clone(from), enter, badness, chance));
            let exit = tokio::spawn(give_out(Arc::clone(to), device.to_owned(), leave));
            [entry, exit].map(AbortOnDropHandle::new)
        };
        let ([a_in, b_out], [b_in, a_out]) = (way(&a, &b, to_b), way(&b, &a, to_a));
        Ok(Self { _ways: [a_in, b_out, b_in, a_out] })
    }
}

/// A packet, and the time at which it leaves the line.
type Travelling = (Instant, Vec<u8>);

async fn take_in(from: Arc<UnixDatagram>, line: mpsc::Sender<Travelling>, badness: Badness, mut chance: StdRng) {
    let mut free_at = Instant::now();
    let mut packet = vec![0; LONGEST];
    while let Ok(length) = from.recv(&mut packet).await {
        if chance.random_bool(badness.loss) {
            continue;
        }
        let bits = u32::try_from(length * 8).unwrap_or(u32::MAX);
        free_at = free_at.max(Instant::now()) + Duration::from_secs(1) * bits / badness.bits_a_second;
        // A full queue drops the packet.
        line.try_send((free_at + badness.delay, packet[..length].to_vec())).ok();
    }
}

async fn give_out(to: Arc<UnixDatagram>, device: std::path::PathBuf, mut line: mpsc::Receiver<Travelling>) {
    while let Some((at, packet)) = line.recv().await {
        sleep_until(at).await;
        // Packets are lost until the device exists.
        to.send_to(&packet, &device).await.ok();
    }
}
