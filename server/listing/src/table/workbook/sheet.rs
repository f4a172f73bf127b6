//! One sheet: its cells row by row, and which of them are formulas or lie under a merged neighbour.

use quick_xml::events::{BytesStart, Event};

use super::super::{CELL_LIMIT, COLUMN_LIMIT, CellDefect, Mistake, ROW_LIMIT, Row, column, letter};
use super::parts::{attribute, rich_text};
use super::{Xml, damaged};

/// The last row that a spreadsheet can have.
const LAST_ROW: u32 = 1_048_576;
/// Cells under merged neighbours that are remembered; tables that are merged all over can't be read anyway.
const MERGED_LIMIT: usize = 2_000_000;

/// A row that is being read.
#[derive(Default)]
struct Line {
    number: u32,
    cells: Vec<(usize, String)>,
    odd: Vec<(usize, CellDefect)>,
    next_column: usize,
}

/// What a workbook may still take in memory, in bytes. A shared text counts in every cell that shows it.
#[derive(Debug)]
pub(super) struct Budget(pub(super) usize);

/// What a cell takes beside its text.
const CELL_BYTES: usize = 32;

impl Budget {
    fn take(&mut self, text: &str) -> Result<(), Mistake> {
        let Some(left) = self.0.checked_sub(text.len() + CELL_BYTES) else {
            return Err(Mistake::file(
                "大きすぎます。都道府県ごとなどに分けてください / the workbook is too large; split it, for example by prefecture",
            ));
        };
        self.0 = left;
        Ok(())
    }
}

pub(super) fn read(mut xml: Xml<'_>, strings: &[Box<str>], budget: &mut Budget) -> Result<Vec<Row>, Mistake> {
    let mut buffer = Vec::new();
    let mut rows: Vec<Row> = Vec::new();
    let mut line = Line::default();
    let mut marked = 0;
    let mut ended = false;
    loop {
        buffer.clear();
        let event =
            xml.read_event_into(&mut buffer).map_err(|error| Mistake { row: here(&line), ..damaged(&error) })?;
        match event {
            Event::Start(element) => match element.local_name().as_ref() {
                "row" => line = Line::begin(&element, line.number)?,
                "c" => {
                    let (at, kind) = line.place(&element)?;
                    let (text, odd) = cell(&mut xml, kind.as_deref(), strings).map_err(|m| line.at(at, m))?;
                    budget.take(&text).map_err(|m| line.at(at, m))?;
                    line.put(at, text, odd)?;
                }
                "mergeCell" => mark(&mut rows, &element, &mut marked)?,
                _ => {}
            },
            Event::End(element) => match element.local_name().as_ref() {
                "row" => line.end(&mut rows)?,
                "worksheet" => ended = true,
                _ => {}
            },
            Event::Eof if ended => return Ok(rows),
            Event::Eof => {
                return Err(Mistake {
                    row: here(&line),
                    ..Mistake::file("シートがここで切れています / the sheet breaks off here")
                });
            }
            _ => {}
        }
    }
}

fn here(line: &Line) -> Option<u32> {
    (line.number > 0).then_some(line.number)
}

impl Line {
    fn begin(element: &BytesStart<'_>, before: u32) -> Result<Self, Mistake> {
        let number = match attribute(element, "r") {
            Some(text) => text.parse().unwrap_or(0),
            None => before.saturating_add(1),
        };
        if number <= before || number > LAST_ROW {
            let what = format!(
                "シートが壊れています（{before} 行目の次が `{number}`） / the sheet is damaged: row `{number}` follows row {before}"
            );
            return Err(Mistake { row: Some(before), ..Mistake::file(what) });
        }
        Ok(Self { number, ..Self::default() })
    }

    fn at(&self, column: usize, mistake: Mistake) -> Mistake {
        Mistake { row: here(self), column: Some(letter(column)), ..mistake }
    }

    /// The column of a cell that begins, and what kind of value it has.
    fn place(&mut self, element: &BytesStart<'_>) -> Result<(usize, Option<String>), Mistake> {
        let (mut at, mut kind) = (None, None);
        // Two attributes of millions of cells: looked for in one pass.
        for attribute in element.attributes().flatten() {
            match attribute.key.as_ref() {
                "r" => {
                    let letters = attribute.value.trim_end_matches(|c: char| c.is_ascii_digit());
                    let unknown = || {
                        self.at(
                            self.next_column,
                            Mistake::file(
                                "シートが壊れています（位置のないセル） / the sheet is damaged: a cell has no place",
                            ),
                        )
                    };
                    at = Some(column(letters).ok_or_else(unknown)?);
                }
                "t" => kind = Some(attribute.value.into_owned()),
                _ => {}
            }
        }
        let at = at.unwrap_or(self.next_column);
        if at >= COLUMN_LIMIT {
            return Err(self.at(
                at,
                Mistake::file(format!("読める列は {COLUMN_LIMIT} までです / at most {COLUMN_LIMIT} columns are read")),
            ));
        }
        self.next_column = at + 1;
        Ok((at, kind))
    }

