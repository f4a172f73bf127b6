//! Checks that depend on the facility: which one it is, and whether terminals, readers, codes and statements are its own.

mod codes;

use serde_json::Value;
use yomitori_facility::{Facility, StoredJson as _, Text, withdrawable};
use yomitori_proto::event::{EntryWithdrawn, Event, FacilityRegistered, Origin, ReaderRoleAssigned, Speaker, Stated};
use yomitori_proto::id::{FacilityId, StatementId, TerminalId};
use yomitori_proto::vocabulary::Closes;

use super::{ID, Problem, SURE};
use crate::store::facility::{self as facilities, CodeHolder};
use crate::store::fact::{self, StoredFact};
use crate::store::listing as snapshots;
use crate::store::terminal::{self as terminals, TerminalState};
use crate::store::{Store, StoreError, policy};

/// The facility that an event is about if the person named `facility`, or the fleet.
///
/// # Errors
/// If the database is away.
pub async fn subject(
    store: &Store,
    facility: Option<FacilityId>,
    event: &Event,
) -> Result<Result<FacilityId, Problem>, StoreError> {
    Ok(match event {
        Event::FacilityRegistered(FacilityRegistered { codes, .. }) => {
            // The first code says which facility it is: otherwise a wrong digit in another one would rename a clinic. The
            // identifier follows from it, so that registering a facility twice has no further effect.
            let first = codes.first().map_or("", String::as_str);
            let known = facilities::by_code(store, first).await?;
            Ok(known.unwrap_or_else(|| FacilityId::of_code(first)))
        }
        Event::ClosureSet(closure) if closure.closes != Closes::Clinics && facility.is_some() => {
            let text = Text::fixed(
                "コールセンターの休業は施設を指定せずに記録してください（画面では「ルール」のページから）。",
                "A closure of the call centre is of no facility: name none (on a page, record it from the page of the rules).",
            );
            Err(Problem { field: "closes", text })
        }
        _ => Ok(facility.unwrap_or(FacilityId::FLEET)),
    })
}

/// The facility that a person names by one of its present codes or by the identifier.
///
/// # Errors
/// If the database is away.
pub async fn facility(store: &Store, text: &str) -> Result<Result<FacilityId, Problem>, StoreError> {
    let text = text.trim();
    if let Ok(id) = text.parse() {
        let known = !facilities::rows(store, Some(id)).await?.is_empty();
        let unknown = Text::new(
            format!("識別子 {id} の施設はありません。"),
            format!("No facility has the identifier {id}: see the list of facilities."),
        );
        return Ok(if known { Ok(id) } else { Err(Problem { field: FACILITY, text: unknown }) });
    }
    let code = match super::code(FACILITY, text) {
        Ok(code) => code,
        Err(problem) => return Ok(Err(problem)),
    };
    if let Some(found) = facilities::by_code(store, code.as_str()).await? {
        return Ok(Ok(found));
    }
    let formerly = facilities::holders(store, code.as_str()).await?.into_iter().next();
    Ok(Err(if let Some(CodeHolder { facility, name, .. }) = formerly {
        let text = Text::new(
            format!(
                "{code} は {name} の現在のコードではありません。現在のコードか識別子 {facility} で指定してください。"
            ),
            format!(
                "{code} is not a current code of {name}: name it by its current code, or by its identifier {facility}."
            ),
        );
        Problem { field: FACILITY, text }
    } else {
        let (ja, en) = if code.check_digit_holds() {
            ("施設の一覧を確かめるか、先に登録してください。", "see the list of facilities, or register it first")
        } else {
            ("検査数字が通常と異なります。コードを確かめてください。", "its check digit is unusual: compare the code")
        };
        let text =
            Text::new(format!("{code} の施設はありません。{ja}"), format!("No facility has the code {code}: {en}."));
        Problem { field: FACILITY, text }
    }))
}

const FACILITY: &str = "facility";

