//! The terminals: real identities, the agent's own spool in memory and its own uplink, which looks for another server
//! whenever its line breaks.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use yomitori_agent::connect::{self, Route};
use yomitori_agent::identity::Identity;
use yomitori_agent::spool::Spool;
use yomitori_agent::uplink::stream::SpoolUploader;
use yomitori_observation::Sighting;
use yomitori_proto::event::Recorded;

use super::network::Forwarder;
use crate::bench::traffic;
use crate::oracle::Kept;
use crate::world::World;
use crate::world::server::Server;
use yomitori_simulation::clock;
use yomitori_simulation::fleet::facility::Facility;
use yomitori_simulation::fleet::operator::Operator;
use yomitori_simulation::fleet::roster::{self, Tokens};

const BUDGET: u64 = 1 << 26;
/// Different observations, which are repeated with other times.
const DIFFERENT: u64 = 500;

/// All terminals.
pub(super) struct Crowd {
    terminals: Vec<Arc<Terminal>>,
    routes: Vec<Arc<Route>>,
    day: Arc<Vec<Recorded>>,
    seed: u64,
    /// No terminal observes anything any more.
    resting: Arc<AtomicBool>,
}

pub(super) struct Terminal {
    identity: Identity,
    spool: Spool,
    /// Cancelled when the line is cut; the next line has a new one.
    line: Mutex<CancellationToken>,
    /// Without power, or at the end.
    off: watch::Sender<bool>,
    /// How far its clock is off, in seconds.
    clock: Mutex<i64>,
}

