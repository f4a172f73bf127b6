//! `yomitori-fleet`: simulated clinics on a real server. See `fleet/cli.rs`.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    // Silent but for errors, unless RUST_LOG asks for more.
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    match yomitori_tests::fleet::cli::main().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
