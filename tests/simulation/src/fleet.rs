//! A simulated fleet: clinics with a seeded life that use the real protocol, with the released types, over mutual TLS
//! to a real server. The quick start, the tests and the benches use it.
//!
//! Facilities ([`facility`]), their characters ([`character`]) and their lives ([`profile`], [`clinic`]) are pure.
//! Around them are the operators ([`operator`]), the enrolled terminals ([`roster`]), the life in real time
//! ([`player`]), and a ledger of everything that was kept ([`ledger`]).

pub mod character;
pub mod cli;
pub mod clinic;
pub mod facility;
pub mod ledger;
pub mod operator;
pub mod player;
pub mod profile;
pub mod roster;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use yomitori_agent::address::ServerAddress;

use self::clinic::{Clinic, Setting, Terminal};
use self::ledger::Ledger;
use self::operator::Operator;
use self::player::{Life, Player, Progress};
use self::profile::Profile;
use self::roster::{Member, Tokens};
use crate::clock;
use crate::demo::{self, cast::Part};

/// A fleet to run.
#[derive(Clone, Debug)]
pub struct Plan {
    pub server: ServerAddress,
    pub clinics: usize,
    pub seed: u64,
    pub profile: Profile,
    pub day: Duration,
    /// The folder of the identities.
    pub state: PathBuf,
    pub tokens: Tokens,
    /// Records the kept observations, if a test needs them.
    pub ledger: Option<Ledger>,
}

/// The progress of all clinics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Count {
    pub terminals: usize,
    /// Terminals that are on and connected.
    pub lines: usize,
    pub kept: u64,
    pub acknowledged: u64,
}

/// Progress messages for an observer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum News {
    Enrolled { ready: usize, of: usize },
    Counted(Count),
}

const TELL_EVERY: Duration = Duration::from_secs(10);
/// Limit of the wait for unacknowledged observations at the end.
const LAST_WORDS: Duration = Duration::from_millis(1_500);

/// Runs until `closing`, or until all lives are over.
///
/// # Errors
/// If a terminal can't be enrolled, a statement is refused, or a clinic can't continue.
pub async fn run(plan: Plan, closing: CancellationToken, mut on_news: impl FnMut(News)) -> Result<Count> {
    let facilities = facility::invent(plan.clinics, plan.seed);
    let assembling = roster::assemble(&facilities, &plan.server, &plan.state, &plan.tokens, |ready, of| {
        on_news(News::Enrolled { ready, of });
    });
    let members = tokio::select! {
        members = assembling => members?,
        () = closing.cancelled() => return Ok(Count::default()),
    };
    let setting = Setting { seed: plan.seed, profile: plan.profile, day: plan.day, now: clock::now() };
    let mut progress = Vec::with_capacity(members.len());
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    let demonstration = plan.profile == Profile::Demonstration;
    let log = match &plan.tokens {
        Tokens::Operator(operator) if demonstration => Some(demo::beyond::Log::of(&operator.config)?),
        Tokens::Operator(_) | Tokens::Given(_) => None,
    };
    if let Some(log) = &log {
        demo::append_silent_pasts(&members, plan.seed, log).await?;
    }
    let plays = |member: &Member| !demonstration || Part::of(member.index) != Part::Silent;
    for member in members.into_iter().filter(plays) {
        let code = member.code;
        let settling = member.clone();
        let player = Player::new(plan.server.clone(), member, plan.ledger.clone(), |member, who| {
            if demonstration { demo::life(&setting, member, who) } else { clinic_s(&setting, who) }
        })?;
        progress.push(player.progress());
        let closing = closing.clone();
        if demonstration {
            tasks.spawn(demo::settle(settling, player.progress(), log.clone(), closing.clone()));
        }
        tasks.spawn(async move { player.play(began, closing).await.with_context(|| format!("the clinic {code}")) });
    }
    if let Tokens::Operator(operator) = plan.tokens {
        tasks.spawn(state_intents(plan.clinics, plan.seed, plan.profile, plan.state, operator, closing.clone()));
    }
    let mut tick = tokio::time::interval(TELL_EVERY);
    loop {
        tokio::select! {
            ended = tasks.join_next() => match ended {
                Some(ended) => ended.context("a clinic panicked")??,
                None => break,
            },
            _ = tick.tick() => on_news(News::Counted(count(&progress))),
            () = closing.cancelled() => {
                // The rest stays unsent in the spools: the lives end here.
                tokio::time::timeout(LAST_WORDS, finish(&mut tasks)).await.unwrap_or(Ok(()))?;
                break;
            }
        }
    }
    if let Some(ledger) = &plan.ledger {
        for one in &progress {
            ledger.acknowledge(one.life(), one.acknowledged());
        }
    }
    let count = count(&progress);
    on_news(News::Counted(count));
    Ok(count)
}

async fn finish(tasks: &mut JoinSet<Result<()>>) -> Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.context("a clinic panicked")??;
    }
    Ok(())
}

async fn state_intents(
    clinics: usize,
    seed: u64,
    profile: Profile,
    state: PathBuf,
    operator: Operator,
    closing: CancellationToken,
) -> Result<()> {
    let facilities = facility::invent(clinics, seed);
    let saying = async {
        if profile == Profile::Demonstration {
            return demo::state(&facilities, &state, &operator).await;
        }
        let statements = |index, facility: &facility::Facility| operator::statements(index, facility.code().as_str());
        roster::state_all(&facilities, &state, &operator, statements).await
    };
    tokio::select! {
        said = saying => said.context("state the clinics' intent"),
        () = closing.cancelled() => Ok(()),
    }
}

fn clinic_s(setting: &Setting, who: Terminal) -> Life {
    Life { happenings: Box::new(Clinic::new(setting, who)), lead: setting.lead() }
}

fn count(progress: &[Progress]) -> Count {
    progress.iter().fold(Count { terminals: progress.len(), ..Count::default() }, |sum, one| Count {
        lines: sum.lines + usize::from(one.has_line()),
        kept: sum.kept + one.kept().0,
        acknowledged: sum.acknowledged + one.acknowledged().0,
        ..sum
    })
}