impl Crowd {
    /// Enrols a terminal for each facility that has one. They reach the servers through `forwarders`.
    pub(super) async fn enrol(
        world: &World,
        servers: &[Server],
        forwarders: &[Forwarder],
        facilities: &[Facility],
        seed: u64,
    ) -> Result<Self> {
        let first = servers.first().context("a server")?;
        world.has_facilities(facilities.len()).await?;
        let tokens = Tokens::Operator(Operator { program: first.program(), config: first.config().to_owned() });
        let address = |text: &str| {
            let parsed = text.parse::<yomitori_agent::address::ServerAddress>();
            parsed.map_err(|error| anyhow::anyhow!("the server's address: {error}"))
        };
        let state = world.new_folder("terminals")?;
        let members = roster::assemble(facilities, &address(&first.uplink)?, &state, &tokens, |_, _| {}).await?;
        let terminal = |identity: Identity| -> Result<Arc<Terminal>> {
            let spool = Spool::in_memory(identity.peer(), BUDGET).context("make a spool in memory")?;
            let (line, clock) = (Mutex::default(), Mutex::default());
            Ok(Arc::new(Terminal { identity, spool, line, off: watch::Sender::new(false), clock }))
        };
        let route = |forwarder: &Forwarder| {
            Ok(Arc::new(Route::from(address(&format!("https://127.0.0.1:{}", forwarder.port))?)))
        };
        Ok(Self {
            terminals: members.into_iter().map(|member| terminal(member.identity)).collect::<Result<_>>()?,
            routes: forwarders.iter().map(route).collect::<Result<_>>()?,
            day: Arc::new(traffic::day(&traffic::example()?, DIFFERENT)?),
            seed,
            resting: Arc::default(),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.terminals.len()
    }

    /// Starts all terminals: each observes now and then, and sends.
    pub(super) fn live(&self, closing: &CancellationToken) -> JoinSet<Result<()>> {
        let mut living = JoinSet::new();
        for (number, terminal) in (0..).zip(&self.terminals) {
            let rng = StdRng::seed_from_u64(self.seed ^ number);
            let (kept, receiver) = watch::channel(terminal.spool.last());
            let (day, resting, closing) = (Arc::clone(&self.day), Arc::clone(&self.resting), closing.clone());
            let observes = Arc::clone(terminal).observe(day, rng.clone(), kept, resting);
            let sends = Arc::clone(terminal).send(self.routes.clone(), rng, receiver);
            living.spawn(async move {
                tokio::select! {
                    ended = observes => ended,
                    ended = sends => ended,
                    () = closing.cancelled() => Ok(()),
                }
            });
        }
        living
    }

    /// Lets each of `share` of the terminals meet `what`.
    pub(super) fn some(&self, rng: &mut StdRng, share: f64, mut what: impl FnMut(&Arc<Terminal>)) -> usize {
        let mut met = 0;
        for terminal in &self.terminals {
            if rng.random_bool(share) {
                what(terminal);
                met += 1;
            }
        }
        met
    }

    /// No terminal observes anything any more, and all have power and the right time.
    pub(super) fn rests(&self) {
        self.resting.store(true, Ordering::Relaxed);
        self.terminals.iter().for_each(|terminal| terminal.power(true));
    }

    /// All terminals are switched off.
    pub(super) fn leave(&self) {
        self.terminals.iter().for_each(|terminal| terminal.power(false));
    }

    /// How many have something that is not acknowledged.
    pub(super) fn waiting(&self) -> usize {
        let waits = |terminal: &&Arc<Terminal>| terminal.spool.first_unacknowledged() <= terminal.spool.last();
        self.terminals.iter().filter(waits).count()
    }

    /// What each terminal has kept, for the oracle.
    pub(super) fn kept(&self) -> Vec<Kept> {
        let kept = |terminal: &Arc<Terminal>| {
            let last = terminal.spool.last().0;
            let (terminal, life) = (terminal.identity.terminal(), terminal.spool.life());
            Kept { terminal, life, journal: (1..=last).collect(), last }
        };
        self.terminals.iter().map(kept).collect()
    }
}

impl Terminal {
    /// Cuts the line, without a word to the server.
    pub(super) fn cut(&self) {
        self.line.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }

    pub(super) fn power(&self, on: bool) {
        self.off.send_replace(!on);
        if !on {
            self.cut();
        }
    }

    /// Sets the clock wrong by this many seconds.
    pub(super) fn set_clock(&self, seconds: i64) {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) = seconds;
    }

    async fn observe(
        self: Arc<Self>,
        day: Arc<Vec<Recorded>>,
        mut rng: StdRng,
        kept: watch::Sender<yomitori_proto::id::Seq>,
        resting: Arc<AtomicBool>,
    ) -> Result<()> {
        loop {
            tokio::time::sleep(Duration::from_millis(rng.random_range(200..4_000))).await;
            if resting.load(Ordering::Relaxed) || *self.off.borrow() {
                continue;
            }
            let wrong = TimeDelta::seconds(*self.clock.lock().unwrap_or_else(PoisonError::into_inner));
            let at = clock::now() + wrong;
            let sighting =
                |recorded: &Recorded| Sighting { occurred_at: at, observed_at: at, event: recorded.event.clone() };
            let count = rng.random_range(1..=5);
            let from = rng.random_range(0..day.len() - count);
            let seen: Vec<Sighting> = day[from..from + count].iter().map(sighting).collect();
            kept.send_replace(self.spool.keep(&seen, &[], &[])?);
        }
    }

    /// Sends to one server after the other; a break of the line is nothing special.
    async fn send(
        self: Arc<Self>,
        routes: Vec<Arc<Route>>,
        mut rng: StdRng,
        mut kept: watch::Receiver<yomitori_proto::id::Seq>,
    ) -> Result<()> {
        let mut off = self.off.subscribe();
        loop {
            off.wait_for(|off| !off).await.context("the switch")?;
            let line = CancellationToken::new();
            *self.line.lock().unwrap_or_else(PoisonError::into_inner) = line.clone();
            let route = &routes[rng.random_range(0..routes.len())];
            let carried = async {
                let channel = connect::mutual(route, &self.identity).await?;
                let never = CancellationToken::new();
                SpoolUploader::new(&self.identity, &self.spool, None).carry(channel, &mut kept, &never).await?;
                anyhow::Ok(())
            };
            line.run_until_cancelled(carried).await;
            tokio::time::sleep(Duration::from_millis(rng.random_range(100..2_000))).await;
        }
    }
}
