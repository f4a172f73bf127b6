//! A clinic's months of reader use: a resource manager that restarts a hundred times, and a thousand cards. Every card
//! is reported, none is invented, and the agent's resources don't grow.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use tokio::sync::watch;
use yomitori_observation::reader;
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::GapSource;
use yomitori_tests::bench::usage;
use yomitori_tests::world::agent::{Agent, Plan as AgentPlan};
use yomitori_tests::world::pcscd::Pcscd;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::{World, wait};

const CODE: &str = "1319999015";
/// Type B without historical bytes: a possible ATR of a phone.
const PHONE: [u8; 5] = [0x3B, 0x80, 0x80, 0x01, 0x01];

const RESTARTS: usize = 100;
/// In between, a phone is held on the reader.
const TAP_EVERY: usize = 5;

/// One less than the number that the agent watches.
const READERS: u16 = 7;
const SLOTS: u16 = 2 * READERS;
/// Cycles of the first slot; the next slot has one more, and so on, so that slots are distinguishable.
const CYCLES: u16 = 65;
/// A card that returns at once belongs to the same tap; after this number, the reader stays empty until the tap is
/// reported.
const AT_ONCE: u16 = 6;

const SOON: Duration = Duration::from_secs(60);
/// Memory that an allocator may retain after it was freed.
const MORE_MEMORY: u64 = 3 << 20;

struct Clinic {
    _server: Server,
    agent: Agent,
    store: tokio_postgres::Client,
}

impl Clinic {
    async fn open(test: &str, pcscd: &Pcscd, readers: i64) -> Result<Self> {
        let world = World::new(test).await?;
        let server = Server::start(&world, Plan::default()).await?;
        server.import(&format!("code,name,prefecture\n{CODE},いそがしい診療所,東京都\n")).await?;
        let agent = Agent::start(&world, &server, CODE, AgentPlan::with_phone_reader(pcscd)).await?;
        let clinic = Self { _server: server, agent, store: world.store().await? };
        clinic.reported("reader_attached", readers).await?;
        Ok(clinic)
    }

    async fn count(&self, kind: &str) -> Result<i64> {
        let query = "SELECT count(*) FROM projection.fact WHERE kind = $1";
        Ok(self.store.query_one(query, &[&kind]).await?.get(0))
    }

    async fn reported(&self, kind: &str, number: i64) -> Result<()> {
        wait::until(kind, SOON, async || {
            let there = self.count(kind).await?;
            ensure!(there == number, "{there} of {number}");
            Ok(())
        })
        .await
    }

    /// For each reader, the number of taps, and of the cards in them.
    async fn taps(&self) -> Result<BTreeMap<String, (i64, i64)>> {
        let query = "SELECT event::jsonb->'tap_observed'->>'reader', count(*), \
                     sum((event::jsonb->'tap_observed'->>'transitions')::bigint)::bigint \
                     FROM projection.fact WHERE kind = 'tap_observed' GROUP BY 1";
        let rows = self.store.query(query, &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect())
    }

    fn holds(&mut self) -> Result<Held> {
        let pid = self.agent.process()?.pid();
        let entries = |what: &str| -> Result<usize> {
            Ok(std::fs::read_dir(format!("/proc/{pid}/{what}")).context("look at the agent")?.count())
        };
        Ok(Held { handles: entries("fd")?, threads: entries("task")?, memory: usage::memory(pid, "VmRSS")? })
    }

    fn holds_no_more_than(&mut self, before: &Held) -> Result<Held> {
        let now = self.holds()?;
        ensure!(now.handles <= before.handles && now.threads <= before.threads, "{before:?} became {now:?}");
        ensure!(now.memory <= before.memory + MORE_MEMORY, "{before:?} became {now:?}");
        Ok(now)
    }
}

#[derive(Debug)]
struct Held {
    handles: usize,
    threads: usize,
    memory: u64,
}

async fn tap(pcscd: &Pcscd, slot: u16) -> Result<()> {
    let card = pcscd.insert(slot, &PHONE)?;
    card.noticed().await?;
    card.remove();
    Ok(())
}

#[expect(clippy::print_stderr, reason = "figures are worth showing where nothing fails")]
fn print_line(figures: &str) {
    eprintln!("{figures}");
}

