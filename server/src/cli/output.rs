//! What a command prints: results to standard output, everything else to standard error.

use std::io::Write as _;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;

/// How a result is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// The one option of all commands that print a result.
#[derive(Args, Clone, Copy)]
pub(super) struct FormatArgument {
    /// How the result is printed: for people, or for programs.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// A line of the result. A closed pipe (`| head`) is no failure.
pub(super) fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").ok();
}

/// The result for programs.
pub(super) fn json(document: &impl Serialize) -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(document).context("failed to write JSON")?);
    Ok(())
}

/// The result for people, with columns that stand below each other in any script.
pub(super) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(head).add_rows(rows);
    table.column_iter_mut().for_each(|column| _ = column.set_padding((0, 2)));
    say(&table.trim_fmt());
}

/// A line about the work itself.
pub(super) fn note(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}

/// Something odd that stopped nothing.
pub(super) fn warn(line: &str) {
    writeln!(std::io::stderr(), "warning: {line}").ok();
}

/// Why the command ended; `mistaken` where the error is a sentence to the person who typed it.
pub(super) fn failed(error: &anyhow::Error, mistaken: bool) {
    let mark = if mistaken { "" } else { "error: " };
    writeln!(std::io::stderr(), "{mark}{error:#}").ok();
}
