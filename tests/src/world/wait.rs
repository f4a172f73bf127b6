//! Waiting for a condition instead of for a fixed time.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};

/// Limit of the wait for an event that is due soon.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Calls `ask` every 20 ms until it has an answer. Its errors mean "not yet"; after `limit` the last one explains the
/// failure.
///
/// # Errors
/// If `ask` had no answer within `limit`.
pub async fn until<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(not_yet) if Instant::now() >= end => {
                return Err(not_yet).with_context(|| format!("timed out after {limit:?}: {what}"));
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}
