//! Whose a row is, and what the snapshot says of every covered facility.

use super::super::directory::DirectoryFacility;
use super::*;
use proptest::prelude::*;
use yomitori_proto::id::FacilityId;

const CODES: [&str; 5] = ["1319999015", "1339999011", "1319999023", "2619999010", "1349999019"];

fn id(number: u128) -> FacilityId {
    FacilityId(uuid::Uuid::from_u128(number))
}

fn code(text: &str) -> InstitutionCode {
    InstitutionCode::parse(text).unwrap()
}

fn facility(number: u128, name: &str, prefecture: u8) -> DirectoryFacility {
    let prefecture = yomitori_proto::code::Prefecture::from_number(prefecture);
    DirectoryFacility { id: id(number), name: name.into(), prefecture, address: None }
}

/// 1 has two codes and a retired one; 2 and 3 one each, 3 in Kyoto.
fn directory() -> Directory {
    let facilities = vec![facility(3, "京都医院", 26), facility(1, "よみとり病院", 13), facility(2, "二番医院", 13)];
    let codes = [
        (id(1), code(CODES[0]), false),
        (id(1), code(CODES[1]), false),
        (id(1), code(CODES[4]), true),
        (id(2), code(CODES[2]), false),
        (id(3), code(CODES[3]), false),
    ];
    Directory::new(facilities, codes)
}

fn entry(row: u32, text: &str, name: &str) -> ListingEntry {
    ListingEntry { sheet: 0, row, code: code(text), name: name.into(), address: None }
}

fn told(found: &Reconciliation) -> Vec<(u32, Option<&str>)> {
    found.findings.iter().map(|tiding| (tiding.facility, tiding.code.as_ref().map(InstitutionCode::as_str))).collect()
}

#[test]
fn a_row_belongs_to_whoever_has_its_code_and_to_nobody_by_its_name() {
    let entries = [entry(2, CODES[0], "別の名前"), entry(3, "1319999998", "二番医院")];
    let found = reconcile(&entries, &directory(), &Coverage::Full);
    assert_eq!(found.matches, [Some(Match { facility: 0, retired: false }), None]);
    assert_eq!(told(&found), [(0, Some(CODES[0])), (1, None), (2, None)]);
    let suggested = suggestions(&entries, &directory());
    assert_eq!(suggested.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1]);
    assert_eq!(found.odd_digits, [1]);
}

#[test]
fn two_codes_of_one_facility_are_two_tidings_for_it() {
    let entries = [entry(2, CODES[1], "歯科"), entry(3, CODES[0], "医科"), entry(9, CODES[0], "医科")];
    let found = reconcile(&entries, &directory(), &Coverage::Query("よみとり".to_owned()));
    assert_eq!(told(&found), [(0, Some(CODES[0])), (0, Some(CODES[1]))]);
}

#[test]
fn a_retired_code_is_matched_and_said_to_be_one() {
    let found = reconcile(&[entry(2, CODES[4], "よみとり病院")], &directory(), &Coverage::Full);
    assert_eq!(found.matches, [Some(Match { facility: 0, retired: true })]);
}

#[test]
fn absence_is_told_only_where_the_snapshot_covers() {
    let tokyo = "prefecture:13".parse().unwrap();
    assert_eq!(told(&reconcile(&[], &directory(), &tokyo)), [(0, None), (1, None)]);
    assert_eq!(told(&reconcile(&[], &directory(), &Coverage::Full)).len(), 3);
    assert!(reconcile(&[], &directory(), &Coverage::Query("x".to_owned())).findings.is_empty());
}

proptest! {
    #[test]
    fn every_covered_facility_is_told_and_none_both_ways(rows in proptest::collection::vec(0..CODES.len(), 0..12)) {
        let entries: Vec<ListingEntry> = rows.iter().map(|at| entry(1, CODES[*at], "名")).collect();
        let found = reconcile(&entries, &directory(), &Coverage::Full);
        prop_assert_eq!(found.matches.len(), entries.len());
        for place in 0..3_u32 {
            let told: Vec<_> = found.findings.iter().filter(|tiding| tiding.facility == place).collect();
            prop_assert!(!told.is_empty());
            prop_assert!(told.len() == 1 || told.iter().all(|tiding| tiding.code.is_some()));
        }
    }
}
