//! Lists as they come, row by row: what is read of them, and what is said of those that are wrong.

use super::*;
use crate::table::{self, tests::workbook};
use proptest::prelude::*;

fn prefecture(number: u8) -> Option<Prefecture> {
    Prefecture::from_number(number)
}

/// What `text` says, as (row, code, name).
fn csv(text: &str, covered: Option<Prefecture>) -> Result<Vec<(u32, String, String)>, Vec<String>> {
    said(text.as_bytes(), covered)
}

fn said(bytes: &[u8], covered: Option<Prefecture>) -> Result<Vec<(u32, String, String)>, Vec<String>> {
    let table = table::read(bytes).map_err(|mistake| vec![mistake.to_string()])?;
    let formats = Format::bundled();
    let scope = Scope { prefecture: covered, table: None };
    let found = detect(&formats, &table, scope).and_then(|format| read(&table, format, scope));
    let found = found.map_err(|mistakes| mistakes.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    Ok(found.entries.iter().map(|entry| (entry.row, entry.code.to_string(), entry.name.to_string())).collect())
}

fn row(number: u32, cells: &[&str]) -> String {
    let cell = |(at, text): (usize, &&str)| format!("<c r='{}{number}' t='str'><v>{text}</v></c>", table::letter(at));
    format!("<row r='{number}'>{}</row>", cells.iter().enumerate().map(cell).collect::<String>())
}

fn prefecture_workbook(rows: &[&[&str]]) -> Vec<u8> {
    let head = [row(1, &["一覧"]), row(5, &["No.", "医療機関区分", "医療機関コード"])].concat();
    let data: String = (6..).zip(rows).map(|(number, cells)| row(number, cells)).collect();
    workbook(&format!("<worksheet><sheetData>{head}{data}</sheetData></worksheet>"))
}

#[test]
fn the_older_workbook_is_known_and_its_zeros_come_back() {
    let bytes = prefecture_workbook(&[
        &["1", "歯科（診療所）", "9999011", "2021/10/20", "", "むらさき歯科", "", "03-0000-0000"],
        &["2", "医科（病院）", "99018", "", "", "ぜろ病院"],
        &["", "", "", "", "", "※ 注"],
        &["3", "薬局", "9999019", "", "", "みどり薬局"],
    ]);
    let found = said(&bytes, prefecture(26)).unwrap();
    let expected = [(6, "2639999011", "むらさき歯科"), (7, "2610099018", "ぜろ病院"), (9, "2649999019", "みどり薬局")];
    assert_eq!(found, expected.map(|(row, code, name)| (row, code.to_owned(), name.to_owned())));
    // A table that only looks like it is not cut off above row 6.
    let early = workbook(&format!(
        "<worksheet><sheetData>{}</sheetData></worksheet>",
        (1..9)
            .map(|number| row(number, &[&number.to_string(), "薬局", "9999019", "", "", "みどり薬局"]))
            .collect::<String>()
    ));
    let early = said(&early, prefecture(26)).unwrap_err();
    assert!(early.iter().any(|said| said.contains("row 1") && said.contains("data begin before row 6")), "{early:?}");
    let without = said(&bytes, None).unwrap_err();
    assert!(without[1].contains("needs its prefecture"), "{without:?}");
}

#[test]
fn a_plain_table_is_known_by_its_titles() {
    let one = vec![(2, "1319999015".to_owned(), "よみとり".to_owned())];
    let third = vec![(3, "0119999019".to_owned(), "A".to_owned())];
    let cases: [(&str, Option<Prefecture>, _); 8] = [
        ("code,name,prefecture\n1319999015,よみとり,東京都\n", None, &one),
        ("都道府県,医療機関 コード（10桁）,医療機関名\n13,１３−１−９９−９９０１−５,よみとり\n", None, &one),
        ("Code,Name\n1319999015,よみとり\n", prefecture(13), &one),
        ("code,name,category\n9999015,よみとり,医科（診療所）\n", prefecture(13), &one),
        ("code,name,prefecture,category\n9999015,よみとり,Tokyo,1\n", None, &one),
        // The check digit tells the table where nothing else does.
        ("code,name,prefecture\n9999015,よみとり,13\n", None, &one),
        ("一覧\ncode,name\n119999019,A\n", prefecture(1), &third),
        ("code\tname\n13-1-9999015\tよみとり\n", None, &one),
    ];
    for (text, covered, expected) in cases {
        let text = if text.starts_with("一覧") { text.replacen("一覧", "一覧,", 1) } else { text.to_owned() };
        assert_eq!(csv(&text, covered).as_ref(), Ok(expected), "{text}");
    }
}

#[test]
fn several_codes_in_a_cell_are_several_entries() {
    let found = csv("code,name\n1319999015 1339999011,よみとり\n", None).unwrap();
    assert_eq!(
        found.iter().map(|(row, code, _)| (*row, code.as_str())).collect::<Vec<_>>(),
        [(2, "1319999015"), (2, "1339999011")]
    );
}

#[test]
fn what_is_wrong_is_named_and_nothing_is_read() {
    let good = "1319999015,A,13\n".repeat(6);
    let cases = [
        (format!("code,name,prefecture\n{good}A,1319999015,13\n"), None, "row 8 (8 行目), column `code`"),
        (
            format!("code,name,prefecture\n{good}1319999015,A\n"),
            None,
            "row 8 (8 行目): セルが 2 個で、見出しは 3 個です / it has 2 cells",
        ),
        (format!("code,name,prefecture\n{good}131999901,A,13\n"), None, "row 8"),
        (
            format!("code,name,prefecture\n{good}1319999015,A,99\n"),
            None,
            "row 8 (8 行目), column `prefecture`: `99` は都道府県ではありません / `99` is no prefecture",
        ),
        (
            format!("code,name,prefecture\n{good}1319999015,,13\n"),
            None,
            "row 8 (8 行目), column `name`: 名称がありません / there is no name",
        ),
        (format!("code,name,prefecture\n{good}"), prefecture(14), "the coverage is 神奈川県"),
        (format!("code,name\n{}", "1319999015,A\n".repeat(6)), prefecture(14), "is a code of 東京都"),
        ("code,name,category\n9999015,A,劇場\n".to_owned(), prefecture(13), "`劇場` is no known kind"),
        ("a,b\n1319999015,A\n".to_owned(), None, "titles `code` and `name`"),
    ];
    for (text, covered, expected) in cases {
        let mistakes = csv(&text, covered).unwrap_err();
        assert!(mistakes.iter().any(|mistake| mistake.contains(expected)), "{expected}: {mistakes:#?}");
    }
}

#[test]
fn formulas_and_merged_cells_in_columns_that_count_are_named() {
    let sheet = |cell: &str, merged: &str| {
        let rows =
            [row(1, &["code", "name", "note"]), format!("<row r='2'>{cell}<c r='B2' t='str'><v>A</v></c></row>")]
                .concat();
        workbook(&format!("<worksheet><sheetData>{rows}</sheetData><mergeCells>{merged}</mergeCells></worksheet>"))
    };
    let code = "<c r='A2'><v>1319999015</v></c>";
    let formula = said(&sheet("<c r='A2'><f>C2</f><v>1319999015</v></c>", ""), None).unwrap_err();
    assert!(
        formula.iter().any(|said| said.contains("row 2 (2 行目), column `code`") && said.contains("formula")),
        "{formula:?}"
    );
    let merged = said(&sheet(code, "<mergeCell ref='A2:B2'/>"), None).unwrap_err();
    assert!(merged.iter().any(|said| said.contains("column `name`") && said.contains("merged")), "{merged:?}");
    assert!(said(&sheet(code, "<mergeCell ref='C2:D2'/>"), None).is_ok());
}

#[test]
fn a_mapping_of_ones_own_is_checked() {
    let good = "id = 'own'\ntitle = 'own'\n[rows]\nfirst = 2\n[columns]\ncode = 'B'\n";
    assert!(Format::parse(good).is_ok());
    for (from, to) in [
        ("first = 2", ""),
        ("'B'", "'B2'"),
        ("'B'", "['code']"),
        ("[rows]", "[row]"),
        ("first = 2", "first = 2\ntitles_within = 3"),
    ] {
        assert!(Format::parse(&good.replace(from, to)).is_err(), "{to}");
    }
}

proptest! {
    #[test]
    fn no_table_makes_it_panic(cells in proptest::collection::vec("[0-9,\\-あ医 \n]{0,14}", 0..40), covered in 0..60_u8) {
        drop(csv(&format!("code,name,prefecture,category\n{}", cells.join(",")), prefecture(covered)));
        drop(csv(&cells.join("\n"), prefecture(covered)));
    }
}

#[test]
fn codes_that_stand_in_several_rows_are_named() {
    let entry = |row: u32, code: &str| ListingEntry {
        sheet: 0,
        row,
        code: InstitutionCode::parse(code).unwrap(),
        name: "x".into(),
        address: None,
    };
    let entries = vec![entry(1, "1319999015"), entry(2, "1319999023"), entry(3, "1319999015"), entry(4, "1319999015")];
    let entries = ListingEntries { entries, ..ListingEntries::default() };
    let rows: Vec<u32> = entries.repeated().iter().map(|entry| entry.row).collect();
    assert_eq!(rows, [3, 4]);
}
