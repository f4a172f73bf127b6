//! `terminal`: what a technician takes along to a site, and the end of a terminal's use.

use clap::Subcommand;
use yomitori_proto::event::TerminalRetired;
use yomitori_proto::id::TerminalId;

use super::output::{note, say};
use super::statement::{Speaker, state_of};
use super::{Desk, entry};
use crate::clock;
use crate::config::Config;
use crate::identity::Authority;
use crate::ingest::enrol;
use crate::store::facility as facilities;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a token that lets one terminal of the facility in, once, within 24 hours. Prints the token alone to standard
    /// output, and what to do with it to standard error.
    Token {
        /// One of the facility's institution codes.
        #[arg(long)]
        facility: String,
    },
    /// A terminal is no longer used: its silence alarms nobody, and its readers count no more.
    Retire {
        /// The terminal's identifier; `status --facility CODE --format json` shows it.
        terminal: TerminalId,
        #[arg(long)]
        facility: String,
        #[command(flatten)]
        speaker: Speaker,
    },
}

pub(super) async fn run(config: &Config, desk: &Desk, command: Command) -> anyhow::Result<()> {
    let facility = match command {
        Command::Token { facility } => facility,
        Command::Retire { terminal, facility, speaker } => {
            return retire(desk, &facility, terminal, speaker).await;
        }
    };
    let facility = desk.facility(&facility).await?;
    let authority = Authority::open_or_create(&config.state_dir, clock::now())?;
    let (token, expires_at) = enrol::issue_token(&desk.store, &authority, facility, clock::now()).await?;
    say(&token);
    let until = expires_at.with_timezone(&chrono_tz::Asia::Tokyo).format("%Y-%m-%d %H:%M");
    note(&format!(
        "端末で次を実行してください({until} まで、1回限り) / on the terminal, once, before {until} (Japan):\n  \
         yomitori-agent enrol --token TOKEN        ([server] address = \"{}\")",
        config.uplink.public_address
    ));
    Ok(())
}

async fn retire(desk: &Desk, facility: &str, terminal: TerminalId, speaker: Speaker) -> anyhow::Result<()> {
    let id = desk.facility(facility).await?;
    let status = facilities::statuses(&desk.store, Some(id)).await?.pop().unwrap_or_default();
    let known: Vec<&str> =
        status["terminals"].as_array().into_iter().flatten().filter_map(|t| t["terminal"].as_str()).collect();
    entry::known("terminal of this facility", &terminal.to_string(), known.into_iter())?;
    state_of(desk, id, speaker, TerminalRetired { terminal }.into()).await
}
