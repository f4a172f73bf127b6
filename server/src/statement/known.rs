//! Checks that depend on the facility: whether terminals, codes and statements are its own.

use yomitori_facility::{Facility, Text, withdrawable};
use yomitori_proto::event::{Event, FacilityCodeChanged, Origin, Speaker};
use yomitori_proto::id::{FacilityId, StatementId, TerminalId};

use super::Problem;
use crate::store::{Store, StoreError, facility as facilities, fact, policy};

/// The problem with stating `event` about `facility` under `id`, by the facility's state; `None` if the statement is
/// recorded already, so that it can be repeated.
///
/// # Errors
/// If the database is away.
pub async fn problem(
    store: &Store,
    facility: FacilityId,
    id: Option<StatementId>,
    event: &Event,
) -> Result<Option<Problem>, StoreError> {
    let problem = against(store, facility, event).await?;
    let recorded = match id.filter(|_| problem.is_some()) {
        Some(id) => fact::statement(store, facility, id).await?.is_some(),
        None => false,
    };
    Ok(problem.filter(|_| !recorded))
}

async fn against(store: &Store, facility: FacilityId, event: &Event) -> Result<Option<Problem>, StoreError> {
    match event {
        Event::TerminalRetired(event) => terminal(store, facility, event.terminal).await,
        Event::ReaderRoleAssigned(event) => terminal(store, facility, event.terminal).await,
        Event::FacilityCodeChanged(event) => codes(store, facility, event).await,
        Event::StatementWithdrawn(event) => statement(store, facility, event.statement).await,
        Event::EntryWithdrawn(event) => {
            let entry = fact::observed(store, facility, event.life, event.seq).await?;
            let entered = entry.is_some_and(|entry| {
                entry.recorded.event.speaker() == Speaker::Anyone && withdrawable(&entry.recorded.event)
            });
            Ok((!entered).then(|| {
                let text = Text::fixed(
                    "この施設の受付画面の入力ではありません。",
                    "This is not an entry of this facility's desk page.",
                );
                Problem { field: "entry", text }
            }))
        }
        _ => Ok(None),
    }
}

async fn terminal(store: &Store, facility: FacilityId, terminal: TerminalId) -> Result<Option<Problem>, StoreError> {
    let state = facilities::state(store, facility).await?;
    let known: Vec<TerminalId> = state.iter().flat_map(Facility::terminals).collect();
    Ok((!known.contains(&terminal)).then(|| {
        let all = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let text = Text::new(
            format!("この施設の端末ではありません（この施設の端末: {all}）。"),
            format!("This is not a terminal of this facility; its terminals are: {all}."),
        );
        Problem { field: "terminal", text }
    }))
}

async fn codes(
    store: &Store,
    facility: FacilityId,
    FacilityCodeChanged { old, new, .. }: &FacilityCodeChanged,
) -> Result<Option<Problem>, StoreError> {
    if let Some(old) = old
        && facilities::by_code(store, old).await? != Some(facility)
    {
        let text = Text::new(
            format!("{old} はこの施設の有効なコードではありません。"),
            format!("{old} is not a current code of this facility."),
        );
        return Ok(Some(Problem { field: "old", text }));
    }
    if let Some(new) = new
        && let Some(other) = facilities::by_code(store, new).await?
        && other != facility
    {
        let text = Text::new(
            format!("{new} は別の施設のコードです（{other}）。先にその施設で廃止してください。"),
            format!("{new} is the code of another facility, {other}; end it there first."),
        );
        return Ok(Some(Problem { field: "new", text }));
    }
    Ok(None)
}

/// Whether a statement of the facility can be withdrawn.
async fn statement(store: &Store, facility: FacilityId, id: StatementId) -> Result<Option<Problem>, StoreError> {
    let found = fact::statement(store, facility, id).await?.map(|stored| stored.recorded);
    let text = match found.filter(|recorded| matches!(recorded.origin, Origin::Person(_))) {
        None => Text::fixed("この施設にその記録はありません。", "This facility has no such statement."),
        Some(recorded) if !withdrawable(&recorded.event) => Text::fixed(
            "この種類の記録は取り消せません。改めて正しい内容を記録してください。",
            "A statement of this kind cannot be withdrawn; record the correct one.",
        ),
        Some(_) if fact::is_withdrawn(store, facility, id).await? => {
            Text::fixed("すでに取り消されています。", "It is already withdrawn.")
        }
        Some(_) => {
            // The fleet has no state; statements about it are kept permanently.
            let Some(state) = facilities::state(store, facility).await? else { return Ok(None) };
            if state.can_withdraw(id, &policy::now(store).await?.rules) {
                return Ok(None);
            }
            Text::fixed(
                "古い記録のため、もう個別には取り消せません。改めて正しい内容を記録してください。",
                "It is too old to be withdrawn on its own; record the correct statement.",
            )
        }
    };
    Ok(Some(Problem { field: "statement", text }))
}
