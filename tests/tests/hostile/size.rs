//! Messages that are too large, too many or endless: the server's memory does not grow with them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tokio::sync::oneshot;
use yomitori_proto::wire::up::Message;
use yomitori_proto::wire::{self, event::Kind};
use yomitori_tests::hostile::chance::print_line;
use yomitori_tests::hostile::credential::{Credential, Signer};
use yomitori_tests::hostile::siege::{Intruder, Siege, VICTIM, batch};
use yomitori_tests::hostile::stranger::{CARRY, ENROL, Line, RENEW, Saying, framed_as, said};
use yomitori_tests::world::World;
use yomitori_tests::world::server::Plan;
use yomitori_tests::world::wait::{self, PATIENCE};

use crate::status::{INVALID_ARGUMENT, OK, OUT_OF_RANGE, UNAUTHENTICATED, UNAVAILABLE};

const GIB: u32 = 1 << 30;
const MIB: u64 = 1 << 20;
/// Permitted growth of the process: its buffers for a few connections, and not one large message.
const GROWTH: u64 = 48 * MIB;

/// The name, the certificate, the method, the first messages, and the permitted answers.
type Case<'a> = (&'a str, Option<&'a Credential>, &'a str, Vec<u8>, &'a [i32]);

/// The peak resident memory of the process since its start (`VmHWM`, the peak of `VmRSS`), in bytes.
fn peak(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("read the process's status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().context("a number")?;
    Ok(kib * 1024)
}

fn grown(siege: &mut Siege, before: u64, what: &str) -> Result<()> {
    let now = peak(siege.server.process()?.pid())?;
    print_line(&format!("{what}: {} MiB at most, {} MiB before", now / MIB, before / MIB));
    ensure!(now - before.min(now) < GROWTH, "{what}: the server grew from {} to {} MiB", before / MIB, now / MIB);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_one_gibibyte_is_refused_unread() -> Result<()> {
    let mut siege = Siege::begin("hostile-gibibyte").await?;
    let it = Intruder::enter(&siege, VICTIM).await?;
    let authority = Signer::of(&siege.world)?.certificate;
    let before = peak(siege.server.process()?.pid())?;
    let hello = said(&[wire::Up { message: Some(Message::Hello(it.hello())) }]);
    let cases: [Case<'_>; 5] = [
        ("carry as the first message", Some(&it.credential), CARRY, vec![], &[INVALID_ARGUMENT]),
        ("carry after hello", Some(&it.credential), CARRY, hello, &[INVALID_ARGUMENT]),
        ("carry without certificate", None, CARRY, vec![], &[UNAUTHENTICATED]),
        ("enrol", None, ENROL, vec![], &[OUT_OF_RANGE]),
        ("renew", Some(&it.credential), RENEW, vec![], &[OUT_OF_RANGE]),
    ];
    for (what, credential, method, head, expected) in cases {
        // Only announced, and announced and sent for as long as the server reads.
        for zeros in [0, u64::from(GIB)] {
            let line = Line::open(&siege.server.uplink, &authority, credential).await?;
            let head = [head.clone(), framed_as(GIB, &[])].concat();
            let saying = Saying::with_zeros(head, zeros);
            let taken = Arc::clone(&saying.taken);
            let answer = line.ask(method, saying).await;
            let taken = taken.load(Ordering::Relaxed);
            ensure!(taken < 8 * MIB, "{what}: {} MiB were taken", taken / MIB);
            // The answer may be lost if the server closes the connection while data are still being sent.
            if let Ok(answer) = answer {
                ensure!(answer.status.is_some_and(|status| expected.contains(&status)), "{what}: {answer:?}");
            } else {
                ensure!(zeros > 0, "{what}: {answer:?}");
            }
        }
    }
    grown(&mut siege, before, "messages of 1 GiB")?;
    siege.holds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_endless_streams_use_bounded_memory() -> Result<()> {
    let mut siege = Siege::begin("hostile-streams").await?;
    let it = Intruder::enter(&siege, VICTIM).await?;
    let authority = Signer::of(&siege.world)?.certificate;
    let before = peak(siege.server.process()?.pid())?;
    // Each announces a size just within the limit, sends most of it, and then stops.
    let mut lines = Vec::new();
    let mut taken = Vec::new();
    for (credential, length) in [(None, 3_u32 << 20), (None, 16_000), (Some(&it.credential), 1_000_000)] {
        for _ in 0..4 {
            let line = Arc::new(Line::open(&siege.server.uplink, &authority, credential).await?);
            for method in [CARRY, ENROL, RENEW].into_iter().cycle().take(60) {
                let mut saying = Saying::with_zeros(framed_as(length, &[]), u64::from(length) - 100);
                saying.lasting = true;
                taken.push(Arc::clone(&saying.taken));
                let line = Arc::clone(&line);
                lines.push(tokio::spawn(async move { line.ask(method, saying).await.ok() }));
            }
        }
    }
    // The streams with an answer were rejected; the others wait for capacity or for more data.
    let total = || taken.iter().map(|taken| taken.load(Ordering::Relaxed)).sum::<u64>();
    let mut last = u64::MAX;
    wait::until("the flood to come to a stand", PATIENCE, async || {
        let now = total();
        ensure!(std::mem::replace(&mut last, now) == now, "{} MiB and more", now / MIB);
        Ok(())
    })
    .await?;
    siege.holds().await?;
    grown(&mut siege, before, "720 streams that never end")?;
    for line in lines {
        line.abort();
    }
    siege.holds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_reads_no_answers_delays_nothing() -> Result<()> {
    let mut siege = Siege::begin("hostile-talk").await?;
    let it = Intruder::enter(&siege, VICTIM).await?;
    let before = peak(siege.server.process()?.pid())?;
    // 200,000 keepalives and batches of known observations, each of which would be answered.
    let stopped = wire::Event { kind: Some(Kind::AgentStopped(wire::AgentStopped { reason: 1 })) };
    let up = |message| wire::Up { message: Some(message) };
    let mut saying = said(&[up(Message::Hello(it.hello())), up(Message::Batch(batch(0, [1], &stopped)))]);
    let again = said(&[
        up(Message::Batch(batch(0, [1], &stopped))),
        up(Message::KeepAlive(wire::KeepAlive { last_kept: u64::MAX, sent_at_us: 1 })),
    ]);
    saying.extend(again.repeat(100_000));
    let mut saying = Saying::from(saying);
    saying.lasting = true;
    let line = Line::open(&siege.server.uplink, &Signer::of(&siege.world)?.certificate, Some(&it.credential)).await?;
    let unheard = tokio::time::timeout(Duration::from_secs(5), line.ask(CARRY, saying)).await;
    ensure!(unheard.is_err(), "it ended: {unheard:?}");
    siege.holds().await?;
    grown(&mut siege, before, "200,000 messages on one stream")?;
    drop(line);
    siege.holds().await?;
    ensure!(it.observations(&siege.log().await?) == [1], "what was sent again is in the log again");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_possible_batch_is_accepted() -> Result<()> {
    let mut siege = Siege::begin("hostile-largest").await?;
    let it = Intruder::enter(&siege, VICTIM).await?;
    let hello = Message::Hello(wire::Hello { first_unacknowledged: 1 << 62, ..it.hello() });
    let first = 1_u64 << 62;
    let answer = it.say([hello, Message::Batch(batch(first - 1, first..first + 2_000, &largest()))]).await?;
    ensure!(answer.status == Some(0), "{answer:?}");
    siege.holds().await?;
    let there = it.observations(&siege.log().await?).len();
    ensure!(there == 2_000, "{there} of 2000");
    Ok(())
}

/// The largest observation that the contract has.
fn largest() -> wire::Event {
    let text = Some("999999.999999.999999.999999".to_owned());
    let versions = wire::SoftwareVersionsObserved {
        com_app: text.clone(),
        distro_app: text.clone(),
        auth: text.clone(),
        os_build: text,
    };
    wire::Event { kind: Some(Kind::SoftwareVersionsObserved(versions)) }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_log_is_away_no_more_is_held_than_the_configuration_allows() -> Result<()> {
    const TERMINALS: usize = 12;
    let world = World::with_own_services("hostile-unconfirmed").await?;
    let mut siege = Siege::begin_in(world, Plan { unconfirmed_mib: Some(1), ..Plan::default() }).await?;
    let up = |message| wire::Up { message: Some(message) };
    let mut asked = Vec::new();
    for _ in 0..TERMINALS {
        let it = Intruder::enter(&siege, VICTIM).await?;
        let (more, later) = oneshot::channel();
        let saying = Saying::with_more(said(&[up(Message::Hello(it.hello()))]), later);
        asked.push((more, tokio::spawn(async move { it.line.ask(CARRY, saying).await })));
    }
    wait::until("the terminals to be connected", PATIENCE, async || {
        let query = "SELECT count(*) FROM projection.connection";
        let connected: i64 = siege.store.query_one(query, &[]).await?.get(0);
        ensure!(usize::try_from(connected)? == 1 + TERMINALS, "{connected}");
        Ok(())
    })
    .await?;
    siege.world.kafka.service.stop().await?;
    let batch = said(&[up(Message::Batch(batch(0, 1..2_001, &largest())))]);
    ensure!(batch.len() > 250_000, "{} bytes", batch.len());
    let mut answers = Vec::new();
    for (more, answer) in asked {
        more.send(batch.clone()).ok().context("the terminal is gone")?;
        answers.push(answer);
    }
    // Those for which there is no room learn it at once, and keep what they have.
    let metrics = format!("{}/metrics", siege.server.web);
    wait::until("the others to be refused", PATIENCE, async || {
        let metrics = reqwest::get(&metrics).await?.text().await?;
        let refused = metrics.lines().find_map(|line| line.strip_prefix("fleet_server_batches_not_held_total "));
        let refused: usize = refused.context("not counted yet")?.parse()?;
        ensure!(refused >= TERMINALS - 3, "{refused}");
        Ok(())
    })
    .await?;
    siege.world.kafka.service.restart().await?;
    let mut held = 0;
    for answer in answers {
        let answer = answer.await??;
        match answer.status {
            Some(OK) => held += 1,
            status => ensure!(status == Some(UNAVAILABLE), "{answer:?}"),
        }
    }
    ensure!((1..=3).contains(&held), "{held} were held");
    siege.holds().await
}
