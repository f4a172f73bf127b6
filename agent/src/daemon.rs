//! The running agent: starts all parts in order, and stops them in reverse order within two seconds.

mod platform;

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;
use yomitori_observation::Sighting;
use yomitori_proto::event::{AgentStarted, AgentStopped, CollectionGap, TerminalRebooted};
use yomitori_proto::vocabulary::{CollectionLevel, GapSource, RebootKind, StartReason, StopReason};

use crate::condition::ConditionBoard;
use crate::config::Config;
use crate::connect::Route;
use crate::identity::Identity;
use crate::identity::file::FileError;
use crate::last_watched::LastWatched;
use crate::limit::Limit;
use crate::outlet::Outlet;
use crate::sent::SentLog;
use crate::sources::desk::{self, DeskPage, FolderCollection};
use crate::sources::supervisor::Supervisor;
use crate::sources::{RunningSource, linkage, pcsc, terminal};
use crate::spool::{EarlierStart, OpenError, Spool, SpoolError};
use crate::uplink::{Uplink, UplinkError};
use crate::{VERSION, clock, recorder, system, telemetry};

pub use platform::stop_requested;

/// How long the sources may take to send their last sightings, the recorder to store them, and the server to
/// acknowledge them.
const SOURCES_END_WITHIN: Duration = Duration::from_millis(1_200);
const RECORDER_ENDS_WITHIN: Duration = Duration::from_millis(200);
const UPLINK_ENDS_WITHIN: Duration = Duration::from_millis(500);
/// A shorter time without the agent is its restart by the service manager or an upgrade.
const UNWATCHED_FROM: TimeDelta = TimeDelta::seconds(30);