    fn put(&mut self, at: usize, text: String, odd: Option<CellDefect>) -> Result<(), Mistake> {
        if text.len() > CELL_LIMIT {
            return Err(self.at(
                at,
                Mistake::file(format!("{CELL_LIMIT} バイトを超えています / it is longer than {CELL_LIMIT} bytes")),
            ));
        }
        if self.cells.len() > COLUMN_LIMIT {
            return Err(self.at(
                at,
                Mistake::file(
                    "シートが壊れています（同じセルが2回） / the sheet is damaged: a cell stands there twice",
                ),
            ));
        }
        self.odd.extend(odd.map(|odd| (at, odd)));
        self.cells.push((at, text));
        Ok(())
    }

    fn end(&mut self, rows: &mut Vec<Row>) -> Result<(), Mistake> {
        let number = self.number;
        self.cells.sort_by_key(|(at, _)| *at);
        let mut texts: Vec<&str> = Vec::new();
        for (at, text) in &self.cells {
            if texts.len() > *at {
                return Err(self.at(
                    *at,
                    Mistake::file(
                        "シートが壊れています（同じセルが2回） / the sheet is damaged: a cell stands there twice",
                    ),
                ));
            }
            texts.resize(*at, "");
            texts.push(text);
        }
        let row = Row::new(number, texts, std::mem::take(&mut self.odd));
        if !row.is_empty() {
            if rows.len() == ROW_LIMIT {
                let what = format!("行が {ROW_LIMIT} を超えています / there are more than {ROW_LIMIT} rows");
                return Err(Mistake { row: Some(number), ..Mistake::file(what) });
            }
            rows.push(row);
        }
        *self = Self { number, ..Self::default() };
        Ok(())
    }
}

/// The value of a cell that has just begun.
fn cell(xml: &mut Xml<'_>, kind: Option<&str>, strings: &[Box<str>]) -> Result<(String, Option<CellDefect>), Mistake> {
    let mut buffer = Vec::new();
    let mut value = String::new();
    let mut odd = (kind == Some("e")).then_some(CellDefect::Broken);
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer).map_err(|error| damaged(&error))? {
            Event::Start(element) => match element.local_name().as_ref() {
                "f" => {
                    rich_text(xml, "f")?;
                    odd = Some(CellDefect::Formula);
                }
                "v" => value = rich_text(xml, "v")?,
                "is" => value = rich_text(xml, "is")?,
                _ => {}
            },
            Event::End(element) if element.local_name().as_ref() == "c" => break,
            Event::Eof => return Err(Mistake::file("シートがここで切れています / the sheet breaks off here")),
            _ => {}
        }
    }
    let text = match kind {
        Some("s") if !value.is_empty() => {
            let shared = value.trim().parse().ok().and_then(|number: usize| strings.get(number));
            shared
                .ok_or_else(|| {
                    Mistake::file(
                        "シートが壊れています（文字列がありません） / the sheet is damaged: its text is missing",
                    )
                })?
                .to_string()
        }
        None | Some("n") => whole_number(value),
        Some(_) => value,
    };
    Ok((text, odd))
}

/// `1319999015.0` and `1.319999015E9` as people see them.
fn whole_number(text: String) -> String {
    if !text.contains(['.', 'e', 'E']) {
        return text;
    }
    match text.parse::<f64>() {
        Ok(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        Ok(_) | Err(_) => text,
    }
}

/// Marks the cells of a merged range, all but the one that shows.
fn mark(rows: &mut [Row], element: &BytesStart<'_>, marked: &mut usize) -> Result<(), Mistake> {
    let range = attribute(element, "ref").unwrap_or_default();
    let ends = range.split_once(':').unwrap_or((&range, &range));
    let (Some((top, left)), Some((bottom, right))) = (place(ends.0), place(ends.1)) else {
        return Err(Mistake::file(format!(
            "シートが壊れています（`{range}` はセル範囲ではありません） / the sheet is damaged: `{range}` is no range of cells"
        )));
    };
    let first = rows.partition_point(|row| row.number < top);
    for row in rows.iter_mut().skip(first).take_while(|row| row.number <= bottom) {
        for at in left..=right.min(COLUMN_LIMIT - 1) {
            if (row.number, at) != (top, left) && row.odd(at).is_none() {
                row.odd.push((at, CellDefect::Merged));
            }
            *marked += 1;
        }
        if *marked > MERGED_LIMIT {
            return Err(Mistake::file(
                "結合セルが多すぎます。結合を解除し、それぞれに入力してください / too many of its cells are merged; unmerge them and fill each",
            ));
        }
    }
    Ok(())
}

/// `B7` as row and column.
fn place(text: &str) -> Option<(u32, usize)> {
    let letters = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = text.strip_prefix(letters)?;
    Some((digits.parse().ok()?, column(letters)?))
}
