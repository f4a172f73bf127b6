//! `facility import`: registers facilities from a table.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Subcommand, ValueEnum};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;
use yomitori_proto::code::{Prefecture, Table as FeeTable};
use yomitori_proto::event::{Event, Stated};
use yomitori_proto::id::StatementId;

use super::Context;
use super::listing::{read_file, refused};
use super::output::{facilities, note, say, warn_of};
use super::statement::Attribution;
use crate::clock;
use crate::ingest::operator::StatementOutcome;
use crate::ingest::snapshot;
use crate::store::listing as snapshots;
use yomitori_listing::entry::Scope;
use yomitori_listing::format::Format;
use yomitori_listing::master::{self, BUREAU, Change, Plan, PlannedChange};
use yomitori_listing::table::{self, Mistake};

/// Statements in flight at once.
const AT_ONCE: usize = 5000;
const TOLD_EVERY: usize = 20_000;
/// Beyond this many, a person does not wait until all are shown.
const SHOWN_AT_ONCE: usize = 2000;
/// At most this many changes and warnings are shown.
const SHOWN: usize = 20;
const LIKE_THESE: &str = "同様の行 / like these";

pub(super) const EXAMPLES: &str = "Examples:
  yomitori-server facility import facilities.csv --preview
  yomitori-server facility import facilities.csv --by Suzuki --why 'April list'
  yomitori-server facility register --code 1319999015 --name さくら医院 --by Suzuki --why 'opened in April'
  yomitori-server facility register --code 1319999015 --name さくら医院 --prefecture 26 --moved-at 2026-04-01 --by Suzuki --why 'moved'";

