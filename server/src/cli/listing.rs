//! `listing`: the ministry's list, taken in snapshot by snapshot, and what can be seen by it.

mod import;
mod show;

use std::path::PathBuf;

use chrono::{DateTime, FixedOffset, NaiveDate, TimeZone as _, Utc};
use chrono_tz::Asia::Tokyo;
use clap::{Args, Subcommand};

use super::output::{FormatArgument, note, say};
use super::statement::Attribution;
use super::{Context, UsageError};
use crate::ingest::snapshot as snapshot_import;
use crate::store::listing::newest::of_each_kind;
use crate::store::listing::{self as snapshots, ListSnapshot};
use yomitori_listing::Coverage;
use yomitori_listing::format::Format as Mapping;

pub(super) use import::{read_file, refused};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Take in a file of the list: CSV (Shift_JIS/CP932, UTF-8) or XLSX.
    ///
    /// Examples:
    ///   listing import list.csv --source mhlw --as-of 2026-01-15 --coverage full
    ///   listing import 13tokyo.xlsx --source mhlw-older --as-of 2026-01-15 --coverage prefecture:13
    #[command(verbatim_doc_comment)]
    Import(ImportArguments),
    /// All snapshots, the newest first.
    Snapshots {
        #[command(flatten)]
        format: FormatArgument,
    },
    /// One snapshot: where it is from, and its rows that are ours.
    Show {
        /// The first digits of its identifier, as `listing snapshots` prints it.
        snapshot: String,
        #[command(flatten)]
        format: FormatArgument,
    },
    /// Rows that belong to none of our facilities but resemble one; a person decides with `listing match`.
    Unmatched {
        /// The snapshot; by default the newest of each kind.
        #[arg(long)]
        snapshot: Option<String>,
        /// Also the rows that resemble nobody.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        format: FormatArgument,
    },
    /// What changed from one snapshot to another of the same source and coverage.
    Diff {
        before: String,
        after: String,
        /// Only rows of our facilities.
        #[arg(long)]
        ours: bool,
        #[command(flatten)]
        format: FormatArgument,
    },
    /// How often the list appears, and how long it takes to follow us, as measured.
    Cadence {
        #[command(flatten)]
        format: FormatArgument,
    },
    /// Let a snapshot out of quarantine and apply it.
    Release {
        snapshot: String,
        #[command(flatten)]
        speaker: Attribution,
    },
    /// Apply kept snapshots to facilities and codes that were registered since; by default the newest of each kind.
    Reconcile {
        #[arg(long)]
        snapshot: Option<String>,
    },
    /// Decide that a row is one of our facilities: its code becomes a code of the facility.
    Match {
        snapshot: String,
        /// The code in the row.
        code: String,
        /// One of the codes that the facility has.
        #[arg(long)]
        facility: String,
        #[command(flatten)]
        speaker: Attribution,
    },
    /// Decide that a row is none of our facilities, although it resembles one: it is not suggested again.
    Dismiss {
        snapshot: String,
        /// The code in the row.
        code: String,
        #[command(flatten)]
        speaker: Attribution,
    },
    /// Who took in which snapshot, released it, or dismissed a row, when and why.
    Decisions {
        #[command(flatten)]
        format: FormatArgument,
    },
    /// The column mappings that come with the program; with a name, the mapping itself, to write one of one's own after.
    Formats { name: Option<String> },
}

