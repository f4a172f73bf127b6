//! Paths of the pages.

use uuid::Uuid;
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::id::FacilityId;

use crate::store::Store;
use crate::store::facility::by_code;
use crate::web::http::error::Failure;

/// The path of the blocked facilities.
pub(in crate::web) const PARKED: &str = "/parked";

/// The path of the rules and of the statements about all facilities.
pub(in crate::web) const RULES: &str = "/rules";

/// A facility that a path names.
pub(in crate::web) struct FacilityPath {
    pub(in crate::web) facility: FacilityId,
    /// The canonical form of the path.
    pub(in crate::web) written: String,
}

/// Finds a facility by a code in any written form, or by its identifier, because not every facility has a code.
pub(in crate::web) async fn facility_path(store: &Store, text: &str) -> Result<FacilityPath, Failure> {
    if let Ok(id) = Uuid::parse_str(text) {
        return Ok(FacilityPath { facility: FacilityId(id), written: id.to_string() });
    }
    let code = InstitutionCode::parse(text).map_err(Failure::Code)?;
    let found = by_code(store, code.as_str()).await?;
    let facility = found.ok_or_else(|| Failure::unwatched(code))?;
    Ok(FacilityPath { facility, written: code.to_string() })
}

/// The path of the waiting records of a facility.
pub(in crate::web) fn parked_path(facility: FacilityId) -> String {
    format!("{PARKED}/{facility}")
}
