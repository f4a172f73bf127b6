//! All log messages of the agent, one function for each event.
//!
//! INFO: a state changed. WARN: something is unusual, and nothing is lost. ERROR: a person has to act. No message
//! contains names of files, readers or people, ATR bytes or tokens. A reader is named by its key or its catalogue
//! identifier.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use tracing::{debug, error, info, warn};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use yomitori_observation::Sighting;
use yomitori_proto::id::{FacilityId, Life, ReaderKey, Seq, Session, TerminalId};
use yomitori_proto::vocabulary::{CollectionLevel, LinkageFolder, SettingsOutcome};

use yomitori_base::error::chain;

/// Starts logging to standard error, at the level `info` or as `YOMITORI_LOG` sets.
pub fn init() {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(false);
    // A second call in one process, as in tests, keeps the first subscriber.
    tracing_subscriber::registry().with(filter()).with(lines).try_init().ok();
}

/// Starts logging to the event log of Windows, which adds the time and level of each line itself.
#[cfg(windows)]
pub fn init_service() {
    let log = crate::service::event_log::EventLog::open(crate::service::NAME);
    let lines = tracing_subscriber::fmt::layer().with_writer(log).with_target(false).with_ansi(false);
    let lines = lines.without_time().with_level(false);
    tracing_subscriber::registry().with(filter()).with(lines).try_init().ok();
}

fn filter() -> Targets {
    let asked = std::env::var("YOMITORI_LOG").ok().and_then(|asked| asked.parse::<Targets>().ok());
    asked.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO))
}

