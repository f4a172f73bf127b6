//! What makes sense only for some facilities: that terminals, codes and statements are theirs.

use yomitori_facility::{Facility, Text, withdrawable};
use yomitori_proto::event::{Event, FacilityCodeChanged, Origin, Speaker};
use yomitori_proto::id::{FacilityId, StatementId, TerminalId};

use super::Problem;
use crate::store::{Store, StoreError, facility as facilities, fact, policy};

/// What speaks against stating `event` of `facility` under `id`, by what is known of it; nothing where it was recorded
/// already, so that it may be sent again.
///
/// # Errors
/// Where the database is away.
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
                    "It is no entry of this facility's desk page.",
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
            format!("It is no terminal of this facility; there are: {all}."),
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
            format!("{old} is no valid code of this facility."),
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
        None => Text::fixed("この施設にその記録はありません。", "There is no such statement of this facility."),
        Some(recorded) if !withdrawable(&recorded.event) => Text::fixed(
            "この種類の記録は取り消せません。改めて正しい内容を記録してください。",
            "A statement of this kind can't be withdrawn; state what is right.",
        ),
        Some(_) if fact::is_withdrawn(store, facility, id).await? => {
            Text::fixed("すでに取り消されています。", "It has been withdrawn already.")
        }
        Some(_) => {
            // What was stated of the fleet has no state, and is kept for good.
            let Some(state) = facilities::state(store, facility).await? else { return Ok(None) };
            if state.can_withdraw(id, &policy::now(store).await?.rules) {
                return Ok(None);
            }
            Text::fixed(
                "古い記録のため、もう個別には取り消せません。改めて正しい内容を記録してください。",
                "It is too long ago to be withdrawn by itself; state what is right.",
            )
        }
    };
    Ok(Some(Problem { field: "statement", text }))
}
