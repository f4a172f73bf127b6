//! A terminal without outgoing connections, and a relay that forwards its data without being able to read them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpSocket, TcpStream};
use yomitori_agent::identity::Identity;
use yomitori_simulation::clock;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::pcscd::Pcscd;
use yomitori_tests::world::relay::Relay;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::wire::Wire;
use yomitori_tests::world::{World, port, wait};

const CODE: &str = "1319999015";
const PHONE: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];
const SOON: Duration = Duration::from_secs(60);
/// A closed port: every arrival has passed a relay.
const NO_WAY_OUT: &str = "https://127.0.0.1:1";

struct Clinic {
    world: World,
    server: Server,
    agent: Agent,
    pcscd: Pcscd,
    /// Between relay and server.
    wire: Wire,
    relay: Relay,
    /// The port at which the terminal waits for relays.
    door: u16,
}

impl Clinic {
    /// A terminal that accepts `relays`, and a relay that is not started.
    async fn open(test: &str, relays: &str) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        server.import(&format!("code,name,prefecture\n{CODE},なかつぎ診療所,東京都\n")).await?;
        let uplink = server.uplink.rsplit_once(':').context("a port")?.1.parse()?;
        let wire = Wire::to(uplink).await?;
        let (pcscd, door) = (Pcscd::start().await?, port::free()?);
        let more = format!("[connect]\nmode = \"relay\"\nlisten = \"127.0.0.1:{door}\"\nrelays = [{relays}]\n");
        let plan = AgentPlan { more, ..AgentPlan::with_phone_reader(&pcscd) };
        let agent = Agent::prepare(&world, NO_WAY_OUT, plan)?;
        let relay = Relay::prepare(&world, &format!("127.0.0.1:{}", wire.port), &[format!("127.0.0.1:{door}")], &[]);
        Ok(Self { world, server, agent, pcscd, wire, relay, door })
    }

    async fn count(&self, kind: &str) -> Result<i64> {
        let query = "SELECT count(*) FROM projection.fact WHERE kind = $1";
        Ok(self.world.store().await?.query_one(query, &[&kind]).await?.get(0))
    }

    async fn arrived(&self, kind: &str, number: i64) -> Result<()> {
        wait::until(kind, SOON, async || {
            let count = self.count(kind).await?;
            ensure!(count == number, "{count} of {number}");
            Ok(())
        })
        .await
        .with_context(|| format!("agent: {}\nrelay: {}", self.agent.log(), self.relay.log()))
    }

    async fn tap(&self) -> Result<()> {
        let card = self.pcscd.insert(0, &PHONE)?;
        card.noticed().await?;
        card.remove();
        Ok(())
    }

    /// Verifies that the numbers in the store and in the log have neither holes nor duplicates.
    async fn nothing_is_lost_or_doubled(&self) -> Result<()> {
        let query = "SELECT count(*), count(DISTINCT seq), max(seq) FROM projection.fact WHERE seq > 0";
        let row = self.world.store().await?.query_one(query, &[]).await?;
        let (all, distinct, last): (i64, i64, i64) = (row.get(0), row.get(1), row.get::<_, i64>(2));
        ensure!(all == distinct && all == last, "{all} facts, {distinct} numbers, the last is {last}");
        Ok(())
    }
}

#[tokio::test]
async fn a_relay_forwards_for_a_terminal_survives_kills_and_reads_nothing() -> Result<()> {
    let mut clinic = Clinic::open("relay", "\"127.0.0.1\"").await?;
    let said = clinic.relay.check().await?;
    let text = String::from_utf8(said.stdout)?;
    ensure!(
        said.status.code() == Some(1) && text.contains("[ NG ] 端末") && text.contains("[ OK ] サーバー"),
        "{text}"
    );

    clinic.relay.launch()?;
    clinic.agent.enrol(&clinic.server, CODE).await?;
    let said = clinic.agent.try_run(&["check"]).await?;
    let text = String::from_utf8(said.stdout)?;
    ensure!(said.status.code() == Some(0), "{text}");
    ensure!(text.contains("[ OK ] 中継 relay") && text.contains("[ OK ] サーバー server"), "{text}");

    clinic.agent.launch()?;
    clinic.arrived("reader_attached", 2).await?;
    let said = clinic.relay.check().await?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    clinic.tap().await?;
    clinic.arrived("tap_observed", 1).await?;
    let status = clinic.server.facility(CODE).await?.to_string();
    ensure!(status.contains("\"way\":\"relay\""), "{status}");
    let page = reqwest::get(format!("{}/facilities/{CODE}", clinic.server.web)).await?.text().await?;
    ensure!(page.contains("経路") && page.contains("中継"), "the page does not say that a relay carries it");

    let mut results = 0;
    for round in 0..4 {
        // During sending, and in between.
        clinic.agent.face_result(clock::now()).await?;
        clinic.relay.process()?.kill()?;
        clinic.agent.face_result(clock::now()).await?;
        clinic.tap().await?;
        clinic.relay.launch()?;
        results += 2;
        clinic.arrived("linkage_result_observed", results).await?;
        clinic.arrived("tap_observed", 2 + round).await?;
    }
    clinic.nothing_is_lost_or_doubled().await?;
    let ended = clinic.relay.process()?.terminate(Duration::from_secs(5)).await?;
    ensure!(ended.success(), "the relay ends with {ended}");

    let identity = Identity::load(&clinic.agent.state)?.context("it is enrolled")?;
    let (facility, terminal) = (identity.facility().to_string(), identity.terminal().to_string());
    let secrets = [
        facility.as_bytes(),
        &identity.facility().to_bytes(),
        terminal.as_bytes(),
        &identity.terminal().to_bytes(),
        &identity.certificate()[..64],
        b"ytm1.",
        b"yomitori.v1",
    ];
    let recorded = clinic.wire.recorded();
    ensure!(recorded.len() >= 10, "only {} directions were recorded", recorded.len());
    for bytes in &recorded {
        only_tls(bytes)?;
        for secret in secrets {
            ensure!(!bytes.windows(secret.len()).any(|window| window == secret), "{secret:?} was seen at the relay");
        }
    }
    Ok(())
}

