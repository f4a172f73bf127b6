//! Prints the results of `listing`: snapshots, unmatched rows, differences, cadence.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;
use yomitori_proto::event::{Event, Origin, Stated};
use yomitori_proto::id::{FacilityId, SnapshotId, StatementId};

use super::super::output::{Format, json, note, say, table};
use super::super::{Context, UsageError};
use crate::store::fact::{self, StoredFact};
use crate::store::listing::measured::measured;
use crate::store::listing::{self as store, ListSnapshot, row};
use crate::when::day;
use yomitori_listing::cadence::{Days, Lag};
use yomitori_listing::diff::{self, DiffRow};

/// The digits of an identifier that people see and type.
pub(super) fn short(snapshot: SnapshotId) -> String {
    snapshot.0.simple().to_string().chars().take(8).collect()
}

#[derive(Serialize)]
struct SnapshotDocument<'a> {
    #[serde(flatten)]
    snapshot: &'a ListSnapshot,
    state: &'static str,
}

pub(super) async fn snapshots(context: &Context, format: Format) -> anyhow::Result<()> {
    let all = store::all(&context.store).await?;
    if format == Format::Json {
        let described: Vec<_> =
            all.iter().map(|snapshot| SnapshotDocument { snapshot, state: snapshot.state() }).collect();
        return json(&described);
    }
    if all.is_empty() {
        note(
            "リストはまだ取り込まれていません / no list has been imported yet: see `yomitori-server listing import --help`",
        );
        return Ok(());
    }
    let rows = all.iter().map(|snapshot| {
        let ListSnapshot { snapshot: id, as_of, imported_at, rows, coverage, source, .. } = snapshot;
        let state = snapshot.state().to_owned();
        [short(*id), day(*as_of), day(*imported_at), state, rows.to_string(), coverage.clone(), source.clone()]
    });
    table(["snapshot", "as of", "imported", "state", "rows", "coverage", "source"], rows);
    Ok(())
}

pub(super) async fn snapshot(context: &Context, snapshot: &ListSnapshot, format: Format) -> anyhow::Result<()> {
    let ours = row::matched(&context.store, snapshot.snapshot).await?;
    let unmatched = row::unmatched_count(&context.store, snapshot.snapshot).await?;
    if format == Format::Json {
        #[derive(Serialize)]
        struct SnapshotDetail<'a> {
            #[serde(flatten)]
            described: SnapshotDocument<'a>,
            unmatched: i64,
            ours: &'a [row::SnapshotRow],
        }
        return json(&SnapshotDetail {
            described: SnapshotDocument { snapshot, state: snapshot.state() },
            unmatched,
            ours: &ours,
        });
    }
    say(&format!("snapshot   {}", snapshot.snapshot));
    say(&format!("source     {}, {}, as of {}", snapshot.source, snapshot.coverage, day(snapshot.as_of)));
    say(&format!("file       sha256 {}, mapping {}", snapshot.sha256, snapshot.format));
    let why = snapshot.why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
    say(&format!("imported   {} by {}{why}", day(snapshot.imported_at), snapshot.imported_by));
    if let Some(before) = snapshot.rows_before {
        say(&format!("quarantine {} rows after {before}", snapshot.rows));
    }
    if let Some(released) = &snapshot.released {
        say(&format!("released   {} by {} ({})", day(released.at), released.by, released.why));
    }
    say(&format!("state      {}", snapshot.state()));
    say(&format!("rows       {}, of ours {}, unmatched {unmatched}", snapshot.rows, ours.len()));
    for line in &ours {
        let retired = if line.retired { "  (retired code)" } else { "" };
        say(&format!("  row {:<7} {} {}{retired}", line.row, line.code, line.name));
    }
    Ok(())
}

pub(super) async fn unmatched(
    context: &Context,
    snapshots: &[ListSnapshot],
    all: bool,
    format: Format,
) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for snapshot in snapshots {
        found.push((snapshot, row::unmatched(&context.store, snapshot.snapshot, all).await?));
    }
    if format == Format::Json {
        #[derive(Serialize)]
        struct UnmatchedDocument<'a> {
            snapshot: SnapshotId,
            rows: &'a [row::Unmatched],
        }
        let queues: Vec<_> =
            found.iter().map(|(snapshot, rows)| UnmatchedDocument { snapshot: snapshot.snapshot, rows }).collect();
        return json(&queues);
    }
    for (snapshot, rows) in found {
        let count = row::unmatched_count(&context.store, snapshot.snapshot).await?;
        let id = short(snapshot.snapshot);
        let resembling = rows.iter().filter(|row| !row.suggestions.is_empty()).count();
        say(&format!(
            "{id} ({}, {}, {}): 該当施設のない行 {count} 行、候補あり {resembling} 行 / {count} unmatched rows, {resembling} \
             resemble a facility",
            snapshot.source,
            snapshot.coverage,
            day(snapshot.as_of)
        ));
        for row in &rows {
            let address = row.line.address.as_deref().unwrap_or_default();
            say(&format!("  row {:<7} {} {} {address}", row.line.row, row.line.code, row.line.name));
            for candidate in &row.suggestions {
                let (code, name) = (candidate.code.as_deref().unwrap_or("-"), candidate.name.as_deref().unwrap_or("-"));
                say(&format!("      ? {code} {name}  [{}]", candidate.reasons.join(", ")));
            }
        }
        if resembling > 0 {
            note(&format!(
                "同じ施設なら / if it is our facility: yomitori-server listing match {id} CODE --facility CODE \
                 --why REASON; if not / else: listing dismiss {id} CODE --why REASON"
            ));
        }
    }
    Ok(())
}

