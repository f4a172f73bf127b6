//! Runs the chaos for a time. `tests/chaos` builds the programs for it.

use std::io::Write as _;
use std::time::Duration;

use clap::Parser;
use yomitori_tests::chaos::{self, Deals, Plan};
use yomitori_tests::storm;

/// Simulated clinics, servers, Kafka and PostgreSQL under random faults, judged at the end.
#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    #[arg(long, default_value_t = 300)]
    clinics: usize,
    #[arg(long, default_value_t = 2)]
    servers: usize,
    /// The faults of an earlier run, for the same number of clinics and servers.
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Several libraries bring a provider; the process installs one explicitly.
    rustls::crypto::ring::default_provider().install_default().ok();
    let Arguments { minutes, clinics, servers, seed } = Arguments::parse();
    let seed = seed.map_or_else(storm::seed, Ok)?;
    let plan = Plan { deals: Deals::Everything, clinics, servers, lasts: Duration::from_secs(60 * minutes), seed };
    let (summary, _) = chaos::run(plan, &say).await?;
    say(&summary.to_string());
    Ok(())
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").ok();
}
