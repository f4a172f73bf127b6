//! `facility register` and `facility code`: one facility at a time, as a person states it.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use yomitori_proto::code::{InstitutionCode, Prefecture};
use yomitori_proto::event::{FacilityCodeChanged, FacilityRegistered};
use yomitori_proto::id::FacilityId;

use crate::cli::output::warn;
use crate::cli::statement::{Speaker, state, state_of};
use crate::cli::{Desk, Mistaken, instant};
use crate::clock;
use crate::store::facility as facilities;

#[derive(Args)]
pub(in crate::cli) struct Register {
    /// An institution code; several times for a facility with several.
    #[arg(long, required = true)]
    code: Vec<String>,
    #[arg(long)]
    name: String,
    /// Such as 13 or 東京都; by default as the code says.
    #[arg(long)]
    prefecture: Option<Prefecture>,
    #[arg(long)]
    address: Option<String>,
    /// The facility moved to this prefecture at that time, such as 2026-04-01: lists of before mean what they meant.
    #[arg(long, value_parser = instant::parse, conflicts_with = "correction")]
    moved_at: Option<DateTime<Utc>>,
    /// The facility has always been in this prefecture: what was registered before was a mistake.
    #[arg(long)]
    correction: bool,
    #[command(flatten)]
    speaker: Speaker,
}

#[derive(Subcommand)]
pub(in crate::cli) enum Code {
    /// The facility has one more code.
    Add {
        /// One of the codes that it has.
        #[arg(long)]
        facility: String,
        code: String,
        #[command(flatten)]
        when: When,
    },
    /// The facility no longer has a code.
    Drop {
        #[arg(long)]
        facility: String,
        code: String,
        #[command(flatten)]
        when: When,
    },
    /// A code is replaced by another: after a relocation or a change of founder.
    Replace {
        #[arg(long)]
        facility: String,
        old: String,
        new: String,
        #[command(flatten)]
        when: When,
    },
}

#[derive(Args)]
pub(in crate::cli) struct When {
    /// From when on, such as 2026-04-01; by default from now on.
    #[arg(long, value_parser = instant::parse)]
    effective: Option<DateTime<Utc>>,
    #[command(flatten)]
    speaker: Speaker,
}

pub(super) async fn register(desk: &Desk, command: Register) -> anyhow::Result<()> {
    let Register { code, name, prefecture, address, moved_at, correction, speaker } = command;
    let codes: Vec<InstitutionCode> = code.iter().map(|code| read(code)).collect::<Result<_, _>>()?;
    let mut known = None;
    for code in &codes {
        known = known.or(facilities::by_code(&desk.store, code.as_str()).await?);
    }
    // The first code makes the identifier, so that registering twice is registering once.
    let first = codes.first().ok_or_else(|| Mistaken("give at least one --code".to_owned()))?;
    let facility = known.unwrap_or_else(|| FacilityId::of_code(first.as_str()));
    let prefecture = format!("{:02}", prefecture.unwrap_or_else(|| first.prefecture()).number());
    let codes = codes.iter().map(ToString::to_string).collect();
    let registered = FacilityRegistered { name, prefecture, codes, address, moved_at, correction };
    state_of(desk, facility, speaker, registered.into()).await
}

pub(super) async fn code(desk: &Desk, command: Code) -> anyhow::Result<()> {
    let (facility, old, new, When { effective, speaker }) = match command {
        Code::Add { facility, code, when } => (facility, None, Some(code), when),
        Code::Drop { facility, code, when } => (facility, Some(code), None, when),
        Code::Replace { facility, old, new, when } => (facility, Some(old), Some(new), when),
    };
    let id = desk.facility(&facility).await?;
    let written = |code: Option<String>| code.map(|code| Ok::<_, Mistaken>(read(&code)?.to_string())).transpose();
    let (old, new) = (written(old)?, written(new)?);
    if let Some(old) = &old {
        let holder = facilities::by_code(&desk.store, old).await?;
        if holder != Some(id) {
            return Err(Mistaken(format!("{old} is no valid code of this facility; see `status --facility`")).into());
        }
    }
    if let Some(new) = &new
        && let Some(other) = facilities::by_code(&desk.store, new).await?
        && other != id
    {
        return Err(Mistaken(format!("{new} is the code of another facility, {other}; drop it there first")).into());
    }
    let changed = FacilityCodeChanged { old, new, effective_at: effective.unwrap_or_else(clock::now) };
    state(desk, &facility, speaker, changed.into()).await
}

/// A code as people write it; a check digit that is odd is told and borne.
fn read(text: &str) -> Result<InstitutionCode, Mistaken> {
    let code = InstitutionCode::parse(text).map_err(|error| Mistaken(format!("`{text}`: {error}")))?;
    if !code.check_digit_holds() {
        warn(&format!("{code}: the check digit is unusual; it is taken as it is / 検査数字が通常と異なります"));
    }
    Ok(code)
}
