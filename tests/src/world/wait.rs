//! Waiting for a condition instead of for a while.

use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time::{Instant, sleep};

/// How long a test waits for what should come soon.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks every 20 ms until `ask` has an answer. Its errors mean "not yet"; the last one explains the failure once `limit`
/// has passed.
///
/// # Errors
/// When `ask` had no answer within `limit`.
pub async fn until<T>(what: &str, limit: Duration, mut ask: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        match ask().await {
            Ok(answer) => return Ok(answer),
            Err(not_yet) if Instant::now() >= end => {
                return Err(not_yet).with_context(|| format!("waited {limit:?} in vain: {what}"));
            }
            Err(_) => sleep(Duration::from_millis(20)).await,
        }
    }
}
