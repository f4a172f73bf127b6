//! The faults: of a server, of the services below, of the network, of the terminals. Each kind has a lane of its own, so
//! that they meet.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rand::Rng as _;
use rand::rngs::StdRng;
use rustix::process::Signal;
use tokio::time::Instant;

use super::network::{Carries, Forwarder};
use super::terminal::Crowd;
use crate::storm::Kills;
use crate::world::server::Server;
use crate::world::services::Service;

/// A server has this long to end in order.
const STOPS_WITHIN: Duration = Duration::from_secs(30);
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// What lies below the servers.
#[derive(Clone, Copy)]
pub(super) struct Services<'a> {
    pub(super) kafka: &'a Service,
    pub(super) postgres: &'a Service,
}

/// The faults that were dealt, by name.
#[derive(Default)]
pub(super) struct Faults {
    dealt: Mutex<BTreeMap<&'static str, usize>>,
    kills: Mutex<Kills>,
}

impl Faults {
    fn count(&self, what: &'static str, times: usize) {
        *self.dealt.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += times;
    }

    pub(super) fn lines(&self) -> Vec<(String, usize)> {
        let faults = self.dealt.lock().unwrap_or_else(PoisonError::into_inner);
        faults.iter().map(|(what, times)| ((*what).to_owned(), *times)).collect()
    }

