//! The output of commands: results go to standard output, everything else to standard error.

use std::io::Write as _;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use serde::Serialize;

/// The format of a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub(super) enum Format {
    /// A table for people.
    #[default]
    Table,
    /// JSON for programs.
    Json,
}

/// The format option of every command that prints a result.
#[derive(Args, Clone, Copy)]
pub(super) struct FormatArgument {
    /// The format of the result: a table for people or JSON for programs.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}

/// Prints a line of the result. A closed pipe (`| head`) is not a failure.
pub(super) fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").ok();
}

/// Prints the result for programs.
pub(super) fn json(document: &impl Serialize) -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(document).context("failed to write JSON")?);
    Ok(())
}

/// Prints the result for people; full-width characters keep the columns aligned.
pub(super) fn table<const N: usize>(head: [&str; N], rows: impl IntoIterator<Item = [String; N]>) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(head).add_rows(rows);
    table.column_iter_mut().for_each(|column| _ = column.set_padding((0, 2)));
    say(&table.trim_fmt());
}

/// A count with its noun in English.
pub(super) fn counted(count: impl TryInto<u64>, one: &str, several: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A count of facilities in English.
pub(super) fn facilities(count: impl TryInto<u64>) -> String {
    counted(count, "facility", "facilities")
}

/// Prints a line about the progress of the work.
pub(super) fn note(line: &str) {
    writeln!(std::io::stderr(), "{line}").ok();
}

/// Prints a warning that did not stop the command.
pub(super) fn warn(line: &str) {
    writeln!(std::io::stderr(), "warning: {line}").ok();
}

/// Warns of the first `most` rows, each as a sentence, and counts the others.
pub(super) fn warn_of<Row>(rows: &[Row], most: usize, what: &str, sentence: impl Fn(&Row) -> String) {
    rows.iter().take(most).for_each(|row| warn(&sentence(row)));
    if rows.len() > most {
        let more = rows.len() - most;
        warn(&format!("ほか {more} 行 / {more} more rows: {what}"));
    }
}

/// Prints why the command failed; `mistaken` if the error is a sentence for the person who typed the command.
pub(super) fn failed(error: &anyhow::Error, mistaken: bool) {
    let mark = if mistaken { "" } else { "error: " };
    writeln!(std::io::stderr(), "{mark}{}", yomitori_base::error::chain(error.as_ref())).ok();
}
