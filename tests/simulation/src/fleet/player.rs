//! Plays a clinic's life in real time on released parts: the agent's spool, in memory, and its uplink over mutual TLS.
//!
//! A lost line is an uplink that is dropped at an arbitrary point, as if the cable were pulled.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use yomitori_agent::address::ServerAddress;
use yomitori_agent::identity::Identity;
use yomitori_agent::sent::SentLog;
use yomitori_agent::spool::Spool;
use yomitori_agent::uplink::Uplink;
use yomitori_observation::Sighting;
use yomitori_proto::id::{self, Seq};

use super::clinic::{Act, Happening, Terminal};
use super::ledger::{Ledger, LedgerEntry};
use super::roster::Member;

/// The agent's default spool budget.
const BUDGET: u64 = 64 * 1024 * 1024;
/// Cache size of a database in memory.
const CACHE: usize = 64 * 1024;
/// Number of observations that are kept in one step if they are due at once.
const TOGETHER: usize = 500;
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// See the head of this file.
pub struct Player {
    server: ServerAddress,
    member: Member,
    spool: Arc<Spool>,
    kept: watch::Sender<Seq>,
    line: watch::Sender<bool>,
    life: Life,
    ledger: Option<Ledger>,
}

/// A clinic's events in chronological order, and the length of the part before the start.
pub struct Life {
    pub happenings: Box<dyn Iterator<Item = Happening> + Send>,
    pub lead: Duration,
}

/// The progress of a player, for observers.
#[derive(Clone, Debug)]
pub struct Progress {
    spool: Arc<Spool>,
    line: watch::Receiver<bool>,
}

impl Progress {
    #[must_use]
    pub fn life(&self) -> id::Life {
        self.spool.life()
    }

    #[must_use]
    pub fn kept(&self) -> Seq {
        self.spool.last()
    }

    #[must_use]
    pub fn acknowledged(&self) -> Seq {
        Seq(self.spool.first_unacknowledged().0.saturating_sub(1))
    }

    /// Whether the terminal is on and its cable is connected.
    #[must_use]
    pub fn has_line(&self) -> bool {
        *self.line.borrow()
    }
}

impl Player {
    /// A new life of `member`'s clinic, created by `life` for its terminal.
    ///
    /// # Errors
    /// If the spool can't be created.
    pub fn new(
        server: ServerAddress,
        member: Member,
        ledger: Option<Ledger>,
        life: impl FnOnce(&Member, Terminal) -> Life,
    ) -> Result<Self> {
        let database = redb::Database::builder()
            .set_cache_size(CACHE)
            .create_with_backend(redb::backends::InMemoryBackend::new())
            .context("make a spool in memory")?;
        let terminal = member.identity.terminal();
        let spool = Spool::within(database, member.identity.peer(), BUDGET)?;
        let who = Terminal { index: member.index, code: member.code, terminal, life: spool.life() };
        Ok(Self {
            server,
            life: life(&member, who),
            member,
            spool: Arc::new(spool),
            kept: watch::Sender::new(Seq::NONE),
            line: watch::Sender::new(false),
            ledger,
        })
    }

    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress { spool: Arc::clone(&self.spool), line: self.line.subscribe() }
    }

    /// Runs from `began` until `closing` or the end of this life; then the kept observations are still uploaded, if
    /// possible.
    ///
    /// # Errors
    /// If the spool or the identity can't be used.
    pub async fn play(mut self, began: Instant, closing: CancellationToken) -> Result<()> {
        let done = closing.child_token();
        let line = self.line.subscribe();
        let carrying = carry(
            Carried {
                server: self.server.clone(),
                member: self.member.clone(),
                spool: Arc::clone(&self.spool),
                kept: self.kept.clone(),
            },
            line,
            done.clone(),
        );
        let living = async {
            tokio::select! {
                lived = self.live(began) => lived?,
                () = closing.cancelled() => return Ok(()),
            }
            // A terminal that was switched off permanently uploads nothing more; any other ends once everything is
            // acknowledged.
            while *self.line.borrow() && self.spool.first_unacknowledged() <= self.spool.last() {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            done.cancel();
            anyhow::Ok(())
        };
        tokio::try_join!(living, carrying).map(|_| ())
    }

    async fn live(&mut self, began: Instant) -> Result<()> {
        let mut seen = Vec::new();
        while let Some(happening) = self.life.happenings.next() {
            let due = began + happening.at.saturating_sub(self.life.lead);
            if due > Instant::now() || seen.len() >= TOGETHER {
                self.keep(&mut seen)?;
                tokio::time::sleep_until(due).await;
                tokio::task::yield_now().await;
            }
            match happening.act {
                Act::Keep(sighting) => seen.push(sighting),
                Act::Dawn => {}
                Act::Line(is_there) => {
                    self.keep(&mut seen)?;
                    self.line.send_replace(is_there);
                }
            }
        }
        self.keep(&mut seen)
    }

    fn keep(&self, seen: &mut Vec<Sighting>) -> Result<()> {
        if seen.is_empty() {
            return Ok(());
        }
        let before = self.spool.last();
        let last = self.spool.keep(seen, &[], &[])?;
        if let Some(ledger) = &self.ledger {
            let (terminal, facility) = (self.member.identity.terminal(), self.member.identity.facility());
            // A full spool adds a gap for the observations that it drops.
            let shed = "collection_gap";
            let kinds = seen.iter().map(|sighting| (sighting.event.kind(), sighting.occurred_at));
            let shed_at = seen.last().map(|sighting| sighting.observed_at).unwrap_or_default();
            let kinds = kinds.chain(std::iter::repeat((shed, shed_at)));
            ledger.write((before.0 + 1..=last.0).zip(kinds).map(|(seq, (kind, occurred_at))| LedgerEntry {
                facility,
                terminal,
                life: self.spool.life(),
                seq: Seq(seq),
                kind: kind.to_owned(),
                occurred_at,
                acknowledged: false,
            }));
        }
        seen.clear();
        self.kept.send_replace(last);
        Ok(())
    }
}

/// The terminal's spool and identity for an uplink.
struct Carried {
    server: ServerAddress,
    member: Member,
    spool: Arc<Spool>,
    kept: watch::Sender<Seq>,
}

async fn carry(carried: Carried, mut line: watch::Receiver<bool>, closing: CancellationToken) -> Result<()> {
    let Carried { server, member, spool, kept } = carried;
    loop {
        tokio::select! {
            there = line.wait_for(|is_there| *is_there) => drop(there?),
            () = closing.cancelled() => return Ok(()),
        }
        // The identity may have been renewed in between.
        let identity = Identity::load(&member.state_dir)?.unwrap_or_else(|| member.identity.clone());
        let uplink = Uplink {
            board: Arc::default(),
            limit: None,
            route: Arc::new(server.clone().into()),
            state_dir: member.state_dir.clone(),
            identity,
            sent: SentLog::open(&member.state_dir, spool.life()).context("open the list of what is sent")?,
            spool: Arc::clone(&spool),
            kept: kept.subscribe(),
        };
        tokio::select! {
            carried = uplink.run(closing.clone()) => return Ok(carried?),
            gone = line.wait_for(|is_there| !*is_there) => drop(gone?),
        }
    }
}
