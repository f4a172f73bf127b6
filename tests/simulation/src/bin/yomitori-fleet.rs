//! `yomitori-fleet`: simulated clinics on a real server. See `fleet/cli.rs`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // RUST_LOG enables the messages of the agent's library.
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    yomitori_simulation::fleet::cli::main().await
}
