//! What a master changes in what is registered.

use std::collections::BTreeMap;

use yomitori_proto::code::InstitutionCode;
use yomitori_proto::event::{Event, FacilityRegistered};
use yomitori_proto::id::FacilityId;

use super::MasterFacility;
use crate::directory::{self, Directory};
use crate::table::{MISTAKES_TOLD, Mistake};

/// What an import comes to.
#[derive(Debug, Default)]
pub struct Plan {
    pub planned: Vec<PlannedChange>,
    pub unchanged: usize,
    /// Facilities that are not registered and were not to be.
    pub unknown: usize,
    /// What a person should look at; it keeps nothing from being imported.
    pub warnings: Vec<Mistake>,
}

/// One facility that is registered or changed.
#[derive(Debug, PartialEq)]
pub struct PlannedChange {
    pub facility: FacilityId,
    pub change: Change,
    pub event: Event,
}

/// What is new about a facility.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    New,
    /// Before and after of what differs.
    Differs(Vec<(Box<str>, Box<str>)>),
}

/// The warning that another facility has the same code under the other number of its prefecture.
fn twin(facility: &MasterFacility, code: InstitutionCode, known: &Directory) -> Option<Mistake> {
    let twin = code.twin();
    let other = known.holders(twin).find_map(|held| known.facility(held.facility))?;
    let name = &other.name;
    Some(about(
        facility,
        format!(
            "{code} と都道府県番号だけが違う {twin} は登録済みの {name} のコードです / {twin}, which differs from {code} only in the number \
             of the prefecture, is the code of {name}: make sure that they are not the same facility"
        ),
    ))
}

/// Compares a master with what is registered; `known_only` leaves out what is not.
///
/// # Errors
/// Where a row mixes up facilities that are two.
pub fn plan(facilities: Vec<MasterFacility>, known: &Directory, known_only: bool) -> Result<Plan, Vec<Mistake>> {
    let mut plan = Plan::default();
    let mut mistakes = Vec::new();
    let mut taken: BTreeMap<u32, u32> = BTreeMap::new();
    for facility in facilities {
        match there(&facility, known) {
            Ok(Some(place)) => {
                if let Some(row) = taken.insert(place, facility.row) {
                    mistakes.push(about(
                        &facility,
                        format!(
                            "{row} 行目と同じ施設で、コードだけが違います / \
                         it is the facility of row {row} already, under another code"
                        ),
                    ));
                } else {
                    match known.facility(place).map(|there| (there, differences(&facility, there, known, place))) {
                        Some((there, differs)) if !differs.is_empty() => {
                            let change = Change::Differs(differs);
                            plan.planned.push(PlannedChange { facility: there.id, change, event: event(facility) });
                        }
                        Some(_) | None => plan.unchanged += 1,
                    }
                }
            }
            Ok(None) if known_only => plan.unknown += 1,
            Ok(None) => {
                // A row without a code is no facility.
                let Some(first) = facility.codes.first() else { continue };
                let id = FacilityId::of_code(first.as_str());
                plan.warnings.extend(facility.codes.iter().filter_map(|code| twin(&facility, *code, known)));
                plan.planned.push(PlannedChange { facility: id, change: Change::New, event: event(facility) });
            }
            Err(mistake) => mistakes.push(mistake),
        }
        if mistakes.len() >= MISTAKES_TOLD {
            break;
        }
    }
    if mistakes.is_empty() { Ok(plan) } else { Err(mistakes) }
}

/// The place of the facility that a row is about.
fn there(facility: &MasterFacility, known: &Directory) -> Result<Option<u32>, Mistake> {
    let mut found = None;
    for code in &facility.codes {
        let Some(held) = known.holders(*code).next() else { continue };
        match found {
            Some((place, other)) if place != held.facility => {
                let what = format!(
                    "{other} と {code} は別々に登録された2施設のコードです / {other} and {code} are codes of two facilities that are \
                     registered apart"
                );
                return Err(about(facility, what));
            }
            Some(_) => {}
            None => found = Some((held.facility, code)),
        }
    }
    Ok(found.map(|(place, _)| place))
}

fn about(facility: &MasterFacility, what: String) -> Mistake {
    Mistake { sheet: facility.sheet.clone(), row: Some(facility.row), ..Mistake::file(what) }
}

fn differences(
    facility: &MasterFacility,
    there: &directory::DirectoryFacility,
    known: &Directory,
    place: u32,
) -> Vec<(Box<str>, Box<str>)> {
    let mut differs = Vec::new();
    if facility.name != there.name {
        differs.push((there.name.clone(), facility.name.clone()));
    }
    if Some(facility.prefecture) != there.prefecture {
        let before = there.prefecture.map_or("-", |prefecture| prefecture.japanese());
        differs.push((before.into(), facility.prefecture.japanese().into()));
    }
    if let Some(address) = facility.address.as_ref().filter(|address| there.address.as_ref() != Some(*address)) {
        differs.push((there.address.clone().unwrap_or_else(|| "-".into()), address.clone()));
    }
    let has = |held: directory::CodeHolder| held.facility == place && !held.retired;
    for code in facility.codes.iter().filter(|code| !known.holders(**code).any(has)) {
        differs.push(("-".into(), code.as_str().into()));
    }
    differs
}

fn event(facility: MasterFacility) -> Event {
    let MasterFacility { codes, name, prefecture, address, .. } = facility;
    let codes = codes.iter().map(ToString::to_string).collect();
    let prefecture = prefecture.to_string();
    let address = address.map(Into::into);
    // A master has no dates: where a prefecture differs, it counts from the import on.
    FacilityRegistered { name: name.into(), prefecture, codes, address, moved_at: None, correction: false }.into()
}
