//! `terminal list` shows the registry of terminals.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Serialize;
use yomitori_proto::id::{FacilityId, TerminalId};

use super::Context;
use super::output::{Format, FormatArgument, json, table};
use crate::store::terminal as terminals;
use crate::when;

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server terminal list
  yomitori-server terminal list --facility 1319999015 --format json
  yomitori-server terminal suspend --facility 1319999015 --terminal 018f0000-0000-7000-8000-00000000a001 --by Suzuki --why stolen
  yomitori-server terminal retire --facility 1319999015 --terminal 018f0000-0000-7000-8000-00000000a001 --by Suzuki --why replaced";

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the terminals, and whether each may send.
    List {
        /// One of the facility's institution codes, or its identifier; the default is all facilities.
        #[arg(long)]
        facility: Option<String>,
        #[command(flatten)]
        format: FormatArgument,
    },
}

/// A terminal of the registry.
#[derive(Serialize)]
struct TerminalDocument {
    terminal: TerminalId,
    state: &'static str,
    facility: FacilityId,
    code: Option<String>,
    name: Option<String>,
    enrolled_at: Option<DateTime<Utc>>,
    changed_at: DateTime<Utc>,
    changed_by: String,
    reason: Option<String>,
}

async fn list(context: &Context, facility: Option<&str>, format: Format) -> anyhow::Result<()> {
    let facility = match facility {
        Some(text) => Some(context.facility(text).await?),
        None => None,
    };
    let terminals = terminals::all(&context.store, facility).await?.into_iter().map(|found| TerminalDocument {
        terminal: found.terminal,
        state: found.state.key(),
        facility: found.facility,
        code: found.code,
        name: found.name,
        enrolled_at: found.enrolled_at,
        changed_at: found.changed_at,
        changed_by: found.changed_by,
        reason: found.reason,
    });
    match format {
        Format::Json => json(&terminals.collect::<Vec<_>>()),
        Format::Table => {
            let rows = terminals.map(|found| {
                let since = when::minute(found.changed_at);
                let (code, name) = (found.code.unwrap_or_default(), found.name.unwrap_or_default());
                [found.terminal.to_string(), found.state.to_owned(), code, name, since, found.changed_by]
            });
            table(["terminal", "state", "code", "name", "since", "by"], rows);
            Ok(())
        }
    }
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<()> {
    let Command::List { facility, format } = command;
    list(context, facility.as_deref(), format.format).await
}
