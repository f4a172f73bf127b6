//! The `yomitori-server` binary: parses the command line and runs it.

use std::process::ExitCode;

fn main() -> ExitCode {
    yomitori_server::cli::run()
}
