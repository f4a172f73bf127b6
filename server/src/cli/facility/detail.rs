//! `facility register`: registers one facility.

use chrono::{DateTime, Utc};
use clap::Args;
use yomitori_listing::entry::{ADDRESS_LIMIT, NAME_LIMIT};
use yomitori_proto::code::{InstitutionCode, Prefecture};
use yomitori_proto::event::FacilityRegistered;
use yomitori_proto::id::FacilityId;

use crate::cli::output::warn;
use crate::cli::statement::{Attribution, state};
use crate::cli::{Context, UsageError, instant};
use crate::clock;
use crate::statement;
use crate::store::facility as facilities;

#[derive(Args)]
pub(in crate::cli) struct Register {
    /// An institution code; repeat the option for a facility with several. The first one says which facility it is.
    #[arg(long, required = true)]
    code: Vec<String>,
    /// At most 200 characters.
    #[arg(long, value_parser = name)]
    name: String,
    /// The prefecture, such as 13 or 東京都; the default follows from the code.
    #[arg(long)]
    prefecture: Option<Prefecture>,
    /// At most 400 characters.
    #[arg(long, value_parser = address)]
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
    if moved_at.is_some_and(|at| at > clock::now()) {
        let text = "--moved-at: 未来の日付です。移転した後に記録してください / This is in the future: record it once it has moved.";
        return Err(UsageError(text.to_owned()).into());
    }
    let codes: Vec<InstitutionCode> = code.iter().map(|code| read(code)).collect::<Result<_, _>>()?;
    // The first code says which facility it is: otherwise a wrong digit in another one would rename a clinic. The identifier
    // follows from it, so that registering a facility twice has no further effect.
    let first = codes.first().ok_or_else(|| UsageError("give at least one --code".to_owned()))?;
    let known = facilities::by_code(&context.store, first.as_str()).await?;
    let facility = known.unwrap_or_else(|| FacilityId::of_code(first.as_str()));
    let prefecture = format!("{:02}", prefecture.unwrap_or_else(|| first.prefecture()).number());
    let codes = codes.iter().map(ToString::to_string).collect();
    let registered = FacilityRegistered { name, prefecture, codes, address, moved_at, correction };
    state(context, facility, speaker.stated("")?, registered.into(), false).await
}

fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("名称がありません / The name is missing.".to_owned());
    }
    line(text.trim(), NAME_LIMIT)
}

fn address(text: &str) -> Result<String, String> {
    line(text, ADDRESS_LIMIT)
}

/// One line of at most `limit` characters, as an import of facilities takes it.
fn line(text: &str, limit: usize) -> Result<String, String> {
    statement::line(text, limit).map_err(|problem| format!("{} / {}", problem.ja, problem.en))
}

/// Parses a code as people write it; an unusual check digit is reported and tolerated.
fn read(text: &str) -> Result<InstitutionCode, UsageError> {
    let code = InstitutionCode::parse(text).map_err(|error| UsageError(format!("`{text}`: {error}")))?;
    if !code.check_digit_holds() {
        warn(&format!("{code}: accepted with an unusual check digit / 検査数字が通常と異なります"));
    }
    Ok(code)
}
