//! Every profile of the simulated fleet against a real server, with an oracle of everything that the terminals kept: an
//! acknowledged observation is in the store exactly once and unchanged, and the store has no other observation.
//!
//! `SEED=n` gives the same clinics and the same lives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Utc};
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use yomitori_proto::id::{Life, TerminalId};
use yomitori_simulation::fleet::ledger::{Ledger, LedgerEntry};
use yomitori_simulation::fleet::operator::Operator;
use yomitori_simulation::fleet::profile::Profile;
use yomitori_simulation::fleet::roster::Tokens;
use yomitori_simulation::fleet::{self, Count, Plan as FleetPlan, facility};
use yomitori_tests::hostile::chance::print_line;
use yomitori_tests::oracle::{Fact, Kept, Remains, Stored, Verdict, gather, judge};
use yomitori_tests::storm;
use yomitori_tests::world::server::{Plan, Server};
use yomitori_tests::world::{World, wait};

/// One round of characters and some more; two of them were never enrolled.
const CLINICS: usize = 24;
/// The events of a profile need a few days.
const SHOWN_WITHIN: Duration = Duration::from_secs(120);
const FOLDED_WITHIN: Duration = Duration::from_secs(60);

/// A server that knows the clinics, and the observations that their terminals kept.
struct Fleet {
    world: World,
    server: Server,
    ledger: Ledger,
    plan: FleetPlan,
}

/// The remains of a fleet after everything is folded.
struct Ended {
    count: Count,
    entries: Vec<LedgerEntry>,
    stored: Stored,
    verdict: Verdict,
}

impl Fleet {
    async fn open(profile: Profile, day: Duration) -> Result<Self> {
        let seed = storm::seed()?;
        print_line(&format!("{profile:?}: SEED={seed}"));
        let world = World::new("fleet").await?;
        let server = Server::start(&world, Plan::default()).await?;
        let facilities = facility::invent(CLINICS, seed);
        server.import(&facility::table(&facilities)).await?;
        world.has_facilities(facilities.len()).await?;
        let command = server.command();
        let config = command.get_args().nth(1).context("the configuration's path")?.into();
        let tokens = Tokens::Operator(Operator { program: command.get_program().into(), config });
        let (ledger, state) = (Ledger::default(), world.new_folder("fleet")?);
        let server_address = server.uplink.parse().map_err(anyhow::Error::msg)?;
        let plan = FleetPlan {
            server: server_address,
            clinics: CLINICS,
            seed,
            profile,
            day,
            state,
            tokens,
            ledger: Some(ledger.clone()),
        };
        Ok(Self { world, server, ledger, plan })
    }

    /// Runs until `shown` has an answer, or until the lives end; then an oracle checks everything.
    async fn lives(self, mut shown: impl AsyncFnMut(&Client, &Ledger) -> Result<()>) -> Result<Ended> {
        let (store, profile) = (self.world.store().await?, self.plan.profile);
        let closing = CancellationToken::new();
        let life = tokio::spawn(fleet::run(self.plan.clone(), closing.clone(), |_| ()));
        wait::until("what this profile has to show", SHOWN_WITHIN, async || {
            if life.is_finished() {
                return Ok(());
            }
            shown(&store, &self.ledger).await
        })
        .await?;
        // If a life ended on its own, `shown` must hold now.
        closing.cancel();
        let count = life.await.context("the fleet")??;
        shown(&store, &self.ledger).await.context("what this profile has to show")?;
        self.is_folded(&store).await?;
        let (entries, stored) = (self.ledger.all(), gather::stored(&mut self.world.store().await?).await?);
        let remains = Remains {
            kept: kept(&entries, &stored),
            records: self.world.records().await?,
            complaints: gather::complaints("server", &self.server.log()),
            stored: stored.clone(),
        };
        let verdict = judge(&remains);
        verdict.faults.none()?;
        self.server.run(&["log", "verify"]).await?;
        let ended = Ended { count, entries, stored, verdict };
        ended.matches_the_ledger()?;
        print_line(&format!("{profile:?}: {:?}, {} in the store", ended.count, ended.verdict.folded));
        Ok(ended)
    }

