//! The rows of a list: a code, and whose it is said to be.

use std::collections::BTreeSet;

use yomitori_proto::code::{InstitutionCode, Prefecture, Table as FeeTable};
use yomitori_proto::letter::reorders;

use super::format::{Format, Layout, Place};
use crate::table::{MISTAKES_TOLD, Mistake, Row, RowSource, Worksheet};

/// One code of one row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingEntry {
    /// Counts from 0 over all sheets.
    pub sheet: u16,
    /// As the editor counts.
    pub row: u32,
    pub code: InstitutionCode,
    pub name: Box<str>,
    pub address: Option<Box<str>>,
}

/// What a file says.
#[derive(Debug, Clone, Default)]
pub struct ListingEntries {
    pub sheets: Vec<Option<String>>,
    pub entries: Vec<ListingEntry>,
    /// Rows whose kind of facility the file does not give, so that it follows from the check digit.
    pub inferred: usize,
}

impl ListingEntries {
    /// The entries whose code an earlier one has already, in their order: a list names each facility once.
    #[must_use]
    pub fn repeated(&self) -> Vec<&ListingEntry> {
        let mut seen = BTreeSet::new();
        self.entries.iter().filter(|entry| !seen.insert(entry.code)).collect()
    }
}

/// One row with all its codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingRow {
    pub sheet: u16,
    pub row: u32,
    /// At least one.
    pub codes: Vec<InstitutionCode>,
    pub inferred: bool,
    pub prefecture: Prefecture,
    pub name: Box<str>,
    pub address: Option<Box<str>>,
}

/// What holds for every row of a file and stands in none.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scope {
    pub prefecture: Option<Prefecture>,
    pub table: Option<FeeTable>,
}

/// A name of a facility has at most this many characters.
pub const NAME_LIMIT: usize = 200;
/// An address of a facility has at most this many characters.
pub const ADDRESS_LIMIT: usize = 400;
/// At least this many rows of a sheet must be readable for a format to be the right one.
const TRIED: usize = 5;

/// The format that `table` is in: the first whose titles are there or, where it knows no titles, whose first rows read.
///
/// # Errors
/// With what keeps each of them from being it.
pub fn detect<'a>(formats: &'a [Format], table: &RowSource, scope: Scope) -> Result<&'a Format, Vec<Mistake>> {
    let mut reasons = Vec::new();
    for format in formats {
        match fits(format, table, scope) {
            Ok(()) => return Ok(format),
            Err(mistake) => {
                reasons.push(Mistake { what: format!("not `{}`: {}", format.id, mistake.what), ..mistake });
            }
        }
    }
    reasons.insert(
        0,
        Mistake::file(
            "知っている列の対応のどれにも合いません（listing mappings を参照し、--mapping で指定してください） / no mapping fits the \
             table's columns: see `listing mappings`, and name one of them, or a file with your own, with --mapping",
        ),
    );
    Err(reasons)
}

fn fits(format: &Format, table: &RowSource, scope: Scope) -> Result<(), Mistake> {
    for sheet in &table.sheets {
        let layout = format.layout(sheet)?;
        if layout.width > 0 {
            continue;
        }
        let mut tried = 0;
        for row in data(sheet, &layout).take(TRIED) {
            codes(row, format, &layout, scope).map_err(|mistake| in_sheet(sheet, mistake))?;
            tried += 1;
        }
        if tried == 0 {
            return Err(in_sheet(
                sheet,
                Mistake::file("様式が示す最初の行がありません / it has no row where the format has its first one"),
            ));
        }
    }
    Ok(())
}

/// Reads all rows, code by code.
///
/// # Errors
/// With what is wrong, row by row: then nothing of the file may be used.
pub fn read(table: &RowSource, format: &Format, scope: Scope) -> Result<ListingEntries, Vec<Mistake>> {
    let lines = lines(table, format, scope)?;
    let sheets = table.sheets.iter().map(|sheet| sheet.name.clone()).collect();
    let inferred = lines.iter().filter(|line| line.inferred).count();
    let mut entries = Vec::with_capacity(lines.len());
    for ListingRow { sheet, row, codes, name, address, .. } in lines {
        let entry = |code| ListingEntry { sheet, row, code, name: name.clone(), address: address.clone() };
        entries.extend(codes.into_iter().map(entry));
    }
    Ok(ListingEntries { sheets, entries, inferred })
}

