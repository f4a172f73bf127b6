//! How long terminals at work wait for the acknowledgement of what they observe, while strangers from many addresses hold
//! thousands of connections open in which they say nothing, too little, or read nothing.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::stream::{StreamExt as _, TryStreamExt as _};
use rustls::pki_types::CertificateDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinSet;
use tokio::time::Instant;
use yomitori_agent::connect::Route;
use yomitori_proto::wire::{self, down, event::Kind, up};

use super::figures::{Bar, Figure, Report};
use super::streams::{Opened, raise_file_limit};
use crate::hostile::credential::Signer;
use crate::hostile::siege::batch;
use crate::hostile::stranger::{greet_over, reach_from};
use crate::world::World;
use crate::world::server::{Plan, Server};

/// From how many addresses the strangers come.
const ADDRESSES: usize = 200;
/// A stranger whose connection was closed comes again after this.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How often a terminal observes something.
const OBSERVES_EVERY: Duration = Duration::from_secs(1);
const OPENING: usize = 32;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The settings frame with which a client of HTTP/2 begins, and a ping that asks for an answer.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

/// What a stranger does with a connection.
#[derive(Clone, Copy)]
enum Stranger {
    SaysNothing,
    SendsOneByte,
    SendsHalfAPreface,
    ReadsNothing,
}

const STRANGERS: [(Stranger, &str); 4] = [
    (Stranger::SaysNothing, "that say nothing"),
    (Stranger::SendsOneByte, "that send one byte"),
    (Stranger::SendsHalfAPreface, "that send half a preface"),
    (Stranger::ReadsNothing, "that read nothing"),
];

/// Lets `terminals` work for `span` beside `connections` strangers, each kind of stranger in turn.
///
/// # Errors
/// If a part does not start, or a terminal loses its connection.
pub async fn measure(connections: usize, terminals: usize, span: Duration, report: &Report) -> Result<()> {
    raise_file_limit(connections + terminals)?;
    let world = World::new("bench-siege").await?;
    let server = Server::start(&world, Plan::default()).await?;
    let signer = Signer::of(&world)?;
    let address: yomitori_agent::address::ServerAddress =
        server.uplink.parse().map_err(|error| anyhow::anyhow!("the server's address: {error}"))?;
    let route = Arc::new(Route::from(address));
    let mut open: Vec<Opened> = futures_util::stream::iter(0..terminals)
        .map(|number| Opened::open(&signer, &route, number))
        .buffer_unordered(OPENING)
        .try_collect()
        .await?;
    let mut seq = 0;
    let waited = work(&mut open, &mut seq, span).await?;
    report.add(Figure::new(format!("{terminals} terminals, no strangers: longest acknowledgement"), waited, "ms"));
    for (stranger, what) in STRANGERS {
        let opened = Arc::new(AtomicU64::new(0));
        let mut crowd = JoinSet::new();
        for number in 0..connections {
            let (uplink, authority, opened) = (server.uplink.clone(), signer.certificate.clone(), Arc::clone(&opened));
            crowd.spawn(async move {
                loop {
                    held(stranger, number, &uplink, &authority, &opened).await.ok();
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            });
        }
        let waited = work(&mut open, &mut seq, span).await?;
        crowd.shutdown().await;
        let opened = opened.load(Ordering::Relaxed);
        report.say(&format!("{connections} strangers {what}: {opened} connections in {} s", span.as_secs()));
        let what = format!("  beside {connections} strangers {what}");
        report.add(Figure::new(what, waited, "ms").promised(Bar::AtMost(1_000.0)));
    }
    Ok(())
}

/// Opens one connection, and holds it until the server closes it.
async fn held(
    stranger: Stranger,
    number: usize,
    uplink: &str,
    authority: &CertificateDer<'static>,
    opened: &AtomicU64,
) -> Result<()> {
    let last = u8::try_from(number % ADDRESSES)?.saturating_add(2);
    let mut stream = reach_from(Ipv4Addr::new(127, 0, 1, last), uplink).await?;
    opened.fetch_add(1, Ordering::Relaxed);
    let sent: Vec<u8> = match stranger {
        Stranger::SaysNothing => {
            stream.read_to_end(&mut Vec::new()).await?;
            return Ok(());
        }
        Stranger::SendsOneByte => PREFACE.iter().take(1).copied().collect(),
        Stranger::SendsHalfAPreface => PREFACE.iter().take(PREFACE.len() / 2).copied().collect(),
        Stranger::ReadsNothing => [PREFACE, SETTINGS].concat(),
    };
    let mut stream = greet_over(stream, authority, None, b"h2").await?;
    stream.write_all(&sent).await?;
    if matches!(stranger, Stranger::ReadsNothing) {
        // Each asks for an answer, until the server takes no more.
        loop {
            stream.write_all(PING).await?;
        }
    }
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// Lets each terminal observe something once a second; returns the longest wait for an acknowledgement, in milliseconds.
async fn work(open: &mut [Opened], seq: &mut u64, span: Duration) -> Result<f64> {
    let first = *seq + 1;
    let rounds = span.as_secs();
    *seq += rounds;
    let mut at_work: futures_util::stream::FuturesUnordered<_> =
        open.iter_mut().enumerate().map(|(number, opened)| one_works(opened, number, first, rounds)).collect();
    let mut longest = Duration::ZERO;
    while let Some(waited) = at_work.next().await {
        longest = longest.max(waited?);
    }
    Ok(longest.as_secs_f64() * 1000.0)
}

async fn one_works(opened: &mut Opened, number: usize, first: u64, rounds: u64) -> Result<Duration> {
    let event = wire::Event { kind: Some(Kind::ClockStepped(wire::ClockStepped { delta_ms: 1 })) };
    let mut longest = Duration::ZERO;
    // Not all in the same moment.
    let mut next = Instant::now() + OBSERVES_EVERY.mul_f64(number as f64 / 37.0 % 1.0);
    for seq in first..first + rounds {
        tokio::time::sleep_until(next).await;
        next += OBSERVES_EVERY;
        let began = Instant::now();
        let message = up::Message::Batch(batch(seq - 1, [seq], &event));
        opened.sender.send(wire::Up { message: Some(message) }).await.context("the stream has ended")?;
        loop {
            let answer = opened.answers.message().await?.context("the server ended the stream")?;
            if matches!(answer.message, Some(down::Message::Ack(_))) {
                break;
            }
        }
        longest = longest.max(began.elapsed());
    }
    Ok(longest)
}