    /// Every line is closed, and the log is folded to its end.
    async fn is_folded(&self, store: &Client) -> Result<()> {
        wait::until("everything is folded", FOLDED_WITHIN, async || {
            let query = "SELECT (SELECT count(*) FROM projection.connection), \
                         (SELECT coalesce(sum(next_offset), 0)::int8 FROM projection.progress)";
            let row = store.query_one(query, &[]).await?;
            let (open, folded): (i64, i64) = (row.get(0), row.get(1));
            ensure!(open == 0, "{open} lines are open");
            let records = self.world.records().await?.len();
            ensure!(usize::try_from(folded)? == records, "{folded} of {records} records are folded");
            Ok(())
        })
        .await
    }
}

/// The observations that each terminal kept, up to the last number that arrived. Observations in transit at the end may
/// have arrived, but not without the earlier ones.
fn kept(entries: &[LedgerEntry], stored: &Stored) -> Vec<Kept> {
    let mut arrived: BTreeMap<Life, u64> = BTreeMap::new();
    for (_, life, seq) in stored.facts.iter().filter_map(|fact| fact.number) {
        let last = arrived.entry(life).or_default();
        *last = seq.max(*last);
    }
    let mut lives: BTreeMap<(TerminalId, Life), Vec<u64>> = BTreeMap::new();
    for one in entries {
        let journal = lives.entry((one.terminal, one.life)).or_default();
        if one.acknowledged || arrived.get(&one.life).is_some_and(|last| one.seq.0 <= *last) {
            journal.push(one.seq.0);
        }
    }
    let kept = |((terminal, life), journal): ((TerminalId, Life), Vec<u64>)| {
        let last = journal.last().copied().unwrap_or_default();
        Kept { terminal, life, journal, last }
    };
    lives.into_iter().map(kept).collect()
}

impl Ended {
    /// The oracle knows numbers; the ledger knows the observation of each number.
    fn matches_the_ledger(&self) -> Result<()> {
        let facts: BTreeMap<(TerminalId, Life, u64), &Fact> =
            self.stored.facts.iter().filter_map(|fact| Some((fact.number?, fact))).collect();
        ensure!(!facts.is_empty() && facts.len() == self.verdict.folded, "{} facts", facts.len());
        for entry in &self.entries {
            let Some(fact) = facts.get(&(entry.terminal, entry.life, entry.seq.0)) else {
                ensure!(!entry.acknowledged, "{entry:?} was acknowledged and is not in the store");
                continue;
            };
            ensure!(fact.kind == entry.kind && fact.facility == entry.facility, "{entry:?} became {fact:?}");
            ensure!(fact.occurred_at == entry.occurred_at, "{entry:?} became {fact:?}");
        }
        let acknowledged = self.entries.iter().filter(|entry| entry.acknowledged).count() as u64;
        ensure!(acknowledged == self.count.acknowledged, "{acknowledged} in the ledger, {:?}", self.count);
        ensure!(self.entries.len() as u64 == self.count.kept, "{} in the ledger, {:?}", self.entries.len(), self.count);
        Ok(())
    }

    /// The number of observations that were made without a line: between the end of a stream and the next one.
    fn seen_without_a_line(&self) -> Result<usize> {
        let mut lines: BTreeMap<TerminalId, BTreeMap<DateTime<Utc>, bool>> = BTreeMap::new();
        for (kind, there) in [("terminal_connected", true), ("terminal_disconnected", false)] {
            for fact in self.stored.facts.iter().filter(|fact| fact.kind == kind) {
                let terminal = fact.event[kind]["terminal"].as_str().context("a terminal")?.parse()?;
                lines.entry(terminal).or_default().insert(fact.occurred_at, there);
            }
        }
        let without = |entry: &&LedgerEntry| {
            let before = lines.get(&entry.terminal).and_then(|line| line.range(..entry.occurred_at).next_back());
            before.is_some_and(|(_, there)| !there)
        };
        Ok(self.entries.iter().filter(|entry| entry.acknowledged).filter(without).count())
    }

    fn of_kind(&self, kind: &str) -> usize {
        self.stored.facts.iter().filter(|fact| fact.kind == kind).count()
    }
}

