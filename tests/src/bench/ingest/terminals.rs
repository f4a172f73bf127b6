//! The terminals of the ingest bench: real certificates, the agent's own spool in memory, and the agent's own uplink.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use yomitori_agent::connect::{self, Route};
use yomitori_agent::identity::Identity;
use yomitori_agent::spool::Spool;
use yomitori_agent::uplink::stream::SpoolUploader;
use yomitori_observation::Sighting;
use yomitori_proto::id::Seq;

use crate::world::server::Server;
use crate::world::{World, wait};
use yomitori_simulation::fleet::facility::Facility;
use yomitori_simulation::fleet::operator::Operator;
use yomitori_simulation::fleet::roster::{self, Tokens};

/// Budget of a spool: it holds all observations before sending starts.
const BUDGET: u64 = 1 << 30;
/// Number of observations that are kept in one step before sending starts.
const TOGETHER: usize = 10_000;
/// Resolution of the measured wait for an acknowledgement.
const LOOK_EVERY: Duration = Duration::from_millis(1);
const LAST_WORDS: Duration = Duration::from_secs(30);

/// Enrolled terminals.
pub(super) struct Fleet {
    terminals: Vec<Arc<Terminal>>,
}

struct Terminal {
    identity: Identity,
    spool: Spool,
}

/// Results of terminals that send at a steady rate.
pub(super) struct Paced {
    /// Time from keeping a batch to its acknowledgement, in seconds.
    pub(super) waits: Vec<f64>,
    /// Acknowledged events per second.
    pub(super) rate: f64,
}

impl Fleet {
    /// Enrols one terminal for each facility, except for those without one.
    pub(super) async fn enrol(world: &World, server: &Server, facilities: &[Facility]) -> Result<Self> {
        let last = facilities.last().context("at least one terminal")?.code();
        wait::until("the facilities in the projection", wait::PATIENCE, async || {
            server.facility(last.as_str()).await.map(drop)
        })
        .await?;
        let tokens = Tokens::Operator(Operator { program: server.program(), config: server.config().to_owned() });
        let address = server.uplink.parse().map_err(|error| anyhow::anyhow!("the server's address: {error}"))?;
        let state = world.new_folder("terminals")?;
        let members = roster::assemble(facilities, &address, &state, &tokens, |_, _| {}).await?;
        let terminals = members.into_iter().map(|member| Terminal::new(member.identity).map(Arc::new));
        Ok(Self { terminals: terminals.collect::<Result<_>>()? })
    }

    pub(super) fn len(&self) -> usize {
        self.terminals.len()
    }

    /// Fills each terminal's spool with the observations that `seen` gives for its number.
    pub(super) fn with_kept<I: Iterator<Item = Sighting>>(self, seen: impl Fn(u64) -> I) -> Result<Self> {
        for (number, terminal) in (0..).zip(&self.terminals) {
            for part in seen(number).collect::<Vec<_>>().chunks(TOGETHER) {
                terminal.spool.keep(part, &[], &[])?;
            }
        }
        Ok(self)
    }

    /// Connects every terminal and completes the handshake.
    pub(super) async fn connect(&self, server: &Server) -> Result<Vec<Channel>> {
        let route = route(server)?;
        let mut channels = Vec::with_capacity(self.len());
        for terminal in &self.terminals {
            channels.push(connect::mutual(&route, &terminal.identity).await?);
        }
        Ok(channels)
    }

    /// Uploads all kept observations; returns the time from the first message to the last acknowledgement.
    pub(super) async fn pour(&self, channels: Vec<Channel>) -> Result<Duration> {
        let closing = CancellationToken::new();
        closing.cancel();
        let began = Instant::now();
        let mut carrying = self.carry(channels, &closing).1;
        while let Some(carried) = carrying.join_next().await {
            carried.context("a terminal panicked")??;
        }
        let took = began.elapsed();
        for terminal in &self.terminals {
            ensure!(terminal.spool.first_unacknowledged() > terminal.spool.last(), "not everything was acknowledged");
        }
        Ok(took)
    }

    /// Keeps `part` at the terminals in turn, at `rate` events per second in total for `span`, and measures the wait of
    /// each for its acknowledgement.
    pub(super) async fn pace(&self, server: &Server, part: &[Sighting], rate: f64, span: Duration) -> Result<Paced> {
        let closing = CancellationToken::new();
        let (kept, mut carrying) = self.carry(self.connect(server).await?, &closing);
        #[expect(clippy::cast_precision_loss, reason = "a size of a batch")]
        let every = Duration::from_secs_f64(part.len() as f64 / rate);
        let began = Instant::now();
        let mut open: Vec<VecDeque<(Seq, Instant)>> = vec![VecDeque::new(); self.len()];
        let (mut waits, mut next, mut due) = (Vec::new(), 0, began);
        let mut tick = tokio::time::interval(LOOK_EVERY);
        while due < began + span || open.iter().any(|open| !open.is_empty()) {
            tick.tick().await;
            while due <= Instant::now() && due < began + span {
                let last = self.terminals[next].spool.keep(part, &[], &[])?;
                open[next].push_back((last, Instant::now()));
                kept[next].send_replace(last);
                next = (next + 1) % self.len();
                due += every;
            }
            for (terminal, open) in self.terminals.iter().zip(&mut open) {
                let Some((first, _)) = open.front() else { continue };
                if terminal.spool.first_unacknowledged() <= *first {
                    continue;
                }
                let next = terminal.spool.first_unacknowledged();
                while let Some((_, since)) = open.pop_front_if(|(seq, _)| *seq < next) {
                    waits.push(since.elapsed().as_secs_f64());
                }
            }
            if let Some(ended) = carrying.try_join_next() {
                ended.context("a terminal panicked")??;
            }
        }
        let took = began.elapsed();
        closing.cancel();
        tokio::time::timeout(LAST_WORDS, async {
            while let Some(carried) = carrying.join_next().await {
                carried.context("a terminal panicked")??;
            }
            anyhow::Ok(())
        })
        .await
        .context("the terminals do not end")??;
        #[expect(clippy::cast_precision_loss, reason = "counts")]
        let rate = (waits.len() * part.len()) as f64 / took.as_secs_f64();
        Ok(Paced { waits, rate })
    }

    /// Starts the uplinks; returns them with the channels that announce the last kept number.
    fn carry(
        &self,
        channels: Vec<Channel>,
        closing: &CancellationToken,
    ) -> (Vec<watch::Sender<Seq>>, JoinSet<Result<()>>) {
        let (mut kept, mut carrying) = (Vec::new(), JoinSet::new());
        for (terminal, channel) in self.terminals.iter().zip(channels) {
            let (sender, mut receiver) = watch::channel(terminal.spool.last());
            kept.push(sender);
            let (terminal, closing) = (Arc::clone(terminal), closing.clone());
            carrying.spawn(async move {
                let mut carrier = SpoolUploader::new(&terminal.identity, &terminal.spool, None);
                Ok(carrier.carry(channel, &mut receiver, &closing).await?)
            });
        }
        (kept, carrying)
    }
}

impl Terminal {
    fn new(identity: Identity) -> Result<Self> {
        let spool = Spool::in_memory(identity.peer(), BUDGET).context("make a spool in memory")?;
        Ok(Self { identity, spool })
    }
}

fn route(server: &Server) -> Result<Arc<Route>> {
    let address: yomitori_agent::address::ServerAddress =
        server.uplink.parse().map_err(|error| anyhow::anyhow!("the server's address: {error}"))?;
    Ok(Arc::new(address.into()))
}
