//! A minute of chaos, so that a whole run stays short; `tests/chaos` runs it for an hour. And servers that are killed as fast
//! as they start, while their terminals go from one to the other.

use std::time::Duration;

use anyhow::{Result, ensure};
use yomitori_tests::chaos::{self, Deals, Plan};
use yomitori_tests::hostile::chance::print_line;
use yomitori_tests::storm;

/// Together with the kills of the other tests a thousand.
const KILLS: u32 = 380;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_shown_wrongly_after_chaos() -> Result<()> {
    let lasts = Duration::from_secs(60);
    deal(Plan { deals: Deals::Everything, clinics: 100, servers: 2, lasts, seed: storm::seed()? }).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_doubled_or_shown_wrongly_after_hundreds_of_kills_of_servers() -> Result<()> {
    let lasts = Duration::from_secs(150);
    let plan = Plan { deals: Deals::Kills { at_least: KILLS }, clinics: 60, servers: 3, lasts, seed: storm::seed()? };
    let kills = deal(plan).await?;
    ensure!(kills >= KILLS, "only {kills} kills");
    Ok(())
}

async fn deal(plan: Plan) -> Result<u32> {
    rustls::crypto::ring::default_provider().install_default().ok();
    let (summary, kills) = chaos::run(plan, &print_line).await?;
    print_line(&summary.to_string());
    Ok(kills.total())
}
