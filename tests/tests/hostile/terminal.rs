//! Terminals with a valid certificate and an attacker's program.

use anyhow::{Context, Result, ensure};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use prost::Message as _;
use uuid::Uuid;
use yomitori_proto::encode;
use yomitori_proto::event::{Event, LogBody, LogRecord, Speaker};
use yomitori_proto::wire::{self, down, event::Kind, up::Message};
use yomitori_tests::hostile::siege::{HONEST, Intruder, Siege, VICTIM, batch};
use yomitori_tests::hostile::stranger::Answer;
use yomitori_tests::world::wait::{self, PATIENCE};

use crate::status::{INVALID_ARGUMENT, OK, PERMISSION_DENIED};

fn stopped() -> wire::Event {
    wire::Event { kind: Some(Kind::AgentStopped(wire::AgentStopped { reason: 1 })) }
}

fn acknowledged(answer: &Answer) -> Result<Option<u64>> {
    let messages: Vec<wire::Down> = answer.messages()?;
    let ack = |down: &wire::Down| match &down.message {
        Some(down::Message::Ack(ack)) => Some(ack.through),
        Some(_) | None => None,
    };
    Ok(messages.iter().rev().find_map(ack))
}

/// Makes a `Hello` claim properties of another terminal.
type Claim = fn(&mut wire::Hello, &Intruder);

/// Whether a record in the log is from or about this terminal.
fn is_about(record: &LogRecord, intruder: &Intruder) -> bool {
    match &record.body {
        LogBody::Terminal { terminal, .. } => *terminal == intruder.peer.terminal,
        LogBody::Statement { event: Event::TerminalConnected(connected), .. } => {
            connected.terminal == intruder.peer.terminal
        }
        LogBody::Statement { .. } => false,
    }
}

