//! Messages that are too large, too many or endless: the server's memory does not grow with them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use yomitori_proto::wire::up::Message;
use yomitori_proto::wire::{self, event::Kind};
use yomitori_tests::hostile::chance::print_line;
use yomitori_tests::hostile::credential::{Credential, Signer};
use yomitori_tests::hostile::siege::{Intruder, Siege, VICTIM, batch};
use yomitori_tests::hostile::stranger::{CARRY, ENROL, Line, RENEW, Saying, framed_as, said};
use yomitori_tests::world::wait::{self, PATIENCE};

use crate::status::{INVALID_ARGUMENT, OUT_OF_RANGE, UNAUTHENTICATED};

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
    let text = Some("999999.999999.999999.999999".to_owned());
    let largest = wire::Event {
        kind: Some(Kind::SoftwareVersionsObserved(wire::SoftwareVersionsObserved {
            com_app: text.clone(),
            distro_app: text.clone(),
            auth: text.clone(),
            os_build: text,
        })),
    };
    let hello = Message::Hello(wire::Hello { first_unacknowledged: 1 << 62, ..it.hello() });
    let first = 1_u64 << 62;
    let answer = it.say([hello, Message::Batch(batch(first - 1, first..first + 2_000, &largest))]).await?;
    ensure!(answer.status == Some(0), "{answer:?}");
    siege.holds().await?;
    let there = it.observations(&siege.log().await?).len();
    ensure!(there == 2_000, "{there} of 2000");
    Ok(())
}
