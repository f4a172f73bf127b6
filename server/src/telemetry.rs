//! Everything that the server says about itself: one function per happening, which logs it and counts it.
//!
//! Never in here: names of people, what they wrote, file names, codes, message bodies. A facility or terminal is its UUID.

use std::io::IsTerminal as _;

use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;
use yomitori_proto::id::{FacilityId, Session};
use yomitori_proto::uplink::Peer;

use crate::log::Position;
use crate::store::token::TokenRejection;
use yomitori_base::error::chain;

/// Logs to standard error from here on, at `info` or as `YOMITORI_LOG` says.
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

/// Counts from here on; the handle renders `/metrics`.
///
/// # Panics
/// Where another recorder was installed: the process has one.
#[must_use]
pub fn count() -> PrometheusHandle {
    PrometheusBuilder::new()
        .set_buckets(&[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
        .expect("the buckets are not empty")
        .install_recorder()
        .expect("the process has one recorder")
}

type Cause<'a> = &'a (dyn std::error::Error + 'static);

pub fn started(version: &str, roles: &str) {
    info!(version, roles, "server started");
}

pub fn listening(what: &str, address: std::net::SocketAddr) {
    info!(%address, "{what} is open");
}

pub fn stopping() {
    info!("server stops");
}

pub fn waiting_for(what: &str, error: Cause<'_>) {
    warn!(error = chain(error), "waiting for {what}");
}

pub fn accept_failed(error: &std::io::Error) {
    counter!("fleet_server_accept_failures_total").increment(1);
    warn!(%error, "a connection could not be accepted");
}

/// Certificates that don't hold are refused here. It is counted and not warned of: anyone can cause it.
pub fn handshake_failed(error: &std::io::Error) {
    counter!("fleet_server_handshake_failures_total").increment(1);
    info!(%error, "a TLS handshake failed");
}

pub fn stream_opened(peer: Peer, session: Session) {
    counter!("fleet_server_streams_opened_total").increment(1);
    info!(terminal.id = %peer.terminal, facility.id = %peer.facility, session.id = %session, "a terminal connected");
}

pub fn stream_closed(peer: Peer, session: Session, why: &str) {
    counter!("fleet_server_streams_closed_total").increment(1);
    info!(terminal.id = %peer.terminal, session.id = %session, why, "a terminal left");
}

pub fn stream_refused(peer: Peer, refusal: Cause<'_>) {
    counter!("fleet_server_streams_refused_total").increment(1);
    info!(terminal.id = %peer.terminal, refusal = chain(refusal), "a terminal's message was refused");
}

pub fn batch_accepted(observations: usize, took: std::time::Duration) {
    counter!("fleet_server_batches_total").increment(1);
    counter!("fleet_server_observations_total").increment(u64::try_from(observations).unwrap_or(u64::MAX));
    histogram!("fleet_server_append_seconds").record(took.as_secs_f64());
}

pub fn append_failed(error: Cause<'_>) {
    counter!("fleet_server_append_failures_total").increment(1);
    warn!(error = chain(error), "the log did not confirm; nothing was acknowledged");
}

/// What follows from a decision about the list was not told to all; `listing reconcile` goes on.
pub fn apply_failed(error: Cause<'_>) {
    counter!("fleet_server_apply_failures_total").increment(1);
    warn!(error = chain(error), "a snapshot could not be applied; run `yomitori-server listing reconcile`");
}

/// What was true can't be told now; it will be, later.
pub fn history_failed(error: Cause<'_>) {
    warn!(error = chain(error), "What was true of facilities can't be told anew now; it is tried again.");
}

/// What was true of so many facilities was told anew.
pub fn history_told(facilities: usize) {
    counter!("fleet_server_history_told_total").increment(facilities as u64);
}

/// How much terminals may collect can't be looked up.
pub fn limits_unknown(error: Cause<'_>) {
    warn!(error = chain(error), "How much terminals may collect is not known now; they keep to what they were told.");
}

pub fn lease_not_renewed(error: Cause<'_>) {
    counter!("fleet_server_lease_failures_total").increment(1);
    warn!(error = chain(error), "the lease of this instance could not be kept up");
}

pub fn terminal_enrolled(peer: Peer) {
    counter!("fleet_server_enrolments_total").increment(1);
    info!(terminal.id = %peer.terminal, facility.id = %peer.facility, "a terminal was enrolled");
}

pub fn certificate_renewed(peer: Peer) {
    counter!("fleet_server_renewals_total").increment(1);
    info!(terminal.id = %peer.terminal, "a certificate was renewed");
}

pub fn renewal_refused(peer: Peer) {
    counter!("fleet_server_renewals_refused_total").increment(1);
    warn!(terminal.id = %peer.terminal, "a terminal that is not in use asked for a new certificate and got none");
}

pub fn enrolment_refused(error: Cause<'_>) {
    counter!("fleet_server_enrolments_refused_total").increment(1);
    info!(error = chain(error), "an enrolment failed");
}

pub fn token_refused(invalid: TokenRejection) {
    counter!("fleet_server_enrolments_refused_total").increment(1);
    info!(reason = ?invalid, "an enrolment token was refused");
}

pub fn partition_taken(position: Position) {
    info!(partition = position.partition, offset = position.offset, "projecting a partition");
}

pub fn batch_folded(facts: usize, duplicates: usize, facilities: usize, took: std::time::Duration) {
    let number = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    counter!("fleet_server_facts_folded_total").increment(number(facts));
    counter!("fleet_server_facts_dropped_as_duplicates_total").increment(number(duplicates));
    counter!("fleet_server_facilities_written_total").increment(number(facilities));
    histogram!("fleet_server_fold_seconds").record(took.as_secs_f64());
}

/// Another instance takes it over, and tells of it from then on.
pub fn partition_left(partition: i32) {
    lag(partition, 0, 0.0);
    info!(partition, "a partition is left to another instance");
}

/// How far behind the log the projection of a partition is.
pub fn lag(partition: i32, events: i64, seconds: f64) {
    let partition = partition.to_string();
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    gauge!("fleet_server_projection_lag_records", "partition" => partition.clone()).set(events as f64);
    gauge!("fleet_server_projection_lag_seconds", "partition" => partition).set(seconds);
}

pub fn facility_parked(facility: FacilityId, position: Position, reason: &str) {
    counter!("fleet_server_facilities_parked_total").increment(1);
    error!(
        facility.id = %facility, partition = position.partition, offset = position.offset, reason,
        "a facility's log can't be followed; its records are set aside until a person looks at them"
    );
}

/// Records that waited were folded, or left out as a person said.
pub fn facility_retried(facility: FacilityId, folded: usize, left_out: usize) {
    if folded + left_out > 0 {
        info!(facility.id = %facility, records = folded, left_out, "records that were set aside wait no longer");
    }
}

/// Of what the start tries again, most will still not be followed: that was told when it was parked.
pub fn facility_still_parked(facility: FacilityId, position: Position, reason: &str) {
    counter!("fleet_server_retries_in_vain_total").increment(1);
    warn!(
        facility.id = %facility, partition = position.partition, offset = position.offset, reason,
        "a facility's log still can't be followed"
    );
}

pub fn policy_changed(rules: u32) {
    info!(rules.version = rules, "other rules or closures hold: every facility is folded anew");
}

pub fn folding_anew(facilities: usize, rules: u32) {
    info!(rules.version = rules, facilities, "folding facilities anew");
}

pub fn folded_anew(facilities: usize, rules: u32) {
    info!(rules.version = rules, facilities, "facilities were folded anew");
}

pub fn not_folded_anew(facility: FacilityId, position: Position) {
    counter!("fleet_server_facilities_not_folded_anew_total").increment(1);
    error!(
        facility.id = %facility, partition = position.partition, offset = position.offset,
        "a facility can't be folded under the rules in force; it stays as it was"
    );
}

pub fn rebuilding(from: i32, to: i32) {
    info!(from, to, "another version of the fold: the whole log is folded anew; what was is shown until then");
}

pub fn rebuilt_so_far(done: u64, of: u64) {
    info!(done, of, "folding the log anew");
}

pub fn rebuilt(version: i32) {
    info!(version, "the log was folded anew, and is shown");
}

pub fn projection_failed(error: Cause<'_>) {
    counter!("fleet_server_projection_failures_total").increment(1);
    warn!(error = chain(error), "the projection paused; it goes on from the last commit");
}

pub fn page_failed(error: Cause<'_>) {
    counter!("fleet_server_page_failures_total").increment(1);
    warn!(error = chain(error), "a page could not be shown");
}

pub fn role_ended(role: &str, error: Cause<'_>) {
    error!(role, error = chain(error), "a part of the server ended; the server stops");
}