/// The highest sequence number: the database's numbers are signed.
const LAST: u64 = i64::MAX.unsigned_abs();

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_violates_the_protocol_is_rejected_and_not_logged() -> Result<()> {
    let mut siege = Siege::begin("hostile-rules").await?;
    let it = Intruder::enter(&siege, VICTIM).await?;
    let hello = || Message::Hello(it.hello());
    let right = |after, numbers: &[u64]| Message::Batch(batch(after, numbers.iter().copied(), &stopped()));
    let at = |change: fn(&mut wire::Batch)| {
        let mut wrong = batch(0, [1], &stopped());
        change(&mut wrong);
        Message::Batch(wrong)
    };
    let newer = |number, length: usize| {
        let mut event = Vec::new();
        prost::encoding::bytes::encode(number, &vec![7; length], &mut event);
        let mut wrong = batch(0, [1], &stopped());
        wrong.observations[0].event = event;
        Message::Batch(wrong)
    };
    let greeted = |change: fn(&mut wire::Hello)| {
        let mut wrong = it.hello();
        change(&mut wrong);
        Message::Hello(wrong)
    };
    let keep_alive = |sent_at_us| Message::KeepAlive(wire::KeepAlive { last_kept: 0, sent_at_us });
    let cases: Vec<(&str, Vec<Message>)> = vec![
        ("nothing understood", vec![]),
        ("a batch before hello", vec![right(0, &[1])]),
        ("a keepalive before hello", vec![keep_alive(0)]),
        ("two hellos", vec![hello(), hello()]),
        ("number 0", vec![hello(), right(0, &[0])]),
        ("numbers backwards", vec![hello(), right(0, &[5, 4])]),
        ("a number twice", vec![hello(), right(0, &[3, 3])]),
        ("a number not after `after`", vec![hello(), right(7, &[7])]),
        ("the highest number after itself", vec![hello(), right(LAST, &[LAST])]),
        ("a number beyond the highest", vec![hello(), right(LAST, &[LAST + 1])]),
        ("the highest number of the wire", vec![hello(), right(u64::MAX - 1, &[u64::MAX])]),
        ("more than the limit", vec![hello(), Message::Batch(batch(0, 1..=2001, &stopped()))]),
        ("before 1970", vec![hello(), at(|batch| batch.observations[0].occurred_at_us = -1)]),
        ("the earliest instant", vec![hello(), at(|batch| batch.observations[0].observed_at_us = i64::MIN)]),
        ("the year 10000", vec![hello(), at(|batch| batch.sent_at_us = 253_402_300_800_000_000)]),
        ("the last instant", vec![hello(), at(|batch| batch.sent_at_us = i64::MAX)]),
        ("a keepalive of no year", vec![hello(), keep_alive(i64::MAX)]),
        ("an observation of nothing", vec![hello(), at(|batch| batch.observations[0].event.clear())]),
        ("an event of no kind", vec![hello(), at(|batch| batch.observations[0].event = vec![0x08, 0x01])]),
        ("a kind that nobody knows, and too long", vec![hello(), newer(200, 1_100)]),
        ("a kind that a later version may give to a person", vec![hello(), newer(70, 3)]),
        ("a version that is a text", vec![greeted(|hello| hello.agent_version = "山田太郎".to_owned())]),
        ("a version without end", vec![greeted(|hello| hello.agent_version = "1.".repeat(65))]),
        ("a version that is a number", vec![greeted(|hello| hello.agent_version = "1319999015".to_owned())]),
        ("a life of 15 bytes", vec![greeted(|hello| hello.life.truncate(15))]),
        ("nine former terminals", vec![greeted(|hello| hello.former = vec![vec![1; 16]; 9])]),
        ("a former terminal of 15 bytes", vec![greeted(|hello| hello.former = vec![vec![1; 15]])]),
        ("number 0 as the first", vec![greeted(|hello| hello.first_unacknowledged = 0)]),
        ("hello at no instant", vec![greeted(|hello| hello.sent_at_us = i64::MIN)]),
    ];
    for (what, messages) in cases {
        let silent = messages.is_empty();
        let answer = if silent {
            it.line.ask(yomitori_tests::hostile::stranger::CARRY, vec![0, 0, 0, 0, 0]).await
        } else {
            it.say(messages).await
        };
        let answer = answer.with_context(|| what.to_owned())?;
        ensure!(answer.status == Some(INVALID_ARGUMENT), "{what}: {answer:?}");
        ensure!(!answer.message.is_empty() && !answer.message.contains("山田"), "{what}: {answer:?}");
    }
    siege.holds().await?;
    let log = siege.log().await?;
    ensure!(it.observations(&log).is_empty(), "{log:#?}");
    ensure!(siege.parked().await? == 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_reports_only_for_itself_and_its_own_facility() -> Result<()> {
    let mut siege = Siege::begin("hostile-claims").await?;
    let it = Intruder::enter(&siege, VICTIM).await?;
    let other = Intruder::enter(&siege, HONEST).await?;
    let claims: [(&str, Claim); 4] = [
        ("another facility", |hello, other| hello.facility = other.peer.facility.to_bytes()),
        ("another terminal", |hello, other| hello.terminal = other.peer.terminal.to_bytes()),
        ("an unknown facility", |hello, _| hello.facility = Uuid::new_v4().as_bytes().to_vec()),
        ("the whole fleet", |hello, _| hello.facility = vec![0; 16]),
    ];
    for (what, claim) in claims {
        let mut hello = it.hello();
        claim(&mut hello, &other);
        let after = Message::Batch(batch(0, [1, 2], &stopped()));
        let answer = it.say([Message::Hello(hello), after]).await.context(what)?;
        ensure!(answer.status == Some(PERMISSION_DENIED) && answer.body.is_empty(), "{what}: {answer:?}");
    }
    siege.holds().await?;
    let log = siege.log().await?;
    let records: Vec<_> = log.iter().filter(|record| is_about(record, &it) || is_about(record, &other)).collect();
    ensure!(records.is_empty(), "{records:#?}");

    // The same terminal is accepted with its own properties.
    let answer = it.say([Message::Hello(it.hello()), Message::Batch(batch(0, [1], &stopped()))]).await?;
    ensure!(answer.status == Some(OK) && acknowledged(&answer)? == Some(1), "{answer:?}");
    ensure!(it.observations(&siege.log().await?) == [1]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_of_people_servers_and_lists_are_not_accepted_from_a_terminal() -> Result<()> {
    let mut siege = Siege::begin("hostile-speakers").await?;
    let it = Intruder::enter(&siege, VICTIM).await?;
    let mut runner = TestRunner::deterministic();
    let mut tried = std::collections::BTreeSet::new();
    for _ in 0..2_000 {
        let event = yomitori_arbitrary::event().new_tree(&mut runner).map_err(anyhow::Error::msg)?.current();
        if matches!(event.speaker(), Speaker::Terminal | Speaker::Anyone) || !tried.insert(event.kind()) {
            continue;
        }
        // Not even among valid observations.
        let mut mixed = batch(0, [1, 2, 3], &stopped());
        mixed.observations[1].event = encode::event(&event).encode_to_vec();
        let answer = it.say([Message::Hello(it.hello()), Message::Batch(mixed)]).await.context(event.kind())?;
        ensure!(answer.status == Some(INVALID_ARGUMENT), "{}: {answer:?}", event.kind());
    }
    ensure!(tried.len() >= 18, "only {tried:?}");
    siege.holds().await?;
    ensure!(it.observations(&siege.log().await?).is_empty());
    let victim: i64 = siege
        .store
        .query_one(
            "SELECT count(*) FROM projection.fact WHERE terminal_id = $1 OR (facility_id = $2 AND kind NOT IN \
             ('facility_registered', 'terminal_connected', 'terminal_disconnected'))",
            &[&it.peer.terminal.0, &it.peer.facility.0],
        )
        .await?
        .get(0);
    ensure!(victim == 0, "{victim} facts of the victim");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn unusual_numbers_and_clocks_affect_no_other_client() -> Result<()> {
    let mut siege = Siege::begin("hostile-odd").await?;
    let mut it = Intruder::enter(&siege, VICTIM).await?;
    let itself = it.hello();
    let hello = |first| Message::Hello(wire::Hello { first_unacknowledged: first, ..itself.clone() });
    let right = |after, numbers: &[u64]| Message::Batch(batch(after, numbers.iter().copied(), &stopped()));

    // Sent again on the same stream and on the next: acknowledged, and in the log once or dropped by the projector.
    let first = right(0, &[1, 2, 3]);
    let answer = it.say([hello(1), first.clone(), first.clone()]).await?;
    ensure!(answer.status == Some(OK) && acknowledged(&answer)? == Some(3), "{answer:?}");
    let answer = it.say([hello(1), first]).await?;
    ensure!(acknowledged(&answer)? == Some(3), "{answer:?}");
    // After a jump over unsent numbers the server asks for them.
    let answer = it.say([hello(4), right(1_000, &[1_001])]).await?;
    let asked: Vec<wire::Down> = answer.messages()?;
    let resume = Some(down::Message::Resume(wire::Resume { after: 3 }));
    ensure!(asked.iter().any(|down| down.message == resume), "{asked:?}");

    // The year 9999, 1970, and the highest number.
    let mut far = batch(3, [4, 5], &stopped());
    (far.observations[0].occurred_at_us, far.observations[1].occurred_at_us) = (253_402_300_799_999_999, 0);
    (far.observations[0].observed_at_us, far.sent_at_us) = (253_402_300_799_999_999, 0);
    let answer = it.say([hello(4), Message::Batch(far)]).await?;
    ensure!(acknowledged(&answer)? == Some(5), "{answer:?}");
    let last = [hello(LAST), right(LAST - 1, &[LAST])];
    for _ in 0..2 {
        let answer = it.say(last.clone()).await?;
        ensure!(acknowledged(&answer)? == Some(LAST), "{answer:?}");
    }

    siege.holds().await?;
    let once_each = async |siege: &Siege, terminal: Uuid| {
        let count = "SELECT count(*) FROM projection.fact WHERE terminal_id = $1";
        wait::until("what it said, once each", PATIENCE, async || {
            let there: i64 = siege.store.query_one(count, &[&terminal]).await?.get(0);
            ensure!(there == 6, "{there} of 6");
            Ok(())
        })
        .await
    };
    once_each(&siege, it.peer.terminal.0).await?;

    // After a restart the high-water mark is still known, even at the highest number.
    siege.server.kill()?;
    siege.server.serve().await?;
    it.reconnect(&siege).await?;
    let answer = it.say(last).await?;
    ensure!(acknowledged(&answer)? == Some(LAST), "{answer:?}");
    siege.holds().await?;
    once_each(&siege, it.peer.terminal.0).await?;
    ensure!(siege.parked().await? == 0);
    Ok(())
}
