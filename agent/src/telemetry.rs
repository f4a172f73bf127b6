//! Everything that the agent says of itself: one function a happening.
//!
//! INFO: a state changed. WARN: odd, and nothing is lost. ERROR: a person has to act. Never in here: names of files,
//! readers and people, ATR bytes, tokens. A reader is its key or its catalogue identifier.

use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Duration;

use tracing::{debug, error, info, warn};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use yomitori_observation::Sighting;
use yomitori_proto::id::{Life, ReaderKey, Seq, Session, TerminalId};
use yomitori_proto::vocabulary::{CollectionLevel, LinkageFolder, SettingsOutcome};

use yomitori_base::error::chain;

/// Logs to standard error from here on, at `info` or as `YOMITORI_LOG` says.
pub fn init() {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(false);
    // A second start in one process (tests) keeps the first.
    tracing_subscriber::registry().with(filter()).with(lines).try_init().ok();
}

/// Logs to the event log of Windows from here on, which has a time and a level for each line itself.
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
    warn!("What the server wants collected can't be read: until it is said again, only readers are watched.");
}

pub fn limit_not_stored(error: Cause<'_>) {
    error!(
        error = chain(error),
        "What the server wants collected can't be written down; it holds until the agent ends."
    );
}

pub fn settings_applied(outcome: SettingsOutcome, collection: CollectionLevel) {
    info!(?outcome, ?collection, "The server has said how much may be collected.");
}

pub fn started(version: &str, terminal: TerminalId, life: Life, unsent: u64) {
    info!(version, terminal.id = %terminal, %life, unsent, "The agent has started.");
}

pub fn stopping() {
    info!("The agent stops.");
}

pub fn stopped() {
    info!("The agent has stopped.");
}

pub fn source_did_not_stop() {
    warn!("A source did not end in time; the agent ends without it.");
}

pub fn observations_stored(sightings: &[Sighting], before: Seq, last: Seq) {
    for sighting in sightings {
        debug!(kind = sighting.event.kind(), seq.before = %before, seq.last = %last, "An observation was kept.");
    }
}

pub fn disk_full(lost: usize) {
    error!(lost, "The disk is full: what was observed can't be kept, and is counted as lost; make room on it.");
}

pub fn spool_set_aside(life: Life, because: Option<Cause<'_>>) {
    match because {
        Some(cause) => {
            error!(%life, error = chain(cause), "The spool was broken and is set aside; a new life begins.");
        }
        None => warn!(%life, "The spool was another terminal's and is set aside; a new life begins."),
    }
}

pub fn pcsc_lost(error: pcsc::Error) {
    warn!(error = %error, "PC/SC does not answer; the agent tries again until it does.");
}

pub fn pcsc_answers() {
    info!("PC/SC answers.");
}

pub fn pcsc_was_silent(time: Duration) {
    warn!(duration_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX), "PC/SC did not answer for a while.");
}

pub fn too_many_readers(there: usize, limit: usize) {
    error!(there, limit, "There are more readers than can be watched; unplug those that nobody needs.");
}

pub fn reader_attached(reader: ReaderKey, model: Option<&str>) {
    info!(%reader, model = model.unwrap_or("unknown"), "A reader is there.");
}

pub fn reader_detached(reader: ReaderKey) {
    info!(%reader, "A reader is gone.");
}

pub fn folder_unreadable(folder: LinkageFolder, error: &std::io::Error) {
    error!(?folder, kind = ?error.kind(), "A linkage folder can't be read; check its path and permissions with `check`.");
}

pub fn folder_readable(folder: LinkageFolder) {
    info!(?folder, "A linkage folder can be read again.");
}

pub fn notifications_lost() {
    warn!("Notifications of files were lost; the folders are listed again.");
}

/// The error's own text may name a path.
pub fn notifications_unavailable(error: &notify::Error) {
    let kind = match &error.kind {
        notify::ErrorKind::Io(error) => format!("{:?}", error.kind()),
        notify::ErrorKind::MaxFilesWatch => "the system's limit of watches".to_owned(),
        _ => "the system has none".to_owned(),
    };
    warn!(kind, "There are no notifications of files; the folders are listed every second instead.");
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
    info!(%address, "Relays are waited for.");
}

