//! Whether codes can be a facility's: who else has them, and what is doubtful about them.

use chrono::{DateTime, Utc};
use yomitori_facility::Text;
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::event::{Event, FacilityCodeChanged};
use yomitori_proto::id::FacilityId;

use crate::statement::{Problem, SURE};
use crate::store::directory::DatedCode;
use crate::store::facility::{self as facilities, CodeHolder};
use crate::store::{Store, StoreError};

/// Whether a facility can be registered with these codes, and what is doubtful about them.
pub(super) async fn registered(
    store: &Store,
    facility: FacilityId,
    codes: &[String],
    stated_at: DateTime<Utc>,
) -> Result<Option<Problem>, StoreError> {
    let taken = free(store, facility, codes, stated_at, "code").await?;
    if taken.is_some() { Ok(taken) } else { doubt(store, facility, codes).await }
}

/// Whether a code can be ended or given to the facility, and what is doubtful about that.
pub(super) async fn changed(
    store: &Store,
    facility: FacilityId,
    FacilityCodeChanged { old, new, effective_at }: &FacilityCodeChanged,
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
        && facilities::by_code(store, new).await? == Some(facility)
    {
        let text = Text::new(
            format!("{new} はすでにこの施設のコードです。"),
            format!("{new} is a code of this facility already."),
        );
        return Ok(Some(Problem { field: "new", text }));
    }
    if new.is_none() && facilities::codes(store, facility).await?.len() == 1 {
        let text = Text::fixed(
            "この施設の最後のコードです。廃止すると、リストのどの行とも照合されなくなります。",
            "It is the facility's last code: without one, no row of the ministry's list is matched to it.",
        );
        return Ok(Some(Problem { field: SURE, text }));
    }
    let taken = free(store, facility, new.as_slice(), *effective_at, "new").await?;
    if taken.is_some() { Ok(taken) } else { doubt(store, facility, new.as_slice()).await }
}

/// Whether the codes that a facility has again after the withdrawal of `event` belong to another facility by now.
pub(super) async fn taken_meanwhile(
    store: &Store,
    facility: FacilityId,
    event: &Event,
) -> Result<Option<Problem>, StoreError> {
    match event {
        Event::FacilityCodeChanged(FacilityCodeChanged { old, effective_at, .. }) => {
            free(store, facility, old.as_slice(), *effective_at, "statement").await
        }
        Event::FacilityRegistered(_) => {
            for DatedCode { code, until } in facilities::held_codes(store, facility).await? {
                if let Some(until) = until
                    && let Some(problem) = free(store, facility, &[code], until, "statement").await?
                {
                    return Ok(Some(problem));
                }
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}

/// Whether no other facility has one of these codes at `from` or later.
async fn free(
    store: &Store,
    facility: FacilityId,
    codes: &[String],
    from: DateTime<Utc>,
    field: &'static str,
) -> Result<Option<Problem>, StoreError> {
    for code in codes {
        let holders = facilities::holders(store, code).await?;
        let has_it = |other: &&CodeHolder| other.facility != facility && other.until.is_none_or(|until| until > from);
        if let Some(CodeHolder { name, .. }) = holders.iter().find(has_it) {
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

/// What is doubtful about codes that the facility does not have yet, all of it: another facility has the same code under the
/// other number of the prefecture; the number is the alternate one; the check digit is unusual, of which it is known from one
/// published example only how it is computed.
async fn doubt(store: &Store, facility: FacilityId, codes: &[String]) -> Result<Option<Problem>, StoreError> {
    let own = facilities::codes(store, facility).await?;
    let (mut ja, mut en) = (Vec::new(), Vec::new());
    for code in codes.iter().filter(|code| !own.contains(code)).filter_map(|code| InstitutionCode::parse(code).ok()) {
        let had = facilities::holders(store, code.as_str()).await?;
        if let Some(CodeHolder { name, .. }) =
            had.iter().find(|holder| holder.facility == facility && holder.until.is_some())
        {
            ja.push(format!(
                "{code} はこの施設（{name}）の以前のコードです。記録すると、再びこの施設のコードになります。"
            ));
            en.push(format!("{code} is a former code of this facility, {name}: it becomes a code of it again."));
        }
        let twin = code.twin();
        let holders = facilities::holders(store, twin.as_str()).await?;
        if let Some(CodeHolder { name, .. }) = holders.iter().find(|other| other.facility != facility) {
            ja.push(format!(
                "{code} と都道府県番号だけが違う {twin} は、別の施設（{name}）のコードです。同じ施設でないか確かめてください。"
            ));
            en.push(format!(
                "{twin}, which differs from {code} only in the number of the prefecture, is the code of another facility, \
                 {name}: make sure that they are not the same facility."
            ));
        } else if code.has_alternate_prefecture() {
            ja.push(format!(
                "{code} の最初の2桁は都道府県番号に50を足したものです。{twin} の誤りでないか確かめてください。"
            ));
            en.push(format!("The first two digits of {code} are the number of a prefecture plus 50: is it {twin}?"));
        }
        if !code.check_digit_holds() {
            ja.push(format!("{code} の検査数字が通常と異なります。コードを確かめてください。"));
            en.push(format!("The check digit of {code} is unusual: compare the code."));
        }
    }
    Ok((!ja.is_empty()).then(|| Problem { field: SURE, text: Text::new(ja.concat(), en.join(" ")) }))
}