type Cause<'a> = &'a (dyn std::error::Error + 'static);

pub fn limit_unreadable() {
    warn!("The stored collection limit can't be read; only readers are watched until the server sends it again.");
}

pub fn limit_not_stored(error: Cause<'_>) {
    error!(error = chain(error), "The collection limit could not be stored; it applies until the agent ends.");
}

pub fn settings_applied(outcome: SettingsOutcome, collection: CollectionLevel) {
    info!(?outcome, ?collection, "The server has set a collection limit.");
}

pub fn started(version: &str, terminal: TerminalId, life: Life, unsent: u64) {
    info!(version, terminal.id = %terminal, %life, unsent, "The agent has started.");
}

pub fn stopping() {
    info!("The agent is stopping.");
}

pub fn stopped() {
    info!("The agent has stopped.");
}

pub fn source_did_not_stop() {
    warn!("A source did not stop in time; the agent ends without it.");
}

pub fn observations_stored(sightings: &[Sighting], before: Seq, last: Seq) {
    for sighting in sightings {
        debug!(kind = sighting.event.kind(), seq.before = %before, seq.last = %last, "An observation was stored.");
    }
}

/// Said once, until there is room again.
pub fn disk_full() {
    error!("The disk is full: observations can't be stored and are counted as lost; free some space.");
}

pub fn observations_lost(count: usize) {
    debug!(count, "Observations were lost, because the disk is full.");
}

pub fn disk_has_room() {
    info!("The disk has room again; what was lost is reported as a gap.");
}

pub fn loss_not_counted(error: &std::io::Error) {
    warn!(%error, "What the full disk lost is counted in memory only.");
}

pub fn spool_broken(life: Life, because: Cause<'_>) {
    error!(%life, error = chain(because), "The spool is broken and is set aside; a new life begins.");
}

/// `facility` is absent in a spool that only an older version has opened.
pub fn spool_of_others(life: Life, facility: Option<FacilityId>, to: &Path) {
    let (facility, to) = (facility.map(|id| id.to_string()), to.display());
    warn!(
        %life, facility, %to,
        "The spool belongs to another facility and is set aside unsent (see `yomitori-agent check`); a new life begins."
    );
}

pub fn pcsc_lost(error: pcsc::Error) {
    warn!(error = %error, "PC/SC does not answer; the agent retries until it does.");
}

pub fn pcsc_answers() {
    info!("PC/SC answers again.");
}

pub fn source_hangs(source: &str) {
    error!(source, "A source does not answer any more: what it watches hangs. The agent reports the gap.");
}

pub fn source_answers(source: &str) {
    info!(source, "A source answers again.");
}

pub fn too_many_readers(there: usize, limit: usize) {
    error!(there, limit, "There are more readers than can be watched; unplug the readers that are not needed.");
}

pub fn reader_attached(reader: ReaderKey, model: Option<&str>) {
    info!(%reader, model = model.unwrap_or("unknown"), "A reader was attached.");
}

pub fn reader_detached(reader: ReaderKey) {
    info!(%reader, "A reader was detached.");
}

pub fn folder_unreadable(folder: LinkageFolder, error: &std::io::Error) {
    error!(?folder, kind = ?error.kind(), "A linkage folder can't be read; check its path and permissions with `check`.");
}

pub fn folder_readable(folder: LinkageFolder) {
    info!(?folder, "A linkage folder can be read again.");
}

pub fn notifications_lost() {
    warn!("File notifications were lost; the folders are listed again.");
}

/// The error's own text may contain a path, so only its kind is logged.
pub fn notifications_unavailable(folder: LinkageFolder, error: &std::io::Error) {
    let kind = error.kind();
    warn!(
        ?folder,
        ?kind,
        "The system does not watch a linkage folder; it is listed every second, and results that are gone sooner are missed."
    );
}

pub fn connected(session: Session) {
    info!(%session, "The server is connected.");
}

pub fn disconnected(error: Cause<'_>, again_in: Duration) {
    warn!(
        error = chain(error),
        again_in_ms = u64::try_from(again_in.as_millis()).unwrap_or(u64::MAX),
        "The server is not connected."
    );
}

pub fn relay_listener_open(address: SocketAddr) {
    info!(%address, "Listening for relays.");
}

pub fn relay_listener_failed(address: SocketAddr, error: &std::io::Error) {
    error!(%address, kind = ?error.kind(), "Failed to listen for relays; check `connect.listen` and the network.");
}

pub fn relay_accept_failed(error: &std::io::Error) {
    debug!(kind = ?error.kind(), "Failed to accept a connection.");
}

pub fn relay_rejected() {
    debug!("Rejected a connection from an address that is not a configured relay.");
}

pub fn relay_started(terminals: usize, server: &impl Display) {
    info!(version = crate::VERSION, terminals, %server, "The relay has started.");
}

pub fn relay_stopped() {
    info!("The relay has stopped.");
}

pub fn relay_terminal_reachable(terminal: &impl Display) {
    info!(%terminal, "A terminal is reachable.");
}

pub fn relay_terminal_unreachable(terminal: &impl Display, error: &std::io::Error) {
    warn!(%terminal, kind = ?error.kind(), "A terminal is unreachable; the relay retries until it is reachable.");
}

pub fn relay_forwarding(terminal: &impl Display) {
    info!(%terminal, "A terminal is connected to the server.");
}

pub fn relay_forwarded(terminal: &impl Display, bytes: u64) {
    info!(%terminal, bytes, "A terminal's connection has ended.");
}

pub fn relay_server_unreachable(terminal: &impl Display, error: &std::io::Error) {
    warn!(%terminal, kind = ?error.kind(), "The server is unreachable; the terminal will retry.");
}

pub fn pause_requested(pause_ms: u32) {
    info!(pause_ms, "The server requested a pause.");
}

pub fn acknowledged(through: Seq) {
    debug!(seq = %through, "The server acknowledged observations.");
}

pub fn certificate_renewed(days_left: i64) {
    info!(days_left, "The certificate was renewed.");
}

pub fn renewal_failed(error: Cause<'_>, days_left: i64) {
    warn!(error = chain(error), days_left, "Failed to renew the certificate; the agent will retry.");
}

pub fn sent_log_full() {
    error!(
        "The disk is full: the record of what is sent has no room, and its missing lines are counted; free some space."
    );
}

pub fn sent_log_complete() {
    info!("The record of what is sent has room again.");
}

pub fn sent_log_failed(error: &std::io::Error) {
    error!(kind = ?error.kind(), "Failed to write the record of what is sent; nothing is sent until this works (check the disk).");
}

pub fn desk_page_open(port: u16) {
    info!(port, "The desk page is open on this terminal.");
}

pub fn desk_page_unavailable(port: u16, error: &std::io::Error) {
    error!(port, kind = ?error.kind(), "Failed to open the desk page; set another port in `desk.listen`.");
}

pub fn desk_request_rejected(why: &str) {
    debug!(why, "Rejected a request to the desk page.");
}

pub fn desk_entry_stored(kind: &str, seq: Seq) {
    debug!(kind, %seq, "An entry of the desk was stored.");
}

pub fn notify_service_manager_failed(error: &std::io::Error) {
    warn!(kind = ?error.kind(), "Failed to notify the service manager.");
}

#[cfg(windows)]
pub fn service_status_failed(error: &windows_service::Error) {
    let error: Cause<'_> = error;
    error!(error = chain(error), "Failed to report the status to the service manager; restart the service.");
}

#[cfg(windows)]
pub fn service_failed(error: Cause<'_>) {
    error!(error = chain(error), "The agent failed; the service manager restarts it.");
}

#[cfg(windows)]
pub fn service_setup_incomplete(what: &str, error: &windows_service::Error) {
    let error: Cause<'_> = error;
    warn!(what, error = chain(error), "A setting of the service could not be applied; the service works without it.");
}

#[cfg(windows)]
pub fn service_command_failed(error: Cause<'_>) {
    error!(error = chain(error), "The command failed; nothing more was changed.");
}

pub fn service_waiting(missing: Cause<'_>) {
    warn!(error = chain(missing), "The agent is waiting until its setup is complete.");
}

pub fn terminal_enrolled(terminal: TerminalId) {
    info!(terminal.id = %terminal, "This terminal was enrolled.");
}
