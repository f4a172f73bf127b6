//! `flag list`: lists every flag and what it means.

use clap::Subcommand;
use serde::Serialize;
use yomitori_facility::{Flag, Text, Word as _};

use super::output::{Format, FormatArgument, json, table};

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server flag list
  yomitori-server flag list --format json
  yomitori-server flag acknowledge --facility 1319999015 --flag opt_out_needed --by Suzuki --why 'calling on Monday'
  yomitori-server flag snooze --facility 1319999015 --flag reader_missing --days 7 --by Suzuki --why 'being repaired'";

#[derive(Subcommand)]
pub(super) enum Command {
    /// List every flag and what it means. No server is needed.
    List(FormatArgument),
}

#[derive(Serialize)]
struct FlagDocument {
    flag: &'static str,
    label: Text,
}

pub(super) fn list(format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => {
            let flags: Vec<_> =
                Flag::ALL.iter().map(|flag| FlagDocument { flag: flag.key(), label: flag.label() }).collect();
            json(&flags)
        }
        Format::Table => {
            let rows = Flag::ALL.iter().map(|flag| {
                let label = flag.label();
                [flag.key().to_owned(), label.ja.to_string(), label.en.to_string()]
            });
            table(["flag", "日本語", "English"], rows);
            Ok(())
        }
    }
}
