//! `flag list`: lists every flag and what it means.

use clap::Subcommand;
use yomitori_facility::{Flag, Word as _};

use super::output::say;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List every flag and what it means. No server is needed.
    List,
}

pub(super) fn list() {
    for flag in Flag::ALL {
        let label = flag.label();
        say(&format!("{:<26} {} / {}", flag.key(), label.ja, label.en));
    }
}