/// The refusal of something else under the identifier of a recorded statement.
pub const OTHER_CONTENT: Text = Text::fixed(
    "この識別子では別の内容が記録されています。識別子を付けずに（画面では開き直して）記録してください。",
    "Something else is recorded under this identifier; record it without one (on a page, open the form again).",
);

/// The answer to a form that is sent again after its statement was withdrawn.
pub const WITHDRAWN_SINCE: Text = Text::fixed(
    "記録のあとに取り消されています。もう一度記録するには、フォームを開き直してください。",
    "It was recorded and has been withdrawn since; to record it once more, open the form again.",
);

/// How a statement stands to what is recorded already.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Standing {
    New,
    /// It is recorded under its identifier, so that it may be stated again.
    Recorded {
        /// Whether it was withdrawn since: stating it again changes nothing.
        withdrawn: bool,
    },
    Refused(Problem),
}

/// How what is `stated` about `facility` stands to what is recorded, by the facility's state; `sure` if the person has
/// confirmed a doubt.
///
/// # Errors
/// If the database is away.
pub async fn standing(
    store: &Store,
    facility: FacilityId,
    stated: &Stated,
    event: &Event,
    sure: bool,
) -> Result<Standing, StoreError> {
    if let Some(id) = stated.id
        && let Some(StoredFact { recorded, .. }) = fact::statement(store, facility, id).await?
    {
        let same = matches!(&recorded.origin, Origin::Person(before)
            if before.by == stated.by && says_the_same((before, &recorded.event), (stated, event)));
        if !same {
            return Ok(Standing::Refused(Problem { field: ID, text: OTHER_CONTENT }));
        }
        let withdrawn = fact::is_withdrawn(store, facility, id).await?;
        return Ok(Standing::Recorded { withdrawn });
    }
    let problem = against(store, facility, stated, event).await?.filter(|problem| problem.field != SURE || !sure);
    Ok(problem.map_or(Standing::New, Standing::Refused))
}

/// Whether two events say the same, but for the instant: one that is repeated without an instant has a later one.
fn says_the_same((before, recorded): (&Stated, &Event), (stated, event): (&Stated, &Event)) -> bool {
    if let (Event::AlertSnoozed(before_event), Event::AlertSnoozed(event)) = (recorded, event) {
        // Its end counts from the statement.
        let (lasted, lasts) = (before_event.until - before.stated_at, event.until - stated.stated_at);
        return before_event.flag == event.flag && lasted == lasts;
    }
    let timeless = |event: &Event| {
        let mut value: Value = serde_json::from_str(&event.to_json().ok()?).ok()?;
        for content in value.as_object_mut()?.values_mut() {
            if let Some(fields) = content.as_object_mut() {
                fields.retain(|name, _| !name.ends_with("_at"));
            }
        }
        Some(value)
    };
    timeless(recorded) == timeless(event)
}

async fn against(
    store: &Store,
    facility: FacilityId,
    stated: &Stated,
    event: &Event,
) -> Result<Option<Problem>, StoreError> {
    match event {
        Event::TerminalRetired(_)
        | Event::TerminalSuspended(_)
        | Event::TerminalResumed(_)
        | Event::TerminalRevoked(_) => match terminals::state_after(event) {
            Some((terminal, state)) => registered(store, facility, terminal, state).await,
            None => Ok(None),
        },
        Event::ReaderRoleAssigned(event) => reader(store, facility, event).await,
        Event::FacilityCodeChanged(event) => codes::changed(store, facility, event).await,
        Event::FacilityRegistered(event) => codes::registered(store, facility, &event.codes, stated.stated_at).await,
        Event::StatementWithdrawn(event) => statement(store, facility, event.statement).await,
        Event::EntryWithdrawn(event) => entry(store, facility, event).await,
        Event::ListRowDismissed(event) => dismissed(store, &event.code).await,
        _ => Ok(None),
    }
}

