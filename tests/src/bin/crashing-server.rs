//! The server's program, with points at which it can be killed.

use std::process::ExitCode;

fn main() -> ExitCode {
    yomitori_tests::crash::prepare();
    yomitori_server::cli::run()
}
