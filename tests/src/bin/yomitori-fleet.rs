//! `yomitori-fleet`: simulated clinics on a real server. See `fleet/cli.rs`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // What the agent's library has to say about connections is for those who ask by RUST_LOG.
    let told = tracing_subscriber::EnvFilter::from_default_env();
    tracing_subscriber::fmt().with_env_filter(told).with_writer(std::io::stderr).init();
    yomitori_tests::fleet::cli::main().await
}
