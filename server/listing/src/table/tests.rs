//! Files of every kind, whole and broken: what their cells are, and why some are refused.

use std::io::Write as _;

use proptest::prelude::*;

use super::*;

/// An XLSX with these parts beside those that every workbook has.
fn packed(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (path, content) in parts {
        archive.start_file(*path, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(content).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

const RELATIONS: &[u8] =
    br#"<Relationships><Relationship Id="r1" Target="xl/workbook.xml" Type="x/officeDocument"/></Relationships>"#;
const WORKBOOK: &[u8] = br#"<workbook xmlns:r="r"><sheets><sheet name="S" r:id="a"/><sheet name="H" state="hidden" r:id="a"/></sheets></workbook>"#;
const OF_WORKBOOK: &[u8] = br#"<Relationships><Relationship Id="a" Target="worksheets/sheet1.xml" Type="x/worksheet"/>
    <Relationship Id="b" Target="/xl/sharedStrings.xml" Type="x/sharedStrings"/></Relationships>"#;
const STRINGS: &str = "<sst uniqueCount='99999999999'><si><t>よみとり</t><rPh><t>ヨミトリ</t></rPh></si><si><r><t>A&amp;</t></r><r><t>B</t></r></si></sst>";

pub(crate) fn workbook(sheet: &str) -> Vec<u8> {
    packed(&[
        ("_rels/.rels", RELATIONS),
        ("xl/workbook.xml", WORKBOOK),
        ("xl/_rels/workbook.xml.rels", OF_WORKBOOK),
        ("xl/sharedStrings.xml", STRINGS.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ])
}

fn sheet(data: &str) -> Vec<u8> {
    workbook(&format!("<worksheet><sheetData>{data}</sheetData></worksheet>"))
}

fn cells(bytes: &[u8]) -> Vec<(u32, Vec<String>)> {
    let table = read(bytes).unwrap();
    let rows = table.sheets.iter().flat_map(|sheet| &sheet.rows);
    rows.map(|row| (row.number, row.cells().map(str::to_owned).collect())).collect()
}

fn refused(bytes: &[u8]) -> String {
    read(bytes).unwrap_err().to_string()
}

#[test]
fn letters_and_columns_are_each_others_inverse() {
    for (number, letters) in [(0, "A"), (25, "Z"), (26, "AA"), (51, "AZ"), (52, "BA"), (701, "ZZ"), (702, "AAA")] {
        assert_eq!(letter(number), letters);
        assert_eq!(column(letters), Some(number));
    }
    assert_eq!((column(""), column("A1"), column("AAAA"), column("あ")), (None, None, None, None));
}

#[test]
fn every_encoding_gives_the_same_cells() {
    let text = "コード,名称\r\n13,\"よみ,とり\"\r\n\r\n14,髙橋①\r\n";
    let expected = cells(text.as_bytes());
    assert_eq!(expected[1], (2, vec!["13".to_owned(), "よみ,とり".to_owned()]));
    assert_eq!(expected[2].0, 4);
    let (cp932, _, _) = encoding_rs::SHIFT_JIS.encode(text);
    let utf16: Vec<u8> =
        "\u{feff}".chars().chain(text.chars()).collect::<String>().encode_utf16().flat_map(u16::to_le_bytes).collect();
    for other in [cp932.to_vec(), [b"\xef\xbb\xbf", text.as_bytes()].concat(), utf16] {
        assert_eq!(cells(&other), expected);
    }
    assert_eq!(cells(b"a\tb\n1\t2\n")[1].1, ["1", "2"]);
}

#[test]
fn what_is_no_whole_table_is_refused_with_the_reason() {
    let text = "コード,名称\n13,よみとり\n14,よみとり\n";
    let (euc, _, _) = encoding_rs::EUC_JP.encode(text);
    let whole = sheet("<row r='1'><c r='A1'><v>1</v></c></row>");
    let spaces = vec![b' '; 6 * MIB];
    let wide: String = (0..1_000_000).map(|_| "x,").collect();
    let cases: [(&str, Vec<u8>, &str); 18] = [
        ("euc", euc.to_vec(), "EUC-JP"),
        ("cut in a character", text.as_bytes()[..text.len() - 2].to_vec(), "the file breaks off in the middle"),
        ("damaged utf-8", [text.as_bytes(), b"\xff\xff"].concat(), "row 4"),
        ("no text at all", [text.as_bytes(), &[0, 159]].concat(), "neither CSV nor XLSX"),
        ("no encoding", b"a,b\n\x81,\xa0\xfd\n".to_vec(), "row 2"),
        ("an open quote", b"a,b\n1,\"x\n2,y\n".to_vec(), "quotation mark"),
        ("too wide", wide.into_bytes(), "it has 1000001 columns"),
        ("a cell too long", format!("a\n{}\n", "x".repeat(5000)).into_bytes(), "row 2 (2 行目), column `A`"),
        ("empty", Vec::new(), "empty"),
        ("xls", b"\xd0\xcf\x11\xe0\xa1\xb1".to_vec(), ".xls"),
        ("pdf", b"%PDF-1.7".to_vec(), "PDF"),
        ("a page", b"<!DOCTYPE html><html>".to_vec(), "web page"),
        ("cut xlsx", whole[..whole.len() / 2].to_vec(), "no whole XLSX"),
        ("a zip of something else", packed(&[("a.txt", b"x")]), "`_rels/.rels` is missing"),
        ("a bomb", packed(&[("_rels/.rels", &spaces)]), "unpacks to far more"),
        ("a far column", sheet("<row r='7'><c r='XFD7'><v>1</v></c></row>"), "sheet `S`, row 7 (7 行目), column `XFD`"),
        ("rows out of order", sheet("<row r='2'/><row r='1'/>"), "row 2"),
        ("a missing text", sheet("<row r='3'><c r='B3' t='s'><v>7</v></c></row>"), "row 3 (3 行目), column `B`"),
    ];
    for (case, bytes, expected) in cases {
        let said = refused(&bytes);
        assert!(said.contains(expected), "{case}: {said}");
    }
    let cut = workbook("<worksheet><sheetData><row r='1'><c r='A1'><v>1</v></c></row><row r='2'>");
    assert!(refused(&cut).contains("row 2"), "{}", refused(&cut));
}

#[test]
fn a_sheet_gives_its_cells_as_people_see_them() {
    let found = cells(&sheet(
        "<row r='3'><c r='B3' t='s'><v>0</v></c><c r='C3'><v>99018</v></c><c r='D3'><v>1.319999015E9</v></c>\
         <c r='E3' t='inlineStr'><is><t>x&#12354;</t></is></c></row><row/><row><c><v>1.5</v></c><c t='s'><v>1</v></c></row>",
    ));
    let line = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
    assert_eq!(found, [(3, line(&["", "よみとり", "99018", "1319999015", "xあ"])), (5, line(&["1.5", "A&B"]))]);
}

#[test]
fn formulas_merged_cells_and_errors_are_marked() {
    let bytes = workbook(
        "<worksheet><sheetData><row r='1'><c r='A1'><f>B1+1</f><v>2</v></c><c r='B1' t='e'><v>#REF!</v></c></row>\
         <row r='2'><c r='A2'><v>1</v></c><c r='B2'/></row></sheetData>\
         <mergeCells><mergeCell ref='A2:C2'/><mergeCell ref='A4:XFD1048576'/></mergeCells></worksheet>",
    );
    let table = read(&bytes).unwrap();
    let [first, second] = table.sheets[0].rows.as_slice() else { panic!("{table:?}") };
    assert_eq!((first.odd(0), first.odd(1)), (Some(CellDefect::Formula), Some(CellDefect::Broken)));
    assert_eq!(
        (second.odd(0), second.odd(1), second.odd(2)),
        (None, Some(CellDefect::Merged), Some(CellDefect::Merged))
    );
    let all = "<mergeCell ref='A1:XFD1048576'/>".repeat(20_000);
    let merged = format!(
        "<worksheet><sheetData>{}</sheetData><mergeCells>{all}</mergeCells></worksheet>",
        "<row><c><v>1</v></c></row>".repeat(1000)
    );
    assert!(refused(&workbook(&merged)).contains("merged"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        // Whatever it says is right, as long as it says something.
        drop(read(&bytes));
        drop(read(&[b"PK\x03\x04", bytes.as_slice()].concat()));
        drop(read(&[b"\xff\xfe", bytes.as_slice()].concat()));
    }

    #[test]
    fn no_damage_to_a_workbook_makes_it_panic(
        places in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut bytes = sheet("<row r='1'><c r='A1' t='s'><v>1</v></c><c r='B1'><f t='shared' si='4000000000'/><v>2</v></c></row>");
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] ^= byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        drop(read(&bytes));
    }

    #[test]
    fn no_sheet_makes_it_panic(parts in proptest::collection::vec(prop::sample::select(&FRAGMENTS[..]), 0..30)) {
        let sheet: String = parts.concat();
        drop(read(&workbook(&sheet)));
        drop(read(&workbook(&format!("<worksheet><sheetData>{sheet}</sheetData></worksheet>"))));
    }
}

const FRAGMENTS: [&str; 24] = [
    "<row>",
    "</row>",
    "<row r='7'>",
    "<row r='1048577'>",
    "<row r='x'>",
    "<c>",
    "</c>",
    "<c r='B2'>",
    "<c r='ZZZZ9'>",
    "<c r='1'>",
    "<c t='s'>",
    "<c t='inlineStr'>",
    "<v>1</v>",
    "<v>99999999999999999999</v>",
    "<v>1e400</v>",
    "<is><t>あ</t></is>",
    "<f>A1</f>",
    "<f t='shared' si='9999999999'/>",
    "<mergeCells><mergeCell ref='A1:B9'/></mergeCells>",
    "<mergeCell ref='B9:A1'/>",
    "&lol;",
    "&#x110000;",
    "<![CDATA[x]]>",
    "<!DOCTYPE x [<!ENTITY lol 'lol'>]>",
];

#[test]
fn a_text_that_every_cell_shows_is_counted_in_every_cell() {
    let text = "あ".repeat(CELL_LIMIT / 3);
    let strings = format!("<sst><si><t>{text}</t></si></sst>");
    let row: String = (0..50).map(|_| "<c t=\"s\"><v>0</v></c>").collect();
    let data: String = (0..4000).map(|_| format!("<row>{row}</row>")).collect();
    let sheet = format!("<worksheet><sheetData>{data}</sheetData></worksheet>");
    // 800 MB in memory, of 5 MB of XML and some 20 KB of file.
    let bomb = packed(&[
        ("_rels/.rels", RELATIONS),
        ("xl/workbook.xml", WORKBOOK),
        ("xl/_rels/workbook.xml.rels", OF_WORKBOOK),
        ("xl/sharedStrings.xml", strings.as_bytes()),
        ("xl/worksheets/sheet1.xml", sheet.as_bytes()),
    ]);
    let refusal = refused(&bomb);
    assert!(refusal.contains("too large"), "{refusal}");
}
