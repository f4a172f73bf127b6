//! Prints the figures of the README. `tests/bench` starts the services for it.

use std::io::Write as _;
use std::time::Duration;

use clap::{Parser, Subcommand};
use yomitori_simulation::clock;
use yomitori_tests::bench::figures::{self, Part, Report};
use yomitori_tests::bench::machine::Machine;
use yomitori_tests::bench::{
    due, fold, footprint, growth, ingest, latency, listing, meter, past, projection, siege, streams,
};

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
    /// The agent's cost for a terminal.
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
    /// From terminals to the log, acknowledged, next to librdkafka's producer and rsyslog.
    Ingest {
        #[arg(long, default_value_t = 4_000_000)]
        events: u64,
        #[arg(long, default_value_t = 100)]
        terminals: usize,
        /// Duration in seconds for which the terminals send at half of the measured rate.
        #[arg(long, default_value_t = 10)]
        half_load_seconds: u64,
        /// Without rsyslog, which takes most of the time.
        #[arg(long)]
        no_peers: bool,
    },
    /// From the log to the store, next to a consumer, COPY, a JDBC sink and rsyslog.
    Projection {
        #[arg(long, default_value_t = 1_000_000)]
        events: u64,
        #[arg(long, default_value_t = 1000)]
        facilities: u64,
        /// Events in one record of the log.
        #[arg(long, default_value_t = 10)]
        batch: usize,
        /// Rows that the JDBC sink and rsyslog write; 0 skips both.
        #[arg(long, default_value_t = 500_000)]
        peer_rows: u64,
    },
    /// The status history at an instant, of the whole country and of one facility.
    Past {
        #[arg(long, default_value_t = 230_000)]
        facilities: u64,
        /// Events of each.
        #[arg(long, default_value_t = 20)]
        events: u64,
    },
    /// How long rows take that time alone changes, many at once as at midnight.
    Due {
        #[arg(long, default_value_t = 230_000)]
        facilities: usize,
    },
    /// The server's cost for terminals that are connected and idle.
    Streams {
        #[arg(long, default_value_t = 20_000)]
        streams: usize,
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// How long terminals at work wait while strangers hold thousands of connections open.
    Siege {
        #[arg(long, default_value_t = 5_000)]
        connections: usize,
        #[arg(long, default_value_t = 200)]
        terminals: usize,
        #[arg(long, default_value_t = 20)]
        seconds: u64,
    },
    /// The cost of an event as the numbers of events and facilities grow.
    Growth(growth::Plan),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Several libraries bring a provider; the process installs one explicitly.
    rustls::crypto::ring::default_provider().install_default().ok();
    let what = Arguments::parse().what;
    let (report, machine, at) = (Report::new(say), Machine::here(), clock::now());
    match what {
        What::Latency { taps, files } => latency::measure(taps, files, &report).await,
        What::Footprint { seconds } => footprint::measure(Duration::from_secs(seconds), &report).await,
        What::Fold { facilities, events } => fold::measure(facilities, events, &report),
        What::Due { facilities } => due::measure(facilities, &report).await,
        What::Listing { facilities, rows } => listing::measure(facilities, rows, &report).await,
        What::Ingest { events, terminals, half_load_seconds, no_peers } => {
            let half_load = Duration::from_secs(half_load_seconds);
            ingest::measure(events, terminals, half_load, !no_peers, &report).await
        }
        What::Projection { events, facilities, batch, peer_rows } => {
            projection::measure(events, facilities, batch, peer_rows, &report).await
        }
        What::Past { facilities, events } => past::measure(facilities, events, &report).await,
        What::Streams { streams, seconds } => streams::measure(streams, Duration::from_secs(seconds), &report).await,
        What::Siege { connections, terminals, seconds } => {
            siege::measure(connections, terminals, Duration::from_secs(seconds), &report).await
        }
        What::Growth(plan) => growth::measure(&plan, &report).await,
    }?;
    let bench = std::env::args().skip(1).collect::<Vec<_>>().join(" ");
    say(&format!("\n{}", figures::table(&report.figures())));
    Part { bench, at, machine, figures: report.figures() }.save(&meter::folder())
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").ok();
}
