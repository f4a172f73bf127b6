//! The metrics of `/metrics` with what each counts, and the recorder that collects them.

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

const COUNTERS: [(&str, &str); 21] = [
    ("fleet_server_accept_failures_total", "Connections of agents that the system did not accept."),
    ("fleet_server_append_failures_total", "Appends that Kafka did not confirm."),
    ("fleet_server_apply_failures_total", "Snapshots of the ministry's list that could not be applied."),
    ("fleet_server_batches_total", "Batches of observations that were acknowledged."),
    ("fleet_server_enrolments_refused_total", "Enrolments that were refused."),
    ("fleet_server_enrolments_total", "Terminals that were enrolled."),
    ("fleet_server_facilities_not_refolded_total", "Facilities whose fold failed while they were folded again."),
    ("fleet_server_facilities_parked_total", "Facilities that were parked because a record could not be folded."),
    ("fleet_server_facilities_written_total", "Rows of facilities that were written."),
    ("fleet_server_facts_dropped_as_duplicates_total", "Facts that had been folded before."),
    ("fleet_server_facts_folded_total", "Facts that were folded."),
    ("fleet_server_handshake_failures_total", "TLS handshakes that failed."),
    ("fleet_server_histories_computed_total", "Histories of facilities (valid time) that were computed."),
    ("fleet_server_lease_failures_total", "Times that the lease of this instance could not be extended."),
    ("fleet_server_observations_total", "Observations that were acknowledged."),
    ("fleet_server_page_failures_total", "Pages that could not be shown."),
    ("fleet_server_projection_failures_total", "Times that the projection paused after a failure."),
    ("fleet_server_terminals_refused_total", "Streams and renewals of terminals that may not send."),
    ("fleet_server_renewals_total", "Certificates of terminals that were renewed."),
    ("fleet_server_retries_failed_total", "Retries of parked records that failed again."),
    ("fleet_server_streams_closed_total", "Streams of terminals that ended."),
];

const MORE_COUNTERS: [(&str, &str); 13] = [
    (
        "fleet_server_batches_not_held_total",
        "Batches of terminals for which there was no room while the log was behind.",
    ),
    ("fleet_server_certificate_failures_total", "Times that the server's own certificate could not be renewed."),
    ("fleet_server_heard_failures_total", "Times that the keep-alives of terminals could not be written."),
    ("fleet_server_history_facts_total", "Facts that were read to compute histories of facilities (valid time)."),
    ("fleet_server_pauses_total", "Times that a terminal was slowed down, because it had sent too much."),
    (
        "fleet_server_presence_corrections_total",
        "Terminals that another server reported as gone and that were connected.",
    ),
    ("fleet_server_presence_failures_total", "Times that the open streams could not be compared with the database."),
    ("fleet_server_producers_replaced_total", "Kafka producers that failed for good and were replaced."),
    ("fleet_server_records_refused_total", "Records that PostgreSQL refused; each blocks its facility."),
    ("fleet_server_rows_refused_total", "Rows of facilities that PostgreSQL refused; the previous ones stayed."),
    ("fleet_server_streams_opened_total", "Streams of terminals that began."),
    ("fleet_server_streams_refused_total", "Streams of terminals that were refused."),
    (
        "fleet_server_unknown_observations_total",
        "Acknowledged observations of a kind that this version does not know: update the server to see what they say.",
    ),
];

const GAUGES: [(&str, &str); 8] = [
    ("fleet_server_certificate_seconds", "Time until the server's own certificate ends."),
    ("fleet_server_log_reachable", "1 if Kafka answered when it was last asked, otherwise 0."),
    ("fleet_server_parked_facilities", "Facilities that are parked; NaN while the database is away."),
    (
        "fleet_server_parked_records",
        "Records that wait in the queue of a parked facility; NaN while the database is away.",
    ),
    (
        "fleet_server_partitions_paused",
        "Partitions of this instance that are not read, because the log there is another one or can't be read.",
    ),
    ("fleet_server_projection_lag_records", "Records of a partition that are not folded yet."),
    (
        "fleet_server_projection_lag_seconds",
        "Age of the last folded record of a partition that lags; where its end is not known, time since it was.",
    ),
    ("process_resident_memory_bytes", "Memory of this process that is in use."),
];

const HISTOGRAMS: [(&str, &str); 2] = [
    ("fleet_server_append_seconds", "Time until Kafka confirmed a batch."),
    ("fleet_server_fold_seconds", "Time to fold a batch and to write it."),
];

/// Starts to collect; the handle renders `/metrics`.
///
/// # Panics
/// If a recorder is already installed: a process has one.
#[must_use]
pub fn install() -> PrometheusHandle {
    let handle = PrometheusBuilder::new()
        .set_buckets(&[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
        .expect("the buckets are not empty")
        .install_recorder()
        .expect("the process has one recorder");
    for (name, meaning) in COUNTERS.into_iter().chain(MORE_COUNTERS) {
        describe_counter!(name, meaning);
    }
    GAUGES.into_iter().for_each(|(name, meaning)| describe_gauge!(name, meaning));
    HISTOGRAMS.into_iter().for_each(|(name, meaning)| describe_histogram!(name, meaning));
    handle
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_described() {
        let source = concat!(include_str!("../telemetry.rs"), include_str!("../web/http/health.rs"));
        let described = COUNTERS.iter().chain(&MORE_COUNTERS).chain(&GAUGES).chain(&HISTOGRAMS);
        let described: std::collections::BTreeSet<&str> = described.map(|(name, _)| *name).collect();
        let named = source.split("!(\"").skip(1).filter_map(|rest| rest.split('"').next());
        let metrics: std::collections::BTreeSet<&str> =
            named.filter(|name| name.starts_with("fleet_server_") || name.starts_with("process_")).collect();
        assert_eq!(metrics, described);
    }
}
