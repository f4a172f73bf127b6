//! `status`: shows the status of facilities as a table for people or as JSON for programs.

use chrono::{DateTime, Utc};
use clap::Args;

use super::output::{Format, FormatArgument, facilities, json, note, table};
use super::{Context, instant};
use crate::store::facility as facilities;
use crate::store::fleet::StatusRow;
use crate::store::past::{self, PastStatus, PastView};
use crate::when;

#[derive(Args)]
pub(super) struct StatusArguments {
    /// One of the institution codes of a facility; the default is all facilities.
    #[arg(long)]
    facility: Option<String>,
    /// Show the status at this instant, such as 2026-04-01T10:30, by all that is known now (valid time).
    #[arg(long, value_name = "TIME", value_parser = instant::parse_past, conflicts_with = "known_at")]
    as_of: Option<DateTime<Utc>>,
    /// Show the status that was shown at this instant, right or not (transaction time).
    #[arg(long, value_name = "TIME", value_parser = instant::parse_past)]
    known_at: Option<DateTime<Utc>>,
    #[command(flatten)]
    format: FormatArgument,
}

pub(super) async fn run(context: &Context, command: StatusArguments) -> anyhow::Result<()> {
    let facility = match &command.facility {
        Some(code) => Some(context.facility(code).await?),
        None => None,
    };
    let format = command.format.format;
    let view = command.as_of.map(|at| (PastView::AsOf, at)).or(command.known_at.map(|at| (PastView::KnownAt, at)));
    if let Some((view, at)) = view {
        let past = past::at(&context.store, view, at, facility).await?;
        match format {
            Format::Table => print(past.into_iter().map(past_cells), true),
            Format::Json => json(&past)?,
        }
        let lag = if view == PastView::AsOf { past::lag(&context.store).await? } else { 0 };
        if lag > 0 {
            note(&format!("{lag} 施設を再計算中です / {} being recomputed; retry shortly", facilities(lag)));
        }
        return Ok(());
    }
    match format {
        Format::Table => print(facilities::rows(&context.store, facility).await?.into_iter().map(cells), false),
        Format::Json => {
            let mut found = facilities::statuses(&context.store, facility).await?;
            if facility.is_some() { json(&found.pop().unwrap_or_default())? } else { json(&found)? }
        }
    }
    Ok(())
}

const HEAD: [&str; 9] =
    ["code", "eligible", "evidence", "last success", "intent", "opt-out", "listing", "freshness", "name"];

fn print(rows: impl Iterator<Item = [String; 9]>, is_past: bool) {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() && is_past {
        note("その時点の記録はありません / nothing was there at that instant");
    } else if rows.is_empty() {
        note(
            "医療機関がまだありません / no facility is registered yet: import facilities with `yomitori-server facility import`",
        );
    } else {
        table(HEAD, rows);
    }
}

fn cells(row: StatusRow) -> [String; 9] {
    let StatusRow { code, name, eligible, evidence, evidence_level, last_success_at, .. } = row;
    let last = last_success_at.map(when::minute);
    let evidence = seen(&evidence, evidence_level.as_deref());
    let code = code.unwrap_or_else(dash);
    [code, eligible, evidence, last.unwrap_or_else(dash), row.intent, row.opt_out, row.listing, row.freshness, name]
}

fn past_cells(row: PastStatus) -> [String; 9] {
    let PastStatus { code, name, eligible, evidence, evidence_level, .. } = row;
    let evidence = seen(&evidence, evidence_level.as_deref());
    let code = code.unwrap_or_else(dash);
    [code, eligible, evidence, dash(), row.intent, row.opt_out, row.listing, row.freshness, name]
}

fn seen(evidence: &str, level: Option<&str>) -> String {
    format!("{evidence} {}", level.unwrap_or_default()).trim_end().to_owned()
}

fn dash() -> String {
    "-".to_owned()
}
