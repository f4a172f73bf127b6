//! Imports a snapshot of the ministry's list: stores it, decides whether it may be used, and records what it says of every
//! facility that it covers.
//!
//! All rows are stored in one transaction before the first fact goes to the log. Suggestions are computed at the same time,
//! since no fact waits for them. Which facts the log has confirmed is noted part by part, so that an interrupted import
//! resumes; a part that was in flight may be recorded twice, which the fold counts once.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use uuid::Uuid;
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::event::{ListingObserved, SnapshotImported, Stated};
use yomitori_proto::id::{FacilityId, SnapshotId};

use crate::clock;
use crate::ingest::operator::{Operator, StatementError};
use crate::log::Position;
use crate::log::kafka::AppendError;
use crate::store::listing::row::{self, SnapshotRow, SuggestionRow};
use crate::store::listing::{self as snapshots, ListSnapshot};
use crate::store::{Store, StoreError, directory};
use yomitori_listing::directory::{Directory, DirectoryFacility};
use yomitori_listing::entry::{ListingEntries, ListingEntry};
use yomitori_listing::reconcile::{Finding, Reconciliation, reconcile, suggestions};
use yomitori_listing::snapshot::{DatedAhead, Shrinkage, SnapshotIdentity, dated, shrunken};
use yomitori_listing::suggest::Suggestion;
use yomitori_listing::{Coverage, CoverageError};

/// Facts recorded in one part.
const PART: usize = 10_000;
/// Facts on their way to the log at once.
const AT_ONCE: usize = 5000;

