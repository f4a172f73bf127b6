//! CSV as bytes: which encoding, which separator, and whether the file is whole.

use encoding_rs::{EUC_JP, Encoding, SHIFT_JIS, UTF_8};

use super::{CELL_LIMIT, COLUMN_LIMIT, Mistake, ROW_LIMIT, Row};

const ADVICE_JA: &str = "CSV UTF-8で保存し、取り込み直してください";
const ADVICE: &str = "save it as CSV UTF-8 and import it again";

/// The text of a file. A wrong guess would turn names into rubbish without a word, so whatever is doubtful is refused.
pub(super) fn decode(bytes: &[u8]) -> Result<String, Mistake> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let rest = bytes.get(mark..).unwrap_or_default();
        return match encoding.decode_without_bom_handling(rest) {
            (text, false) => Ok(text.into_owned()),
            (_, true) if encoding == UTF_8 => Err(broken_utf8(rest)),
            (_, true) => Err(Mistake::file(format!(
                "{0} として途中で切れているか壊れています。{ADVICE_JA} / it breaks off or is damaged as {0}; {ADVICE}",
                encoding.name()
            ))),
        };
    }
    let Err(error) = str::from_utf8(bytes) else { return Ok(String::from_utf8_lossy(bytes).into_owned()) };
    // Shift_JIS all but never begins with a character that is also whole in UTF-8: such a file is UTF-8, and damaged.
    if bytes.get(..error.valid_up_to()).is_some_and(|start| !start.is_ascii()) {
        return Err(broken_utf8(bytes));
    }
    let (text, broken) = SHIFT_JIS.decode_without_bom_handling(bytes);
    if (broken || half_width(&text)) && EUC_JP.decode_without_bom_handling_and_without_replacement(bytes).is_some() {
        return Err(Mistake::file(format!("EUC-JPのようです。{ADVICE_JA} / it seems to be in EUC-JP; {ADVICE}")));
    }
    if broken {
        let line = 1 + text.split('\u{fffd}').next().unwrap_or_default().matches('\n').count();
        let what = format!(
            "ここからUTF-8でもShift_JISでもありません。{ADVICE_JA} / the text is neither UTF-8 nor Shift_JIS from here on; {ADVICE}"
        );
        return Err(Mistake { row: u32::try_from(line).ok(), ..Mistake::file(what) });
    }
    Ok(text.into_owned())
}

/// Whether most of it is half-width katakana: what EUC-JP read as Shift_JIS turns into.
fn half_width(text: &str) -> bool {
    let half_width = text.chars().filter(|c| ('\u{ff61}'..='\u{ff9f}').contains(c)).count();
    half_width * 2 > text.chars().filter(|c| !c.is_ascii()).count()
}

fn broken_utf8(bytes: &[u8]) -> Mistake {
    let Err(error) = str::from_utf8(bytes) else {
        return Mistake::file("文字が壊れています / the text is damaged");
    };
    let line = 1 + bytes.iter().take(error.valid_up_to()).filter(|byte| **byte == b'\n').count();
    let what = match error.error_len() {
        None => "文字の途中でファイルが切れています。取得し直してください / the file breaks off in the middle of a character; fetch it \
         again".to_owned(),
        Some(_) => format!("文字が壊れています（ここからUTF-8ではありません）。{ADVICE_JA} / \
         the text is damaged: it is not UTF-8 here, but was before; {ADVICE}"),
    };
    Mistake { row: u32::try_from(line).ok(), ..Mistake::file(what) }
}

/// The rows of a text.
pub(super) fn rows(text: &str) -> Result<Vec<Row>, Mistake> {
    let first_line = text.lines().next().unwrap_or_default();
    let separator = if first_line.contains('\t') && !first_line.contains(',') { b'\t' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    let mut record = csv::StringRecord::new();
    let mut lines = Lines { text: text.as_bytes(), counted: 0, line: 1 };
    loop {
        let broken = |error: csv::Error| Mistake {
            row: error.position().and_then(|position| u32::try_from(position.line()).ok()),
            ..Mistake::file(error.to_string())
        };
        if !reader.read_record(&mut record).map_err(broken)? {
            return closed(text, rows);
        }
        let number = lines.of(record.position().map_or(0, csv::Position::byte));
        let wrong = |what: String| Mistake { row: Some(number), ..Mistake::file(what) };
        if record.len() > COLUMN_LIMIT {
            return Err(wrong(format!(
                "列が {0} あります。読めるのは {COLUMN_LIMIT} までです / it has {0} columns; at most {COLUMN_LIMIT} are read",
                record.len()
            )));
        }
        if let Some(column) = record.iter().position(|cell| cell.len() > CELL_LIMIT) {
            let what = format!(
                "{CELL_LIMIT} バイトを超えています。引用符が抜けていませんか / it is longer than {CELL_LIMIT} bytes: is a quotation mark \
                 missing?"
            );
            return Err(Mistake { column: Some(super::letter(column)), ..wrong(what) });
        }
        if rows.len() == ROW_LIMIT {
            return Err(wrong(format!("行が {ROW_LIMIT} を超えています / there are more than {ROW_LIMIT} rows")));
        }
        let row = Row::new(number, &record, Vec::new());
        if !row.is_empty() {
            rows.push(row);
        }
    }
}

/// An open quotation mark swallows the rest of the file into the last row.
fn closed(text: &str, rows: Vec<Row>) -> Result<Vec<Row>, Mistake> {
    if text.bytes().filter(|byte| *byte == b'"').count().is_multiple_of(2) {
        return Ok(rows);
    }
    let what = "引用符が閉じていません。ファイルが途中で切れているか、セル内の `\"` が二重になっていません / \
                a quotation mark is not closed: the file breaks off, or a `\"` in a cell is not doubled";
    Err(Mistake { row: rows.last().map(|row| row.number), ..Mistake::file(what) })
}

/// Lines as an editor counts them. The reader's own count is one short after `\r\n`, and after empty lines.
struct Lines<'a> {
    text: &'a [u8],
    counted: usize,
    line: u32,
}

impl Lines<'_> {
    /// The line of the record that the reader found from byte `at` on.
    fn of(&mut self, at: u64) -> u32 {
        let rest = |from: usize| self.text.get(from..).unwrap_or_default().iter();
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let start = at.saturating_add(rest(at).take_while(|byte| matches!(byte, b'\r' | b'\n')).count());
        let passed = rest(self.counted).take(start.saturating_sub(self.counted)).filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(passed).unwrap_or(u32::MAX));
        self.counted = self.counted.max(start);
        self.line
    }
}