    /// The kills of programs, which count with those of the other tests.
    pub(super) fn kills(&self) -> Kills {
        self.kills.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn count_kill(&self, place: &'static str) {
        self.kills.lock().unwrap_or_else(PoisonError::into_inner).count("server with terminals", place);
    }

    fn killed(&self) -> u32 {
        self.kills.lock().unwrap_or_else(PoisonError::into_inner).total()
    }

    /// Reports once a minute.
    pub(super) async fn reported(&self, say: &(dyn Fn(&str) + Sync), until: Instant) -> Result<()> {
        while Instant::now() < until {
            tokio::time::sleep_until(until.min(Instant::now() + REPORT_EVERY)).await;
            let left = until.saturating_duration_since(Instant::now()).as_secs();
            let dealt: usize = self.lines().iter().map(|(_, times)| times).sum();
            say(&format!("{dealt} faults, {left} s left"));
        }
        Ok(())
    }

    /// A server is killed, stands still, or is stopped in order; it is started again each time, also where it ended by
    /// itself.
    pub(super) async fn of_server(&self, server: &mut Server, mut rng: StdRng, until: Instant) -> Result<()> {
        while pause(&mut rng, 2..15, until).await {
            if server.process()?.alive().is_err() {
                self.count("servers that ended by themselves", 1);
                server.launch()?;
                continue;
            }
            match rng.random_range(0..3) {
                0 => {
                    server.kill()?;
                    self.count_kill(ANY_MOMENT);
                    pause(&mut rng, 0..6, until).await;
                    server.launch()?;
                }
                1 => {
                    server.process()?.signal(Signal::STOP)?;
                    self.count("servers that stood still", 1);
                    pause(&mut rng, 1..20, until).await;
                    server.process()?.signal(Signal::CONT)?;
                }
                _ => {
                    server.process()?.terminate(STOPS_WITHIN).await?;
                    self.count("servers stopped in order", 1);
                    server.launch()?;
                }
            }
        }
        Ok(())
    }

    /// A server is killed again and again: at a point that it passes, or else at some moment, and started at once.
    pub(super) async fn kills_of_server(
        &self,
        server: &mut Server,
        mut rng: StdRng,
        until: Instant,
        at_least: u32,
    ) -> Result<()> {
        server.kill()?;
        self.count_kill(ANY_MOMENT);
        // On a busy machine it takes longer.
        while Instant::now() < until || self.killed() < at_least {
            let (name, most) = POINTS[rng.random_range(0..POINTS.len())];
            let crash = format!("{name}:{}", rng.random_range(1..=most));
            server.set_env(vec![("YOMITORI_CRASH".to_owned(), crash)]);
            let process = server.launch()?;
            // Not every start passes each point so often: the terminals go where they find a server.
            let limit = Duration::from_millis(rng.random_range(400..2_500));
            if let Ok(status) = process.ended(limit).await {
                let was_killed = status.signal() == Some(Signal::KILL.as_raw());
                ensure!(was_killed, "{:#}", process.explain(anyhow!("it ended: {status}")));
                self.count_kill(name);
            } else {
                process.kill().context("kill a server")?;
                self.count_kill(ANY_MOMENT);
            }
        }
        server.set_env(Vec::new());
        server.launch()?;
        Ok(())
    }

    /// The broker or the database is killed, stopped, or stands still as with a disk that does not answer, and comes back.
    pub(super) async fn of_services(&self, services: Services<'_>, mut rng: StdRng, until: Instant) -> Result<()> {
        while pause(&mut rng, 10..40, until).await {
            let (service, [killed, stopped, still]) = match rng.random_range(0..2) {
                0 => (services.kafka, ["Kafka killed", "Kafka stopped in order", "Kafka that stood still"]),
                _ => (
                    services.postgres,
                    ["PostgreSQL killed", "PostgreSQL stopped in order", "PostgreSQL that took no connection"],
                ),
            };
            match rng.random_range(0..3) {
                0 => {
                    service.kill().await?;
                    self.count(killed, 1);
                }
                1 => {
                    service.stop().await?;
                    self.count(stopped, 1);
                }
                _ => {
                    service.signal(Signal::STOP)?;
                    self.count(still, 1);
                    pause(&mut rng, 1..20, until).await;
                    service.signal(Signal::CONT)?;
                    continue;
                }
            }
            pause(&mut rng, 0..20, until).await;
            service.restart().await?;
        }
        Ok(())
    }

    /// Connections fall silent or become slow, and carry everything again.
    pub(super) async fn of_network(&self, forwarders: &[Forwarder], mut rng: StdRng, until: Instant) -> Result<()> {
        while pause(&mut rng, 2..20, until).await {
            let forwarder = &forwarders[rng.random_range(0..forwarders.len())];
            let share = rng.random_range(0.05..0.9);
            match rng.random_range(0..3) {
                0 => {
                    let met = forwarder.some(&mut rng, share, Carries::Nothing);
                    self.count("connections that fell silent", met);
                }
                1 => {
                    let delay = Duration::from_millis(rng.random_range(50..1_500));
                    let met = forwarder.some(&mut rng, share, Carries::After(delay));
                    self.count("connections that became slow", met);
                }
                _ => forwarder.heal(),
            }
        }
        forwarders.iter().for_each(Forwarder::heal);
        Ok(())
    }

    /// Lines are cut, terminals lose power, clocks jump.
    pub(super) async fn of_terminals(&self, crowd: &Crowd, mut rng: StdRng, until: Instant) -> Result<()> {
        while pause(&mut rng, 1..8, until).await {
            match rng.random_range(0..4) {
                0 => {
                    let share = rng.random_range(0.05..0.6);
                    let met = crowd.some(&mut rng, share, |terminal| terminal.cut());
                    self.count("lines cut", met);
                }
                1 => {
                    let met = crowd.some(&mut rng, 0.1, |terminal| terminal.power(false));
                    self.count("terminals without power", met);
                }
                2 => _ = crowd.some(&mut rng, 0.5, |terminal| terminal.power(true)),
                _ => {
                    let wrong = rng.random_range(-40_000..40_000);
                    let met = crowd.some(&mut rng, 0.05, |terminal| terminal.set_clock(wrong));
                    self.count("clocks set wrong", met);
                }
            }
        }
        Ok(())
    }
}

const ANY_MOMENT: &str = "any moment";
/// The points of what a server does for terminals, and the highest passage that is used.
const POINTS: [(&str, u32); 9] = [
    ("before-append", 12),
    ("after-append", 12),
    ("before-connected", 6),
    ("after-connected", 6),
    ("before-disconnected", 4),
    ("after-disconnected", 4),
    ("after-lease", 2),
    ("before-commit", 4),
    ("after-commit", 4),
];

/// Waits for some seconds, at most until the end; whether there is time left.
async fn pause(rng: &mut StdRng, seconds: std::ops::Range<u64>, until: Instant) -> bool {
    let millis = rng.random_range(seconds.start * 1_000..seconds.end * 1_000);
    tokio::time::sleep_until(until.min(Instant::now() + Duration::from_millis(millis))).await;
    Instant::now() < until
}
