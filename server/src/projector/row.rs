//! A facility's row at an instant: the columns by which pages filter and sort, and the whole status.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chrono::{DateTime, Utc};
use unicode_normalization::UnicodeNormalization as _;
use yomitori_facility::{Evidence, Facility, Status, StoredJson as _, status};

use crate::store::StoreError;
use crate::store::policy::Policy;
use crate::store::status_row::FacilityRow;

/// The row of `facility` as it is `now`.
///
/// # Errors
/// If the status cannot be computed or encoded as JSON; [`StoreError::is_refusal`] holds then.
pub(super) fn row(
    facility: &Facility,
    partition: i32,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<FacilityRow, StoreError> {
    // It cannot panic; if it does, only this facility is blocked.
    catch_unwind(AssertUnwindSafe(|| computed(facility, partition, policy, now))).unwrap_or(Err(StoreError::Panicked))
}

fn computed(
    facility: &Facility,
    partition: i32,
    policy: &Policy,
    now: DateTime<Utc>,
) -> Result<FacilityRow, StoreError> {
    let seen = status(facility, &policy.rules, &policy.calendar, now);
    let json = |text: Result<String, _>, what| text.map_err(|source| StoreError::Broken { what, source });
    let codes: Vec<String> = seen.codes.iter().filter(|code| code.valid).map(|code| code.code.clone()).collect();
    let (first_success_at, last_success_at) = match &seen.evidence.value {
        Evidence::Succeeded { first_success_at, last_success_at, .. } => {
            (Some(*first_success_at), Some(*last_success_at))
        }
        Evidence::Plausible { .. } | Evidence::AttemptedOnly { .. } | Evidence::Never | Evidence::NotObservable => {
            (None, None)
        }
    };
    let readers = seen.readers.iter().filter(|reader| reader.present).count();
    Ok(FacilityRow {
        facility_id: facility.id,
        words: seen.words(),
        first_success_at,
        last_success_at,
        readers_present: i32::try_from(readers).unwrap_or(i32::MAX),
        last_seen_at: seen.last_seen_at,
        partition,
        search: search(&seen),
        status: json(seen.to_json(), "a facility's status")?,
        state: json(facility.to_json(), "a facility's state")?,
        due_at: seen.due_at,
        folded_at: now,
        policy_hash: policy.hash,
        address: seen.address.clone(),
        held_codes: json(serde_json::to_string(&seen.codes), "a facility's codes")?,
        codes,
    })
}

/// Codes, name and prefecture normalised for search: one width, one case.
fn search(seen: &Status) -> String {
    let codes = seen.codes.iter().map(|code| code.code.as_str());
    let prefecture = seen.prefecture_label.iter().flat_map(|label| [label.ja.as_ref(), label.en.as_ref()]);
    let texts: Vec<&str> = codes.chain(seen.name.as_deref()).chain(prefecture).chain(seen.address.as_deref()).collect();
    texts.join(" ").nfkc().collect::<String>().to_lowercase()
}
