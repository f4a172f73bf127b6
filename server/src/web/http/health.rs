//! `/healthz` and `/metrics`, for monitoring.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use metrics::gauge;
use serde_json::json;

use crate::log_health::LogHealth;
use crate::store::{fleet, waiting};
use crate::web::Web;
use crate::web::page::as_of::AsOf;
use yomitori_base::error::chain;

/// 200 if the pages show what is true now and statements can be recorded; otherwise 503 with the reason.
pub(in crate::web) async fn health(State(web): State<Web>) -> Response {
    let progress = fleet::progress(&web.store).await;
    let log = web.observed.log.borrow().clone();
    let (log_status, log) = match log {
        LogHealth::Unknown => (None, json!({ "ok": null })),
        LogHealth::Ok => (None, json!({ "ok": true })),
        LogHealth::Away { error } => (Some("log_away"), json!({ "ok": false, "error": error })),
        LogHealth::Changed { error } => (Some("log_changed"), json!({ "ok": false, "error": error })),
    };
    let (status, body) = match &progress {
        Ok(progress) => {
            let as_of = AsOf::of(progress);
            let trouble = log_status.or_else(|| as_of.behind.then_some("behind"));
            let body = json!({
                "status": trouble.unwrap_or("ok"),
                "version": env!("CARGO_PKG_VERSION"),
                "database": { "ok": true },
                "log": log,
                "projection": {
                    "as_of": as_of.as_of,
                    "behind": as_of.behind,
                    "behind_records": as_of.behind_records,
                    "parked_facilities": as_of.parked_facilities,
                    "parked_records": as_of.parked_records,
                    "partitions": progress.places,
                },
                "live_updates": { "listening": web.live.listening() },
            });
            (if trouble.is_some() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }, body)
        }
        Err(error) => {
            let body = json!({
                "status": "database_away",
                "version": env!("CARGO_PKG_VERSION"),
                "database": { "ok": false, "error": chain(error) },
                "log": log,
                "live_updates": { "listening": web.live.listening() },
            });
            (StatusCode::SERVICE_UNAVAILABLE, body)
        }
    };
    (status, Json(body)).into_response()
}

/// The metrics in the text format of Prometheus.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
pub(in crate::web) async fn metrics(State(web): State<Web>) -> impl IntoResponse {
    // Without this file (other systems than Linux) the gauge is missing.
    if let Some(bytes) = tokio::fs::read_to_string("/proc/self/status").await.ok().as_deref().and_then(resident_bytes) {
        gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
    // These gauges come from the store, so every instance reports the same.
    let (facilities, records) = match waiting::counts(&web.store).await {
        Ok((facilities, records)) => (facilities as f64, records as f64),
        Err(_) => (f64::NAN, f64::NAN),
    };
    gauge!("fleet_server_parked_facilities").set(facilities);
    gauge!("fleet_server_parked_records").set(records);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], web.observed.metrics.render())
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_size_is_read_where_it_stands() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t   12 kB\n"), Some(12 * 1024));
        assert_eq!(resident_bytes("Name:\tx\n"), None);
    }
}
