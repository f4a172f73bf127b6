//! `status`: what is known, as a table for people or as JSON for programs.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};

use super::output::{note, say};
use super::{Desk, instant};
use crate::store::belief::{self, Shown};
use crate::store::facility as facilities;

#[derive(Args)]
pub(super) struct Status {
    /// One of the institution codes of a facility; without it, all facilities.
    #[arg(long)]
    facility: Option<String>,
    /// What was shown at this instant instead of now, such as 2026-04-01T10:30.
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    known_at: Option<DateTime<Utc>>,
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
    if let Some(at) = command.known_at {
        let shown = belief::at(&desk.store, at, facility).await?;
        match command.format {
            Format::Table => table(&shown.into_iter().map(line).collect::<Vec<_>>()),
            Format::Json => say(&serde_json::to_string_pretty(&shown).context("write JSON")?),
        }
        return Ok(());
    }
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

fn line(shown: Shown) -> facilities::Line {
    let Shown { code, name, eligible, evidence, evidence_level, opt_out, freshness, .. } = shown;
    facilities::Line { code, name, eligible, evidence, evidence_level, last_success_at: None, opt_out, freshness }
}

fn table(lines: &[facilities::Line]) {
    if lines.is_empty() {
        note("医療機関がまだありません / no facility yet: import some with `yomitori-server facility import`");
        return;
    }
    say("code       eligible        evidence                    last success      opt-out       freshness  name");
    for line in lines {
        let tokyo = |at: DateTime<Utc>| at.with_timezone(&chrono_tz::Asia::Tokyo);
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