#[derive(Subcommand)]
pub(super) enum Command {
    /// Register facilities, or change their names, codes and addresses, from a CSV or XLSX.
    ///
    /// The table has the columns code, name, prefecture and, if wanted, address (医療機関コード, 名称, 都道府県, 住所). Several
    /// codes of one facility are separated by spaces. If one row is not valid, nothing is imported.
    ///
    /// The regional bureaus' master (コード内容別医療機関一覧表) fills in names and addresses of registered facilities. It needs
    /// --prefecture and --kind, because the file does not contain them.
    ///
    /// Examples:
    ///   yomitori-server facility import facilities.csv --preview
    ///   yomitori-server facility import facilities.xlsx --by Suzuki --why 'April list'
    ///   yomitori-server facility import 13ika.xlsx --prefecture 13 --kind medical
    #[command(verbatim_doc_comment)]
    Import {
        file: PathBuf,
        /// Show what would change, and change nothing.
        #[arg(long)]
        preview: bool,
        /// The prefecture of the whole file, such as 13 or 東京都.
        #[arg(long)]
        prefecture: Option<Prefecture>,
        /// The kind of every facility in the file.
        #[arg(long, value_enum)]
        kind: Option<Kind>,
        /// Also register the facilities of a bureau's master that are not registered yet.
        #[arg(long)]
        register: bool,
        #[command(flatten)]
        speaker: Attribution,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Kind {
    /// 医科.
    Medical,
    /// 歯科.
    Dental,
    /// 薬局.
    Pharmacy,
    /// 訪問看護.
    HomeNursing,
}

impl Kind {
    const fn table(self) -> FeeTable {
        match self {
            Self::Medical => FeeTable::Medical,
            Self::Dental => FeeTable::Dental,
            Self::Pharmacy => FeeTable::Pharmacy,
            Self::HomeNursing => FeeTable::HomeNursing,
        }
    }
}

pub(super) async fn run(context: &Context, command: Command) -> anyhow::Result<()> {
    let Command::Import { file, preview, prefecture, kind, register, speaker } = command;
    let name = file.display().to_string();
    let bytes = read_file(&file)?;
    let scope = Scope { prefecture, table: kind.map(Kind::table) };
    let reading = tokio::task::spawn_blocking(move || {
        let table = table::read(&bytes).map_err(|mistake| vec![mistake])?;
        drop(bytes);
        master::read(&table, &Format::of_masters(), scope)
    });
    // Reads the registered facilities and the file at the same time.
    let (master, known) = tokio::join!(reading, snapshot::directory(&context.store, clock::now()));
    let refused = |mistakes: Vec<Mistake>| refused(&name, &mistakes);
    let master = master.context("failed to read the file")?.map_err(refused)?;
    warn_of(&master.warnings, SHOWN, LIKE_THESE, ToString::to_string);
    let known_only = master.format == BUREAU && !register;
    note(&format!("{} 件を読みました / read {}", master.facilities.len(), facilities(master.facilities.len())));
    let plan = master::plan(master.facilities, &known?, known_only).map_err(refused)?;
    warn_of(&plan.warnings, SHOWN, LIKE_THESE, ToString::to_string);
    if preview {
        show(&plan);
        return Ok(());
    }
    let stated = speaker.stated("一覧表の取込 / facilities imported from a table")?;
    apply(context, plan, &stated).await
}

async fn apply(context: &Context, plan: Plan, stated: &Stated) -> anyhow::Result<()> {
    let Plan { planned, unchanged, unknown, warnings: _ } = plan;
    let total = planned.len();
    let new = planned.iter().filter(|planned| planned.change == Change::New).count();
    let stating = planned.into_iter().map(|PlannedChange { facility, event, .. }| {
        let stated = Stated { id: Some(StatementId(Uuid::new_v4())), ..stated.clone() };
        context.operator.record(facility, stated, event)
    });
    let mut stating = stream::iter(stating).buffer_unordered(AT_ONCE);
    let (mut done, mut last) = (0_usize, None);
    while let Some(recorded) = stating.try_next().await.context("failed to record the facilities")? {
        last = last.max(Some(recorded.position));
        done += 1;
        if done.is_multiple_of(TOLD_EVERY) {
            note(&format!("{done}/{total} 件を登録 / {done} of {total} recorded"));
        }
    }
    drop(stating);
    if let Some(position) = last {
        if total > SHOWN_AT_ONCE {
            note("反映は順次進みます / recorded; the pages follow within a few minutes");
        } else if context.operator.wait_until_reached(position).await? == StatementOutcome::Accepted {
            note("反映は少し後です / not yet shown (is the server's projector running?)");
        }
    }
    let unknown = if unknown > 0 { format!(", {unknown} skipped as not registered") } else { String::new() };
    say(&format!("{done} 件を登録しました / {done} registered or changed, {unchanged} unchanged{unknown}"));
    if new > 0 && snapshots::all(&context.store).await?.iter().any(|snapshot| snapshot.applied_at.is_some()) {
        note(
            "取込済みのリストを新しい施設に反映するには / to apply imported lists to the new facilities: yomitori-server listing reconcile",
        );
    }
    Ok(())
}

fn show(plan: &Plan) {
    let new = plan.planned.iter().filter(|planned| planned.change == Change::New).count();
    for planned in plan.planned.iter().take(SHOWN) {
        let Event::FacilityRegistered(event) = &planned.event else { continue };
        let codes = event.codes.join(" ");
        match &planned.change {
            Change::New => say(&format!("+ {codes} {}", event.name)),
            Change::Differs(differs) => {
                let differs: Vec<String> =
                    differs.iter().map(|(before, after)| format!("{before} → {after}")).collect();
                say(&format!("~ {codes} {}", differs.join(", ")));
            }
        }
    }
    if plan.planned.len() > SHOWN {
        say(&format!("… {} more", plan.planned.len() - SHOWN));
    }
    let (changed, unchanged, unknown) = (plan.planned.len() - new, plan.unchanged, plan.unknown);
    say(&format!(
        "新規 {new}・変更 {changed}・変更なし {unchanged}・未登録 {unknown}（何も登録していません） / {new} new, {changed} changed, \
         {unchanged} unchanged, {unknown} not registered; nothing was recorded"
    ));
}