/// Why a snapshot could not be taken in. What was kept of it stays, and the import can be run again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("failed to store the snapshot")]
    Store(#[from] StoreError),
    #[error("failed to record it for the facilities (run the same command again: it continues where it stopped)")]
    Append(#[from] AppendError),
    #[error("it may or may not have been recorded (run the same command again: it continues where it stopped)")]
    State(#[from] StatementError),
    #[error("the same file is being imported by somebody else; see `listing snapshots`")]
    UnderWay,
    #[error("the list is dated in the future")]
    Ahead(#[from] DatedAhead),
    #[error("invalid coverage")]
    Coverage(#[from] CoverageError),
}

/// The outcome of an import.
#[derive(Debug)]
pub enum ImportOutcome {
    /// It is doubtful: stored, and nothing was recorded.
    Quarantined(Shrinkage),
    Applied(ImportReport),
}

/// What a snapshot said of the facilities.
#[derive(Debug, Default)]
pub struct ImportReport {
    pub facts: FactCounts,
    /// The rows of `unmatched` that resemble a facility.
    pub suggested: usize,
    pub unmatched: usize,
    /// (sheet, row, code) of rows whose code fails its check digit.
    pub odd_digits: Vec<(u16, u32, InstitutionCode)>,
    /// (sheet, row, code, facility) of rows that match a code which the facility no longer has.
    pub retired: Vec<(u16, u32, InstitutionCode, FacilityId)>,
}

/// How many facts were recorded, and where they are in the log.
#[derive(Debug, Default)]
pub struct FactCounts {
    pub listed: usize,
    pub absent: usize,
    /// Recorded by an earlier run.
    pub known: usize,
    /// The last position in each partition.
    pub positions: BTreeMap<i32, Position>,
}

/// All facilities; a code counts as retired if it was so at `as_of`.
///
/// # Errors
/// Where the database is away.
pub async fn directory(store: &Store, as_of: DateTime<Utc>) -> Result<Directory, StoreError> {
    let (mut facilities, mut codes) = (Vec::new(), Vec::new());
    directory::each(store, |known| {
        let prefecture = known.prefecture.parse().ok();
        for held in &known.codes {
            let retired = held.until.is_some_and(|until| until <= as_of);
            codes.extend(InstitutionCode::parse(&held.code).ok().map(|code| (known.facility, code, retired)));
        }
        facilities.push(DirectoryFacility {
            id: known.facility,
            name: known.name.into(),
            prefecture,
            address: known.address.map(Into::into),
        });
    })
    .await?;
    Ok(Directory::new(facilities, codes))
}

/// The door through which snapshots come.
#[derive(Clone, Copy)]
pub struct SnapshotImport<'a> {
    pub store: &'a Store,
    pub operator: &'a Operator,
}

impl SnapshotImport<'_> {
    /// Stores a new snapshot and, unless it is doubtful, applies it. `progress` receives how many facts of how many are recorded.
    ///
    /// # Errors
    /// Where its date has not come yet, or the database or the log is away.
    pub async fn import(
        self,
        identity: &SnapshotIdentity,
        format: &str,
        said: &Stated,
        read: &Arc<ListingEntries>,
        directory: &Arc<Directory>,
        progress: impl FnMut(usize, usize),
    ) -> Result<ImportOutcome, ImportError> {
        dated(identity.as_of, clock::now())?;
        let store = self.store;
        let found = reconcile(&read.entries, directory, &identity.coverage);
        let coverage = identity.coverage.to_string();
        let rows = read.entries.len();
        let before = snapshots::rows_before(store, &identity.source, &coverage, identity.as_of).await?;
        let doubt = shrunken(rows, before.and_then(|before| usize::try_from(before).ok()));
        let snapshot = ListSnapshot {
            snapshot: identity.id(),
            source: identity.source.clone(),
            coverage,
            as_of: identity.as_of,
            sha256: hex::encode(identity.sha256),
            format: format.to_owned(),
            sheets: read.sheets.iter().map(|sheet| sheet.clone().unwrap_or_default()).collect(),
            rows: i32::try_from(rows).unwrap_or(i32::MAX),
            imported_at: said.stated_at,
            imported_by: said.by.clone(),
            why: said.why.clone(),
            rows_before: doubt.map(|doubt| i32::try_from(doubt.before).unwrap_or(i32::MAX)),
            released: None,
            applied_at: None,
        };
        let (entries, facilities) = (Arc::clone(read), Arc::clone(directory));
        let dismissed = snapshots::dismissed(store).await?;
        let suggesting = tokio::task::spawn_blocking(move || undismissed(&entries.entries, &dismissed, &facilities));
        // Who took it in is in the log before anything follows from it.
        let imported = SnapshotImported {
            snapshot: snapshot.snapshot,
            source: snapshot.source.clone(),
            as_of: snapshot.as_of,
            coverage: snapshot.coverage.clone(),
            rows: u32::try_from(rows).unwrap_or(u32::MAX),
        };
        self.operator.record(FacilityId::FLEET, said.clone(), imported.into()).await?;
        if !row::keep(store, &snapshot, lines(&read.entries, &found, directory)).await? {
            return Err(ImportError::UnderWay);
        }
        let facts = match doubt {
            Some(_) => FactCounts::default(),
            None => self.record(&snapshot, &found.findings, directory, HashSet::new(), progress).await?,
        };
        let suggestions = suggesting.await.expect("no row makes the suggestions panic");
        row::rematch(store, snapshot.snapshot, &[], &suggested(&suggestions, directory)).await?;
        if let Some(doubt) = doubt {
            return Ok(ImportOutcome::Quarantined(doubt));
        }
        snapshots::applied(store, snapshot.snapshot, clock::now()).await?;
        Ok(ImportOutcome::Applied(applied(&read.entries, &found, suggestions.len(), directory, facts)))
    }

    /// Applies a kept snapshot once more: after it was released or interrupted, or for facilities and codes that were
    /// registered since. No fact is recorded twice.
    ///
    /// # Errors
    /// Where its date has not come yet, or the database or the log is away.
    pub async fn apply(
        self,
        snapshot: &ListSnapshot,
        progress: impl FnMut(usize, usize),
    ) -> Result<ImportReport, ImportError> {
        dated(snapshot.as_of, clock::now())?;
        let store = self.store;
        let coverage: Coverage = snapshot.coverage.parse()?;
        let directory = directory(store, snapshot.as_of).await?;
        let kept = row::all(store, snapshot.snapshot).await?;
        let entries: Vec<ListingEntry> =
            kept.iter().map(|line| entry(line).expect("what is kept was an entry")).collect();
        let found = reconcile(&entries, &directory, &coverage);
        let now: Vec<SnapshotRow> = lines(&entries, &found, &directory).collect();
        let changed = |(old, new): (&SnapshotRow, &SnapshotRow)| {
            ((old.facility, old.retired) != (new.facility, new.retired)).then_some((
                new.row_index,
                new.facility,
                new.retired,
            ))
        };
        let changed: Vec<_> = kept.iter().zip(&now).filter_map(changed).collect();
        let suggestions = undismissed(&entries, &snapshots::dismissed(store).await?, &directory);
        row::rematch(store, snapshot.snapshot, &changed, &suggested(&suggestions, &directory)).await?;
        let recorded = snapshots::recorded(store, snapshot.snapshot).await?.into_iter().collect();
        let facts = self.record(snapshot, &found.findings, &directory, recorded, progress).await?;
        snapshots::applied(store, snapshot.snapshot, clock::now()).await?;
        Ok(applied(&entries, &found, suggestions.len(), &directory, facts))
    }

    async fn record(
        self,
        snapshot: &ListSnapshot,
        tidings: &[Finding],
        directory: &Directory,
        recorded: HashSet<(FacilityId, String)>,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<FactCounts, ImportError> {
        let stated_at = clock::now();
        let already: HashSet<FacilityId> = recorded.iter().map(|(facility, _)| *facility).collect();
        let news: Vec<(FacilityId, Option<InstitutionCode>)> = tidings
            .iter()
            .filter_map(|tiding| Some((directory.facility(tiding.facility)?.id, tiding.code)))
            .filter(|(facility, code)| match code {
                Some(code) => !recorded.contains(&(*facility, code.to_string())),
                None => !already.contains(facility),
            })
            .collect();
        let listed = news.iter().filter(|(_, code)| code.is_some()).count();
        let known = tidings.len() - news.len();
        let mut facts = FactCounts { listed, absent: news.len() - listed, known, positions: BTreeMap::new() };
        let mut done = 0;
        for part in news.chunks(PART) {
            let relayed = part.iter().copied().map(|(facility, code)| {
                let observed = ListingObserved {
                    as_of: snapshot.as_of,
                    coverage: snapshot.coverage.clone(),
                    listed: code.is_some(),
                    code: code.map(|code| code.to_string()),
                };
                self.operator.record_from_list(facility, snapshot.snapshot, stated_at, observed)
            });
            let mut relayed = stream::iter(relayed).buffer_unordered(AT_ONCE);
            while let Some(position) = relayed.try_next().await? {
                let last = facts.positions.entry(position.partition).or_insert(position);
                *last = (*last).max(position);
            }
            let facilities: Vec<Uuid> = part.iter().map(|(facility, _)| facility.0).collect();
            let codes: Vec<&str> =
                part.iter().map(|(_, code)| code.as_ref().map_or("", InstitutionCode::as_str)).collect();
            snapshots::note_recorded(self.store, snapshot.snapshot, &facilities, &codes).await?;
            done += part.len();
            progress(done, news.len());
        }
        Ok(facts)
    }
}

/// Whose the rows may be of which nobody said that they are none of ours.
fn undismissed(
    entries: &[ListingEntry],
    dismissed: &BTreeSet<String>,
    directory: &Directory,
) -> Vec<(usize, Vec<Suggestion>)> {
    let mut found = suggestions(entries, directory);
    found.retain(|(place, _)| entries.get(*place).is_some_and(|entry| !dismissed.contains(entry.code.as_str())));
    found
}

fn applied(
    entries: &[ListingEntry],
    found: &Reconciliation,
    suggested: usize,
    directory: &Directory,
    facts: FactCounts,
) -> ImportReport {
    let odd = |place: &usize| entries.get(*place).map(|entry| (entry.sheet, entry.row, entry.code));
    let retired = entries.iter().zip(&found.matches).filter_map(|(entry, matched)| {
        let matched = matched.filter(|matched| matched.retired)?;
        Some((entry.sheet, entry.row, entry.code, directory.facility(matched.facility)?.id))
    });
    ImportReport {
        facts,
        suggested,
        unmatched: found.matches.iter().filter(|matched| matched.is_none()).count(),
        odd_digits: found.odd_digits.iter().filter_map(odd).collect(),
        retired: retired.collect(),
    }
}

fn lines<'a>(
    entries: &'a [ListingEntry],
    found: &'a Reconciliation,
    directory: &'a Directory,
) -> impl Iterator<Item = SnapshotRow> + 'a {
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    (0..).zip(entries.iter().zip(&found.matches)).map(move |(place, (entry, matched))| SnapshotRow {
        row_index: place,
        sheet: i16::try_from(entry.sheet).unwrap_or(i16::MAX),
        row: number(entry.row),
        code: entry.code.to_string(),
        name: entry.name.to_string(),
        address: entry.address.as_deref().map(str::to_owned),
        facility: matched.and_then(|matched| Some(directory.facility(matched.facility)?.id.0)),
        retired: matched.is_some_and(|matched| matched.retired),
    })
}

fn suggested(suggestions: &[(usize, Vec<Suggestion>)], directory: &Directory) -> Vec<SuggestionRow> {
    let of_row = |(place, suggestions): &(usize, Vec<Suggestion>)| {
        let place = i32::try_from(*place).unwrap_or(i32::MAX);
        let one = |(rank, suggestion): (i16, &Suggestion)| {
            let reasons = suggestion.reasons.iter().map(|reason| reason.key()).collect();
            Some(SuggestionRow {
                row_index: place,
                rank,
                facility: directory.facility(suggestion.facility)?.id.0,
                reasons,
            })
        };
        (0..).zip(suggestions).filter_map(one).collect::<Vec<_>>()
    };
    suggestions.iter().flat_map(of_row).collect()
}

fn entry(line: &SnapshotRow) -> Option<ListingEntry> {
    Some(ListingEntry {
        sheet: u16::try_from(line.sheet).ok()?,
        row: u32::try_from(line.row).ok()?,
        code: InstitutionCode::parse(&line.code).ok()?,
        name: line.name.as_str().into(),
        address: line.address.as_deref().map(Into::into),
    })
}

/// The snapshots whose identifier begins as `text` does.
#[must_use]
pub fn named<'a>(all: &'a [ListSnapshot], text: &str) -> Vec<&'a ListSnapshot> {
    let text = text.to_ascii_lowercase();
    let begins = |id: SnapshotId| id.to_string().starts_with(&text) || id.0.simple().to_string().starts_with(&text);
    if text.is_empty() { Vec::new() } else { all.iter().filter(|snapshot| begins(snapshot.snapshot)).collect() }
}
