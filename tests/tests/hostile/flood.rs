//! A terminal whose key was stolen sends as much as it can: the log takes what a clinic could have seen, and no more.

use anyhow::{Result, ensure};
use yomitori_proto::wire::{self, down, event::Kind, up::Message};
use yomitori_tests::hostile::siege::{Intruder, Siege, VICTIM, batch};

use crate::status::{OK, RESOURCE_EXHAUSTED};

/// The most that a server takes in one batch.
const BATCH: u64 = 2_000;
/// Together more than a month of the busiest terminal.
const BATCHES: u64 = 125;
/// A little more, so that the pause is a few seconds.
const MORE: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_sends_more_than_a_clinic_sees_is_slowed_down() -> Result<()> {
    let mut siege = Siege::begin("hostile-flood").await?;
    let it = Intruder::enter(&siege, VICTIM).await?;
    let event = wire::Event { kind: Some(Kind::AgentStopped(wire::AgentStopped { reason: 1 })) };
    let part = |first: u64, count: u64| Message::Batch(batch(first - 1, first..first + count, &event));
    let mut messages = vec![Message::Hello(it.hello())];
    messages.extend((0..BATCHES).map(|number| part(number * BATCH + 1, BATCH)));
    messages.push(part(BATCHES * BATCH + 1, MORE));
    let answer = it.say(messages).await?;
    ensure!(answer.status == Some(OK), "{answer:?}");
    let answers: Vec<wire::Down> = answer.messages()?;
    let pauses = answers.iter().filter(|down| matches!(down.message, Some(down::Message::SlowDown(_)))).count();
    ensure!(pauses > 0, "it may send for ever");
    // Nothing of what was acknowledged is missing.
    let numbers = it.observations(&siege.log().await?);
    ensure!(numbers.len() as u64 == BATCHES * BATCH + MORE, "{} observations", numbers.len());
    siege.holds().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_that_connects_again_and_again_is_refused() -> Result<()> {
    let mut siege = Siege::begin("hostile-again").await?;
    let it = Intruder::enter(&siege, VICTIM).await?;
    for _ in 0..2_000 {
        let answer = it.say([Message::Hello(it.hello())]).await?;
        if answer.status == Some(RESOURCE_EXHAUSTED) {
            ensure!(answer.message.contains("too%20often") || answer.message.contains("too often"), "{answer:?}");
            return siege.holds().await;
        }
        ensure!(answer.status == Some(OK), "{answer:?}");
    }
    anyhow::bail!("it may connect for ever")
}
