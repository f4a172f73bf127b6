//! `status`: what is known, as a table for people or as JSON for programs.

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::Desk;
use super::output::{note, say};
use crate::store::facility as facilities;

#[derive(Args)]
pub(super) struct Status {
    /// One of the institution codes of a facility; without it, all facilities.
    #[arg(long)]
    facility: Option<String>,
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

pub(super) async fn run(desk: &Desk, command: Status) -> anyhow::Result<()> {
    let facility = match &command.facility {
        Some(code) => Some(desk.facility(code).await?),
        None => None,
    };
    match command.format {
        Format::Table => table(&facilities::lines(&desk.store, facility).await?),
        Format::Json => {
            let mut found = facilities::statuses(&desk.store, facility).await?;
            let document = if facility.is_some() { found.pop().unwrap_or_default() } else { found.into() };
            say(&serde_json::to_string_pretty(&document).context("write JSON")?);
        }
    }
    Ok(())
}

fn table(lines: &[facilities::Line]) {
    if lines.is_empty() {
        note("医療機関がまだありません / no facility yet: import some with `yomitori-server facility import`");
        return;
    }
    say("code       eligible        evidence                    last success      opt-out       freshness  name");
    for line in lines {
        let tokyo = |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&chrono_tz::Asia::Tokyo);
        let last =
            line.last_success_at.map_or_else(|| "-".to_owned(), |at| tokyo(at).format("%Y-%m-%d %H:%M").to_string());
        let evidence = format!("{} {}", line.evidence, line.evidence_level.as_deref().unwrap_or_default());
        say(&format!(
            "{:<10} {:<15} {:<27} {:<17} {:<13} {:<10} {}",
            line.code.as_deref().unwrap_or("-"),
            line.eligible,
            evidence,
            last,
            line.opt_out,
            line.freshness,
            line.name
        ));
    }
}
