//! What is suggested for a row that is nobody's, and what is not.

use super::*;
use yomitori_proto::id::FacilityId;

fn directory() -> Directory {
    let facilities = [
        ("1319999015", "医療法人社団よみ会 よみとり医院", Some("東京都港区芝1-2-3")),
        ("1319999023", "鈴木医院", None),
        ("2619999010", "よみとり医院", Some("京都市北区1-1")),
        ("1339999011", "むらさき歯科", None),
    ];
    let id = |number: usize| FacilityId(uuid::Uuid::from_u128(number as u128));
    let code = |text: &str| InstitutionCode::parse(text).unwrap();
    let known = facilities.iter().enumerate().map(|(number, (text, name, address))| DirectoryFacility {
        id: id(number),
        name: (*name).into(),
        prefecture: Some(code(text).prefecture()),
        address: address.map(Into::into),
    });
    let codes = facilities.iter().enumerate().map(|(number, (text, ..))| (id(number), code(text), false));
    Directory::new(known.collect(), codes)
}

fn suggest(code: &str, name: &str, address: Option<&str>) -> Vec<(u32, Vec<Reason>)> {
    let entry = ListingEntry {
        sheet: 0,
        row: 1,
        code: InstitutionCode::parse(code).unwrap(),
        name: name.into(),
        address: address.map(Into::into),
    };
    let directory = directory();
    Index::new(&directory).suggest(&entry).into_iter().map(|found| (found.facility, found.reasons)).collect()
}

#[test]
fn what_a_row_resembles_is_suggested_with_its_reasons() {
    let both = vec![Reason::SameAddress, Reason::SameName];
    let table = [
        ("a new code, the same house", "1319999999", "よみとり医院", Some("港区芝１丁目２番３号"), vec![(0, both)]),
        ("only the name", "1319999999", "㈱鈴木医院", None, vec![(1, vec![Reason::SameName])]),
        ("the name in another prefecture", "2719999999", "鈴木医院", None, vec![]),
        ("two digits swapped", "1319999105", "別の医院", None, vec![(0, vec![Reason::NearCode])]),
        ("under another table", "1349999011", "別の歯科", None, vec![(3, vec![Reason::OtherTable, Reason::NearCode])]),
        (
            "under the other number of Tokyo",
            "6319999015",
            "別の医院",
            None,
            vec![(0, vec![Reason::OtherPrefectureNumber])],
        ),
        ("nobody", "0119999019", "どこかの医院", None, vec![]),
    ];
    for (case, code, name, address, expected) in table {
        assert_eq!(suggest(code, name, address), expected, "{case}");
    }
}

#[test]
fn a_name_that_many_bear_suggests_nobody() {
    let facilities: Vec<DirectoryFacility> = (0..20)
        .map(|number| DirectoryFacility {
            id: FacilityId(uuid::Uuid::from_u128(number)),
            name: "佐藤医院".into(),
            prefecture: Prefecture::from_number(13),
            address: None,
        })
        .collect();
    let directory = Directory::new(facilities, []);
    let code = InstitutionCode::parse("1319999015").unwrap();
    let entry = ListingEntry { sheet: 0, row: 1, code, name: "佐藤医院".into(), address: None };
    assert!(Index::new(&directory).suggest(&entry).is_empty());
}
