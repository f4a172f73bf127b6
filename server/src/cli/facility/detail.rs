//! `facility register`: registers one facility.

use chrono::{DateTime, Utc};
use clap::Args;
use yomitori_proto::code::{InstitutionCode, Prefecture};
use yomitori_proto::event::FacilityRegistered;
use yomitori_proto::id::FacilityId;

use crate::cli::output::warn;
use crate::cli::statement::{Attribution, state};
use crate::cli::{Context, UsageError, instant};
use crate::store::facility as facilities;

#[derive(Args)]
pub(in crate::cli) struct Register {
    /// An institution code; repeat the option for a facility with several.
    #[arg(long, required = true)]
    code: Vec<String>,
    #[arg(long)]
    name: String,
    /// The prefecture, such as 13 or 東京都; the default follows from the code.
    #[arg(long)]
    prefecture: Option<Prefecture>,
    #[arg(long)]
    address: Option<String>,
    /// The day on which the facility moved to this prefecture, such as 2026-04-01; earlier lists keep their meaning.
    #[arg(long, value_parser = instant::parse, conflicts_with = "correction")]
    moved_at: Option<DateTime<Utc>>,
    /// The facility has always been in this prefecture; the earlier registration was a mistake.
    #[arg(long)]
    correction: bool,
    #[command(flatten)]
    speaker: Attribution,
}

pub(super) async fn register(context: &Context, command: Register) -> anyhow::Result<()> {
    let Register { code, name, prefecture, address, moved_at, correction, speaker } = command;
    let codes: Vec<InstitutionCode> = code.iter().map(|code| read(code)).collect::<Result<_, _>>()?;
    let mut known = None;
    for code in &codes {
        known = known.or(facilities::by_code(&context.store, code.as_str()).await?);
    }
    // The identifier follows from the first code, so that registering a facility twice has no further effect.
    let first = codes.first().ok_or_else(|| UsageError("give at least one --code".to_owned()))?;
    let facility = known.unwrap_or_else(|| FacilityId::of_code(first.as_str()));
    let prefecture = format!("{:02}", prefecture.unwrap_or_else(|| first.prefecture()).number());
    let codes = codes.iter().map(ToString::to_string).collect();
    let registered = FacilityRegistered { name, prefecture, codes, address, moved_at, correction };
    state(context, facility, speaker.stated("")?, registered.into(), false).await
}

/// Parses a code as people write it; an unusual check digit is reported and tolerated.
fn read(text: &str) -> Result<InstitutionCode, UsageError> {
    let code = InstitutionCode::parse(text).map_err(|error| UsageError(format!("`{text}`: {error}")))?;
    if !code.check_digit_holds() {
        warn(&format!("{code}: accepted with an unusual check digit / 検査数字が通常と異なります"));
    }
    Ok(code)
}