/// Reads all rows.
///
/// # Errors
/// With what is wrong, row by row: then nothing of the file may be used.
pub fn lines(table: &RowSource, format: &Format, scope: Scope) -> Result<Vec<ListingRow>, Vec<Mistake>> {
    let mut lines = Vec::new();
    let mut mistakes = Vec::new();
    for (number, sheet) in (0..).zip(&table.sheets) {
        let layout = format.layout(sheet).map_err(|mistake| vec![mistake])?;
        for row in data(sheet, &layout) {
            match whole(sheet, row, &layout).and_then(|()| line(row, number, format, &layout, scope)) {
                Ok(line) => lines.push(line),
                Err(mistake) => mistakes.push(in_sheet(sheet, mistake)),
            }
            if mistakes.len() == MISTAKES_TOLD {
                return Err(mistakes);
            }
        }
    }
    if mistakes.is_empty() && lines.is_empty() {
        mistakes.push(Mistake::file("コードのある行がありません / the file has no row with a code"));
    }
    if mistakes.is_empty() { Ok(lines) } else { Err(mistakes) }
}

fn data<'a>(sheet: &'a Worksheet, layout: &'a Layout) -> impl Iterator<Item = &'a Row> {
    sheet.rows.iter().skip(layout.skip).filter(|row| layout.keyed(row))
}

fn in_sheet(sheet: &Worksheet, mistake: Mistake) -> Mistake {
    Mistake { sheet: mistake.sheet.or_else(|| sheet.name.clone()), ..mistake }
}

/// A row of a CSV that is cut off or shifted has another width than its titles; sheets leave empty cells out.
fn whole(sheet: &Worksheet, row: &Row, layout: &Layout) -> Result<(), Mistake> {
    if sheet.name.is_some() || layout.width == 0 || row.width() == layout.width {
        return Ok(());
    }
    let what = format!(
        "セルが {0} 個で、見出しは {1} 個です / it has {0} cells, the titles have {1}",
        row.width(),
        layout.width
    );
    Err(Mistake { row: Some(row.number), ..Mistake::file(what) })
}

fn line(row: &Row, sheet: u16, format: &Format, layout: &Layout, scope: Scope) -> Result<ListingRow, Mistake> {
    let Codes { codes, inferred, prefecture } = codes(row, format, layout, scope)?;
    let name = match &layout.name {
        Some(place) => text(row, place, NAME_LIMIT)?,
        None => "".into(),
    };
    if let (Some(place), true) = (&layout.name, name.is_empty()) {
        return Err(at(row, place, "名称がありません / there is no name"));
    }
    let address = layout.address.as_ref().map(|place| text(row, place, ADDRESS_LIMIT)).transpose()?;
    let address = address.filter(|address| !address.is_empty());
    Ok(ListingRow { sheet, row: row.number, codes, inferred, prefecture, name, address })
}

/// The cell as one line, without characters that only change how it is displayed.
fn text(row: &Row, place: &Place, limit: usize) -> Result<Box<str>, Mistake> {
    let cell = plain_cell(row, place)?.replace(reorders, "");
    if cell.chars().count() > limit {
        return Err(at(row, place, format!("{limit} 文字を超えています / it is longer than {limit} characters")));
    }
    if !cell.contains(char::is_control) {
        return Ok(cell.into());
    }
    let breaks = |c: char| matches!(c, '\n' | '\r' | '\t');
    if cell.contains(|c: char| c.is_control() && !breaks(c)) {
        return Err(at(row, place, "制御文字があります / it holds a control character"));
    }
    Ok(cell.split(breaks).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ").into())
}

fn plain_cell<'a>(row: &'a Row, place: &Place) -> Result<&'a str, Mistake> {
    match row.odd(place.column) {
        Some(odd) => Err(at(row, place, odd.advice())),
        None => Ok(row.cell(place.column)),
    }
}

fn at(row: &Row, place: &Place, what: impl Into<String>) -> Mistake {
    Mistake { row: Some(row.number), column: Some(place.called.clone()), ..Mistake::file(what) }
}

struct Codes {
    codes: Vec<InstitutionCode>,
    inferred: bool,
    prefecture: Prefecture,
}

