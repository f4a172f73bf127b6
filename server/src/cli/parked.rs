//! `parked`: shows and resumes facilities that are blocked by a record that could not be folded.

use clap::Subcommand;
use serde::Serialize;
use yomitori_proto::event::Stated;
use yomitori_proto::id::FacilityId;

use super::output::{Format, FormatArgument, json, note, say};
use super::statement::Repeatable;
use super::{Context, UsageError};
use crate::ingest::operator::{SkipError, StatementOutcome};
use crate::log::Position;
use crate::store::waiting::{self, ParkedFacility, QueuedRecord};
use crate::when::minute;

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server parked list
  yomitori-server parked show 1319999015 --format json
  yomitori-server parked retry --all
  yomitori-server parked retry 1319999015
  yomitori-server parked skip 1319999015 --by Suzuki --why 'written by a test, not by us'

A facility is named by one of its codes or by its identifier, as `parked list` shows it; `fleet` names the facts about
all facilities. No waiting record is lost: the log keeps it.";

/// Records that are read and printed at once.
const AT_ONCE: i64 = 500;

#[derive(Subcommand)]
pub(super) enum Command {
    /// List the parked facilities: since when, how many records wait, where and why the first one could not be folded.
    #[command(after_help = EXAMPLES)]
    List(FormatArgument),
    /// Show every waiting record of a facility: its position in the log, its size, its kinds of facts, why it waits.
    #[command(after_help = EXAMPLES)]
    Show {
        /// A code, an identifier, or `fleet`.
        facility: String,
        #[command(flatten)]
        format: FormatArgument,
    },
    /// Fold the waiting records again, in order. Those that succeed leave the queue; the rest stays.
    #[command(after_help = EXAMPLES)]
    Retry {
        /// A code, an identifier, or `fleet`.
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        facility: Option<String>,
        /// Retry every parked facility.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        format: FormatArgument,
    },
    /// Skip the first waiting record permanently, also in a rebuild. The records behind it are then folded.
    #[command(after_help = EXAMPLES)]
    Skip {
        /// A code, an identifier, or `fleet`.
        facility: String,
        #[command(flatten)]
        speaker: Repeatable,
        #[command(flatten)]
        format: FormatArgument,
    },
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<()> {
    match command {
        Command::List(format) => list(context, format.format).await,
        Command::Show { facility, format } => show(context, &parked(context, &facility).await?, format.format).await,
        Command::Retry { facility: Some(facility), format, .. } => {
            let stopped = parked(context, &facility).await?;
            retry(context, vec![stopped], format.format).await
        }
        Command::Retry { facility: None, format, .. } => retry(context, all(context).await?, format.format).await,
        Command::Skip { facility, speaker, format } => {
            let stated = speaker.stated()?;
            skip(context, &parked(context, &facility).await?, stated, format.format).await
        }
    }
}

/// Finds the parked facility that `text` names.
async fn parked(context: &Context, text: &str) -> anyhow::Result<ParkedFacility> {
    let facility = match text.parse() {
        // The registration itself may be among the waiting records.
        Ok(id) => id,
        Err(_) if text == "fleet" => FacilityId::FLEET,
        Err(_) => context.facility(text).await?,
    };
    let found = waiting::stopped(&context.store, Some(facility), 1, 0).await?.pop();
    found.ok_or_else(|| {
        let none = "この施設の記録は止まっていません / it has no waiting record";
        UsageError(format!("{text}: {none}; see `yomitori-server parked list`")).into()
    })
}

async fn all(context: &Context) -> anyhow::Result<Vec<ParkedFacility>> {
    let mut found = Vec::new();
    loop {
        let place = i64::try_from(found.len()).unwrap_or(i64::MAX);
        let more = waiting::stopped(&context.store, None, AT_ONCE, place).await?;
        if more.is_empty() {
            return Ok(found);
        }
        found.extend(more);
    }
}

async fn list(context: &Context, format: Format) -> anyhow::Result<()> {
    let found = all(context).await?;
    if format == Format::Json {
        return json(&found);
    }
    if found.is_empty() {
        note("止まっている施設はありません / no facility is parked");
        return Ok(());
    }
    for stopped in &found {
        print(stopped);
    }
    note("次にできること / next steps: yomitori-server parked --help");
    Ok(())
}

/// Prints a parked facility in two lines.
fn print(stopped: &ParkedFacility) {
    let ParkedFacility { since, records, first, reason, .. } = stopped;
    say(&format!("{}  {} から / since, {records} 件 / records wait", called(stopped), minute(*since)));
    let tried = stopped.tried_at.map(|at| format!("（再試行 / last retried {}）", minute(at))).unwrap_or_default();
    say(&format!("  {first}  {reason}{tried}"));
}

/// The code and name of a facility, or the identifier if it has no code.
fn called(stopped: &ParkedFacility) -> String {
    if stopped.facility_id == FacilityId::FLEET {
        return "fleet 全体の記録 / facts about all facilities".to_owned();
    }
    let id = stopped.facility_id.to_string();
    format!("{} {}", stopped.code.as_deref().unwrap_or(&id), stopped.name.as_deref().unwrap_or_default())
}

async fn show(context: &Context, stopped: &ParkedFacility, format: Format) -> anyhow::Result<()> {
    let mut records: Vec<QueuedRecord> = Vec::new();
    if format == Format::Table {
        print(stopped);
        say("position     bytes     parked at         facts, and why it waits");
    }
    let mut after: Option<Position> = None;
    loop {
        let more = waiting::records(&context.store, stopped.facility_id, after, AT_ONCE).await?;
        let Some(last) = more.last() else { break };
        after = Some(last.place);
        if format == Format::Json {
            records.extend(more);
        } else {
            more.iter().for_each(line);
        }
    }
    if format == Format::Json {
        #[derive(Serialize)]
        struct FacilityDocument<'a> {
            facility: &'a ParkedFacility,
            records: &'a [QueuedRecord],
        }
        return json(&FacilityDocument { facility: stopped, records: &records });
    }
    Ok(())
}

