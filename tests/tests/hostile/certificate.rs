//! The certificates that TLS accepts, and connections that don't attempt TLS.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use chrono::TimeDelta;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use uuid::Uuid;
use yomitori_proto::id::{FacilityId, TerminalId};
use yomitori_proto::uplink::Peer;
use yomitori_proto::wire::{self, up};
use yomitori_simulation::clock;
use yomitori_tests::hostile::chance::{chance, noise};
use yomitori_tests::hostile::credential::{Credential, Signer, Wish};
use yomitori_tests::hostile::siege::{Intruder, Siege, VICTIM};
use yomitori_tests::hostile::stranger::{CARRY, Line, RENEW, greet, reach, said};
use yomitori_tests::world::agent::{self, Agent};
use yomitori_tests::world::wait;

use crate::status::{PERMISSION_DENIED, UNAUTHENTICATED};

/// The server's limit for silence, and a little more.
const SILENCE: Duration = Duration::from_secs(45);

fn victim() -> Peer {
    Peer { terminal: TerminalId(Uuid::now_v7()), facility: FacilityId::of_code(VICTIM) }
}

fn hello(peer: Peer) -> Vec<u8> {
    let hello = wire::Hello {
        terminal: peer.terminal.to_bytes(),
        facility: peer.facility.to_bytes(),
        life: Uuid::new_v4().as_bytes().to_vec(),
        first_unacknowledged: 1,
        agent_version: "0.1.0".to_owned(),
        sent_at_us: clock::now().timestamp_micros(),
        way: 0,
        takes_settings: false,
        former: Vec::new(),
    };
    said(&[wire::Up { message: Some(up::Message::Hello(hello)) }])
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_certificate_is_rejected() -> Result<()> {
    let mut siege = Siege::begin("hostile-certificates").await?;
    let (ours, foreign) = (Signer::of(&siege.world)?, Signer::foreign()?);
    let peer = victim();
    let right = Wish::terminal(peer);
    let wish = |change: fn(&mut Wish)| {
        let mut wish = right.clone();
        change(&mut wish);
        wish
    };
    let lapsed = wish(|wish| wish.until = clock::now() - TimeDelta::minutes(5));
    let long_ago = wish(|wish| {
        (wish.from, wish.until) = (clock::now() - TimeDelta::days(450), clock::now() - TimeDelta::days(401));
    });
    let early = wish(|wish| wish.from = clock::now() + TimeDelta::hours(1));
    let server = wish(|wish| wish.usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let refused: Vec<(&str, Credential)> = vec![
        ("of another authority", foreign.sign(&right)?),
        ("signed by itself", Credential::self_signed(&right)?),
        ("that ended long ago", ours.sign(&long_ago)?),
        ("of another authority that has ended", foreign.sign(&lapsed)?),
        ("signed by itself that has ended", Credential::self_signed(&lapsed)?),
        ("for servers that has ended", {
            let mut server = lapsed.clone();
            server.usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            ours.sign(&server)?
        }),
        ("not yet valid", ours.sign(&early)?),
        ("for servers", ours.sign(&server)?),
        (
            "for nothing that we know",
            ours.sign(&wish(|wish| wish.usages = vec![ExtendedKeyUsagePurpose::CodeSigning]))?,
        ),
        ("written by a terminal", ours.sign_by_terminal(&Wish::terminal(victim()), &right)?),
        (
            "with another's chain",
            Credential {
                chain: vec![foreign.sign(&right)?.chain.swap_remove(0), ours.certificate.clone()],
                key: foreign.sign(&right)?.key,
            },
        ),
    ];
    for (what, credential) in refused {
        for method in [CARRY, RENEW] {
            let asked = async {
                let line = Line::open(&siege.server.uplink, &ours.certificate, Some(&credential)).await?;
                line.ask(method, hello(peer)).await
            };
            let answer = asked.await;
            ensure!(answer.is_err(), "a certificate {what} was heard: {answer:?}");
        }
    }
    // TLS accepts this certificate for renewal, but the terminal doesn't belong to the facility.
    let line = Line::open(&siege.server.uplink, &ours.certificate, Some(&ours.sign(&lapsed)?)).await?;
    let answer = line.ask(CARRY, hello(peer)).await?;
    ensure!(answer.status == Some(UNAUTHENTICATED) && answer.body.is_empty(), "{answer:?}");
    let request = CertificateParams::default().serialize_request(&KeyPair::generate()?)?.der().to_vec();
    let answer = line.ask(RENEW, said(&[wire::RenewRequest { csr_der: request }])).await?;
    ensure!(answer.status == Some(PERMISSION_DENIED) && answer.body.is_empty(), "{answer:?}");

    // TLS accepts these because our authority issued them, but they name no terminal.
    let unnamed: Vec<(&str, Option<Credential>)> = vec![
        ("no certificate", None),
        ("no names", Some(ours.sign(&wish(|wish| wish.uris.clear()))?)),
        ("no facility", Some(ours.sign(&wish(|wish| wish.uris.truncate(1)))?)),
        (
            "a terminal that is no identifier",
            Some(ours.sign(&wish(|wish| {
                wish.uris[0] = "urn:yomitori:terminal:../../1319999015".to_owned();
            }))?),
        ),
        ("names of another kind", Some(ours.sign(&wish(|wish| wish.names = std::mem::take(&mut wish.uris)))?)),
    ];
    for (what, credential) in unnamed {
        let line = Line::open(&siege.server.uplink, &ours.certificate, credential.as_ref()).await.context(what)?;
        for (method, saying) in [(CARRY, hello(peer)), (RENEW, said(&[wire::RenewRequest { csr_der: vec![] }]))] {
            let answer = line.ask(method, saying).await.context(what)?;
            ensure!(answer.status == Some(UNAUTHENTICATED) && answer.body.is_empty(), "{what}: {answer:?}");
        }
    }
    siege.holds().await?;
    let facts = "SELECT count(*) FROM projection.fact WHERE facility_id = $1 AND kind = 'terminal_connected'";
    let connected: i64 = siege.store.query_one(facts, &[&peer.facility.0]).await?.get(0);
    ensure!(connected == 0, "{connected} connections of the victim");

    // The same certificate with the right contents is accepted, so the test setup was not the reason for the rejection.
    let line = Line::open(&siege.server.uplink, &ours.certificate, Some(&ours.sign(&right)?)).await?;
    let answer = line.ask(CARRY, hello(peer)).await?;
    ensure!(answer.status == Some(0) && !answer.body.is_empty(), "{answer:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_expires_opens_no_further_stream_on_its_connection() -> Result<()> {
    let mut siege = Siege::begin("hostile-expiring").await?;
    let ours = Signer::of(&siege.world)?;
    let peer = victim();
    let mut soon = Wish::terminal(peer);
    soon.until = clock::now() + TimeDelta::seconds(6);
    let line = Line::open(&siege.server.uplink, &ours.certificate, Some(&ours.sign(&soon)?)).await?;
    let answer = line.ask(CARRY, hello(peer)).await?;
    ensure!(answer.status == Some(0), "{answer:?}");
    wait::until("the certificate to expire", wait::PATIENCE, async || {
        let answer = line.ask(CARRY, hello(peer)).await?;
        ensure!(answer.status == Some(UNAUTHENTICATED) && answer.message.contains("expired"), "{answer:?}");
        Ok(())
    })
    .await?;
    siege.holds().await
}

/// A `ClientHello` of TLS 1.2, which offers no newer version.
fn tls_1_2() -> Vec<u8> {
    let extensions = [
        [0x00, 0x0A, 0, 6, 0, 4, 0x00, 0x1D, 0x00, 0x17].as_slice(), // groups
        &[0x00, 0x0B, 0, 2, 1, 0],                                   // points
        &[0x00, 0x0D, 0, 8, 0, 6, 0x04, 0x03, 0x08, 0x04, 0x04, 0x01], // signatures
    ]
    .concat();
    let suites = [0xC0, 0x2B, 0xC0, 0x2F, 0xC0, 0x2C, 0xC0, 0x30];
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes();
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend(length(&suites));
    body.extend(suites);
    body.extend([1, 0]);
    body.extend(length(&extensions));
    body.extend(&extensions);
    let handshake = [[1, 0].as_slice(), &length(&body), &body].concat();
    [[0x16, 3, 1].as_slice(), &length(&handshake), &handshake].concat()
}

/// Sends `bytes` and reads until the server closes the connection.
async fn say(uplink: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    let mut stream = reach(uplink).await?;
    // The server may close the connection before it has read everything.
    stream.write_all(bytes).await.ok();
    let mut heard = Vec::new();
    let end = timeout(SILENCE, stream.read_to_end(&mut heard)).await.context("it doesn't hang up")?;
    // A reset and a close are both an end.
    end.ok();
    Ok(heard)
}

#[tokio::test(flavor = "multi_thread")]
async fn anything_but_tls_1_3_is_rejected_at_once() -> Result<()> {
    let mut chance = chance("no-tls")?;
    let mut siege = Siege::begin("hostile-tls").await?;
    let uplink = siege.server.uplink.clone();
    let heard = say(&uplink, &tls_1_2()).await?;
    // A fatal alert of the kind "protocol version".
    ensure!(heard.get(..1) == Some(&[0x15]) && heard.ends_with(&[2, 70]), "TLS 1.2 was answered {heard:02x?}");

    let http = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let heard = say(&uplink, http.as_bytes()).await?;
    ensure!(!heard.starts_with(b"HTTP/1.1 200"), "{heard:?}");
    say(&uplink, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await?;
    for _ in 0..200 {
        let mut bytes = noise(&mut chance, 2_000);
        if rand::Rng::random(&mut chance) {
            // A complete record that begins like a handshake, so that it passes the first check.
            let length = u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes();
            bytes.splice(0..0, [0x16, 3, 1, length[0], length[1]]);
        } else {
            bytes.resize(bytes.len().max(5), 0xFF);
            // The server would wait for a record that never reaches its stated length.
            bytes[0] |= 0x80;
        }
        let heard = say(&uplink, &bytes).await?;
        ensure!(heard.len() < 100, "{} bytes were answered with {}", bytes.len(), heard.len());
    }
    // TLS with an invalid protocol inside.
    let authority = Signer::of(&siege.world)?.certificate;
    ensure!(greet(&uplink, &authority, None, b"http/1.1").await.is_err(), "HTTP/1 was agreed on");
    for words in [http.as_bytes(), b"\0\0\0\0\0\0\0\0\0", &[0xFF; 3_000]] {
        let mut stream = greet(&uplink, &authority, None, b"h2").await?;
        stream.write_all(words).await?;
        let mut heard = Vec::new();
        let end = timeout(SILENCE, stream.read_to_end(&mut heard)).await.context("it doesn't hang up")?;
        end.ok();
        ensure!(heard.len() < 200 && !heard.starts_with(b"HTTP/1"), "{heard:?}");
    }
    siege.holds().await
}

/// RFC 9113, 3.4.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether the server has closed the connection.
async fn hung_up(mut stream: impl AsyncReadExt + Unpin) -> Result<()> {
    let mut rest = Vec::new();
    match timeout(SILENCE, stream.read_to_end(&mut rest)).await {
        Ok(_) => Ok(()),
        Err(_) => bail!("a silent connection is accepted for longer than {SILENCE:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_connections_delay_no_client_and_are_closed() -> Result<()> {
    const EACH: usize = 200;
    let mut siege = Siege::begin("hostile-silence").await?;
    let uplink = siege.server.uplink.clone();
    let authority = Signer::of(&siege.world)?.certificate;
    let (mut silent, mut halfway, mut greeted): (Vec<TcpStream>, Vec<TcpStream>, Vec<_>) = Default::default();
    for number in 0..EACH {
        silent.push(reach(&uplink).await?);
        let mut stream = reach(&uplink).await?;
        stream.write_all(tls_1_2().get(..40).context("a start")?).await?;
        halfway.push(stream);
        let mut stream = greet(&uplink, &authority, None, b"h2").await?;
        // Nothing, or any part of what a client of HTTP/2 begins with.
        stream.write_all(PREFACE.get(..number % PREFACE.len()).context("a part")?).await?;
        greeted.push(stream);
    }
    // While they all wait, the honest terminal continues, another enrols, and a third connects.
    siege.holds().await?;
    let mut newcomer = Agent::start(&siege.world, &siege.server, VICTIM, agent::Plan::default()).await?;
    newcomer.process()?.alive()?;
    Intruder::enter(&siege, VICTIM).await?;

    for stream in silent.into_iter().chain(halfway) {
        hung_up(stream).await?;
    }
    for stream in greeted {
        hung_up(stream).await?;
    }
    siege.holds().await
}

/// More connections than a process may have open by default, from many addresses.
#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_connections_keep_no_terminal_out() -> Result<()> {
    const ADDRESSES: u8 = 50;
    const EACH: usize = 60;
    let mut siege = Siege::begin("hostile-crowd").await?;
    let _ = yomitori_server::files::raise_limit();
    let uplink: std::net::SocketAddr = siege.server.uplink.trim_start_matches("https://").parse()?;
    let mut crowd = Vec::new();
    for address in 2..2 + ADDRESSES {
        for number in 0..EACH {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind((std::net::Ipv4Addr::new(127, 0, 0, address), 0).into())?;
            let mut stream = socket.connect(uplink).await.context("connect")?;
            stream.write_all(tls_1_2().get(..number % 40).context("a start")?).await.ok();
            crowd.push(stream);
        }
    }
    // While they all wait, the honest terminal continues, another enrols, and a third connects.
    siege.holds().await?;
    let mut newcomer = Agent::start(&siege.world, &siege.server, VICTIM, agent::Plan::default()).await?;
    newcomer.process()?.alive()?;
    Intruder::enter(&siege, VICTIM).await?;
    for stream in crowd {
        hung_up(stream).await?;
    }
    siege.holds().await
}
