//! The facility master as people have it: a table of codes and names, or the regional bureaus' own. Read as a whole; one
//! broken row, and nothing of it is imported.

mod plan;

use std::collections::BTreeMap;

use yomitori_proto::code::{InstitutionCode, Prefecture};

pub use plan::{Change, Plan, PlannedChange, plan};

use super::entry::{self, ListingRow, Scope};
use super::format::Format;
use super::table::{MISTAKES_TOLD, Mistake, RowSource};

/// A table that can be imported.
#[derive(Debug, Default)]
pub struct Master {
    /// The format that it is in.
    pub format: String,
    pub facilities: Vec<MasterFacility>,
    pub warnings: Vec<Mistake>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MasterFacility {
    pub sheet: Option<String>,
    /// As the editor counts.
    pub row: u32,
    /// At least one.
    pub codes: Vec<InstitutionCode>,
    pub name: Box<str>,
    pub prefecture: Prefecture,
    pub address: Option<Box<str>>,
}

/// The format in which only facilities that are known already are looked for.
pub const BUREAU: &str = "bureau-master";

/// Reads a master in one of `formats`; `scope` is what holds for the whole file.
///
/// # Errors
/// With what is wrong, row by row: then nothing may be imported.
pub fn read(table: &RowSource, formats: &[Format], scope: Scope) -> Result<Master, Vec<Mistake>> {
    let format = entry::detect(formats, table, scope)?;
    let lines = entry::lines(table, format, scope)?;
    let sheet = |line: &ListingRow| table.sheets.get(usize::from(line.sheet)).and_then(|sheet| sheet.name.clone());
    let mut master = Master { format: format.id.clone(), ..Master::default() };
    let mut mistakes = Vec::new();
    let mut seen: BTreeMap<InstitutionCode, u32> = BTreeMap::new();
    for line in lines {
        let about = |what: String| Mistake { sheet: sheet(&line), row: Some(line.row), ..Mistake::file(what) };
        for code in &line.codes {
            if let Some(before) = seen.insert(*code, line.row) {
                mistakes.push(about(format!(
                    "コード {code} は {before} 行目にもあります / code {code} stands in row {before} already"
                )));
            }
            let twin = code.twin();
            if let Some(row) = seen.get(&twin) {
                master.warnings.push(about(format!(
                    "{code} と都道府県番号だけが違う {twin} が {row} 行目にあります / \
                     {twin} of row {row} differs from {code} only in the \
                     number of the prefecture"
                )));
            } else if code.has_alternate_prefecture() {
                master.warnings.push(about(format!(
                    "{code} の最初の2桁は都道府県番号に50を足したものです / the first two digits of {code} are the number of a prefecture \
                     plus 50: is it {twin}?"
                )));
            }
            if !code.check_digit_holds() {
                master.warnings.push(about(format!(
                    "{code} の検査数字が通常と異なります（受け入れました） / \
                 the check digit of {code} is unusual; it was taken as it is"
                )));
            }
        }
        if mistakes.len() >= MISTAKES_TOLD {
            return Err(mistakes);
        }
        let sheet = sheet(&line);
        let ListingRow { row, codes, name, prefecture, address, .. } = line;
        master.facilities.push(MasterFacility { sheet, row, codes, name, prefecture, address });
    }
    if mistakes.is_empty() { Ok(master) } else { Err(mistakes) }
}

#[cfg(test)]
mod tests;
