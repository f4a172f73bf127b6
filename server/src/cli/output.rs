//! What a command prints: results to standard output, everything else to standard error.

use std::io::Write as _;

/// A line of the result. A closed pipe (`| head`) is no failure.
pub(super) fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").ok();
}

/// A line about the work itself.
pub(super) fn note(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}

/// Something odd that stopped nothing.
pub(super) fn warn(line: &str) {
    writeln!(std::io::stderr(), "warning: {line}").ok();
}

/// Why the command ended; `mistaken` where the error is a sentence to whoever asked.
pub(super) fn failed(error: &anyhow::Error, mistaken: bool) {
    let failed = if mistaken { "" } else { "failed to " };
    writeln!(std::io::stderr(), "{failed}{error:#}").ok();
}
