//! A terminal with a desk that produces results continuously.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chrono::TimeDelta;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use yomitori_agent::identity::Identity;
use yomitori_agent::spool::Spool;
use yomitori_proto::id::{Life, TerminalId};
use yomitori_proto::uplink::Peer;
use yomitori_simulation::clock;
use yomitori_tests::oracle::{Kept, gather};
use yomitori_tests::storm::Victim;
use yomitori_tests::world::agent::{Agent, Plan};
use yomitori_tests::world::process::Process;
use yomitori_tests::world::server::Server;
use yomitori_tests::world::{Build, World};

/// Interval between results.
const EVERY: Duration = Duration::from_millis(25);
/// Number of results that exist in the folder at a time: each lives for 200 ms.
const THERE: u64 = 8;
const BUDGET: u64 = 64 << 20;

/// One terminal.
pub(crate) struct Clinic {
    pub(crate) agent: Agent,
    peer: Peer,
    journal: PathBuf,
    desk: JoinHandle<Result<u64>>,
    closing: CancellationToken,
}

impl Clinic {
    /// A terminal of the facility with `code`, at work.
    pub(crate) async fn open(world: &World, server: &Server, code: &str) -> Result<Self> {
        let plan = Plan { build: Build::CrashPoints, ..Plan::default() };
        let agent = Agent::prepare(world, &server.uplink, plan)?;
        agent.enrol(server, code).await?;
        let peer = Identity::load(&agent.state)?.context("the terminal has enrolled")?.peer();
        let closing = CancellationToken::new();
        let desk = tokio::spawn(desk(agent.face.clone(), closing.clone()));
        let mut clinic = Self { journal: agent.state.with_file_name("kept"), agent, peer, desk, closing };
        clinic.start(None)?;
        Ok(clinic)
    }

    /// Stops the results; returns their number.
    pub(crate) async fn close(&mut self) -> Result<u64> {
        self.closing.cancel();
        (&mut self.desk).await.context("the desk")?
    }

    /// The current life and the last number kept in it.
    pub(crate) fn last(&self) -> Result<(TerminalId, Life, u64)> {
        let lives = gather::journal(&self.journal)?;
        ensure!(lives.len() == 1, "{} lives of one terminal", lives.len());
        let (life, numbers) = lives.into_iter().next().context("nothing was kept")?;
        Ok((self.peer.terminal, life, numbers.last().copied().unwrap_or_default()))
    }

    /// Whether the agent has received the acknowledgement of everything up to `seq`.
    pub(crate) fn has_acknowledged(&self, seq: u64) -> Result<()> {
        let log = self.agent.log();
        let line = log.lines().rev().find(|line| line.contains("The server acknowledged observations."));
        let through = line.and_then(|line| line.split("seq=").nth(1)).context("nothing is acknowledged")?;
        ensure!(through.trim().parse::<u64>().context("a number")? >= seq, "acknowledged up to {through}, kept {seq}");
        Ok(())
    }

    /// The observations that the terminal has kept. Its agent must have ended.
    pub(crate) fn kept(&self) -> Result<Vec<Kept>> {
        let spool = Spool::open(&self.agent.state, self.peer, BUDGET, clock::now())?;
        let mut lives = gather::journal(&self.journal)?;
        lives.entry(spool.life()).or_default();
        let kept = |(life, journal): (Life, Vec<u64>)| {
            let last = if life == spool.life() { spool.last().0 } else { journal.last().copied().unwrap_or_default() };
            Kept { terminal: self.peer.terminal, life, journal, last }
        };
        Ok(lives.into_iter().map(kept).collect())
    }
}

impl Victim for Clinic {
    fn kind(&self) -> &'static str {
        "agent"
    }

    fn start(&mut self, crash: Option<String>) -> Result<&mut Process> {
        let journal = ("YOMITORI_KEPT_JOURNAL".to_owned(), self.journal.display().to_string());
        // At this level the agent logs its acknowledged number.
        let log = ("YOMITORI_LOG".to_owned(), "info,yomitori_agent::telemetry=debug".to_owned());
        let crash = crash.map(|crash| ("YOMITORI_CRASH".to_owned(), crash));
        self.agent.set_env([journal, log].into_iter().chain(crash).collect());
        self.agent.launch()
    }

    fn running(&mut self) -> Result<&mut Process> {
        self.agent.process()
    }
}

/// Results appear and disappear, each with a unique name, whether or not an agent watches.
async fn desk(folder: PathBuf, closing: CancellationToken) -> Result<u64> {
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let name = |number: u64, at: chrono::NaiveDateTime| {
        folder.join(format!("OQSsiquc01res_face_{number:016}_{}.xml", at.format("%Y%m%d%H%M%S")))
    };
    let mut there = std::collections::VecDeque::new();
    let mut number = 0;
    while !closing.is_cancelled() {
        tick.tick().await;
        number += 1;
        let file = name(number, clock::now().naive_utc() + TimeDelta::hours(9));
        std::fs::write(&file, "<XmlMsg/>").with_context(|| format!("write {file:?}"))?;
        there.push_back(file);
        if there.len() as u64 > THERE {
            there.pop_front().map_or(Ok(()), std::fs::remove_file).context("remove a result")?;
        }
    }
    there.into_iter().try_for_each(std::fs::remove_file).context("remove the last results")?;
    Ok(number)
}
