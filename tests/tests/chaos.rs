//! A minute of chaos, so that a whole run stays short; `tests/chaos` runs it for an hour.

use std::time::Duration;

use anyhow::Result;
use yomitori_tests::chaos::{self, Plan};
use yomitori_tests::storm;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_shown_wrongly_after_chaos() -> Result<()> {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let plan = Plan { clinics: 100, servers: 2, lasts: Duration::from_secs(60), seed: storm::seed()? };
    let summary = chaos::run(plan, &|line| println!("{line}")).await?;
    println!("{summary}");
    Ok(())
}
