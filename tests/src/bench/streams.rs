//! What an idle terminal costs the server: many streams with real certificates over mutual TLS, each opened by the agent's
//! own connection, greeted, and kept alive as an idle agent does.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures_util::stream::{StreamExt as _, TryStreamExt as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::Streaming;
use uuid::Uuid;
use yomitori_agent::connect::{self, Route};
use yomitori_agent::identity::Identity;
use yomitori_agent::rpc::uplink_client::UplinkClient;
use yomitori_proto::id::{FacilityId, TerminalId};
use yomitori_proto::time;
use yomitori_proto::uplink::Peer;
use yomitori_proto::wire::{self, down, up};
use yomitori_simulation::clock;

use super::figures::{Bar, Figure, Report};
use super::number::number;
use super::{mib, usage};
use crate::hostile::credential::{Signer, Wish};
use crate::world::World;
use crate::world::server::{Plan, Server};

/// Connections that are being opened at the same time.
const OPENING: usize = 64;
/// Files of each process beside its streams.
const SPARE_FILES: u64 = 1_000;
/// The terminals of the country, for the extrapolation.
const COUNTRY: f64 = 230_000.0;

/// Opens `streams` idle streams, and measures the server for `span`.
///
/// # Errors
/// If a part does not start, or a stream ends.
pub async fn measure(streams: usize, span: Duration, report: &Report) -> Result<()> {
    raise_file_limit(streams)?;
    let world = World::new("bench-streams").await?;
    let mut server = Server::prepare(&world, Plan { roles: "ingest,web", ..Plan::default() }).await?;
    server.serve().await?;
    let pid = server.process()?.pid();
    let signer = Signer::of(&world)?;
    let address: yomitori_agent::address::ServerAddress =
        server.uplink.parse().map_err(|error| anyhow::anyhow!("the server's address: {error}"))?;
    let route = Arc::new(Route::from(address));

    let empty = usage::memory(pid, "VmRSS")?;
    let began = Instant::now();
    let open: Vec<Idle> = futures_util::stream::iter(0..streams)
        .map(|number| Idle::open(&signer, &route, number))
        .buffer_unordered(OPENING)
        .try_collect()
        .await?;
    let opened_in = began.elapsed().as_secs_f64();
    report.say(&format!("{} idle streams opened in {opened_in:.1} s", number(count(streams))));
    let (resident, cpu) = (usage::memory(pid, "VmRSS")?, usage::cpu_seconds(pid)?);
    let began = Instant::now();
    tokio::time::sleep(span).await;
    let cpu = (usage::cpu_seconds(pid)? - cpu) / began.elapsed().as_secs_f64();
    ensure!(open.iter().all(Idle::is_open), "a stream ended:\n{}", server.log());
    let settled = usage::memory(pid, "VmRSS")?.max(resident);

    #[expect(clippy::cast_precision_loss, reason = "sizes")]
    let (each, each_cpu) = (settled.saturating_sub(empty) as f64 / 1024.0 / count(streams), cpu * 1e6 / count(streams));
    report.add(Figure::new(format!("idle streams: {streams}, opened"), count(streams) / opened_in, "streams/s"));
    report.add(Figure::new("  memory of the server without streams", mib(empty), "MiB"));
    report.add(Figure::new("  memory of a stream", each, "KiB").promised(Bar::AtMost(30.0)));
    report.add(Figure::new("  processor of a stream", each_cpu, "µs/s").promised(Bar::AtMost(4.0)));
    report.add(Figure::new("  at 230,000 streams: memory", each * COUNTRY / 1024.0 / 1024.0, "GiB"));
    report.add(Figure::new("  at 230,000 streams: processor", each_cpu * COUNTRY / 1e6, "cores"));
    Ok(())
}

/// Lets this process, and the server that it starts, have this number of connections open.
pub(super) fn raise_file_limit(connections: usize) -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).context("raise the limit of open files")?;
    let wanted = connections as u64 + SPARE_FILES;
    ensure!(maximum.is_none_or(|most| most >= wanted), "{connections} connections need `ulimit -Hn` of {wanted}");
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a count")]
const fn count(streams: usize) -> f64 {
    streams as f64
}

/// The stream of a terminal that was welcomed.
pub(super) struct Opened {
    pub(super) sender: mpsc::Sender<wire::Up>,
    pub(super) answers: Streaming<wire::Down>,
    /// How often the server expects to hear from it.
    every: Duration,
}

impl Opened {
    /// Opens the stream of the terminal with this number, with a certificate of its own.
    pub(super) async fn open(signer: &Signer, route: &Arc<Route>, number: usize) -> Result<Self> {
        let terminal = TerminalId(Uuid::from_u128(0x1000_0000 + number as u128));
        let peer = Peer { terminal, facility: FacilityId(Uuid::from_u128(0x2000_0000 + number as u128)) };
        let credential = signer.sign(&Wish::terminal(peer))?;
        let certificate = credential.chain.first().context("a certificate")?.clone();
        let identity = Identity::new(credential.key.secret_der().to_vec(), certificate, signer.certificate.clone())?;
        let channel = connect::mutual(route, &identity).await?;
        let (sender, messages) = mpsc::channel(1);
        sender.send(wire::Up { message: Some(up::Message::Hello(hello(peer))) }).await?;
        let mut answers = UplinkClient::new(channel).carry(ReceiverStream::new(messages)).await?.into_inner();
        let welcome = answers.message().await?.and_then(|down| down.message);
        let Some(down::Message::Welcome(welcome)) = welcome else { anyhow::bail!("no welcome: {welcome:?}") };
        Ok(Self { sender, answers, every: Duration::from_secs(welcome.keep_alive_s.into()) })
    }
}

/// A terminal that says nothing but that it is there.
struct Idle(AbortOnDropHandle<Result<()>>);

impl Idle {
    async fn open(signer: &Signer, route: &Arc<Route>, number: usize) -> Result<Self> {
        let Opened { sender, mut answers, every } = Opened::open(signer, route, number).await?;
        let lives = async move {
            // Spread over the interval, as terminals that started at different times are.
            let mut next = Instant::now() + every.mul_f64(number as f64 / 997.0 % 1.0);
            loop {
                tokio::select! {
                    answer = answers.message() => drop(answer?.context("the server ended the stream")?),
                    () = tokio::time::sleep_until(next) => {
                        next += every;
                        let alive = wire::KeepAlive { last_kept: 0, sent_at_us: time::to_micros(clock::now()) };
                        sender.send(wire::Up { message: Some(up::Message::KeepAlive(alive)) }).await?;
                    }
                }
            }
        };
        Ok(Self(AbortOnDropHandle::new(tokio::spawn(lives))))
    }

    fn is_open(&self) -> bool {
        !self.0.is_finished()
    }
}

fn hello(peer: Peer) -> wire::Hello {
    wire::Hello {
        terminal: peer.terminal.to_bytes(),
        facility: peer.facility.to_bytes(),
        life: Uuid::new_v4().into_bytes().to_vec(),
        first_unacknowledged: 1,
        agent_version: "0.1.0".to_owned(),
        sent_at_us: time::to_micros(clock::now()),
        way: 0,
        takes_settings: true,
        former: Vec::new(),
    }
}
