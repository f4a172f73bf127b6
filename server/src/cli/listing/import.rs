//! Imports a snapshot, releases it from quarantine, and applies it again.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use yomitori_proto::id::StatementId;

use super::super::output::{counted, facilities, note, say, warn, warn_of};
use super::super::progress::ProgressMeter;
use super::super::statement::{Answer, Done, Repeatable, answer, unknown};
use super::super::{Context, UsageError};
use super::{ImportArguments, show};
use crate::clock;
use crate::ingest::decision::{DecisionError, RowDecision};
use crate::ingest::operator::StatementOutcome;
use crate::ingest::snapshot::{self, ImportOutcome, ImportReport, SnapshotImport};
use crate::store::listing::{self as snapshots, ListSnapshot};
use crate::when;
use yomitori_listing::entry::{self, ListingEntries, Scope};
use yomitori_listing::format::Format as Mapping;
use yomitori_listing::snapshot::{SnapshotIdentity, dated};
use yomitori_listing::table::{self, Mistake};

const SOURCE_LIMIT: usize = 200;

pub(super) async fn take(context: &Context, import: ImportArguments) -> anyhow::Result<()> {
    let ImportArguments { file, source, as_of, coverage, mapping, speaker } = import;
    let name = file.display().to_string();
    if source.trim().is_empty() || source.chars().count() > SOURCE_LIMIT || source.contains(char::is_control) {
        return Err(UsageError(
            "--source は短い名前にしてください / --source must be a short name of the file's source".to_owned(),
        )
        .into());
    }
    dated(as_of, clock::now()).map_err(|ahead| UsageError(format!("--as-of: {ahead}")))?;
    let bytes = read_file(&file)?;
    let identity = SnapshotIdentity::new(source.trim().to_owned(), coverage, as_of, &bytes);
    if let Some(known) = snapshots::find(&context.store, identity.id()).await? {
        return again(context, &known).await;
    }
    let scope = Scope { prefecture: identity.coverage.prefecture(), table: None };
    let mappings = mappings(mapping.as_deref())?;
    let reading = tokio::task::spawn_blocking(move || {
        let table = table::read(&bytes).map_err(|mistake| vec![mistake])?;
        drop(bytes);
        let mapping = entry::detect(&mappings, &table, scope)?;
        let entries = entry::read(&table, mapping, scope)?;
        Ok((mapping.id.clone(), entries))
    });
    // Reads the facilities and the file at the same time.
    let (read, directory) = tokio::join!(reading, snapshot::directory(&context.store, as_of));
    let (mapping, entries): (String, ListingEntries) =
        read.context("failed to read the file")?.map_err(|mistakes: Vec<Mistake>| refused(&name, &mistakes))?;
    let (entries, directory) = (Arc::new(entries), Arc::new(directory?));
    note(&format!(
        "{} 行を読みました（列の対応 {mapping}） / read {} by the mapping `{mapping}`, for {}",
        entries.entries.len(),
        counted(entries.entries.len(), "row", "rows"),
        facilities(directory.facilities.len())
    ));
    if entries.inferred > 0 {
        let inferred = entries.inferred;
        warn(&format!(
            "{inferred} 件の点数表は検査数字から推定しました / the kind of {} was inferred from the check digit, as the file lacks it",
            facilities(inferred)
        ));
    }
    let place = |sheet: u16, row: u32| place(&entries.sheets, sheet, row);
    warn_of(&entries.repeated(), WARNED, "ほかの行と同じコード / with the code of another row", |entry| {
        format!(
            "{}: {} はほかの行にもあります / the code stands in another row too",
            place(entry.sheet, entry.row),
            entry.code
        )
    });
    let stated = speaker.stated("リストの取込 / the list was imported")?;
    let taken = snapshot_import(context).import(&identity, &mapping, &stated, &entries, &directory, progress()).await?;
    let id = show::short(identity.id());
    match taken {
        ImportOutcome::Quarantined(doubt) => {
            warn(&format!(
                "{} 行しかなく前回は {} 行でした。保留しています / snapshot {id} has {} rows and the previous one {}: it is in \
                quarantine and was not applied.\n  Check it with `yomitori-server listing show {id}`; if it is right: \
                 `yomitori-server listing release {id} --by NAME --why REASON`",
                doubt.rows, doubt.before, doubt.rows, doubt.before
            ));
            say(&format!("{id} を保留しました / snapshot {id} is quarantined"));
        }
        ImportOutcome::Applied(applied) => {
            say(&format!("{id} を取り込みました / snapshot {id} imported"));
            report(context, &entries.sheets, &applied).await?;
        }
    }
    Ok(())
}

