//! The facility master as people have it: a table of codes and names. Read as a whole; one broken row, and nothing of it
//! is imported.

use std::collections::BTreeMap;
use std::fmt;

use unicode_normalization::UnicodeNormalization as _;
use yomitori_proto::code::{InstitutionCode, Prefecture};
use yomitori_proto::event::{Event, FacilityRegistered};
use yomitori_proto::id::FacilityId;

/// The most that a table may hold: Japan has about 230,000 facilities.
const ROW_LIMIT: usize = 1_000_000;
const NAME_LIMIT: usize = 200;
const ADDRESS_LIMIT: usize = 400;
/// So many mistakes are told at once.
const MISTAKES_TOLD: usize = 20;

/// A table that can be imported.
#[derive(Debug, Default)]
pub struct Master {
    pub facilities: Vec<Facility>,
    pub warnings: Vec<Mistake>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facility {
    pub codes: Vec<InstitutionCode>,
    pub name: String,
    pub prefecture: Prefecture,
    pub address: Option<String>,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// As the editor counts; the header is row 1.
    pub row: Option<u64>,
    pub column: Option<&'static str>,
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(row) = self.row {
            write!(f, "row {row} ({row} 行目)")?;
            if let Some(column) = self.column {
                write!(f, ", column `{column}`")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.what)
    }
}

/// A facility that is known: where its code leads, and as what it was registered.
pub type Known = BTreeMap<String, (FacilityId, String, String)>;

impl Facility {
    /// What is to be recorded, unless it is known as it stands here.
    pub fn news(self, known: &Known) -> Option<(FacilityId, Event)> {
        let first = self.codes.first()?;
        let there = self.codes.iter().find_map(|code| known.get(code.as_str()));
        let prefecture = format!("{:02}", self.prefecture.number());
        let unchanged = there.is_some_and(|(_, name, at)| *name == self.name && *at == prefecture)
            && self.address.is_none()
            && self.codes.iter().all(|code| known.contains_key(code.as_str()));
        if unchanged {
            return None;
        }
        let id = there.map_or_else(|| FacilityId::of_code(first.as_str()), |(id, _, _)| *id);
        let codes = self.codes.iter().map(ToString::to_string).collect();
        Some((id, FacilityRegistered { name: self.name, prefecture, codes, address: self.address }.into()))
    }
}

#[derive(Clone, Copy)]
struct Columns {
    code: usize,
    name: usize,
    prefecture: Option<usize>,
    address: Option<usize>,
}

const CODE: &str = "code";
const NAME: &str = "name";
const PREFECTURE: &str = "prefecture";
const ADDRESS: &str = "address";

/// Reads a CSV in UTF-8 (with or without BOM) or CP932.
///
/// # Errors
/// With what is wrong, row by row: then nothing may be imported.
pub fn parse(bytes: &[u8]) -> Result<Master, Vec<Mistake>> {
    let text = decode(bytes)?;
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| vec![broken(&error)])?.clone();
    let columns = columns(&header)?;
    let mut master = Master::default();
    let mut mistakes = Vec::new();
    let mut seen: BTreeMap<InstitutionCode, u64> = BTreeMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                mistakes.push(broken(&error));
                break;
            }
        };
        let row = record.position().map_or(0, csv::Position::line);
        if record.iter().all(str::is_empty) {
            continue;
        }
        if master.facilities.len() >= ROW_LIMIT {
            mistakes.push(Mistake { row: Some(row), column: None, what: format!("more than {ROW_LIMIT} rows") });
        }
        match facility(&record, header.len(), columns, row) {
            Ok(facility) => {
                for code in &facility.codes {
                    if let Some(before) = seen.insert(*code, row) {
                        let what = format!("code {code} stands in row {before} already");
                        mistakes.push(Mistake { row: Some(row), column: Some(CODE), what });
                    }
                    if !code.check_digit_holds() {
                        let what = format!("the check digit of {code} is unusual; it was taken as it is");
                        master.warnings.push(Mistake { row: Some(row), column: Some(CODE), what });
                    }
                }
                master.facilities.push(facility);
            }
            Err(mistake) => mistakes.push(mistake),
        }
        if mistakes.len() >= MISTAKES_TOLD {
            break;
        }
    }
    if mistakes.is_empty() { Ok(master) } else { Err(mistakes) }
}

fn decode(bytes: &[u8]) -> Result<String, Vec<Mistake>> {
    let without_bom = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Ok(text) = str::from_utf8(without_bom) {
        return Ok(text.to_owned());
    }
    let (text, _, broken) = encoding_rs::SHIFT_JIS.decode(bytes);
    if broken {
        let what = "the file is neither UTF-8 nor Shift_JIS; save it as CSV UTF-8 and import it again";
        return Err(vec![Mistake { row: None, column: None, what: what.to_owned() }]);
    }
    Ok(text.into_owned())
}

