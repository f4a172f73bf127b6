//! The facilities that are watched, as rows of a list are looked up in them: by code, in memory.

use yomitori_proto::code::{InstitutionCode, Prefecture};
use yomitori_proto::id::FacilityId;

/// A facility as it is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryFacility {
    pub id: FacilityId,
    pub name: Box<str>,
    pub prefecture: Option<Prefecture>,
    pub address: Option<Box<str>>,
}

/// A code that leads to a facility.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CodeHolder {
    pub code: InstitutionCode,
    /// It was the facility's and is no longer.
    pub retired: bool,
    /// The place of the facility in the directory.
    pub facility: u32,
}

/// All facilities with their codes.
#[derive(Debug, Clone, Default)]
pub struct Directory {
    /// Ascending by id.
    pub facilities: Vec<DirectoryFacility>,
    /// Ascending.
    codes: Vec<CodeHolder>,
}

impl Directory {
    /// From facilities and (facility, code, retired); what belongs to no facility is left out.
    #[must_use]
    pub fn new(
        mut facilities: Vec<DirectoryFacility>,
        codes: impl IntoIterator<Item = (FacilityId, InstitutionCode, bool)>,
    ) -> Self {
        facilities.sort_by_key(|facility| facility.id);
        let place = |id: FacilityId| facilities.binary_search_by_key(&id, |facility| facility.id).ok();
        let held = |(id, code, retired)| Some(CodeHolder { code, retired, facility: u32::try_from(place(id)?).ok()? });
        let mut codes: Vec<CodeHolder> = codes.into_iter().filter_map(held).collect();
        codes.sort_unstable();
        codes.dedup();
        Self { facilities, codes }
    }

    /// Who holds `code`, or held it where nobody does now. More than one where two facilities were registered with it.
    pub fn holders(&self, code: InstitutionCode) -> impl Iterator<Item = CodeHolder> {
        let start = self.codes.partition_point(|held| held.code < code);
        let all = self.codes.get(start..).unwrap_or_default().iter().take_while(move |held| held.code == code);
        // Those that hold it now come first.
        let current = all.clone().next().is_some_and(|first| !first.retired);
        all.filter(move |held| !held.retired || !current).copied()
    }

    /// The facility at a place.
    #[must_use]
    pub fn facility(&self, place: u32) -> Option<&DirectoryFacility> {
        self.facilities.get(place as usize)
    }
}