/// Whether the terminal is the facility's, and can have this state after the one that it has.
async fn registered(
    store: &Store,
    facility: FacilityId,
    terminal: TerminalId,
    after: TerminalState,
) -> Result<Option<Problem>, StoreError> {
    let known = terminals::find(store, terminal).await?.filter(|known| known.facility == facility);
    let before = match known {
        Some(known) => known.state,
        // Of a terminal that was never enrolled there are observations at most.
        None => {
            let state = facilities::state(store, facility).await?;
            if let Some(problem) = foreign(state.as_ref(), terminal) {
                return Ok(Some(problem));
            }
            TerminalState::Enrolled
        }
    };
    let follows = match after {
        TerminalState::Enrolled => before == TerminalState::Suspended,
        TerminalState::Suspended => before == TerminalState::Enrolled,
        TerminalState::Retired => matches!(before, TerminalState::Enrolled | TerminalState::Suspended),
        // Also of a retired terminal, whose retirement could be withdrawn.
        TerminalState::Revoked => before != TerminalState::Revoked,
    };
    let text = match before {
        TerminalState::Enrolled => {
            Text::fixed("この端末は停止していません。", "This terminal is not suspended: it is enrolled already.")
        }
        TerminalState::Suspended => Text::fixed("すでに一時停止中の端末です。", "This terminal is suspended already."),
        TerminalState::Revoked => Text::fixed("すでに証明書が失効した端末です。", "This terminal is revoked already."),
        TerminalState::Retired => Text::fixed("すでに使用を終了した端末です。", "This terminal is retired already."),
    };
    Ok((!follows).then_some(Problem { field: "terminal", text }))
}

async fn reader(
    store: &Store,
    facility: FacilityId,
    ReaderRoleAssigned { terminal, reader, .. }: &ReaderRoleAssigned,
) -> Result<Option<Problem>, StoreError> {
    let state = facilities::state(store, facility).await?;
    if let Some(problem) = foreign(state.as_ref(), *terminal) {
        return Ok(Some(problem));
    }
    let known: Vec<_> = state.iter().flat_map(|state| state.readers(*terminal)).collect();
    Ok((!known.contains(reader)).then(|| {
        let all = known.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let text = if all.is_empty() {
            Text::fixed("この端末はまだリーダーを検出していません。", "This terminal has observed no reader yet.")
        } else {
            Text::new(
                format!("この端末のリーダーではありません（この端末のリーダー: {all}）。"),
                format!("This is not a reader of this terminal; its readers are: {all}."),
            )
        };
        Problem { field: "reader", text }
    }))
}

/// The problem with a terminal that is not one of the facility's.
fn foreign(state: Option<&Facility>, terminal: TerminalId) -> Option<Problem> {
    let known: Vec<TerminalId> = state.into_iter().flat_map(Facility::terminals).collect();
    (!known.contains(&terminal)).then(|| {
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
    })
}

/// Whether an entry of the facility's desk page can be withdrawn.
async fn entry(store: &Store, facility: FacilityId, event: &EntryWithdrawn) -> Result<Option<Problem>, StoreError> {
    let found = fact::observed(store, facility, event.life, event.seq).await?.map(|stored| stored.recorded.event);
    let entered = found.is_some_and(|event| event.speaker() == Speaker::Anyone && withdrawable(&event));
    let text = if !entered {
        Text::fixed("この施設の受付画面の入力ではありません。", "This is not an entry of this facility's desk page.")
    } else if fact::is_entry_withdrawn(store, facility, event).await? {
        Text::fixed("すでに取り消されています。", "It is already withdrawn.")
    } else {
        return Ok(None);
    };
    Ok(Some(Problem { field: "entry", text }))
}

async fn dismissed(store: &Store, code: &str) -> Result<Option<Problem>, StoreError> {
    let text =
        Text::fixed("このコードの行はすでに対象外とされています。", "Rows with this code are dismissed already.");
    Ok(snapshots::is_dismissed(store, code).await?.then_some(Problem { field: "code", text }))
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
        Some(recorded) => {
            if let Some(problem) = codes::taken_meanwhile(store, facility, &recorded.event).await? {
                return Ok(Some(problem));
            }
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