fn columns(header: &csv::StringRecord) -> Result<Columns, Vec<Mistake>> {
    let find = |names: &[&str]| {
        header.iter().position(|title| {
            let title: String = title.nfkc().collect::<String>().to_lowercase();
            names.contains(&title.trim())
        })
    };
    let code = find(&["code", "codes", "医療機関コード", "コード"]);
    let name = find(&["name", "名称", "医療機関名", "施設名"]);
    let prefecture = find(&["prefecture", "都道府県"]);
    let address = find(&["address", "住所", "所在地"]);
    match (code, name) {
        (Some(code), Some(name)) => Ok(Columns { code, name, prefecture, address }),
        _ => {
            let what = "the first row must name the columns `code` (医療機関コード) and `name` (名称), \
                        and may name `prefecture` (都道府県) and `address` (住所)";
            Err(vec![Mistake { row: Some(1), column: None, what: what.to_owned() }])
        }
    }
}

fn facility(record: &csv::StringRecord, width: usize, columns: Columns, row: u64) -> Result<Facility, Mistake> {
    let mistake = |column, what: String| Mistake { row: Some(row), column: Some(column), what };
    if record.len() != width {
        let what = format!("it has {} fields, the header has {width}", record.len());
        return Err(Mistake { row: Some(row), column: None, what });
    }
    let cell = |column: usize| record.get(column).unwrap_or_default();
    let codes: Vec<InstitutionCode> = cell(columns.code)
        .split([' ', ';', '　', '、', '/'])
        .filter(|code| !code.is_empty())
        .map(|code| InstitutionCode::parse(code).map_err(|error| mistake(CODE, error.to_string())))
        .collect::<Result<_, _>>()?;
    let Some(first) = codes.first() else { return Err(mistake(CODE, "there is no code".to_owned())) };
    let name = plain(cell(columns.name), NAME_LIMIT).map_err(|what| mistake(NAME, what))?;
    if name.is_empty() {
        return Err(mistake(NAME, "there is no name".to_owned()));
    }
    let prefecture = match columns.prefecture.map(cell).filter(|text| !text.is_empty()) {
        Some(text) => text
            .parse()
            .map_err(|_| mistake(PREFECTURE, format!("`{text}` is no prefecture; write 13, 東京都 or Tokyo")))?,
        None => first.prefecture(),
    };
    let address = columns.address.map(cell).filter(|text| !text.is_empty());
    let address = address.map(|text| plain(text, ADDRESS_LIMIT)).transpose().map_err(|what| mistake(ADDRESS, what))?;
    Ok(Facility { codes, name, prefecture, address })
}

fn plain(text: &str, limit: usize) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("it holds a line break or a control character".to_owned());
    }
    if text.chars().count() > limit {
        return Err(format!("it is longer than {limit} characters"));
    }
    Ok(text.to_owned())
}

fn broken(error: &csv::Error) -> Mistake {
    Mistake { row: error.position().map(csv::Position::line), column: None, what: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_encoding_gives_the_same_table() {
        let text = "医療機関コード,名称,都道府県\n13-1-99-9901-5 1339999011,よみとり病院,東京都\n";
        let utf8 = parse(text.as_bytes()).unwrap();
        assert_eq!(utf8.facilities[0].codes.len(), 2);
        assert_eq!(utf8.facilities[0].prefecture.number(), 13);
        let (cp932, _, _) = encoding_rs::SHIFT_JIS.encode(text);
        assert_eq!(parse(&cp932).unwrap().facilities, utf8.facilities);
        assert_eq!(parse(&[b"\xef\xbb\xbf", text.as_bytes()].concat()).unwrap().facilities, utf8.facilities);
    }

    #[test]
    fn a_broken_row_is_named_and_nothing_is_imported() {
        let text = "code,name\n1319999015,A\n131999901,B\n1319999023,\n";
        let mistakes = parse(text.as_bytes()).unwrap_err();
        assert_eq!(mistakes.iter().map(|m| (m.row, m.column)).collect::<Vec<_>>(), [
            (Some(3), Some("code")),
            (Some(4), Some("name"))
        ]);
    }

    #[test]
    fn a_code_that_stands_twice_is_a_mistake() {
        let mistakes = parse(b"code,name\n1319999015,A\n1319999015,B\n").unwrap_err();
        assert!(mistakes[0].to_string().contains("row 3"), "{mistakes:?}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            // Whatever it says is right, as long as it says something.
            drop(parse(&[b"code,name\n", bytes.as_slice()].concat()));
            drop(parse(&bytes));
        }
    }
}
