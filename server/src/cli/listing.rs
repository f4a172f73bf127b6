//! `listing`: imports snapshots of the ministry's list and shows what they say.

mod import;
mod show;

use std::path::PathBuf;

use chrono::{DateTime, FixedOffset, NaiveDate, Utc};
use clap::{Args, Subcommand};
use yomitori_proto::time::JAPAN;

use super::output::{FormatArgument, note, say};
use super::statement::{Attribution, Repeatable};
use super::{Context, UsageError};
use crate::ingest::snapshot as snapshot_import;
use crate::store::listing::newest::of_each_kind;
use crate::store::listing::{self as snapshots, ListSnapshot};
use yomitori_listing::Coverage;
use yomitori_listing::format::Format as Mapping;

pub(super) use import::{read_file, refused};

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server listing import list.csv --source mhlw --as-of 2026-04-15 --coverage full
  yomitori-server listing snapshots
  yomitori-server listing show 0a1b2c3d
  yomitori-server listing cadence
  yomitori-server listing decisions
  yomitori-server listing reconcile
  yomitori-server listing mappings
  yomitori-server listing unmatched --format json
  yomitori-server listing match 0a1b2c3d 1319999023 --facility 1319999015 --by Suzuki --why 'the same clinic'
  yomitori-server listing dismiss 0a1b2c3d 1319999023 --by Suzuki --why 'another clinic of that name'
  yomitori-server listing release 0a1b2c3d --by Suzuki --why 'compared with the ministry: it is complete'
  yomitori-server listing diff 0a1b2c3d 4e5f6a7b --ours";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Import a file of the list: CSV (Shift_JIS/CP932, UTF-8) or XLSX.
    ///
    /// Examples:
    ///   yomitori-server listing import list.csv --source mhlw --as-of 2026-01-15 --coverage full
    ///   yomitori-server listing import 13tokyo.xlsx --source mhlw-older --as-of 2026-01-15 --coverage prefecture:13
    #[command(verbatim_doc_comment)]
    Import(ImportArguments),
    /// List all snapshots, the newest first.
    Snapshots {
        #[command(flatten)]
        format: FormatArgument,
    },
    /// Show one snapshot: its source, and the rows of our facilities.
    Show {
        /// The first digits of the identifier that `listing snapshots` prints.
        snapshot: String,
        #[command(flatten)]
        format: FormatArgument,
    },
    /// List rows that match none of our facilities but resemble one; decide with `listing match`.
    Unmatched {
        /// The snapshot; the default is the newest of each kind.
        #[arg(long)]
        snapshot: Option<String>,
        /// Include rows that resemble no facility.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        format: FormatArgument,
    },
    /// Show what changed between two snapshots of the same source and coverage.
    Diff {
        before: String,
        after: String,
        /// Show only rows of our facilities.
        #[arg(long)]
        ours: bool,
        #[command(flatten)]
        format: FormatArgument,
    },
    /// Show how often the list appears and how long it takes to reflect a change, as measured.
    Cadence {
        #[command(flatten)]
        format: FormatArgument,
    },
    /// Release a snapshot from quarantine and apply it.
    Release {
        snapshot: String,
        #[command(flatten)]
        speaker: Repeatable,
    },
    /// Apply stored snapshots to facilities and codes registered since; the default is the newest of each kind.
    Reconcile {
        #[arg(long)]
        snapshot: Option<String>,
    },
    /// Match a row to one of our facilities: its code becomes a code of the facility.
    Match {
        snapshot: String,
        /// The code in the row.
        code: String,
        /// One of the codes that the facility has.
        #[arg(long)]
        facility: String,
        #[command(flatten)]
        speaker: Repeatable,
    },
    /// Dismiss a row that resembles one of our facilities but is none; it is not suggested again.
    Dismiss {
        snapshot: String,
        /// The code in the row.
        code: String,
        #[command(flatten)]
        speaker: Repeatable,
    },
    /// Show who imported or released a snapshot or dismissed a row, when and why.
    Decisions {
        #[command(flatten)]
        format: FormatArgument,
    },
    /// List the bundled column mappings; with a name, print that mapping as a template.
    Mappings { name: Option<String> },
}