/// Why the agent can't start or continue.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    #[error("failed to create the folder for the agent's state (check `state_dir` in the configuration)")]
    StateDir(#[source] std::io::Error),
    #[error("failed to load the terminal's identity")]
    Identity(#[from] FileError),
    #[error("this terminal is not enrolled (run `yomitori-agent enrol` with a token from the server)")]
    NotEnrolled,
    #[error("failed to open the spool")]
    Open(#[from] OpenError),
    #[error("failed to store an observation")]
    Spool(#[from] SpoolError),
    #[error("failed to open the record of what is sent")]
    Sent(#[source] std::io::Error),
    #[error("failed to start a thread")]
    Thread(#[source] std::io::Error),
    #[error("the uplink failed")]
    Uplink(#[from] UplinkError),
    #[error("a part of the agent ended unexpectedly")]
    Part,
    #[error(
        "the source `{0}` ended unexpectedly, so nothing of it would be seen any more; the agent has to start again"
    )]
    Source(String),
}

/// Runs the agent until `stop` gives the reason to end.
pub async fn run(config: Config, stop: impl Future<Output = StopReason>) -> Result<(), DaemonError> {
    std::fs::create_dir_all(&config.state_dir).map_err(DaemonError::StateDir)?;
    let identity = Identity::load(&config.state_dir)?.ok_or(DaemonError::NotEnrolled)?;
    let terminal = identity.terminal();
    let spool = Arc::new(Spool::open(&config.state_dir, identity.peer(), config.spool_budget, clock::now())?);
    let (kept, kept_last) = watch::channel(spool.last());
    let unsent = spool.last().0 + 1 - spool.first_unacknowledged().0;
    telemetry::started(VERSION, terminal, spool.life(), unsent);

    let board = Arc::new(ConditionBoard::default());
    let limit = Arc::new(Limit::open(&config.state_dir, config.level));
    let (outlet, signals) = sync_channel(recorder::QUEUE);
    let outlet = Outlet::new(outlet, Arc::clone(&board));
    let recorder_spool = Arc::clone(&spool);
    let mut recorder = tokio::task::spawn_blocking(move || recorder::record(&recorder_spool, &signals, &kept));
    let last_watched = LastWatched::new(&config.state_dir);
    report_start(&config, &limit, &spool, last_watched.read(), &outlet)?;
    let sources = start(&config, &limit, &spool, &outlet)?;
    let supervisor = Supervisor::start(sources, outlet.of_source(), platform::works());
    let mut supervisor = supervisor.map_err(DaemonError::Thread)?;

    let desk_closing = CancellationToken::new();
    let mut desk =
        desk(&config, &limit, &spool, &outlet)?.map(|desk| tokio::spawn(desk::serve(desk, desk_closing.clone())));

    let closing = CancellationToken::new();
    tokio::spawn(last_watched.keep(closing.clone()));
    let uplink = Uplink {
        route: Arc::new(Route::open_when_possible(config.server, config.mode)),
        sent: SentLog::open(&config.state_dir, spool.life()).map_err(DaemonError::Sent)?,
        board,
        limit: Some((limit, outlet.clone())),
        state_dir: config.state_dir,
        identity,
        spool: Arc::clone(&spool),
        kept: kept_last,
    };
    let mut uplink = tokio::spawn(uplink.run(closing.clone()));
    platform::ready();
    let reason = tokio::select! {
        reason = stop => reason,
        ended = &mut recorder => return Err(unexpected_end(ended)),
        ended = &mut uplink => return Err(unexpected_end(ended)),
        name = supervisor.source_ended() => return Err(DaemonError::Source(name)),
        () = ended(&mut desk) => return Err(DaemonError::Part),
    };
    telemetry::stopping();
    platform::stopping();
    desk_closing.cancel();
    let sources = supervisor.release();
    // Asking a source to stop may hang, too: to interrupt a wait for PC/SC is a call to the same service.
    let ended = tokio::task::spawn_blocking(|| {
        let stopping: Vec<_> = sources.into_iter().map(|source| std::thread::spawn(|| source.stop().join())).collect();
        stopping.into_iter().all(|thread| matches!(thread.join(), Ok(Ok(()))))
    });
    if !matches!(tokio::time::timeout(SOURCES_END_WITHIN, ended).await, Ok(Ok(true))) {
        telemetry::source_did_not_stop();
    }
    if let Some(desk) = desk {
        // It ends at once or has panicked; in both cases it sends nothing more.
        let _ = desk.await;
    }
    let stopped = outlet.send(Sighting::now(clock::now(), AgentStopped { reason }));
    drop(outlet);
    // A source that hangs still holds an outlet, so the recorder may not end by itself.
    let kept = tokio::time::timeout(RECORDER_ENDS_WITHIN, &mut recorder).await;
    closing.cancel();
    // What is not acknowledged in time stays in the spool.
    let _ = tokio::time::timeout(UPLINK_ENDS_WITHIN, uplink).await;
    match (stopped, kept) {
        (Ok(()), Ok(Ok(Ok(()))) | Err(_)) => {}
        (_, Ok(kept)) => return Err(unexpected_end(kept)),
        (Err(_), Err(_)) => return Err(DaemonError::Part),
    }
    telemetry::stopped();
    Ok(())
}

/// Waits until the desk page ends by itself.
async fn ended(desk: &mut Option<JoinHandle<()>>) {
    match desk {
        // How it ended makes no difference.
        Some(desk) => drop(desk.await),
        None => std::future::pending().await,
    }
}

/// The error of a part of the agent that should not have ended.
fn unexpected_end<E: Into<DaemonError>>(ended: Result<Result<(), E>, JoinError>) -> DaemonError {
    match ended {
        Ok(Err(error)) => error.into(),
        Ok(Ok(())) | Err(_) => DaemonError::Part,
    }
}

fn start(
    config: &Config,
    limit: &Arc<Limit>,
    spool: &Spool,
    outlet: &Outlet,
) -> Result<Vec<RunningSource>, DaemonError> {
    // After another enrolment, readers keep their keys and files that were reported are not reported again.
    let terminal = spool.first_owner();
    let mut sources =
        vec![pcsc::start(terminal, config.roles.clone(), outlet.of_source()).map_err(DaemonError::Thread)?];
    if watches_folders(config) {
        let limit = Arc::clone(limit);
        let linkage = linkage::start(terminal, config.linkage.clone(), limit, &spool.marks()?, outlet.of_source());
        sources.push(linkage.map_err(DaemonError::Thread)?);
    }
    sources.push(terminal::start(config.software.clone(), outlet.of_source()).map_err(DaemonError::Thread)?);
    Ok(sources)
}

/// What the desk page needs; `None` where it is turned off.
fn desk(
    config: &Config,
    limit: &Arc<Limit>,
    spool: &Arc<Spool>,
    outlet: &Outlet,
) -> Result<Option<DeskPage>, SpoolError> {
    let Some(port) = config.desk else { return Ok(None) };
    let (counts, limit, watches) = (Arc::clone(spool), Arc::clone(limit), watches_folders(config));
    Ok(Some(DeskPage {
        port,
        life: spool.life(),
        entries: spool.entries()?,
        collects: Box::new(move || match (watches, limit.level() >= CollectionLevel::Names) {
            (false, _) => FolderCollection::NoFolders,
            (true, true) => FolderCollection::Folders,
            (true, false) => FolderCollection::Lowered,
        }),
        outlet: outlet.clone(),
        unsent: Box::new(move || counts.last().0 + 1 - counts.first_unacknowledged().0),
    }))
}

fn watches_folders(config: &Config) -> bool {
    config.level != CollectionLevel::Readers && !config.linkage.is_empty()
}

/// Reports the start of the agent, the reboot of the terminal if there was one since the last start, and otherwise the time
/// in which the terminal ran without its agent.
fn report_start(
    config: &Config,
    limit: &Limit,
    spool: &Spool,
    last_watched: Option<DateTime<Utc>>,
    outlet: &Outlet,
) -> Result<(), DaemonError> {
    let (boot, booted_at) = system::boot();
    let now = EarlierStart { boot, agent_version: VERSION.to_owned() };
    let before = spool.started(&now)?;
    let reason = match &before {
        Some((before, _)) if before.boot == now.boot && before.agent_version == now.agent_version => {
            StartReason::Restart
        }
        Some((before, _)) if before.boot == now.boot => StartReason::Upgrade,
        Some(_) | None => StartReason::Boot,
    };
    let observed_at = clock::now();
    let EarlierStart { boot, agent_version } = now;
    let event = AgentStarted { boot, agent_version, reason, config_hash: config.hash, collection: limit.level() };
    outlet.send(Sighting::now(observed_at, event)).map_err(|_| DaemonError::Part)?;
    if reason != StartReason::Boot
        && let Some(from) = last_watched.filter(|from| observed_at - *from >= UNWATCHED_FROM)
    {
        let sources = [Some(GapSource::Pcsc), watches_folders(config).then_some(GapSource::Folder)];
        for source in sources.into_iter().flatten() {
            let gap = CollectionGap { source, from, to: observed_at, lost: None };
            outlet.send(Sighting::now(observed_at, gap)).map_err(|_| DaemonError::Part)?;
        }
    }
    if let (Some((before, ended)), Some(booted_at)) = (before, booted_at)
        && before.boot != boot
    {
        let kind = if ended { RebootKind::Clean } else { RebootKind::Unexpected };
        let sighting = Sighting {
            // If the clock was set after the boot, the computed boot time can lie in the future.
            occurred_at: yomitori_proto::time::truncate(booted_at).min(observed_at),
            observed_at,
            event: TerminalRebooted { kind }.into(),
        };
        outlet.send(sighting).map_err(|_| DaemonError::Part)?;
    }
    Ok(())
}