pub(super) async fn diff(
    context: &Context,
    before: &ListSnapshot,
    after: &ListSnapshot,
    ours: bool,
    format: Format,
) -> anyhow::Result<()> {
    if (&before.source, &before.coverage) != (&after.source, &after.coverage) {
        let kind = |snapshot: &ListSnapshot| {
            format!("{} is {}, {}", short(snapshot.snapshot), snapshot.source, snapshot.coverage)
        };
        let what =
            "同じ出所・範囲のリスト同士だけを比較できます / only snapshots of one source and coverage can be compared";
        return Err(UsageError(format!("{what}: {}; {}", kind(before), kind(after))).into());
    }
    let lines = async |snapshot: &ListSnapshot| -> anyhow::Result<Vec<DiffRow>> {
        let rows = row::all(&context.store, snapshot.snapshot).await?;
        Ok(rows.into_iter().map(|row| DiffRow { code: row.code, name: row.name, facility: row.facility }).collect())
    };
    let mut found = diff::diff(lines(before).await?, lines(after).await?);
    if ours {
        found.added.retain(|line| line.facility.is_some());
        found.removed.retain(|line| line.facility.is_some());
        found.renamed.retain(|line| line.facility.is_some());
    }
    if format == Format::Json {
        return json(&found);
    }
    let mark = |facility: Option<Uuid>| if facility.is_some() { "  ← 自施設 ours" } else { "" };
    for line in &found.removed {
        say(&format!("- {} {}{}", line.code, line.name, mark(line.facility)));
    }
    for line in &found.added {
        say(&format!("+ {} {}{}", line.code, line.name, mark(line.facility)));
    }
    for line in &found.renamed {
        say(&format!("~ {} {} → {}{}", line.code, line.before, line.after, mark(line.facility)));
    }
    note(&format!(
        "追加 {}・削除 {}・名称変更 {}・同じ {} / {} added, {} removed, {} renamed, {} unchanged",
        found.added.len(),
        found.removed.len(),
        found.renamed.len(),
        found.unchanged,
        found.added.len(),
        found.removed.len(),
        found.renamed.len(),
        found.unchanged
    ));
    Ok(())
}

pub(super) async fn cadence(context: &Context, format: Format) -> anyhow::Result<()> {
    let measured = measured(&context.store).await?;
    if format == Format::Json {
        return json(&measured);
    }
    for kind in &measured.kinds {
        let (count, newest) = (kind.snapshots, day(kind.newest_as_of));
        say(&format!(
            "{}, {}: {count} 件、最新 {newest} / {count} snapshots, the newest of {newest}",
            kind.source, kind.coverage
        ));
        say(&format!("  間隔 interval             {}", days(kind.interval)));
        say(&format!("  取込まで import delay     {}", days(kind.import_delay)));
    }
    lag("初成功→掲載 first success → listed", &measured.listed_after_success);
    lag("申出受理→掲載終了 opt-out acknowledged → gone", &measured.gone_after_acknowledgement);
    Ok(())
}

fn lag(title: &str, lag: &Lag) {
    say(title);
    say(&format!("  遅くとも at most          {}", days(lag.followed)));
    say(&format!("  早くとも at least         {}", days(lag.at_least)));
    say(&format!(
        "  未反映 {} 件・先に反映 {} 件 / {} waiting, {} already so before the event",
        lag.waiting, lag.before, lag.waiting, lag.before
    ));
}

fn days(days: Option<Days>) -> String {
    match days {
        Some(Days { count, median, longest }) => format!("median {median:.1} d, longest {longest:.1} d (n = {count})"),
        None => "不明 not measured yet".to_owned(),
    }
}

/// The decisions that people recorded about the list, the newest first.
pub(super) async fn decisions(context: &Context, format: Format) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Decision {
        at: DateTime<Utc>,
        kind: &'static str,
        by: String,
        why: Option<String>,
        snapshot: SnapshotId,
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        withdrawn: bool,
    }
    let kinds = ["snapshot_imported", "snapshot_released", "list_row_dismissed", "statement_withdrawn"];
    let facts = fact::of_kinds(&context.store, FacilityId::FLEET, &kinds).await?;
    let withdrawn: BTreeSet<StatementId> = facts
        .iter()
        .filter_map(|stored| match &stored.recorded.event {
            Event::StatementWithdrawn(event) => Some(event.statement),
            _ => None,
        })
        .collect();
    let decision = |stored: &StoredFact| {
        let (snapshot, code) = match &stored.recorded.event {
            Event::SnapshotImported(event) => (event.snapshot, None),
            Event::SnapshotReleased(event) => (event.snapshot, None),
            Event::ListRowDismissed(event) => (event.snapshot, Some(event.code.clone())),
            _ => return None,
        };
        let Origin::Person(Stated { by, why, stated_at, id }) = stored.recorded.origin.clone() else { return None };
        let withdrawn = id.is_some_and(|id| withdrawn.contains(&id));
        Some(Decision { at: stated_at, kind: stored.recorded.event.kind(), by, why, snapshot, code, withdrawn })
    };
    let found: Vec<Decision> = facts.iter().rev().filter_map(decision).collect();
    if format == Format::Json {
        return json(&found);
    }
    for Decision { at, kind, by, why, snapshot, code, withdrawn } in &found {
        let (code, why) = (code.as_deref().unwrap_or(""), why.as_deref().unwrap_or("-"));
        let mark = if *withdrawn { "  取り消し済み withdrawn" } else { "" };
        say(&format!("{} {:<19} {} {code:<10} {by}（{why}）{mark}", day(*at), kind, short(*snapshot)));
    }
    Ok(())
}