#[derive(Args)]
pub(super) struct ImportArguments {
    file: PathBuf,
    /// Where the file is from, in a word; snapshots are compared with others of the same source.
    #[arg(long)]
    source: String,
    /// The date of the list, such as 2026-01-15 (a day in Japan), or an instant.
    #[arg(long, value_parser = as_of)]
    as_of: DateTime<Utc>,
    /// What the file covers: `full`, `prefecture:13` or `query:TEXT`.
    #[arg(long)]
    coverage: Coverage,
    /// A mapping by its name (see `listing formats`), or the path of a mapping file of one's own; by default it is found out.
    #[arg(long)]
    format: Option<String>,
    #[command(flatten)]
    speaker: Attribution,
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Import(import) => import::take(context, import).await,
        Command::Snapshots { format } => show::snapshots(context, format.format).await,
        Command::Show { snapshot, format } => {
            show::snapshot(context, &named(context, &snapshot).await?, format.format).await
        }
        Command::Unmatched { snapshot, all, format } => {
            show::unmatched(context, &chosen(context, snapshot.as_deref()).await?, all, format.format).await
        }
        Command::Diff { before, after, ours, format } => {
            show::diff(context, &named(context, &before).await?, &named(context, &after).await?, ours, format.format)
                .await
        }
        Command::Cadence { format } => show::cadence(context, format.format).await,
        Command::Release { snapshot, speaker } => {
            import::release(context, named(context, &snapshot).await?, speaker).await
        }
        Command::Reconcile { snapshot } => {
            for snapshot in chosen(context, snapshot.as_deref()).await? {
                import::apply(context, &snapshot).await?;
            }
            Ok(())
        }
        Command::Match { snapshot, code, facility, speaker } => {
            let snapshot = named(context, &snapshot).await?;
            import::belongs(context, &snapshot, &code, &facility, speaker).await
        }
        Command::Dismiss { snapshot, code, speaker } => {
            import::dismiss(context, &named(context, &snapshot).await?, &code, speaker).await
        }
        Command::Decisions { format } => show::decisions(context, format.format).await,
        Command::Formats { name: None } => {
            for mapping in Mapping::bundled() {
                say(&format!("{:<22} {}", mapping.id, mapping.title));
            }
            Ok(())
        }
        Command::Formats { name: Some(name) } => {
            let text = Mapping::text(&name);
            say(text
                .ok_or_else(|| UsageError(format!("there is no format `{name}`; see `listing formats`")))?
                .trim_end());
            Ok(())
        }
    }
}

/// A snapshot by the first digits of its identifier.
async fn named(context: &Context, text: &str) -> anyhow::Result<ListSnapshot> {
    let all = snapshots::all(&context.store).await?;
    match snapshot_import::named(&all, text).as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(UsageError(format!("there is no snapshot `{text}`; see `yomitori-server listing snapshots`")).into()),
        several => {
            let ids: Vec<String> = several.iter().map(|snapshot| snapshot.snapshot.to_string()).collect();
            Err(UsageError(format!("`{text}` is the beginning of several snapshots: {}", ids.join(", "))).into())
        }
    }
}

/// The snapshot that was asked for, or the newest of each kind that is believed.
async fn chosen(context: &Context, text: Option<&str>) -> anyhow::Result<Vec<ListSnapshot>> {
    if let Some(text) = text {
        return Ok(vec![named(context, text).await?]);
    }
    let all = snapshots::all(&context.store).await?;
    let newest: Vec<ListSnapshot> = of_each_kind(&all).into_iter().cloned().collect();
    if newest.is_empty() {
        note(
            "リストはまだ取り込まれていません / no list was imported yet: see `yomitori-server listing import --help`",
        );
    }
    Ok(newest)
}

/// A day in Japan from its beginning, or an instant.
fn as_of(text: &str) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    if let Ok(instant) = DateTime::<FixedOffset>::parse_from_rfc3339(text) {
        return in_range(instant.with_timezone(&Utc), text);
    }
    let day = ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d"].iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok());
    let midnight = day.and_then(|day| Tokyo.from_local_datetime(&day.and_hms_opt(0, 0, 0)?).single());
    let midnight =
        midnight.ok_or_else(|| format!("`{text}` is no date: write 2026-01-15 or 2026-01-15T09:00:00+09:00"))?;
    in_range(midnight.with_timezone(&Utc), text)
}

fn in_range(at: DateTime<Utc>, text: &str) -> Result<DateTime<Utc>, String> {
    const FIRST_LIST: i64 = 1_600_000_000;
    if at.timestamp() < FIRST_LIST { Err(format!("`{text}` lies before any such list")) } else { Ok(at) }
}
