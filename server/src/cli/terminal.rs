//! `terminal token`: issues the token that a technician takes to a site.

use clap::Subcommand;

use super::Context;
use super::output::{note, say};
use crate::clock;
use crate::config::Config;
use crate::identity::Authority;
use crate::ingest::enrol;
use crate::store::{authority, facility as facilities};
use crate::when;

pub(super) const EXAMPLES: &str = "Examples:
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
}

pub(super) async fn run(config: &Config, context: &Context, command: Command) -> anyhow::Result<()> {
    let Command::Token { facility } = command;
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
