//! Checks that depend on the facility: whether terminals, codes and statements are its own.

use yomitori_facility::{Facility, Text, withdrawable};
use yomitori_proto::event::{Event, FacilityCodeChanged, Origin, Speaker};
use yomitori_proto::id::{FacilityId, StatementId, TerminalId};

use super::{ID, Problem};
use crate::store::{Store, StoreError, facility as facilities, fact, policy};

/// How a statement stands to what is recorded already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    New,
    /// It is recorded under its identifier, so that it may be stated again.
    Recorded,
    Refused(Problem),
}

/// How stating `event` about `facility` under `id` stands to what is recorded, by the facility's state.
///
/// # Errors
/// If the database is away.
pub async fn standing(
    store: &Store,
    facility: FacilityId,
    id: Option<StatementId>,
    event: &Event,
) -> Result<Standing, StoreError> {
    if let Some(id) = id
        && let Some(recorded) = fact::statement(store, facility, id).await?
    {
        return Ok(if says_the_same(&recorded.recorded.event, event) {
            Standing::Recorded
        } else {
            let text = Text::fixed(
                "この識別子では別の内容が記録されています。識別子を付けずに（画面では開き直して）記録してください。",
                "Something else is recorded under this identifier; record it without one (on a page, open the form again).",
            );
            Standing::Refused(Problem { field: ID, text })
        });
    }
    Ok(against(store, facility, event).await?.map_or(Standing::New, Standing::Refused))
}

/// Whether two events say the same, but for the instant: one that is repeated without an instant has a later one.
fn says_the_same(recorded: &Event, event: &Event) -> bool {
    let timeless = |event: &Event| {
        let mut value = serde_json::to_value(event).ok()?;
        for content in value.as_object_mut()?.values_mut() {
            if let Some(fields) = content.as_object_mut() {
                fields.retain(|name, _| !name.ends_with("_at"));
            }
        }
        Some(value)
    };
    timeless(recorded) == timeless(event)
}

async fn against(store: &Store, facility: FacilityId, event: &Event) -> Result<Option<Problem>, StoreError> {
    match event {
        Event::TerminalRetired(event) => terminal(store, facility, event.terminal).await,
        Event::ReaderRoleAssigned(event) => terminal(store, facility, event.terminal).await,
        Event::FacilityCodeChanged(event) => codes(store, facility, event).await,
        Event::FacilityRegistered(event) => free(store, facility, &event.codes, "code").await,
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
        if known.is_empty() {
            let text = Text::fixed("この施設には端末がありません。", "This facility has no terminal.");
            return Problem { field: "terminal", text };
        }
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
    free(store, facility, new.as_slice(), "new").await
}

/// Whether no other facility has one of these codes.
async fn free(
    store: &Store,
    facility: FacilityId,
    codes: &[String],
    field: &'static str,
) -> Result<Option<Problem>, StoreError> {
    for code in codes {
        if let Some(other) = facilities::by_code(store, code).await?.filter(|other| *other != facility) {
            let name = facilities::rows(store, Some(other)).await?.pop().map(|row| row.name).unwrap_or_default();
            let text = Text::new(
                format!(
                    "{code} は別の施設（{name}）のコードです。先にその施設で廃止してください（code record --old）。"
                ),
                format!("{code} is the code of another facility, {name}; end it there first (code record --old)."),
            );
            return Ok(Some(Problem { field, text }));
        }
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
