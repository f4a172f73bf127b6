//! Logs and metrics of the server: one function per event, which logs and counts it.
//!
//! A log never contains names of people, what they wrote, file names, codes or message bodies. A facility or a terminal
//! is its UUID. A message is a lower-case fragment without a full stop that says what happened.

pub mod recorder;

use std::io::IsTerminal as _;

use chrono::{DateTime, Utc};
use metrics::{counter, gauge, histogram};
use tracing::{debug, error, info, warn};
use tracing_subscriber::EnvFilter;
use yomitori_proto::id::{FacilityId, Session, TerminalId};
use yomitori_proto::uplink::Peer;

use crate::log::Position;
use crate::store::token::TokenRejection;
use yomitori_base::error::chain;

/// Starts to log to standard error, at `info` or as `YOMITORI_LOG` says.
pub fn init() {
    let filter = EnvFilter::try_from_env("YOMITORI_LOG").unwrap_or_else(|_| EnvFilter::new("info,rdkafka=off"));
    let logs = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false);
    // A second start in one process (tests) keeps the first.
    logs.try_init().ok();
}

/// With fewer open files than this, a group of some hundred clinics is not served well.
const FEW_FILES: u64 = 4096;

type Cause<'a> = &'a (dyn std::error::Error + 'static);

pub fn started(version: &str, roles: &str) {
    info!(version, roles, "server started");
}

pub fn listening(what: &str, address: std::net::SocketAddr) {
    info!(%address, "listening for {what}");
}

/// Each connection is an open file.
pub fn file_limit(files: u64) {
    if files < FEW_FILES {
        warn!(files, "this process may open few files; set LimitNOFILE in its unit");
    } else {
        info!(files, "limit of open files");
    }
}

pub fn stopping() {
    info!("server stopping");
}

pub fn waiting_for(what: &str, error: Cause<'_>) {
    warn!(error = chain(error), "waiting for {what}");
}

pub fn accept_failed(error: &std::io::Error) {
    counter!("fleet_server_accept_failures_total").increment(1);
    warn!(%error, "failed to accept a connection");
}

/// Invalid certificates are rejected here. This is no warning, because anyone on the network can cause it.
pub fn handshake_failed(error: &std::io::Error) {
    counter!("fleet_server_handshake_failures_total").increment(1);
    info!(%error, "TLS handshake failed");
}

pub fn stream_opened(peer: Peer, session: Session) {
    counter!("fleet_server_streams_opened_total").increment(1);
    info!(terminal.id = %peer.terminal, facility.id = %peer.facility, session.id = %session, "terminal connected");
}

pub fn stream_closed(peer: Peer, session: Session, why: &str) {
    counter!("fleet_server_streams_closed_total").increment(1);
    info!(terminal.id = %peer.terminal, session.id = %session, why, "terminal disconnected");
}

pub fn stream_refused(peer: Peer, refusal: Cause<'_>) {
    counter!("fleet_server_streams_refused_total").increment(1);
    info!(terminal.id = %peer.terminal, refusal = chain(refusal), "rejected a terminal's message");
}

pub fn batch_accepted(observations: usize, took: std::time::Duration) {
    counter!("fleet_server_batches_total").increment(1);
    counter!("fleet_server_observations_total").increment(u64::try_from(observations).unwrap_or(u64::MAX));
    histogram!("fleet_server_append_seconds").record(took.as_secs_f64());
}

pub fn append_failed(error: Cause<'_>) {
    counter!("fleet_server_append_failures_total").increment(1);
    warn!(error = chain(error), "failed to append to the log; nothing was acknowledged");
}

/// Observations of a kind that only a newer version knows were acknowledged.
pub fn unknown_kinds_accepted(observations: usize) {
    counter!("fleet_server_unknown_observations_total").increment(u64::try_from(observations).unwrap_or(u64::MAX));
}

/// What the terminal sent before it was enrolled again may be folded twice, where it never learned that it had arrived.
pub fn enrolment_not_folded(peer: Peer) {
    warn!(terminal = %peer.terminal, facility = %peer.facility, "the enrolment is not folded yet; the terminal keeps what it has, and retries");
}

pub fn former_observations_not_read(peer: Peer, error: Cause<'_>) {
    warn!(terminal = %peer.terminal, error = chain(error), "failed to look for what a terminal sent before its enrolment; it retries");
}

/// librdkafka gave up for good; a new producer takes over.
pub fn producer_replaced(reason: &str) {
    counter!("fleet_server_producers_replaced_total").increment(1);
    warn!(reason, "the Kafka producer failed for good; a new one takes over");
}

/// The seconds until the server's own certificate ends.
pub fn server_certificate_ends(ends: DateTime<Utc>, now: DateTime<Utc>) {
    gauge!("fleet_server_certificate_seconds").set((ends - now).as_seconds_f64());
}

pub fn server_certificate_not_renewed(error: Cause<'_>) {
    counter!("fleet_server_certificate_failures_total").increment(1);
    warn!(error = chain(error), "failed to renew the server's certificate; the present one stays");
}

/// A decision about the list did not reach every facility; `listing reconcile` resumes it.
pub fn apply_failed(error: Cause<'_>) {
    counter!("fleet_server_apply_failures_total").increment(1);
    warn!(error = chain(error), "failed to apply a snapshot; run `yomitori-server listing reconcile`");
}

/// The status history could not be written; the facilities stay pending.
pub fn history_failed(error: Cause<'_>) {
    warn!(error = chain(error), "failed to write the status history; retrying");
}

/// The status history of `facilities` was recomputed.
pub fn history_facts_read(facts: usize) {
    counter!("fleet_server_history_facts_total").increment(u64::try_from(facts).unwrap_or(u64::MAX));
}

pub fn history_recomputed(facilities: usize) {
    counter!("fleet_server_histories_computed_total").increment(facilities as u64);
}

/// The collection limits could not be read.
pub fn limits_unknown(error: Cause<'_>) {
    warn!(error = chain(error), "failed to read the collection limits; terminals keep the last ones they received");
}

pub fn lease_not_renewed(error: Cause<'_>) {
    counter!("fleet_server_lease_failures_total").increment(1);
    warn!(error = chain(error), "failed to renew the lease of this instance");
}

/// The terminal has sent more than a clinic can observe; nothing more is taken from it for this long.
pub fn slowed_down(peer: Peer, pause: std::time::Duration) {
    counter!("fleet_server_pauses_total").increment(1);
    info!(facility.id = %peer.facility, terminal.id = %peer.terminal, seconds = pause.as_secs(), "terminal slowed down");
}

/// There is no room for a batch that the log has not confirmed: the terminal keeps it and comes again.
pub fn batch_not_held(peer: Peer) {
    counter!("fleet_server_batches_not_held_total").increment(1);
    debug!(facility.id = %peer.facility, terminal.id = %peer.terminal, "no room for a batch until the log confirms others");
}

pub fn heard_not_written(error: Cause<'_>) {
    counter!("fleet_server_heard_failures_total").increment(1);
    warn!(error = chain(error), "failed to write what idle terminals say; it is tried again");
}

pub fn orphans_not_read(error: Cause<'_>) {
    counter!("fleet_server_presence_failures_total").increment(1);
    warn!(error = chain(error), "failed to compare the open streams with the database");
}

/// Another instance reported a terminal as gone whose stream is open here.
pub fn presence_corrected(terminal: TerminalId, session: Session) {
    counter!("fleet_server_presence_corrections_total").increment(1);
    info!(terminal.id = %terminal, session.id = %session, "terminal is connected after all");
}

pub fn terminal_enrolled(peer: Peer) {
    counter!("fleet_server_enrolments_total").increment(1);
    info!(terminal.id = %peer.terminal, facility.id = %peer.facility, "terminal enrolled");
}

pub fn certificate_renewed(peer: Peer) {
    counter!("fleet_server_renewals_total").increment(1);
    info!(terminal.id = %peer.terminal, "certificate renewed");
}

/// A terminal that may not send was refused; `state` is its word in the registry.
pub fn terminal_refused(peer: Peer, state: &'static str) {
    counter!("fleet_server_terminals_refused_total").increment(1);
    warn!(terminal.id = %peer.terminal, facility.id = %peer.facility, state, "refused a terminal");
}

/// The registry of terminals could not be read.
pub fn registry_unknown(error: Cause<'_>) {
    warn!(error = chain(error), "failed to read the registry of terminals; what was last read applies");
}

/// A statement about a terminal is in the log and not in the registry yet.
pub fn registry_not_written(error: Cause<'_>) {
    warn!(error = chain(error), "failed to write the registry of terminals; the projector writes it");
}

pub fn enrolment_refused(error: Cause<'_>) {
    counter!("fleet_server_enrolments_refused_total").increment(1);
    info!(error = chain(error), "enrolment failed");
}

pub fn token_refused(invalid: TokenRejection) {
    counter!("fleet_server_enrolments_refused_total").increment(1);
    info!(reason = ?invalid, "enrolment token refused");
}

pub fn partition_taken(position: Position) {
    info!(partition = position.partition, offset = position.offset, "partition acquired");
}

pub fn batch_folded(facts: usize, duplicates: usize, facilities: usize, took: std::time::Duration) {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    counter!("fleet_server_facts_folded_total").increment(number(facts));
    counter!("fleet_server_facts_dropped_as_duplicates_total").increment(number(duplicates));
    counter!("fleet_server_facilities_written_total").increment(number(facilities));
    histogram!("fleet_server_fold_seconds").record(took.as_secs_f64());
}

/// Another instance takes it over and reports its lag from then on.
pub fn partition_released(partition: i32) {
    lag(partition, 0);
    lag_seconds(partition, 0.0);
    info!(partition, "partition released to another instance");
}

/// A partition is not read until the log is the one that was folded, and can be read.
pub fn partition_paused(partition: i32, error: Cause<'_>, needs_a_person: bool) {
    let error = chain(error);
    if needs_a_person {
        error!(partition, error, "partition paused; the others are folded further");
    } else {
        warn!(partition, error, "partition paused until it can be read; the others are folded further");
    }
}

pub fn partition_resumed(partition: i32) {
    info!(partition, "partition resumed");
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
pub fn partitions_paused(count: usize) {
    gauge!("fleet_server_partitions_paused").set(count as f64);
}

/// A partition of the log lacks its beginning.
pub fn records_deleted(partition: i32, records: u64) {
    error!(partition, records, "the first records of the partition are deleted; a rebuild would forget them");
}

/// A setting of the topic deletes facts, or puts them at risk.
pub fn topic_settings(report: &str, loses_facts: bool) {
    if loses_facts {
        error!(report, "the topic's settings lose facts");
    } else {
        warn!(report, "the topic's settings put facts at risk");
    }
}

/// How many records of a partition are not folded.
pub fn lag(partition: i32, records: i64) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!("fleet_server_projection_lag_records", "partition" => partition.to_string()).set(records as f64);
}

/// How old the projection of a partition is that lags, or whose end is not known.
pub fn lag_seconds(partition: i32, seconds: f64) {
    gauge!("fleet_server_projection_lag_seconds", "partition" => partition.to_string()).set(seconds);
}

/// Whether Kafka answered when it was last asked.
pub fn log_reachable(reachable: bool) {
    gauge!("fleet_server_log_reachable").set(f64::from(u8::from(reachable)));
}

pub fn facility_parked(facility: FacilityId, position: Position, reason: &str) {
    counter!("fleet_server_facilities_parked_total").increment(1);
    error!(
        facility.id = %facility, partition = position.partition, offset = position.offset, reason,
        "failed to fold a facility's record; its records are set aside until a person looks at them"
    );
}

/// Waiting records were folded, or skipped as a person stated.
pub fn facility_retried(facility: FacilityId, folded: usize, skipped: usize) {
    if folded + skipped > 0 {
        info!(facility.id = %facility, records = folded, skipped, "parked records resumed");
    }
}

/// A warning and no error: most facilities that a start retries stay parked, and the error was logged when they were
/// parked.
pub fn facility_still_parked(facility: FacilityId, position: Position, reason: &str) {
    counter!("fleet_server_retries_failed_total").increment(1);
    warn!(
        facility.id = %facility, partition = position.partition, offset = position.offset, reason,
        "failed to fold a parked facility's record again"
    );
}

/// PostgreSQL refuses this record; its facility is blocked with it.
pub fn record_refused(position: Position, error: Cause<'_>) {
    counter!("fleet_server_records_refused_total").increment(1);
    warn!(
        partition = position.partition,
        offset = position.offset,
        error = chain(error),
        "PostgreSQL refuses a record; its facility is blocked"
    );
}

/// PostgreSQL refuses a row that time or the rules have changed; the facility keeps its previous row.
pub fn row_refused(facility: FacilityId, error: Cause<'_>) {
    counter!("fleet_server_rows_refused_total").increment(1);
    warn!(facility.id = %facility, error = chain(error), "PostgreSQL refuses a facility's status; the previous one stays");
}

pub fn policy_changed(rules: u32) {
    info!(rules.version = rules, "rules or closures changed; every facility will be folded again");
}

pub fn refolding(facilities: usize, rules: u32) {
    info!(rules.version = rules, facilities, "refolding facilities");
}

pub fn refolded(facilities: usize, rules: u32) {
    info!(rules.version = rules, facilities, "facilities refolded");
}

pub fn refold_failed(facility: FacilityId, position: Position) {
    counter!("fleet_server_facilities_not_refolded_total").increment(1);
    error!(
        facility.id = %facility, partition = position.partition, offset = position.offset,
        "failed to fold a facility under the rules in force; it keeps its previous status"
    );
}

pub fn rebuilding(from: i32, to: i32) {
    info!(from, to, "the fold has a new version; folding the whole log again while showing the previous generation");
}

pub fn rebuilt_so_far(done: u64, of: u64) {
    info!(done, of, "folding the log again");
}

pub fn rebuilt(version: i32) {
    info!(version, "the log was folded again and the new generation is shown");
}

pub fn projection_failed(error: Cause<'_>) {
    counter!("fleet_server_projection_failures_total").increment(1);
    warn!(error = chain(error), "projection failed; it resumes from the last commit");
}

pub fn page_failed(error: Cause<'_>) {
    counter!("fleet_server_page_failures_total").increment(1);
    warn!(error = chain(error), "failed to answer a page request");
}

pub fn role_ended(role: &str, error: Cause<'_>) {
    error!(role, error = chain(error), "a part of the server ended; stopping the server");
}