fn line(record: &QueuedRecord) {
    let kinds = record.kinds.as_ref().map_or_else(
        || "?".to_owned(),
        |kinds| kinds.iter().map(|(kind, count)| format!("{kind} ×{count}")).collect::<Vec<_>>().join(", "),
    );
    let (place, at) = (record.place.to_string(), minute(record.parked_at));
    say(&format!("{place:<12} {:<9} {at}  [{kinds}] {}", record.bytes, record.reason));
}

async fn retry(context: &Context, before: Vec<ParkedFacility>, format: Format) -> anyhow::Result<()> {
    let only = match before.as_slice() {
        [one] => Some(one.facility_id),
        _ => None,
    };
    let answered = context.operator.retry(only).await?;
    report(context, &before, answered, format).await
}

async fn skip(context: &Context, stopped: &ParkedFacility, stated: Stated, format: Format) -> anyhow::Result<()> {
    let answered = match context.operator.skip(stopped.facility_id, stopped.first, stated).await {
        Ok(answered) => answered,
        Err(SkipError::NotFirst) => {
            let moved = "the record is no longer the first waiting one: check again with `yomitori-server parked show`";
            return Err(UsageError(moved.to_owned()).into());
        }
        Err(SkipError::State(error)) => return Err(error.into()),
        Err(SkipError::Store(error)) => return Err(error.into()),
    };
    if format == Format::Table {
        say(&format!("{} を除外しました / skipped {}", stopped.first, stopped.first));
    }
    report(context, std::slice::from_ref(stopped), answered, format).await
}

/// Prints which of these facilities resumed and which are still parked.
async fn report(
    context: &Context,
    before: &[ParkedFacility],
    answered: StatementOutcome,
    format: Format,
) -> anyhow::Result<()> {
    let still = all(context).await?;
    let still: Vec<&ParkedFacility> =
        still.iter().filter(|still| before.iter().any(|was| was.facility_id == still.facility_id)).collect();
    if format == Format::Json {
        #[derive(Serialize)]
        struct RetryDocument<'a> {
            /// Prints whether the projector has handled it already.
            done: bool,
            still_parked: &'a [&'a ParkedFacility],
        }
        return json(&RetryDocument { done: answered == StatementOutcome::Shown, still_parked: &still });
    }
    if answered == StatementOutcome::Accepted {
        say("受け付けました。処理は少し後です / accepted, not done yet (is the server's projector running?)");
    }
    for was in before.iter().filter(|was| !still.iter().any(|still| still.facility_id == was.facility_id)) {
        say(&format!("{}: 再開しました / resumed", called(was)));
    }
    still.iter().for_each(|stopped| print(stopped));
    if before.is_empty() {
        note("止まっている施設はありません / no facility is parked");
    }
    Ok(())
}
