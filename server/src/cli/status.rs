//! `status`: what is known, as a table for people or as JSON for programs.

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};

use super::output::{note, say};
use super::{Context, instant};
use crate::store::facility as facilities;
use crate::store::past::{self, PastStatus, PastView};

#[derive(Args)]
pub(super) struct StatusArguments {
    /// One of the institution codes of a facility; without it, all facilities.
    #[arg(long)]
    facility: Option<String>,
    /// What was true at this instant, such as 2026-04-01T10:30, by all that is known now.
    #[arg(long, value_name = "TIME", value_parser = instant::parse, conflicts_with = "known_at")]
    as_of: Option<DateTime<Utc>>,
    /// What was shown at this instant instead of now: what we believed then.
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

pub(super) async fn run(context: &Context, command: StatusArguments) -> anyhow::Result<()> {
    let facility = match &command.facility {
        Some(code) => Some(context.facility(code).await?),
        None => None,
    };
    let view = command.as_of.map(|at| (PastView::AsOf, at)).or(command.known_at.map(|at| (PastView::KnownAt, at)));
    if let Some((view, at)) = view {
        let past = past::at(&context.store, view, at, facility).await?;
        match command.format {
            Format::Table => table(&past.into_iter().map(line).collect::<Vec<_>>()),
            Format::Json => say(&serde_json::to_string_pretty(&past).context("write JSON")?),
        }
        let lag = if view == PastView::AsOf { past::lag(&context.store).await? } else { 0 };
        if lag > 0 {
            note(&format!("{lag} 施設を再計算中です / {lag} facilities are being told anew: ask again in a while"));
        }
        return Ok(());
    }
    match command.format {
        Format::Table => table(&facilities::lines(&context.store, facility).await?),
        Format::Json => {
            let mut found = facilities::statuses(&context.store, facility).await?;
            let document = if facility.is_some() { found.pop().unwrap_or_default() } else { found.into() };
            say(&serde_json::to_string_pretty(&document).context("write JSON")?);
        }
    }
    Ok(())
}

fn line(past: PastStatus) -> facilities::StatusLine {
    let PastStatus { code, name, eligible, evidence, evidence_level, intent, opt_out, listing, freshness, .. } = past;
    let last_success_at = None;
    facilities::StatusLine {
        code,
        name,
        eligible,
        evidence,
        evidence_level,
        last_success_at,
        opt_out,
        freshness,
        intent,
        listing,
    }
}

fn table(lines: &[facilities::StatusLine]) {
    if lines.is_empty() {
        note("医療機関がまだありません / no facility yet: import some with `yomitori-server facility import`");
        return;
    }
    say(
        "code       eligible        evidence                    last success      intent       opt-out       listing     freshness  name",
    );
    for line in lines {
        let tokyo = |at: DateTime<Utc>| at.with_timezone(&chrono_tz::Asia::Tokyo);
        let last =
            line.last_success_at.map_or_else(|| "-".to_owned(), |at| tokyo(at).format("%Y-%m-%d %H:%M").to_string());
        let evidence = format!("{} {}", line.evidence, line.evidence_level.as_deref().unwrap_or_default());
        say(&format!(
            "{:<10} {:<15} {:<27} {:<17} {:<12} {:<13} {:<11} {:<10} {}",
            line.code.as_deref().unwrap_or("-"),
            line.eligible,
            evidence,
            last,
            line.intent,
            line.opt_out,
            line.listing,
            line.freshness,
            line.name
        ));
    }
}
