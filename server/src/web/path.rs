//! Paths of the pages: what a path names, and where a page is.

use uuid::Uuid;
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::id::FacilityId;

use super::error::Failure;
use crate::store::Store;
use crate::store::facility::by_code;

/// Where the facilities with a blocked record are.
pub(super) const PARKED: &str = "/parked";

/// A facility that a path names.
pub(super) struct FacilityPath {
    pub(super) facility: FacilityId,
    /// How the path should have been written.
    pub(super) written: String,
}

/// The facility of a code in any written form, or of an identifier: not every facility has a code.
pub(super) async fn facility_path(store: &Store, text: &str) -> Result<FacilityPath, Failure> {
    if let Ok(id) = Uuid::parse_str(text) {
        return Ok(FacilityPath { facility: FacilityId(id), written: id.to_string() });
    }
    let code = InstitutionCode::parse(text).map_err(Failure::Code)?;
    let found = by_code(store, code.as_str()).await?;
    let facility = found.ok_or_else(|| Failure::unwatched(code))?;
    Ok(FacilityPath { facility, written: code.to_string() })
}

/// The page of the records of a facility that wait.
pub(super) fn parked_path(facility: FacilityId) -> String {
    format!("{PARKED}/{facility}")
}