pub fn relay_listener_failed(address: SocketAddr, error: &std::io::Error) {
    error!(%address, kind = ?error.kind(), "Relays can't be waited for; check `connect.listen` and the network.");
}

pub fn relay_accept_failed(error: &std::io::Error) {
    debug!(kind = ?error.kind(), "A connection could not be accepted.");
}

pub fn relay_rejected() {
    debug!("A connection of an address that is no relay's was refused.");
}

pub fn relay_started(terminals: usize, server: &impl Display) {
    info!(version = crate::VERSION, terminals, %server, "The relay has started.");
}

pub fn relay_stopped() {
    info!("The relay has stopped.");
}

pub fn relay_terminal_reachable(terminal: &impl Display) {
    info!(%terminal, "A terminal can be reached.");
}

pub fn relay_terminal_unreachable(terminal: &impl Display, error: &std::io::Error) {
    warn!(%terminal, kind = ?error.kind(), "A terminal can't be reached; the relay tries again until it can.");
}

pub fn relay_forwarding(terminal: &impl Display) {
    info!(%terminal, "A terminal is connected to the server.");
}

pub fn relay_forwarded(terminal: &impl Display, bytes: u64) {
    info!(%terminal, bytes, "A terminal's connection has ended.");
}

pub fn relay_server_unreachable(terminal: &impl Display, error: &std::io::Error) {
    warn!(%terminal, kind = ?error.kind(), "The server can't be reached; the terminal will ask again.");
}

pub fn pause_requested(pause_ms: u32) {
    info!(pause_ms, "The server asks for a pause.");
}

pub fn acknowledged(through: Seq) {
    debug!(seq = %through, "The server has acknowledged.");
}

pub fn certificate_renewed(days_left: i64) {
    info!(days_left, "The certificate was renewed.");
}

pub fn renewal_failed(error: Cause<'_>, days_left: i64) {
    warn!(error = chain(error), days_left, "The certificate could not be renewed; the agent tries again.");
}

pub fn sent_log_failed(error: &std::io::Error) {
    error!(kind = ?error.kind(), "What is sent can't be written down; nothing is sent until it can (check the disk).");
}

pub fn desk_page_open(port: u16) {
    info!(port, "The desk page is open on this terminal.");
}

pub fn desk_page_unavailable(port: u16, error: &std::io::Error) {
    error!(port, kind = ?error.kind(), "The desk page can't be opened; set another port in `desk.listen`.");
}

pub fn desk_request_rejected(why: &str) {
    debug!(why, "A request to the desk page was refused.");
}

pub fn desk_entry_stored(kind: &str, seq: Seq) {
    debug!(kind, %seq, "Something was entered at the desk.");
}

pub fn notify_service_manager_failed(error: &std::io::Error) {
    warn!(kind = ?error.kind(), "The service manager could not be told.");
}

#[cfg(windows)]
pub fn service_status_failed(error: &windows_service::Error) {
    let error: Cause<'_> = error;
    error!(error = chain(error), "The service manager could not be told; restart the service.");
}

#[cfg(windows)]
pub fn service_failed(error: Cause<'_>) {
    error!(error = chain(error), "The agent has ended; the service manager starts it again.");
}

#[cfg(windows)]
pub fn service_setup_incomplete(what: &str, error: &windows_service::Error) {
    let error: Cause<'_> = error;
    warn!(what, error = chain(error), "The service could not be set up as wanted; it works without this.");
}

#[cfg(windows)]
pub fn service_command_failed(error: Cause<'_>) {
    error!(error = chain(error), "Nothing was changed any further.");
}

pub fn service_waiting(missing: Cause<'_>) {
    warn!(error = chain(missing), "The agent waits until it can begin.");
}

pub fn terminal_enrolled(terminal: TerminalId) {
    info!(terminal.id = %terminal, "This terminal was enrolled.");
}
