//! Commands by which a person says what happened at a facility: at the desk, with the equipment, with a flag.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand, ValueEnum};
use yomitori_facility::{Cause, FaceReaderModel, Fallback, Flag, Word as _};
use yomitori_proto::event::{
    AlertAcknowledged, AlertSnoozed, EntryWithdrawn, FallbackUsed, MaintenanceWindowSet, NoticeHung, ReceptionArranged,
};
use yomitori_proto::id::{Life, Seq};
use yomitori_proto::vocabulary;

use super::output::say;
use super::statement::{Happened, Speaker, state};
use super::{Desk, Mistaken, instant};
use crate::clock;

/// An identifier must be one of a table; what is not known is refused with those that are.
pub(super) fn known<'a>(what: &str, id: &str, all: impl Iterator<Item = &'a str>) -> Result<(), Mistaken> {
    let all: Vec<&str> = all.collect();
    if all.contains(&id) {
        return Ok(());
    }
    Err(Mistaken(format!("`{id}` is no {what}; there are:\n  {}", all.join("\n  "))))
}

pub(super) fn known_cause(id: &str) -> Result<(), Mistaken> {
    known("cause of a failed read", id, Cause::all().iter().map(|cause| cause.id.as_str()))
}

/// Another model may be recorded by whoever says whether it reads phones by itself.
pub(super) fn known_model(id: &str) -> Result<(), Mistaken> {
    let what = "face reader of the table (say `--phone-native true` or `false` to record it all the same)";
    known(what, id, FaceReaderModel::all().iter().map(|model| model.id.as_str()))
}

#[derive(Args)]
pub(super) struct FallbackDone {
    /// What the desk did instead, such as MynaPortalScreen.
    fallback: String,
    #[command(flatten)]
    happened: Happened,
}

pub(super) async fn fallback(desk: &Desk, command: FallbackDone) -> anyhow::Result<()> {
    let FallbackDone { fallback, happened } = command;
    known("fallback", &fallback, Fallback::all().iter().map(|fallback| fallback.id.as_str()))?;
    let event = FallbackUsed { fallback, used_at: happened.at() };
    happened.state(desk, event.into()).await
}

#[derive(Subcommand)]
pub(super) enum Notice {
    /// It hangs where patients see it.
    Hung {
        #[arg(value_enum)]
        notice: NoticeKind,
        #[command(flatten)]
        happened: Happened,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum NoticeKind {
    /// Phones are not supported here.
    Poster,
    /// Phones are supported here.
    Sticker,
}

pub(super) async fn notice(desk: &Desk, command: Notice) -> anyhow::Result<()> {
    let Notice::Hung { notice, happened } = command;
    let notice = match notice {
        NoticeKind::Poster => vocabulary::Notice::NotSupportedPoster,
        NoticeKind::Sticker => vocabulary::Notice::SupportedSticker,
    };
    let event = NoticeHung { notice, hung_at: happened.at() };
    happened.state(desk, event.into()).await
}

#[derive(Subcommand)]
pub(super) enum Reception {
    /// Step three of the notice: the desk is ready.
    Arranged {
        #[command(flatten)]
        happened: Happened,
    },
}

pub(super) async fn reception(desk: &Desk, command: Reception) -> anyhow::Result<()> {
    let Reception::Arranged { happened } = command;
    let event = ReceptionArranged { arranged_at: happened.at() };
    happened.state(desk, event.into()).await
}

#[derive(Subcommand)]
pub(super) enum Entry {
    /// Take back an entry of a terminal's desk page; it stays in the timeline, and counts no more.
    Withdraw {
        /// The entry, as `explain CODE` prints it in brackets: LIFE/NUMBER.
        entry: String,
        #[arg(long)]
        facility: String,
        #[command(flatten)]
        speaker: Speaker,
    },
}

pub(super) async fn entry(desk: &Desk, command: Entry) -> anyhow::Result<()> {
    let Entry::Withdraw { entry, facility, speaker } = command;
    let parts = entry.split_once('/').and_then(|(life, seq)| {
        let (life, seq) = (life.parse::<Life>().ok()?, seq.parse::<u64>().ok().filter(|seq| *seq > 0)?);
        Some((life, Seq(seq)))
    });
    let Some((life, seq)) = parts else {
        return Err(Mistaken(format!("`{entry}` is no entry: write LIFE/NUMBER as `explain CODE` prints it")).into());
    };
    state(desk, &facility, speaker, EntryWithdrawn { life, seq }.into()).await
}

#[derive(Subcommand)]
pub(super) enum Maintenance {
    /// Silence and missing readers in [from, to) are expected.
    Set {
        #[arg(long)]
        facility: String,
        /// The first instant, such as 2026-05-02T18:00; without an offset it is Japan's time.
        #[arg(long, value_parser = instant::parse)]
        from: DateTime<Utc>,
        #[arg(long, value_parser = instant::parse)]
        to: DateTime<Utc>,
        #[command(flatten)]
        speaker: Speaker,
    },
}

pub(super) async fn maintenance(desk: &Desk, command: Maintenance) -> anyhow::Result<()> {
    let Maintenance::Set { facility, from, to, speaker } = command;
    if to <= from {
        return Err(Mistaken("--to must be later than --from: the window is [from, to)".to_owned()).into());
    }
    state(desk, &facility, speaker, MaintenanceWindowSet { from, to }.into()).await
}

#[derive(Subcommand)]
pub(super) enum FlagCommand {
    /// Somebody has seen it; it stands all the same.
    Acknowledge {
        flag: String,
        #[arg(long)]
        facility: String,
        #[command(flatten)]
        speaker: Speaker,
    },
    /// Quiet until an instant; it stands all the same.
    Snooze {
        flag: String,
        #[arg(long)]
        facility: String,
        #[arg(long, value_parser = instant::parse)]
        until: DateTime<Utc>,
        #[command(flatten)]
        speaker: Speaker,
    },
    /// Every flag, and what it means. No server is needed.
    List,
}

pub(super) async fn flag(desk: impl FnOnce() -> anyhow::Result<Desk>, command: FlagCommand) -> anyhow::Result<()> {
    let all = || Flag::ALL.iter().map(|flag| flag.key());
    match command {
        FlagCommand::Acknowledge { flag, facility, speaker } => {
            known("flag", &flag, all())?;
            state(&desk()?, &facility, speaker, AlertAcknowledged { flag }.into()).await
        }
        FlagCommand::Snooze { flag, facility, until, speaker } => {
            known("flag", &flag, all())?;
            if until <= clock::now() {
                return Err(Mistaken("--until has passed already".to_owned()).into());
            }
            state(&desk()?, &facility, speaker, AlertSnoozed { flag, until }.into()).await
        }
        FlagCommand::List => {
            for flag in Flag::ALL {
                let label = flag.label();
                say(&format!("{:<26} {} / {}", flag.key(), label.ja, label.en));
            }
            Ok(())
        }
    }
}
