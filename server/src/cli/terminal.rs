//! `terminal token` issues the token that a technician takes to a site; `terminal list` shows the registry.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Serialize;
use yomitori_proto::id::{FacilityId, TerminalId};

use super::Context;
use super::output::{Format, FormatArgument, json, note, say, table};
use crate::clock;
use crate::config::Config;
use crate::identity::Authority;
use crate::ingest::enrol;
use crate::store::{authority, facility as facilities, terminal as terminals};
use crate::when;

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server terminal list
  yomitori-server terminal list --facility 1319999015 --format json
  yomitori-server terminal suspend --facility 1319999015 --terminal 018f0000-0000-7000-8000-00000000a001 --by Suzuki --why stolen
  yomitori-server terminal token --facility 1319999015
  yomitori-server terminal token --facility 1319999015 2>/dev/null > token.txt
  yomitori-server terminal retire --facility 1319999015 --terminal 018f0000-0000-7000-8000-00000000a001 --by Suzuki --why replaced";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Issue a token that enrols one terminal of the facility, once, within 24 hours. Prints only the token to standard
    /// output, and the instructions to standard error.
    Token {
        /// One of the facility's institution codes.
        #[arg(long)]
        facility: String,
    },
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

pub(super) async fn run(config: &Config, context: &Context, command: Command) -> anyhow::Result<()> {
    let facility = match command {
        Command::Token { facility } => facility,
        Command::List { facility, format } => return list(context, facility.as_deref(), format.format).await,
    };
    let facility = context.facility(&facility).await?;
    let authority = Authority::open(&config.state_dir)?;
    authority.check(&config.state_dir, authority::fingerprint(&context.store).await?.as_deref())?;
    let (token, expires_at) = enrol::issue_token(&context.store, &authority, facility, clock::now()).await?;
    say(&token);
    let row = facilities::rows(&context.store, Some(facility)).await?.pop();
    let named = row.map(|row| format!("{} {}", row.name, row.code.unwrap_or_default())).unwrap_or_default();
    let until = when::minute(expires_at);
    note(&format!(
        "{named}\n端末で次を実行してください({until} まで、1回限り) / on the terminal, once, before {until} (Japan):\n  \
         yomitori-agent enrol --token TOKEN        ([server] address = \"{}\")",
        config.agents.public_address
    ));
    Ok(())
}
