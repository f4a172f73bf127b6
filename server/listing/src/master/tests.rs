//! Masters as people have them, and what an import of one comes to.

use proptest::prelude::*;
use yomitori_proto::code::Table as FeeTable;
use yomitori_proto::event::Event;
use yomitori_proto::id::FacilityId;

use super::*;
use crate::directory::{self, Directory};
use crate::table::{self, tests::workbook};

fn parse(bytes: &[u8], scope: Scope) -> Result<Master, Vec<String>> {
    let table = table::read(bytes).map_err(|mistake| vec![mistake.to_string()])?;
    let read = read(&table, &Format::of_masters(), scope);
    read.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect())
}

fn csv(text: &str) -> Result<Master, Vec<String>> {
    parse(text.as_bytes(), Scope::default())
}

#[test]
fn every_encoding_gives_the_same_facilities() {
    let text = "医療機関コード,名称,都道府県\n13-1-99-9901-5 1339999011,よみとり病院,東京都\n";
    let utf8 = csv(text).unwrap();
    assert_eq!(utf8.facilities[0].codes.len(), 2);
    assert_eq!(utf8.facilities[0].prefecture.number(), 13);
    let (cp932, _, _) = encoding_rs::SHIFT_JIS.encode(text);
    assert_eq!(parse(&cp932, Scope::default()).unwrap().facilities, utf8.facilities);
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    assert_eq!(parse(&marked, Scope::default()).unwrap().facilities, utf8.facilities);
}

#[test]
fn a_broken_row_is_named_and_nothing_is_imported() {
    let rows = "1319999015,A\n".to_owned() + &"1319999015,A\n".repeat(5).replace("9015", "9023");
    let cases = [
        ("code,name\n1319999015,A\n131999901,B\n", "row 3 (3 行目), column `code`"),
        ("code,name\n1319999015,A\n1319999023,\n", "row 3 (3 行目), column `name`"),
        ("code,name\n1319999015,A\n1319999015,B\n", "code 1319999015 stands in row 2 already"),
        (&format!("code,name\n{rows}1319999015\n"), "it has 1 cells"),
        ("name,prefecture\nA,13\n", "titles `code` and `name`"),
    ];
    for (text, expected) in cases {
        let mistakes = csv(text).unwrap_err();
        assert!(mistakes.iter().any(|mistake| mistake.contains(expected)), "{expected}: {mistakes:#?}");
    }
}

#[test]
fn the_bureaus_master_is_read_block_by_block() {
    let sheet = "<worksheet><sheetData>\
        <row><c t='str'><v>[東京都] コード内容別医療機関一覧表</v></c></row>\
        <row><c t='str'><v>項番</v></c><c t='str'><v>医療機関番号</v></c></row>\
        <row><c><v>1</v></c><c t='str'><v>99-99015</v></c><c t='str'><v>よみとり病院</v></c>\
        <c t='str'><v>〒105-0014\n港区芝1-2-3</v></c></row>\
        <row><c/><c/><c/><c t='str'><v>続き</v></c></row>\
        <row><c t='str'><v>２</v></c><c t='str'><v>99,99023</v></c><c t='str'><v>二番医院</v></c></row>\
        </sheetData></worksheet>";
    let scope = Scope { prefecture: Prefecture::from_number(13), table: Some(FeeTable::Medical) };
    let master = parse(&workbook(sheet), scope).unwrap();
    assert_eq!(master.format, BUREAU);
    let found: Vec<_> = master.facilities.iter().map(|f| (f.row, f.codes[0].as_str(), &*f.name)).collect();
    assert_eq!(found, [(3, "1319999015", "よみとり病院"), (5, "1319999023", "二番医院")]);
    assert_eq!(master.facilities[0].address.as_deref(), Some("〒105-0014 港区芝1-2-3"));
    let without = parse(&workbook(sheet), Scope::default()).unwrap_err();
    assert!(without.iter().any(|said| said.contains("needs its prefecture")), "{without:?}");
}

fn known() -> Directory {
    let facility = |code: &str, name: &str| {
        let code = InstitutionCode::parse(code).unwrap();
        let id = FacilityId::of_code(code.as_str());
        let known =
            directory::DirectoryFacility { id, name: name.into(), prefecture: Some(code.prefecture()), address: None };
        (known, (id, code, false))
    };
    let (facilities, codes): (Vec<_>, Vec<_>) =
        [facility("1319999015", "A"), facility("1319999023", "B")].into_iter().unzip();
    Directory::new(facilities, codes)
}

#[test]
fn only_what_differs_is_planned() {
    let plan_of = |text: &str, known_only| plan(csv(text).unwrap().facilities, &known(), known_only);
    let text = "code,name,address\n1319999015,A,\n1319999023,B,港区1-1\n1339999011,C,\n";
    let planned = plan_of(text, false).unwrap();
    assert_eq!((planned.unchanged, planned.unknown), (1, 0));
    let changes: Vec<&Change> = planned.planned.iter().map(|planned| &planned.change).collect();
    assert_eq!(changes, [&Change::Differs(vec![("-".into(), "港区1-1".into())]), &Change::New]);
    assert!(matches!(&planned.planned[0].event, Event::FacilityRegistered(event) if event.codes == ["1319999023"]));
    assert_eq!(plan_of(text, true).unwrap().unknown, 1);
    let another_code = plan_of("code,name\n1319999015 1339999011,A\n", false).unwrap();
    assert_eq!(another_code.planned[0].facility, FacilityId::of_code("1319999015"));
    let mixed = plan_of("code,name\n1319999015 1319999023,A\n", false).unwrap_err();
    assert!(mixed[0].to_string().contains("two facilities"), "{mixed:?}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        // Whatever it says is right, as long as it says something.
        drop(parse(&[b"code,name\n", bytes.as_slice()].concat(), Scope::default()));
        drop(parse(&bytes, Scope::default()));
    }
}