#[derive(Args)]
pub(super) struct ImportArguments {
    file: PathBuf,
    /// A short name of the file's source; only snapshots of the same source are compared.
    #[arg(long)]
    source: String,
    /// The date of the list, such as 2026-01-15 (a day in Japan), or an instant.
    #[arg(long, value_parser = as_of)]
    as_of: DateTime<Utc>,
    /// What the file covers: `full`, `prefecture:13` or `query:TEXT`.
    #[arg(long)]
    coverage: Coverage,
    /// The name of a column mapping (see `listing mappings`) or the path of a mapping file; detected by default.
    #[arg(long)]
    mapping: Option<String>,
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
        Command::Mappings { name: None } => {
            for mapping in Mapping::bundled() {
                say(&format!("{:<22} {}", mapping.id, mapping.title));
            }
            Ok(())
        }
        Command::Mappings { name: Some(name) } => {
            let text = Mapping::text(&name);
            let unknown = || {
                UsageError(format!("列の対応 `{name}` はありません / unknown mapping `{name}`: see `listing mappings`"))
            };
            say(text.ok_or_else(unknown)?.trim_end());
            Ok(())
        }
    }
}

/// Finds a snapshot by the first digits of the identifier.
async fn named(context: &Context, text: &str) -> anyhow::Result<ListSnapshot> {
    let all = snapshots::all(&context.store).await?;
    match snapshot_import::named(&all, text).as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(UsageError(format!(
            "リスト `{text}` はありません / unknown snapshot `{text}`: see `yomitori-server listing snapshots`"
        ))
        .into()),
        several => {
            let ids: Vec<String> = several.iter().map(|snapshot| snapshot.snapshot.to_string()).collect();
            let ids = ids.join(", ");
            Err(UsageError(format!("`{text}` に複数のリストが該当します / `{text}` matches several snapshots: {ids}"))
                .into())
        }
    }
}

/// The given snapshot, or the newest accepted one of each kind.
async fn chosen(context: &Context, text: Option<&str>) -> anyhow::Result<Vec<ListSnapshot>> {
    if let Some(text) = text {
        return Ok(vec![named(context, text).await?]);
    }
    let all = snapshots::all(&context.store).await?;
    let newest: Vec<ListSnapshot> = of_each_kind(&all).into_iter().cloned().collect();
    if newest.is_empty() {
        note(
            "リストはまだ取り込まれていません / no list has been imported yet: see `yomitori-server listing import --help`",
        );
    }
    Ok(newest)
}

/// Parses a day as its beginning in Japan, or an instant.
fn as_of(text: &str) -> Result<DateTime<Utc>, String> {
    let text = text.trim();
    if let Ok(instant) = DateTime::<FixedOffset>::parse_from_rfc3339(text) {
        return in_range(instant.with_timezone(&Utc), text);
    }
    let day = ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d"].iter().find_map(|form| NaiveDate::parse_from_str(text, form).ok());
    let midnight = day.and_then(|day| day.and_hms_opt(0, 0, 0)?.and_local_timezone(JAPAN).single());
    let midnight = midnight.ok_or_else(|| {
        format!("日付ではありません / `{text}` is not a date: write 2026-01-15 or 2026-01-15T09:00:00+09:00")
    })?;
    in_range(midnight.with_timezone(&Utc), text)
}

fn in_range(at: DateTime<Utc>, text: &str) -> Result<DateTime<Utc>, String> {
    // No phone could be read before 2023.
    const FIRST_LIST: i64 = 1_672_498_800;
    if at.timestamp() < FIRST_LIST {
        Err(format!("2023年より前のリストはありません / `{text}` is before 2023, earlier than any such list"))
    } else {
        Ok(at)
    }
}