/// Every byte belongs to a record of TLS 1.3; the last record may be cut off.
fn only_tls(mut bytes: &[u8]) -> Result<()> {
    while let [kind, 3, 1 | 3, high, low, rest @ ..] = bytes {
        // Change of cipher (for old middleboxes), alert, handshake, and everything else, which is encrypted.
        ensure!((20..=23).contains(kind), "a record of kind {kind}");
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        bytes = rest.get(length..).unwrap_or_default();
    }
    ensure!(bytes.len() < 5, "no record of TLS begins with {:?}", &bytes[..5]);
    Ok(())
}

#[tokio::test]
async fn noise_silence_and_many_connections_disturb_no_client() -> Result<()> {
    let mut clinic = Clinic::open("relay-noise", "").await?;
    clinic.relay.launch()?;
    clinic.agent.enrol(&clinic.server, CODE).await?;
    clinic.agent.launch()?;
    clinic.arrived("reader_attached", 2).await?;
    let before = resident(clinic.agent.process()?.pid())?;

    // Ten strangers that send nothing, and ten that connect two hundred times each: with noise, with half a greeting,
    // or leaving.
    clinic.relay.process()?.kill()?;
    let mut silent = Vec::new();
    for last in 2..12 {
        silent.push(stranger(last, clinic.door).await?);
    }
    for turn in 0_u8..200 {
        for last in 20..30 {
            let mut one = stranger(last, clinic.door).await?;
            // The connection may be rejected already.
            match turn % 4 {
                0 => drop(one.write_all(&[turn; 4096]).await),
                1 => drop(one.write_all(b"\x16\x03\x03").await),
                2 => {}
                _ => {
                    silent.push(one);
                    continue;
                }
            }
        }
    }
    clinic.agent.process()?.alive()?;
    clinic.relay.launch()?;
    clinic.tap().await?;
    clinic.arrived("tap_observed", 1).await?;
    let after = resident(clinic.agent.process()?.pid())?;
    ensure!(after < before + 4096, "{before} KiB have become {after} KiB");
    drop(silent);
    clinic.nothing_is_lost_or_doubled().await
}

#[tokio::test]
async fn an_unnamed_terminal_is_rejected() -> Result<()> {
    let mut clinic = Clinic::open("relay-named", "\"127.0.0.9\"").await?;
    // Enrolled through another relay that is permitted.
    let mut may = Clinic::open("relay-named-too", "\"127.0.0.1\"").await?;
    may.relay.launch()?;
    may.agent.enrol(&may.server, CODE).await?;
    for entry in std::fs::read_dir(&may.agent.state)? {
        let entry = entry?;
        std::fs::copy(entry.path(), clinic.agent.state.join(entry.file_name()))?;
    }
    clinic.agent.launch()?;
    wait::until("the door", SOON, async || {
        ensure!(port::listening(clinic.door)?, "closed");
        Ok(())
    })
    .await?;
    let said = clinic.relay.check().await?;
    let text = String::from_utf8(said.stdout)?;
    ensure!(said.status.code() == Some(1) && text.contains("connect.relays"), "{text}");
    ensure!(TcpStream::connect(("127.0.0.2", clinic.door)).await.is_err(), "it listens on more than one address");
    Ok(())
}

/// A connection from 127.0.0.`last`.
async fn stranger(last: u8, port: u16) -> Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(([127, 0, 0, last], 0).into())?;
    socket.connect(([127, 0, 0, 1], port).into()).await.context("connect")
}

/// In KiB.
fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}
