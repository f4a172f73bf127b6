//! XLSX: a zip of XML parts, of which a table needs three or four.
//!
//! Read here and not by a spreadsheet crate, because those take memory by numbers that the file claims (`uniqueCount`, a
//! shared formula's index, a sheet's dimension); a hostile number then ends the process, which no `catch_unwind` holds.
//! Here every part is unpacked as a stream that stops at a limit, and rows are kept only where something stands.

mod parts;
mod sheet;

use std::io::{BufReader, Cursor, Read};

use quick_xml::Reader;
use zip::ZipArchive;
use zip::result::ZipError;

use super::{MIB, Mistake, RowSource};

/// Parts that hold names of other parts.
const SMALL_PART: usize = 4 * MIB;
/// The texts of the cells.
const STRINGS_PART: usize = 64 * MIB;
/// One sheet: 230,000 facilities unpack to about 60 MiB.
const SHEET_PART: usize = 192 * MIB;
const SHEET_LIMIT: usize = 64;
/// All cells of all sheets: 230,000 facilities with names and addresses take about 100 MiB.
const TABLE: usize = 384 * MIB;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// Reads every visible sheet that holds something.
pub(super) fn read(bytes: &[u8]) -> Result<RowSource, Mistake> {
    let archive = ZipArchive::new(Cursor::new(bytes));
    let mut archive = archive.map_err(|_| {
        Mistake::file(
            "XLSXファイルが途中で切れているか壊れています。取得し直してください / \
         it is no whole XLSX file: it breaks off or is damaged; fetch it again",
        )
    })?;
    if archive.index_for_name("mimetype").is_some() {
        return Err(Mistake::file(
            "OpenDocument形式です。.xlsxかCSVで保存してください / it is an OpenDocument file; save it as .xlsx or CSV",
        ));
    }
    let contents = parts::contents(&mut archive)?;
    let strings = match &contents.strings {
        Some(path) => parts::strings(&mut archive, path)?,
        None => Vec::new(),
    };
    let visible: Vec<&parts::WorksheetRef> = contents.sheets.iter().filter(|sheet| sheet.visible).collect();
    if visible.len() > SHEET_LIMIT {
        return Err(Mistake::file(format!(
            "シートが {0} 枚あります。読めるのは {SHEET_LIMIT} 枚までです / it has {0} sheets; at most {SHEET_LIMIT} are read",
            visible.len()
        )));
    }
    let mut budget = sheet::Budget(TABLE);
    let mut sheets = Vec::new();
    for listed in visible {
        let in_sheet = |mistake: Mistake| Mistake { sheet: Some(listed.name.clone()), ..mistake };
        let sheet = sheet::read(part(&mut archive, &listed.path, SHEET_PART).map_err(in_sheet)?, &strings, &mut budget);
        let rows = sheet.map_err(in_sheet)?;
        if !rows.is_empty() {
            sheets.push(super::Worksheet { name: Some(listed.name.clone()), rows });
        }
    }
    Ok(RowSource { sheets })
}

type Xml<'a> = Reader<BufReader<LimitedReader<Box<dyn Read + 'a>>>>;

/// The XML of one part, unpacked as it is read.
fn part<'a>(archive: &'a mut Archive<'_>, path: &str, limit: usize) -> Result<Xml<'a>, Mistake> {
    let entry = archive.by_name(path).map_err(|error| match error {
        ZipError::FileNotFound => Mistake::file(format!(
            "XLSXファイルの一部（`{path}`）がありません / \
         it is no whole XLSX file: the part `{path}` is missing"
        )),
        ZipError::UnsupportedArchive(_) => Mistake::file(
            "圧縮か暗号化の方式に対応していません。.xlsxで保存し直してください / \
             it is packed or encrypted in an unusual way; save it again as .xlsx",
        ),
        _ => Mistake::file(format!(
            "壊れています（`{path}` を展開できません） / it is damaged: the part `{path}` can't be unpacked"
        )),
    })?;
    let mut xml = Reader::from_reader(BufReader::new(LimitedReader {
        inner: Box::new(entry) as Box<dyn Read + 'a>,
        left: limit,
    }));
    let config = xml.config_mut();
    config.expand_empty_elements = true;
    config.check_end_names = true;
    Ok(xml)
}

/// Stops a part that unpacks to more than any list needs.
struct LimitedReader<R> {
    inner: R,
    left: usize,
}

const TOO_LARGE: &str = "展開後の大きさがリストとして大きすぎるため、読みませんでした / it unpacks to far more than any list holds; nothing of it \
 was read";

impl<R: Read> Read for LimitedReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count).ok_or_else(|| std::io::Error::other(TOO_LARGE))?;
        Ok(count)
    }
}

/// Why the XML of a part can't be read.
fn damaged(error: &quick_xml::Error) -> Mistake {
    match error {
        quick_xml::Error::Io(error) if error.to_string() == TOO_LARGE => Mistake::file(TOO_LARGE),
        other => Mistake::file(format!("壊れています / it is damaged: {other}")),
    }
}
