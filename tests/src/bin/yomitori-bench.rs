//! Prints the figures that the README quotes. `tests/bench` starts what it needs and runs it.

use std::io::Write as _;
use std::time::Duration;

use clap::{Parser, Subcommand};
use yomitori_tests::bench::{fold, footprint, latency, listing, projection};

/// Measures the product on real parts; `tests/bench` starts Kafka and PostgreSQL for it.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// From an observation at a clinic to the committed row and the open page.
    Latency {
        #[arg(long, default_value_t = 60)]
        taps: usize,
        #[arg(long, default_value_t = 200)]
        files: usize,
    },
    /// What the agent costs a terminal.
    Footprint {
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// The pure fold, on one core.
    Fold {
        #[arg(long, default_value_t = 1000)]
        facilities: usize,
        /// Events of each.
        #[arg(long, default_value_t = 2000)]
        events: u64,
    },
    /// A master of facilities and the ministry's list, as large as the country.
    Listing {
        #[arg(long, default_value_t = 230_000)]
        facilities: usize,
        #[arg(long, default_value_t = 80_000)]
        rows: usize,
    },
    /// From the log to the store, beside a consumer and beside COPY.
    Projection {
        #[arg(long, default_value_t = 1_000_000)]
        events: u64,
        #[arg(long, default_value_t = 1000)]
        facilities: u64,
        /// Events in one record of the log.
        #[arg(long, default_value_t = 10)]
        batch: usize,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let say = |line: &str| {
        writeln!(std::io::stdout(), "{line}").ok();
    };
    // Several libraries bring a provider; the first one said is the process's own.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    match Arguments::parse().what {
        What::Latency { taps, files } => latency::measure(taps, files, say).await,
        What::Footprint { seconds } => footprint::measure(Duration::from_secs(seconds), say).await,
        What::Fold { facilities, events } => fold::measure(facilities, events, say),
        What::Projection { events, facilities, batch } => projection::measure(events, facilities, batch, say).await,
        What::Listing { facilities, rows } => listing::measure(facilities, rows, say).await,
    }
}
