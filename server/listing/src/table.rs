//! A table out of a file that somebody received: CSV in any of the usual encodings, or XLSX.
//!
//! Files come from outside, so nothing in here trusts them: every size has a limit before memory is taken for it, a file
//! is read as a whole or not at all, and what is wrong is said with sheet, row and column as the spreadsheet shows them.
//! What the cells mean is not known here.

mod text;
mod workbook;

use std::fmt;

/// The largest file that is read: the ministry's whole list is a tenth of it.
pub const FILE_LIMIT: u64 = 128 * MIB as u64;
const MIB: usize = 1024 * 1024;
/// Japan has about 230,000 facilities.
const ROW_LIMIT: usize = 1_000_000;
/// Lists have about ten columns; a row with more than this is damaged or hostile.
const COLUMN_LIMIT: usize = 256;
/// A longer cell is no name and no address: mostly a quotation mark that was never closed.
const CELL_LIMIT: usize = 4000;
/// At most this many mistakes are reported at once.
pub const MISTAKES_TOLD: usize = 20;

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowSource {
    /// Those that are visible and hold something, in their order. A CSV is one sheet without a name.
    pub sheets: Vec<Worksheet>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Worksheet {
    pub name: Option<String>,
    /// Ascending by number; rows in which nothing stands are left out.
    pub rows: Vec<Row>,
}

/// One row. Its cells share one allocation, as there are millions of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Row {
    /// As the editor counts: the first row is 1.
    pub number: u32,
    text: Box<str>,
    /// Where each cell ends in `text`.
    ends: Box<[u32]>,
    odd: Vec<(usize, CellDefect)>,
}

/// Why a cell does not simply hold what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellDefect {
    /// It is computed, and what it shows may be stale.
    Formula,
    /// It lies under its neighbour.
    Merged,
    /// It shows `#REF!` or the like.
    Broken,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mistake {
    pub sheet: Option<String>,
    /// As the editor counts.
    pub row: Option<u32>,
    /// Its letter or its title.
    pub column: Option<String>,
    pub what: String,
}

impl Mistake {
    /// About the file as a whole.
    pub fn file(what: impl Into<String>) -> Self {
        Self { what: what.into(), ..Self::default() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sheet = self.sheet.as_ref().map(|sheet| format!("sheet `{sheet}`"));
        let row = self.row.map(|row| format!("row {row} ({row} 行目)"));
        let column = self.column.as_ref().map(|column| format!("column `{column}`"));
        let place: Vec<String> = [sheet, row, column].into_iter().flatten().collect();
        if !place.is_empty() {
            write!(f, "{}: ", place.join(", "))?;
        }
        f.write_str(&self.what)
    }
}

impl Row {
    /// The cells from the first column on; `odd` says which of them are not what they seem.
    fn new(number: u32, cells: impl IntoIterator<Item: AsRef<str>>, odd: Vec<(usize, CellDefect)>) -> Self {
        let mut text = String::new();
        let mut ends = Vec::new();
        for cell in cells {
            text.push_str(cell.as_ref().trim());
            ends.push(u32::try_from(text.len()).unwrap_or(u32::MAX));
        }
        Self { number, text: text.into(), ends: ends.into(), odd }
    }

    /// How many cells it has, empty ones before the last one included.
    #[must_use]
    pub fn width(&self) -> usize {
        self.ends.len()
    }

    /// The trimmed text of a cell, counted from 0; empty where there is none.
    #[must_use]
    pub fn cell(&self, column: usize) -> &str {
        let Some(&end) = self.ends.get(column) else { return "" };
        let start = column.checked_sub(1).map_or(0, |before| self.ends[before]);
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    /// All cells.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        (0..self.width()).map(|column| self.cell(column))
    }

    #[must_use]
    pub fn odd(&self, column: usize) -> Option<CellDefect> {
        self.odd.iter().find(|(place, _)| *place == column).map(|(_, odd)| *odd)
    }

    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.odd.is_empty()
    }
}

impl CellDefect {
    /// What a person can do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Formula => {
                "数式です。列をコピーし、値として貼り付けてください / it holds a formula; copy the column and paste it as values"
            }
            Self::Merged => {
                "結合されたセルです。結合を解除し、それぞれに入力してください / it is merged with its neighbour; unmerge the cells and fill each \
                 of them"
            }
            Self::Broken => {
                "#REF! などのエラーです。表計算ソフトで直してください / it shows an error such as #REF!; correct it in the spreadsheet"
            }
        }
    }
}

/// Reads CSV (UTF-8, Shift_JIS/CP932, UTF-16 with a byte order mark; commas or tabs) or XLSX, whichever `bytes` are.
///
/// # Errors
/// With the one thing that keeps it from being read.
pub fn read(bytes: &[u8]) -> Result<RowSource, Mistake> {
    if bytes.len() as u64 > FILE_LIMIT {
        return Err(Mistake::file(format!(
            "ファイルが {0} MiB を超えています / the file is larger than {0} MiB",
            FILE_LIMIT / MIB as u64
        )));
    }
    let table = match Kind::of(bytes) {
        Kind::Workbook => workbook::read(bytes)?,
        Kind::Text => RowSource { sheets: vec![Worksheet { name: None, rows: text::rows(&text::decode(bytes)?)? }] },
        Kind::Other(what) => return Err(Mistake::file(what)),
    };
    if table.sheets.iter().all(|sheet| sheet.rows.is_empty()) {
        return Err(Mistake::file(
            "ファイルが空です（`code` などの見出しもありません） / the file is empty: not even titles such as `code` are there",
        ));
    }
    Ok(table)
}

/// The letter over a column, counted from 0.
#[must_use]
pub fn letter(mut column: usize) -> String {
    let mut letters = Vec::new();
    loop {
        letters.insert(0, char::from(b'A' + u8::try_from(column % 26).unwrap_or(0)));
        match (column / 26).checked_sub(1) {
            Some(rest) => column = rest,
            None => return letters.into_iter().collect(),
        }
    }
}

/// The column, counted from 0, over which `letters` stand.
#[must_use]
pub fn column(letters: &str) -> Option<usize> {
    if letters.is_empty() || letters.len() > 3 {
        return None;
    }
    let value = |letter: u8| letter.is_ascii_alphabetic().then(|| usize::from(letter.to_ascii_uppercase() - b'A') + 1);
    letters.bytes().try_fold(0, |sum, letter| Some(sum * 26 + value(letter)?))?.checked_sub(1)
}

enum Kind {
    Workbook,
    Text,
    Other(&'static str),
}

impl Kind {
    fn of(bytes: &[u8]) -> Self {
        let begins = |with: &[u8]| bytes.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
        if begins(b"PK") {
            Self::Workbook
        } else if begins(b"\xd0\xcf\x11\xe0") {
            Self::Other(
                "古い.xls形式か、パスワード付きです。開いて、パスワードなしの.xlsxで保存してください / \
                 it is an old .xls file or protected by a password; open it and save it as .xlsx without password",
            )
        } else if begins(b"%PDF") {
            Self::Other("PDFです。CSVかXLSXが必要です / it is a PDF; the list is needed as CSV or XLSX")
        } else if begins(b"<!doctype") || begins(b"<html") || begins(b"\xef\xbb\xbf<!doctype") {
            Self::Other(
                "Webページです。リストの代わりにエラーページを保存していませんか。取得し直してください / \
                 it is a web page, perhaps an error page that was saved instead of the list; download it again",
            )
        } else if begins(b"\xff\xfe") || begins(b"\xfe\xff") || !bytes.contains(&0) {
            Self::Text
        } else {
            Self::Other("it is neither CSV nor XLSX")
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