/// Reports that the same file was imported before.
async fn again(context: &Context, known: &ListSnapshot) -> anyhow::Result<()> {
    let id = show::short(known.snapshot);
    let when = when::day(known.imported_at);
    say(&format!("{id} は {when} に取込済みです / the same file was imported on {when} as snapshot {id}"));
    match known.state() {
        "interrupted" => {
            note("その取り込みは中断されていました。続けます / that import was interrupted; resuming it");
            apply(context, known).await
        }
        "quarantined" => {
            warn(&format!(
                "保留中です / it is in quarantine; `yomitori-server listing release {id} --by NAME --why REASON` releases it"
            ));
            Ok(())
        }
        _ => Ok(()),
    }
}

pub(super) async fn apply(context: &Context, snapshot: &ListSnapshot) -> anyhow::Result<()> {
    let id = show::short(snapshot.snapshot);
    dated(snapshot.as_of, clock::now()).map_err(|ahead| UsageError(ahead.to_string()))?;
    if snapshot.quarantined() {
        return Err(UsageError(format!(
            "{id} は保留中です / snapshot {id} is in quarantine; release it with `listing release {id}`"
        ))
        .into());
    }
    let applied = snapshot_import(context).apply(snapshot, progress()).await?;
    say(&format!("{id} を反映しました / snapshot {id} applied"));
    let sheets: Vec<Option<String>> =
        snapshot.sheets.iter().map(|sheet| Some(sheet.clone()).filter(|sheet| !sheet.is_empty())).collect();
    report(context, &sheets, &applied).await
}

pub(super) async fn release(context: &Context, snapshot: ListSnapshot, speaker: Repeatable) -> anyhow::Result<()> {
    let interrupted = snapshot.released.is_some() && snapshot.applied_at.is_none();
    if interrupted {
        return apply(context, &snapshot).await;
    }
    let stated = speaker.stated()?;
    let id = stated.id;
    let released = snapshot_import(context).release(&snapshot, stated).await.map_err(|error| undecided(error, id))?;
    apply(context, &released).await
}

pub(super) async fn dismiss(
    context: &Context,
    snapshot: &ListSnapshot,
    code: &str,
    speaker: Repeatable,
) -> anyhow::Result<()> {
    let stated = speaker.stated()?;
    let id = stated.id;
    let decided =
        snapshot_import(context).dismiss(snapshot, code, stated).await.map_err(|error| undecided(error, id))?;
    if !decided.withdrawn {
        let row = &decided.row;
        say(&format!("{} {} を対象外としました / dismissed; it is not suggested again", row.code, row.name));
    }
    let done = shown(context, &decided).await?;
    reported(context, decided, id, done).await
}

pub(super) async fn belongs(
    context: &Context,
    snapshot: &ListSnapshot,
    code: &str,
    facility: &str,
    speaker: Repeatable,
) -> anyhow::Result<()> {
    let stated = speaker.stated()?;
    let id = stated.id;
    let decided = snapshot_import(context).match_row(snapshot, code, facility, stated).await;
    let decided = decided.map_err(|error| undecided(error, id))?;
    let done = shown(context, &decided).await?;
    if done == Done::Accepted {
        reported(context, decided, id, done).await?;
        note("反映後に `listing reconcile` を実行してください / run `listing reconcile` once the pages show it");
        return Ok(());
    }
    if snapshot.quarantined() {
        note(
            "リストは保留中のため、承認後に照合されます / the list is in quarantine: it is compared after its release",
        );
    }
    for one in snapshot_import(context).to_apply(snapshot).await? {
        apply(context, &one).await?;
    }
    reported(context, decided, id, done).await
}

/// Waits until a decision is shown.
async fn shown(context: &Context, decided: &RowDecision) -> anyhow::Result<Done> {
    Ok(match decided.recorded {
        Some(recorded) => context.operator.wait_until_projected(recorded).await?.into(),
        None => Done::Again { withdrawn: decided.withdrawn },
    })
}

/// Prints whose row it is and what holds now.
async fn reported(context: &Context, decided: RowDecision, id: Option<StatementId>, done: Done) -> anyhow::Result<()> {
    let RowDecision { row, facility, .. } = decided;
    let content = format!("行 / row: {} {}", row.code, row.name);
    answer(context, Answer::new(facility, id, done), &[content], false).await
}

fn undecided(error: DecisionError, id: Option<StatementId>) -> anyhow::Error {
    match error {
        DecisionError::Refused(problem) => UsageError::from(problem).into(),
        DecisionError::Store(error) => error.into(),
        DecisionError::Log(error) => unknown(error, &id.map(|id| id.to_string()).unwrap_or_default()),
    }
}

const WARNED: usize = 5;
/// Beyond this many facts, a person does not wait until all are shown.
const SHOWN_AT_ONCE: usize = 2000;

