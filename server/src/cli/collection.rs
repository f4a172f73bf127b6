//! Commands about how much terminals may collect.

use clap::{Subcommand, ValueEnum};
use yomitori_proto::event::CollectionLimited;
use yomitori_proto::vocabulary::CollectionLevel;

use super::Desk;
use super::statement::{Reasoned, state};

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server collection limit readers --facility 1319999015 --by Suzuki --why 'the clinic has withdrawn its consent'
  yomitori-server collection limit none --facility 1319999015 --by Suzuki --why 'the clinic has agreed again'

Terminals hear it within seconds, or when they connect next. It can only lower what their own configuration allows.";

#[derive(Subcommand)]
pub(super) enum Command {
    /// State that no terminal of a facility may collect more than this.
    Limit {
        #[arg(value_enum)]
        most: Most,
        /// One of the facility's institution codes.
        #[arg(long)]
        facility: String,
        #[command(flatten)]
        reasoned: Reasoned,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Most {
    /// Readers and taps; linkage folders are not looked at.
    Readers,
    /// And the names of result files; no file is opened.
    Names,
    /// As each terminal's own configuration allows.
    None,
}

pub(super) async fn run(desk: &Desk, command: Command) -> anyhow::Result<()> {
    let Command::Limit { most, facility, reasoned } = command;
    let most = match most {
        Most::Readers => CollectionLevel::Readers,
        Most::Names => CollectionLevel::Names,
        Most::None => CollectionLevel::Headers,
    };
    state(desk, &facility, reasoned.into(), CollectionLimited { most }.into()).await
}