#[tokio::test]
async fn a_hundred_restarts_of_the_resource_manager_lose_and_invent_no_tap() -> Result<()> {
    let mut pcscd = Pcscd::start().await?;
    let mut clinic = Clinic::open("readers-restarts", &pcscd, 2).await?;
    tap(&pcscd, 0).await?;
    clinic.reported("tap_observed", 1).await?;
    let (before, began) = (clinic.holds()?, Instant::now());
    let mut taps = 1;
    for restart in 1..=RESTARTS {
        pcscd.restart().await?;
        // The gap is reported once the agent watches again.
        clinic.reported("collection_gap", restart as i64).await?;
        if restart % TAP_EVERY == 0 {
            tap(&pcscd, 0).await?;
            taps += 1;
            clinic.reported("tap_observed", taps).await?;
        }
    }
    ensure!(clinic.count("tap_observed").await? == taps, "each tap once");
    ensure!(clinic.count("reader_attached").await? == 2, "a restart is no detaching");
    ensure!(clinic.count("reader_detached").await? == 0, "a restart is no detaching");
    let query =
        "SELECT DISTINCT event::jsonb->'collection_gap'->>'source' FROM projection.fact WHERE kind = 'collection_gap'";
    let sources = clinic.store.query(query, &[]).await?;
    let pcsc = serde_json::to_value(GapSource::Pcsc)?;
    ensure!(sources.len() == 1 && pcsc == sources[0].get::<_, &str>(0), "nothing else was missed: {sources:?}");
    let after = clinic.holds_no_more_than(&before)?;
    print_line(&format!(
        "{RESTARTS} restarts, {taps} taps in {:.0} s; {before:?}, then {after:?}",
        began.elapsed().as_secs_f64()
    ));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_cards_are_all_reported_and_none_is_invented() -> Result<()> {
    let pcscd = Pcscd::with_readers(READERS).await?;
    let mut clinic = Clinic::open("readers-cards", &pcscd, i64::from(SLOTS)).await?;
    tap(&pcscd, 0).await?;
    clinic.reported("tap_observed", 1).await?;
    let (before, began) = (clinic.holds()?, Instant::now());

    let terminal = TerminalId(
        clinic
            .store
            .query_one("SELECT DISTINCT terminal_id FROM projection.fact WHERE seq IS NOT NULL", &[])
            .await?
            .get(0),
    );
    let (seen, looks) = watch::channel(Seen::default());
    let cycles = async { try_join_all((0..SLOTS).map(|slot| cycle(&pcscd, terminal, slot, looks.clone()))).await };
    let look = async {
        loop {
            let reported = clinic.taps().await?;
            seen.send_replace(Seen { removed: removed(&pcscd.log()), reported });
            tokio::task::yield_now().await;
        }
    };
    let laid: BTreeMap<String, i64> = tokio::select! {
        cycled = cycles => cycled?.into_iter().collect(),
        looked = look => return looked,
    };
    let reported: BTreeMap<String, i64> =
        clinic.taps().await?.into_iter().map(|(reader, (_, cards))| (reader, cards)).collect();
    ensure!(reported == laid, "reported {reported:?}, laid {laid:?}");
    let cards: i64 = laid.values().sum();
    ensure!(cards > 1_000, "{cards}");
    let taps = clinic.count("tap_observed").await?;
    let after = clinic.holds_no_more_than(&before)?;
    print_line(&format!(
        "{cards} cards in {taps} taps, {:.0} s; {before:?}, then {after:?}",
        began.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// The observed events so far.
#[derive(Clone, Default)]
struct Seen {
    /// By the reader's name, the number of removals that pcscd saw.
    removed: BTreeMap<String, i64>,
    reported: BTreeMap<String, (i64, i64)>,
}

/// Inserts and removes cards on `slot`; returns the reader's key, and the number of cards.
async fn cycle(
    pcscd: &Pcscd,
    terminal: TerminalId,
    slot: u16,
    mut looks: watch::Receiver<Seen>,
) -> Result<(String, i64)> {
    let name = Pcscd::reader(slot);
    let key = reader::Name::parse(&name).key(terminal);
    let key = serde_json::to_value(key)?.as_str().context("a key is a text")?.to_owned();
    let mut laid = i64::from(slot == 0);
    for number in 1..=CYCLES + slot {
        tap(pcscd, slot).await?;
        laid += 1;
        // The removal of a card is invisible if the card is back before pcscd polls.
        let gone = |seen: &Seen| seen.removed.get(&name) == Some(&laid);
        tokio::time::timeout(SOON, looks.wait_for(gone)).await.context("pcscd does not see the card go")??;
        if number % AT_ONCE == 0 || number == CYCLES + slot {
            let all_reported = |seen: &Seen| seen.reported.get(&key).is_some_and(|(_, cards)| *cards == laid);
            let waited = tokio::time::timeout(SOON, looks.wait_for(all_reported)).await.is_ok();
            ensure!(waited, "{name}: {laid} were laid, reported {:?}", looks.borrow().reported.get(&key));
        }
    }
    Ok((key, laid))
}

/// By the reader's name, the number of removals that pcscd saw.
fn removed(log: &str) -> BTreeMap<String, i64> {
    let mut removed = BTreeMap::new();
    for line in log.lines() {
        if let Some((_, reader)) = line.split_once("Card Removed From ") {
            *removed.entry(reader.trim().to_owned()).or_default() += 1;
        }
    }
    removed
}