/// Prints what was recorded and what needs a person.
async fn report(context: &Context, sheets: &[Option<String>], applied: &ImportReport) -> anyhow::Result<()> {
    let ImportReport { facts, suggested, unmatched, odd_digits, retired } = applied;
    let known = if facts.known > 0 { format!(", {} already recorded", facts.known) } else { String::new() };
    say(&format!(
        "  掲載 {} 件・未掲載 {} 件 / listed {}, not listed {}{known}",
        facts.listed, facts.absent, facts.listed, facts.absent
    ));
    say(&format!(
        "  該当施設のない行 {unmatched} 行（うち候補あり {suggested} 行） / {unmatched} unmatched rows, {suggested} of them \
        resemble a facility{}",
        if *suggested > 0 { ": see `yomitori-server listing unmatched`" } else { "" }
    ));
    warn_of(
        odd_digits,
        WARNED,
        "検査数字が通常と異なるコード / with an unusual check digit",
        |(sheet, row, code)| {
            let place = place(sheets, *sheet, *row);
            format!(
                "{place}: {code} の検査数字が通常と異なります（受け入れました） / accepted with an unusual check digit"
            )
        },
    );
    warn_of(retired, WARNED, "廃止されたコード / with a retired code", |(sheet, row, code, facility)| {
        let place = place(sheets, *sheet, *row);
        format!("{place}: {code} は施設 {facility} の廃止されたコードです / no longer the code of facility {facility}")
    });
    if facts.listed + facts.absent > SHOWN_AT_ONCE {
        note("反映は順次進みます / recorded; the pages follow within a few minutes");
        return Ok(());
    }
    for position in facts.positions.values() {
        if context.operator.wait_until_reached(*position).await? == StatementOutcome::Accepted {
            note(
                "受け付けました。反映は少し後です / accepted, not yet shown everywhere (is the server's projector running?)",
            );
            break;
        }
    }
    Ok(())
}

/// Where a row stands in the file.
fn place(sheets: &[Option<String>], sheet: u16, row: u32) -> String {
    match sheets.get(usize::from(sheet)).cloned().flatten() {
        Some(sheet) => format!("`{sheet}` {row} 行目 / sheet `{sheet}`, row {row}"),
        None => format!("{row} 行目 / row {row}"),
    }
}

const fn snapshot_import(context: &Context) -> SnapshotImport<'_> {
    SnapshotImport { store: &context.store, operator: &context.operator }
}

/// Shows the progress.
fn progress() -> impl FnMut(usize, usize) {
    let mut progress = ProgressMeter::new("施設に反映 / facts recorded");
    move |done, of| {
        progress.set(done as u64, of as u64, "");
        if done == of {
            progress.end();
        }
    }
}

/// The mappings to try, in order.
fn mappings(named: Option<&str>) -> anyhow::Result<Vec<Mapping>> {
    let bundled = Mapping::bundled();
    let Some(named) = named else { return Ok(bundled) };
    if let Some(known) = bundled.iter().find(|mapping| mapping.id == named) {
        return Ok(vec![known.clone()]);
    }
    if !Path::new(named).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
        let known: Vec<&str> = bundled.iter().map(|mapping| mapping.id.as_str()).collect();
        let advice = "or the path of a mapping file that ends with .toml";
        let known = known.join(" or ");
        return Err(UsageError(format!(
            "列の対応 `{named}` はありません / unknown mapping `{named}`: write {known}, {advice}"
        ))
        .into());
    }
    let text = std::fs::read_to_string(named)
        .map_err(|error| UsageError(format!("読めません / failed to read `{named}`: {error}")))?;
    Ok(vec![Mapping::parse(&text).map_err(|error| UsageError(format!("`{named}`: {error}")))?])
}

/// Reads a file up to the size limit.
pub(in crate::cli) fn read_file(file: &Path) -> anyhow::Result<Vec<u8>> {
    let name = file.display();
    let wrong = |error: std::io::Error| UsageError(format!("読めません / failed to read `{name}`: {error}"));
    let about = std::fs::metadata(file).map_err(wrong)?;
    if about.len() > table::FILE_LIMIT {
        let limit = table::FILE_LIMIT / 1024 / 1024;
        return Err(UsageError(format!(
            "`{name}` が {limit} MiB を超えています / `{name}` is larger than {limit} MiB"
        ))
        .into());
    }
    Ok(std::fs::read(file).map_err(wrong)?)
}

pub(in crate::cli) fn refused(file: &str, mistakes: &[Mistake]) -> UsageError {
    let lines: Vec<String> = mistakes.iter().map(|mistake| format!("  - {mistake}")).collect();
    UsageError(format!(
        "failed to import `{file}`: nothing was imported / 何も取り込んでいません\n{}",
        lines.join("\n")
    ))
}
