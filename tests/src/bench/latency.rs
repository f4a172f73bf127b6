//! From an observation at a clinic to the committed row and the page: a real agent, server, Kafka, PostgreSQL and
//! reader on one machine.
//!
//! For the agent a tap ends once the reader has been empty for the debounce time. The latency of a tap starts at that
//! instant (`observed_at`), and that of a result file when the file exists. It ends when PostgreSQL announces the
//! commit, and for the page when its stream has reported the change and the changed row has been fetched.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::{StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, NoTls};

use super::figures::{Bar, Figure, Report};
use super::quantile;
use crate::world::World;
use crate::world::agent::{Agent, Plan as AgentPlan};
use crate::world::pcscd::Pcscd;
use crate::world::server::{Plan, Server};
use yomitori_simulation::clock;

const CODE: &str = "1319999015";
/// Type B without historical bytes: a possible ATR of a phone.
const ATR: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];
/// Target from an observation to the row: median and 99th percentile, in milliseconds.
const PROMISED: Option<[f64; 2]> = Some([250.0, 1000.0]);
/// Target from the row to the page.
const SEEN: Option<[f64; 2]> = Some([1000.0, 1000.0]);
const PATIENCE: Duration = Duration::from_secs(20);

/// The time at which a change became visible, by this machine's clock.
struct Seen {
    at: DateTime<Utc>,
}

/// Measures `taps` taps and `files` result files one after the other, and reports the results.
///
/// # Errors
/// If a part does not start, or an observation does not arrive.
pub async fn measure(taps: usize, files: usize, report: &Report) -> Result<()> {
    let world = World::new("bench-latency").await?;
    let server = Server::start(&world, Plan::default()).await?;
    server.import(&format!("code,name,prefecture\n{CODE},ベンチ診療所,東京都\n")).await?;
    let pcscd = Pcscd::start().await?;
    let agent = Agent::start(&world, &server, CODE, AgentPlan::with_phone_reader(&pcscd)).await?;
    let mut commits = commits(&world.database).await?;
    let mut pages = pages(&server.web).await?;
    let store = world.store().await?;
    settle(&store).await?;

    let (mut to_row, mut to_page) = (Vec::new(), Vec::new());
    for _ in 0..files {
        let before = count(&store, "linkage_result_observed").await?;
        drain(&mut commits);
        drain(&mut pages);
        let at = clock::now();
        agent.face_result(at).await?;
        let committed = arrival(&store, &mut commits, "linkage_result_observed", before).await?.0;
        to_row.push(milliseconds(committed - at));
        to_page.push(milliseconds(next(&mut pages).await? - committed));
    }
    add_quantiles(report, "a result file appears → committed row", &mut to_row, PROMISED);
    add_quantiles(report, "committed row of a file → fetched by an open page", &mut to_page, SEEN);

    let (mut to_row, mut from_removal, mut to_page) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..taps {
        let before = count(&store, "tap_observed").await?;
        let card = pcscd.insert(0, &ATR)?;
        card.noticed().await?;
        card.remove();
        let removed = clock::now();
        drain(&mut commits);
        drain(&mut pages);
        let (committed, observed) = arrival(&store, &mut commits, "tap_observed", before).await?;
        to_row.push(milliseconds(committed - observed));
        from_removal.push(milliseconds(committed - removed));
        to_page.push(milliseconds(next(&mut pages).await? - committed));
    }
    add_quantiles(report, "a tap is over → committed row", &mut to_row, PROMISED);
    add_quantiles(report, "committed row of a tap → fetched by an open page", &mut to_page, SEEN);
    add_quantiles(report, "a card is taken away → committed row, with debounce", &mut from_removal, None);
    Ok(())
}

fn milliseconds(span: TimeDelta) -> f64 {
    span.as_seconds_f64() * 1000.0
}

fn add_quantiles(report: &Report, what: &str, values: &mut [f64], promised: Option<[f64; 2]>) {
    values.sort_by(f64::total_cmp);
    let count = values.len();
    for (row, (which, share)) in [("median", 0.5), ("p99", 0.99), ("longest", 1.0)].into_iter().enumerate() {
        let mut figure = Figure::new(format!("{what}, {which} of {count}"), quantile(values, share), "ms");
        figure.bar = promised.and_then(|bars| bars.get(row).copied()).map(Bar::AtMost);
        report.add(figure);
    }
}

/// Waits until the terminal has reported itself and its reader.
async fn settle(store: &tokio_postgres::Client) -> Result<()> {
    crate::world::wait::until("the reader to be known", PATIENCE, async || {
        ensure!(count(store, "reader_attached").await? > 0, "no reader yet");
        Ok(())
    })
    .await
}

async fn count(store: &tokio_postgres::Client, kind: &str) -> Result<i64> {
    let query = "SELECT count(*) FROM projection.fact WHERE kind = $1";
    Ok(store.query_one(query, &[&kind]).await.context("count facts")?.get(0))
}

/// The commit of the next fact of `kind`, and the time of the observation.
async fn arrival(
    store: &tokio_postgres::Client,
    commits: &mut mpsc::Receiver<Seen>,
    kind: &str,
    before: i64,
) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    loop {
        let at = next(commits).await?;
        if count(store, kind).await? > before {
            let query = "SELECT observed_at FROM projection.fact \
                         WHERE kind = $1 ORDER BY seq DESC LIMIT 1";
            return Ok((at, store.query_one(query, &[&kind]).await.context("read a fact")?.get(0)));
        }
    }
}

async fn next(seen: &mut mpsc::Receiver<Seen>) -> Result<DateTime<Utc>> {
    let next = tokio::time::timeout(PATIENCE, seen.recv()).await.context("nothing arrived")?;
    Ok(next.context("the connection ended")?.at)
}

fn drain(seen: &mut mpsc::Receiver<Seen>) {
    while seen.try_recv().is_ok() {}
}

/// Receives commits as they happen.
async fn commits(database: &str) -> Result<mpsc::Receiver<Seen>> {
    let (client, mut connection) = tokio_postgres::connect(database, NoTls).await.context("listen")?;
    let (sender, receiver) = mpsc::channel(1024);
    tokio::spawn(async move {
        let mut messages = stream::poll_fn(|cx| connection.poll_message(cx));
        while let Some(Ok(message)) = messages.next().await {
            if matches!(message, AsyncMessage::Notification(_)) {
                sender.send(Seen { at: clock::now() }).await.ok();
            }
        }
    });
    client.batch_execute("LISTEN yomitori_changed").await.context("listen")?;
    // The connection lives as long as its client.
    tokio::spawn(async move {
        std::future::pending::<()>().await;
        drop(client);
    });
    Ok(receiver)
}

/// Behaves like an open page: receives changes and fetches the table again.
async fn pages(web: &str) -> Result<mpsc::Receiver<Seen>> {
    let client = reqwest::Client::builder().no_proxy().connect_timeout(PATIENCE).build().context("a client")?;
    let mut events = client.get(format!("{web}/events")).send().await.context("open the stream of a page")?;
    let (sender, receiver) = mpsc::channel(1024);
    let page = format!("{web}/");
    tokio::spawn(async move {
        while let Ok(Some(chunk)) = events.chunk().await {
            if !String::from_utf8_lossy(&chunk).contains("changed") {
                continue;
            }
            let Ok(answer) = client.get(&page).send().await else { return };
            if answer.bytes().await.is_ok() {
                sender.send(Seen { at: clock::now() }).await.ok();
            }
        }
    });
    Ok(receiver)
}
