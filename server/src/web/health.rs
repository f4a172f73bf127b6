//! `/healthz` and `/metrics`, for monitoring.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Web;
use super::as_of::AsOf;
use crate::store::{fleet, waiting};
use yomitori_base::error::chain;

/// 200 if the pages can be served; otherwise 503 with the reason.
pub(super) async fn health(State(web): State<Web>) -> Response {
    let progress = fleet::progress(&web.store).await;
    let (status, body) = match &progress {
        Ok(progress) => {
            let as_of = AsOf::of(progress);
            let body = json!({
                "status": if as_of.behind { "behind" } else { "ok" },
                "version": env!("CARGO_PKG_VERSION"),
                "database": { "ok": true },
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
            (if as_of.behind { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }, body)
        }
        Err(error) => {
            let body = json!({
                "status": "database_away",
                "version": env!("CARGO_PKG_VERSION"),
                "database": { "ok": false, "error": chain(error) },
                "live_updates": { "listening": web.live.listening() },
            });
            (StatusCode::SERVICE_UNAVAILABLE, body)
        }
    };
    (status, Json(body)).into_response()
}

/// The metrics in the text format of Prometheus.
pub(super) async fn metrics(State(web): State<Web>) -> impl IntoResponse {
    let mut text = web.metrics.render();
    // Without this file (other systems than Linux) the gauge is missing.
    if let Some(bytes) = tokio::fs::read_to_string("/proc/self/status").await.ok().as_deref().and_then(resident_bytes) {
        text.push_str("# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes ");
        text.push_str(&bytes.to_string());
        text.push('\n');
    }
    // These gauges come from the store, so every instance reports the same.
    if let Ok((facilities, records)) = waiting::counts(&web.store).await {
        for (name, number) in [("facilities", facilities), ("records", records)] {
            let name = format!("fleet_server_parked_{name}");
            text.push_str(&format!("# TYPE {name} gauge\n{name} {number}\n"));
        }
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
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