async fn one(store: &Client, query: &str) -> Result<i64> {
    Ok(store.query_one(query, &[]).await?.get(0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_terminals_report_only_their_start() -> Result<()> {
    const DAY: Duration = Duration::from_secs(5);
    let mut all_up = None;
    let ended = Fleet::open(Profile::Idle, DAY)
        .await?
        .lives(async |store, ledger| {
            let started = one(store, "SELECT count(*) FROM projection.fact WHERE kind = 'agent_started'").await?;
            let terminals: BTreeSet<TerminalId> = ledger.all().iter().map(|entry| entry.terminal).collect();
            ensure!(terminals.len() as i64 == started && started > 0, "{started} have started");
            // Two days without events, from the time at which all are connected.
            let since = *all_up.get_or_insert_with(Instant::now);
            ensure!(since.elapsed() >= 2 * DAY, "nothing has happened for {:?}", since.elapsed());
            Ok(())
        })
        .await?;
    let terminals = ended.count.terminals;
    ensure!(ended.of_kind("agent_started") == terminals && terminals >= CLINICS - 2, "{terminals} terminals");
    let start = ["agent_started", "software_versions_observed", "component_state_observed", "reader_attached"];
    let kinds: BTreeSet<&str> =
        ended.stored.facts.iter().filter(|fact| fact.number.is_some()).map(|fact| fact.kind.as_str()).collect();
    ensure!(kinds == BTreeSet::from(start), "{kinds:?}");
    ensure!(ended.of_kind("software_versions_observed") == terminals, "reported twice");
    ensure!(ended.of_kind("component_state_observed") == 4 * terminals, "reported twice");
    ensure!(ended.count.acknowledged == ended.count.kept, "{:?}", ended.count);
    // Each terminal has connected once, and kept its line.
    ensure!(ended.of_kind("terminal_connected") == terminals, "lines were lost while nothing happened");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_a_monday_morning_all_connect_at_once_and_nothing_is_lost() -> Result<()> {
    const DAY: Duration = Duration::from_secs(20);
    // The minimum of patients per day in the profile, for each terminal that sees result files.
    const PATIENTS: i64 = 80;
    let busy = format!(
        "SELECT count(*) FROM (SELECT 1 FROM projection.fact WHERE kind = 'linkage_result_observed' \
         GROUP BY terminal_id HAVING count(*) >= {PATIENTS}) AS busy"
    );
    let ended = Fleet::open(Profile::MondayMorning, DAY)
        .await?
        .lives(async |store, _| {
            let busy = one(store, &busy).await?;
            ensure!(busy >= 18, "{busy} have had their patients");
            Ok(())
        })
        .await?;
    ensure!(
        ended.of_kind("linkage_result_observed") >= 18 * 80,
        "{} results",
        ended.of_kind("linkage_result_observed")
    );
    ensure!(ended.of_kind("tap_observed") > 0, "no patient had a phone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thirty_days_of_a_whole_fleet_arrive_when_the_lines_come_back() -> Result<()> {
    let ended = Fleet::open(Profile::Backfill, Duration::from_secs(10))
        .await?
        .lives(async |_, ledger| {
            let entries = ledger.all();
            ensure!(!entries.is_empty() && entries.iter().all(|entry| entry.acknowledged), "not all is acknowledged");
            Ok(())
        })
        .await?;
    ensure!(ended.count.acknowledged == ended.count.kept, "{:?}", ended.count);
    let days: BTreeSet<_> =
        ended.stored.facts.iter().filter(|f| f.number.is_some()).map(|f| f.occurred_at.date_naive()).collect();
    ensure!(days.len() >= 30, "of {} days", days.len());
    ensure!(ended.verdict.folded > CLINICS * 30 * 50 / 2, "only {}", ended.verdict.folded);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_cut_for_all_at_once_come_back_and_upload_the_kept_observations() -> Result<()> {
    const DAY: Duration = Duration::from_secs(10);
    /// Four a day.
    const CUTS: usize = 4;
    let ended = Fleet::open(Profile::ReconnectStorm, DAY)
        .await?
        .lives(async |store, ledger| {
            let terminals: BTreeSet<TerminalId> = ledger.all().iter().map(|entry| entry.terminal).collect();
            let back = format!(
                "SELECT count(*) FROM (SELECT 1 FROM projection.fact WHERE kind = 'terminal_connected' \
                 GROUP BY event::jsonb->'terminal_connected'->>'terminal' HAVING count(*) > {CUTS}) AS back"
            );
            let back = one(store, &back).await?;
            ensure!(back > 0 && back == terminals.len() as i64, "{back} of {} are back again", terminals.len());
            Ok(())
        })
        .await?;
    let terminals = ended.count.terminals;
    for kind in ["terminal_connected", "terminal_disconnected"] {
        ensure!(ended.of_kind(kind) >= CUTS * terminals, "{} times {kind}", ended.of_kind(kind));
    }
    let meanwhile = ended.seen_without_a_line()?;
    println!("{meanwhile} were seen without a line");
    ensure!(meanwhile > 0, "nothing happened while the lines were cut");
    Ok(())
}
