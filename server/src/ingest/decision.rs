//! What a person decides about the ministry's list: to which facility a row belongs, that it belongs to none, and that a
//! quarantined snapshot is right. Pages and commands both decide here, so that the same sentence refuses the same decision.

use yomitori_facility::Text;
use yomitori_listing::snapshot::{DatedAhead, dated};
use yomitori_proto::event::{Event, FacilityCodeChanged, ListRowDismissed, SnapshotReleased, Stated};
use yomitori_proto::id::FacilityId;

use super::operator::{RecordedStatement, StatementError};
use super::snapshot::SnapshotImport;
use crate::clock;
use crate::statement::known::{self, Standing};
use crate::statement::{self, Problem};
use crate::store::StoreError;
use crate::store::listing::newest::of_each_kind;
use crate::store::listing::row::{self, SnapshotRow};
use crate::store::listing::{self as snapshots, ListSnapshot, Release};

/// Why nothing was decided, or why the outcome is unknown.
#[derive(Debug)]
pub enum DecisionError {
    /// The decision does not apply.
    Refused(Problem),
    Store(StoreError),
    /// It may or may not be in the log.
    Log(StatementError),
}

impl From<Problem> for DecisionError {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<StoreError> for DecisionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<StatementError> for DecisionError {
    fn from(error: StatementError) -> Self {
        match error {
            StatementError::Invalid(why) => {
                Self::Refused(Problem { field: "code", text: Text::new(why.to_string(), why.to_string()) })
            }
            error @ StatementError::Append(_) => Self::Log(error),
        }
    }
}

impl From<DatedAhead> for DecisionError {
    fn from(ahead: DatedAhead) -> Self {
        Self::Refused(Problem { field: "as_of", text: ahead.text() })
    }
}

/// The row of a decision, and the record of the decision; none if the same was recorded before.
#[derive(Debug)]
pub struct RowDecision {
    pub row: SnapshotRow,
    /// The facility that has the row by it; the fleet if none has it.
    pub facility: FacilityId,
    pub recorded: Option<RecordedStatement>,
    /// Whether the one that was recorded before was withdrawn since.
    pub withdrawn: bool,
}

impl SnapshotImport<'_> {
    /// Makes the row's code a code of the facility, from the date of the list. The snapshot is not applied by this.
    ///
    /// # Errors
    /// If the decision does not apply, or the database or the log is away.
    pub async fn match_row(
        self,
        snapshot: &ListSnapshot,
        code: &str,
        facility: &str,
        stated: Stated,
    ) -> Result<RowDecision, DecisionError> {
        let row = self.row(snapshot, code).await?;
        let facility = known::facility(self.store, facility).await??;
        let changed = FacilityCodeChanged { old: None, new: Some(row.code.clone()), effective_at: snapshot.as_of };
        self.decide_row(facility, row, stated, changed.into()).await
    }

    /// The snapshots to apply after a row of `snapshot` was matched, the oldest first: that one, unless it is in quarantine,
    /// and the newest of each kind, which may have the code too.
    ///
    /// # Errors
    /// If the database is away.
    pub async fn to_apply(self, snapshot: &ListSnapshot) -> Result<Vec<ListSnapshot>, StoreError> {
        let all = snapshots::all(self.store).await?;
        let mut chosen: Vec<ListSnapshot> = of_each_kind(&all).into_iter().cloned().collect();
        if !snapshot.quarantined() && chosen.iter().all(|one| one.snapshot != snapshot.snapshot) {
            chosen.push(snapshot.clone());
        }
        chosen.sort_by_key(|one| one.as_of);
        Ok(chosen)
    }

    /// Rows with this code belong to none of our facilities, whatever they resemble: neither now nor in later snapshots.
    ///
    /// # Errors
    /// If the decision does not apply, or the database or the log is away.
    pub async fn dismiss(
        self,
        snapshot: &ListSnapshot,
        code: &str,
        stated: Stated,
    ) -> Result<RowDecision, DecisionError> {
        let row = self.row(snapshot, code).await?;
        let dismissed = ListRowDismissed { snapshot: snapshot.snapshot, code: row.code.clone() };
        let decision = self.decide_row(FacilityId::FLEET, row, stated, dismissed.into()).await?;
        if !decision.withdrawn {
            row::dismiss(self.store, &decision.row.code).await?;
        }
        Ok(decision)
    }

    /// Releases a quarantined snapshot, and returns it as it is then. It is not applied by this.
    ///
    /// # Errors
    /// If it is not in quarantine or its date has not come yet, or the database or the log is away.
    pub async fn release(self, snapshot: &ListSnapshot, stated: Stated) -> Result<ListSnapshot, DecisionError> {
        dated(snapshot.as_of, clock::now())?;
        let released = SnapshotReleased { snapshot: snapshot.snapshot }.into();
        match known::standing(self.store, FacilityId::FLEET, &stated, &released, true).await? {
            Standing::Refused(problem) => return Err(problem.into()),
            Standing::Recorded { .. } => {}
            Standing::New if !snapshot.quarantined() => return Err(not_in_quarantine().into()),
            Standing::New => _ = self.operator.record(FacilityId::FLEET, stated.clone(), released).await?,
        }
        let Stated { by, why, stated_at, .. } = stated;
        let release = Release { at: stated_at, by, why: why.unwrap_or_default() };
        snapshots::release(self.store, snapshot.snapshot, &release).await?;
        let released = snapshot.released.clone().unwrap_or(release);
        Ok(ListSnapshot { released: Some(released), ..snapshot.clone() })
    }

    async fn decide_row(
        self,
        facility: FacilityId,
        row: SnapshotRow,
        stated: Stated,
        event: Event,
    ) -> Result<RowDecision, DecisionError> {
        // The code stands in the ministry's list, so that an unusual check digit is no doubt.
        let standing = known::standing(self.store, facility, &stated, &event, true).await?;
        let (recorded, withdrawn) = match standing {
            Standing::Recorded { withdrawn } => (None, withdrawn),
            Standing::New if row.facility.is_some() => return Err(already_matched().into()),
            Standing::Refused(problem) => return Err(problem.into()),
            Standing::New => (Some(self.operator.record(facility, stated, event).await?), false),
        };
        Ok(RowDecision { row, facility, recorded, withdrawn })
    }

    /// The row of the snapshot that has `code`.
    async fn row(self, snapshot: &ListSnapshot, code: &str) -> Result<SnapshotRow, DecisionError> {
        let code = statement::code("code", code)?;
        let found = row::with_code(self.store, snapshot.snapshot, code.as_str()).await?;
        Ok(found.ok_or_else(|| {
            let text = Text::new(
                format!("このリストに {code} の行はありません。"),
                format!("No row of this list has the code {code}."),
            );
            Problem { field: "code", text }
        })?)
    }
}

fn already_matched() -> Problem {
    let text = Text::fixed("この行はすでに自施設に対応しています。", "The row matches a facility of ours already.");
    Problem { field: "code", text }
}

fn not_in_quarantine() -> Problem {
    let text = Text::fixed("このリストは保留されていません。", "This list is not in quarantine.");
    Problem { field: "snapshot", text }
}