fn codes(row: &Row, format: &Format, layout: &Layout, scope: Scope) -> Result<Codes, Mistake> {
    let covered = scope.prefecture;
    let wrong = |what: String| at(row, &layout.code, what);
    let own = match &layout.prefecture {
        Some(place) => match plain_cell(row, place)? {
            "" => None,
            text => {
                let known = text.parse::<Prefecture>();
                Some(known.map_err(|_| {
                    at(row, place, format!("`{0}` は都道府県ではありません / `{0}` is no prefecture", brief(text)))
                })?)
            }
        },
        None => None,
    };
    if let (Some(own), Some(covered), Some(place)) = (own, covered, &layout.prefecture)
        && own != covered
    {
        return Err(at(
            row,
            place,
            format!(
                "{0} の行です。範囲は {1} です / it is in {0}, the coverage is {1}",
                own.japanese(),
                covered.japanese()
            ),
        ));
    }
    let table = match &layout.category {
        Some(place) => match plain_cell(row, place)? {
            "" => None,
            text => {
                let table = format.table(text);
                Some(table.ok_or_else(|| {
                    at(
                        row,
                        place,
                        format!("施設の種類 `{0}` は分かりません / `{0}` is no known kind of facility", brief(text)),
                    )
                })?)
            }
        },
        None => None,
    };
    let table = table.or(scope.table);
    let cell = plain_cell(row, &layout.code)?;
    let prefecture = own.or(covered);
    let (mut codes, mut any_inferred) = (Vec::with_capacity(1), false);
    for written in written_codes(cell) {
        let (code, inferred) = code(&written, prefecture, table).map_err(wrong)?;
        if covered.is_some_and(|covered| covered != code.prefecture()) {
            let what = format!(
                "{code} は {0} のコードで、範囲外です / {code} is a code of {0}, not of the coverage",
                code.prefecture().japanese()
            );
            return Err(wrong(what));
        }
        codes.push(code);
        any_inferred |= inferred;
    }
    let Some(first) = codes.first() else {
        return Err(wrong("コードがありません / there is no code".to_owned()));
    };
    Ok(Codes { prefecture: prefecture.unwrap_or_else(|| first.prefecture()), codes, inferred: any_inferred })
}

/// The codes in a cell: one, written with whatever between its digits, or several.
fn written_codes(cell: &str) -> Vec<String> {
    let without_commas = |text: &str| text.replace([',', '，'], "");
    if cell.chars().filter(|c| c.is_numeric()).count() <= 10 {
        return Some(without_commas(cell)).filter(|code| !code.is_empty()).into_iter().collect();
    }
    cell.split([' ', ';', '　', '、', '/', '\n', '\r']).filter(|part| !part.is_empty()).map(without_commas).collect()
}

/// A code of ten digits, or of seven with what stands beside it; leading zeros may have been lost.
fn code(
    written: &str,
    prefecture: Option<Prefecture>,
    table: Option<FeeTable>,
) -> Result<(InstitutionCode, bool), String> {
    let digits = written.chars().filter(|c| c.is_numeric()).count();
    match digits {
        10 => InstitutionCode::parse(written).map(|code| (code, false)).map_err(|error| error.to_string()),
        // Prefectures 01 to 09 lose their zero; where the prefecture is not known, the last digit may be what is missing.
        9 => match InstitutionCode::parse(&format!("0{written}")) {
            Ok(code) if prefecture == Some(code.prefecture()) => Ok((code, false)),
            Ok(_) | Err(_) => {
                Err(format!("`{0}` は9桁です。コードは10桁です / `{0}` has 9 digits; a code has 10", brief(written)))
            }
        },
        5..=7 => {
            let Some(prefecture) = prefecture else {
                return Err(
                    "7桁のコードには都道府県が必要です。列か、ファイル全体の指定で与えてください / a code of 7 digits needs its prefecture: a column, or \
                     the option for the whole file".to_owned()
                );
            };
            if let Some(table) = table {
                let code = InstitutionCode::parse_with(prefecture, table, written);
                return code.map(|code| (code, false)).map_err(|error| error.to_string());
            }
            let tables = [FeeTable::Medical, FeeTable::Dental, FeeTable::Pharmacy, FeeTable::HomeNursing];
            for table in tables {
                let code =
                    InstitutionCode::parse_with(prefecture, table, written).map_err(|error| error.to_string())?;
                // At most one table gives a check digit that holds.
                if code.check_digit_holds() {
                    return Ok((code, true));
                }
            }
            Err("7桁のコードには施設の種類（医科、歯科、薬局、訪問看護）の列が必要です / a code of 7 digits needs the kind of facility (医科, 歯科, 薬局, \
             訪問看護) in a column".to_owned())
        }
        _ => match InstitutionCode::parse(written) {
            Ok(code) => Ok((code, false)),
            Err(error) => Err(format!("`{}`: {error}", brief(written))),
        },
    }
}

/// As much of a cell as a message needs.
fn brief(text: &str) -> String {
    const SHOWN: usize = 30;
    let mut brief: String = text.chars().take(SHOWN).filter(|c| !c.is_control()).collect();
    if text.chars().nth(SHOWN).is_some() {
        brief.push('…');
    }
    brief
}

#[cfg(test)]
mod tests;
