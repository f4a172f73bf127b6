//! Where in a table the codes, names and so on stand, as data.

use serde::Deserialize;
use unicode_normalization::UnicodeNormalization as _;
use yomitori_proto::code::Table;

use crate::table::{self, Mistake, Row, Worksheet};

const PREFECTURE_WORKBOOK: &str = include_str!("../data/prefecture_workbook.toml");
const PLAIN: &str = include_str!("../data/plain.toml");
const BUREAU_MASTER: &str = include_str!("../data/bureau_master.toml");

const KEY_TITLE_WITHIN: usize = 50;

/// A mapping of columns.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Format {
    pub id: String,
    /// For people.
    pub title: String,
    rows: Rows,
    columns: Columns,
    #[serde(default, rename = "category")]
    categories: Vec<Category>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rows {
    /// The first row with data, where columns are given by letters.
    first: Option<u32>,
    /// In how many of the first rows the titles may stand, where columns are given by titles.
    titles_within: Option<u32>,
    /// A column that is filled in every row with data.
    keyed_by: Option<Column>,
    /// What stands over that column, where columns are given by letters and nothing else tells the format.
    key_title: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Columns {
    code: Column,
    name: Option<Column>,
    prefecture: Option<Column>,
    category: Option<Column>,
    address: Option<Column>,
}

/// A letter, or the titles that a column may have.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Column {
    Letter(String),
    Titles(Vec<String>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Category {
    contains: String,
    table: u8,
}

/// A format applied to a sheet: columns counted from 0.
#[derive(Debug, Clone)]
pub struct Layout {
    /// How many of the sheet's kept rows come before the data.
    pub skip: usize,
    /// How wide the title row is; 0 where there is none.
    pub width: usize,
    pub keyed_by: Option<Place>,
    pub code: Place,
    pub name: Option<Place>,
    pub prefecture: Option<Place>,
    pub category: Option<Place>,
    pub address: Option<Place>,
}

/// A column with what it is called in messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub column: usize,
    pub called: String,
}

/// Why a mapping file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    #[error("invalid list format: {0}")]
    Toml(String),
    #[error("invalid list format: {0}")]
    Wrong(&'static str),
}

impl Format {
    /// Those of lists that come with the program, the most particular first.
    #[must_use]
    pub fn bundled() -> Vec<Self> {
        [PREFECTURE_WORKBOOK, PLAIN].into_iter().map(Self::bundle).collect()
    }

    /// Those of facility masters: the regional bureaus' own, and a table with titles.
    #[must_use]
    pub fn of_masters() -> Vec<Self> {
        [BUREAU_MASTER, PLAIN].into_iter().map(Self::bundle).collect()
    }

    /// The file of a bundled format, to write one's own after.
    #[must_use]
    pub fn text(id: &str) -> Option<&'static str> {
        [PREFECTURE_WORKBOOK, PLAIN, BUREAU_MASTER].into_iter().find(|text| Self::bundle(text).id == id)
    }

    fn bundle(text: &str) -> Self {
        Self::parse(text).expect("a test reads the bundled formats")
    }

    /// Reads a mapping file.
    ///
    /// # Errors
    /// Where it is no mapping.
    pub fn parse(text: &str) -> Result<Self, FormatError> {
        let format: Self =
            toml::from_str(text).map_err(|error| FormatError::Toml(error.to_string().trim().to_owned()))?;
        let columns = &format.columns;
        let all = [Some(&columns.code), columns.name.as_ref(), columns.prefecture.as_ref()];
        let rest = [columns.category.as_ref(), columns.address.as_ref(), format.rows.keyed_by.as_ref()];
        let given: Vec<&Column> = all.into_iter().chain(rest).flatten().collect();
        let titled = given.iter().any(|column| matches!(column, Column::Titles(_)));
        if format.rows.first.is_some() && format.rows.titles_within.is_some() {
            return Err(FormatError::Wrong("`rows` has either `first` or `titles_within`, not both"));
        }
        if titled && format.rows.first.is_some() {
            return Err(FormatError::Wrong("columns found by titles need `rows.titles_within`, not `rows.first`"));
        }
        if !titled && format.rows.first.is_none() {
            return Err(FormatError::Wrong("columns given by letters need `rows.first`, the first row with data"));
        }
        if given.iter().any(|column| matches!(column, Column::Letter(letters) if table::column(letters).is_none())) {
            return Err(FormatError::Wrong("a column is a letter such as \"C\", or a list of titles"));
        }
        if format.categories.iter().any(|category| category.table == 0 || category.table > 9) {
            return Err(FormatError::Wrong("a table is one digit: 1 医科, 3 歯科, 4 調剤, 6 訪問看護"));
        }
        Ok(format)
    }

    /// The table that a kind of facility (or the table's own digit or name) means.
    #[must_use]
    pub fn table(&self, category: &str) -> Option<Table> {
        let category = plain(category);
        if let Ok(number @ 1..=9) = category.parse() {
            return Some(Table::from_number(number));
        }
        let found = self.categories.iter().find(|known| category.contains(&plain(&known.contains)));
        found.map(|known| Table::from_number(known.table))
    }

    /// Where the columns stand in `sheet`.
    ///
    /// # Errors
    /// Where its titles are not there.
    pub fn layout(&self, sheet: &Worksheet) -> Result<Layout, Mistake> {
        let columns = &self.columns;
        let Some(within) = self.rows.titles_within else {
            let first = self.rows.first.unwrap_or(1);
            let skip = sheet.rows.partition_point(|row| row.number < first);
            let layout =
                self.arrange(skip, 0, |_| None, table::letter).expect("letters were checked when the format was read");
            if let (Some(wanted), Some(key)) = (&self.rows.key_title, &layout.keyed_by) {
                let titled = |row: &Row| title(row.cell(key.column)) == title(wanted);
                if !sheet.rows.iter().take(KEY_TITLE_WITHIN).any(titled) {
                    let what = format!(
                        "最初の数行の {0} 列に `{wanted}` がありません / none of the first rows has `{wanted}` in column {0}",
                        key.called
                    );
                    return Err(Mistake { sheet: sheet.name.clone(), ..Mistake::file(what) });
                }
            }
            // Data above the first row would be passed by without a word.
            return match sheet.rows.iter().take(skip).find(|row| layout.keyed_by.is_some() && layout.keyed(row)) {
                Some(early) => {
                    let what = format!(
                        "様式の最初の行（{first} 行目）より前にデータがあります / data begin before row {first}, where the format has its \
                         first"
                    );
                    Err(Mistake { sheet: sheet.name.clone(), row: Some(early.number), ..Mistake::file(what) })
                }
                None => Ok(layout),
            };
        };
        let candidates = sheet.rows.iter().take_while(|row| row.number <= within).enumerate();
        for (index, row) in candidates {
            let titles: Vec<String> = row.cells().map(title).collect();
            let called = |column: usize| row.cell(column).split_whitespace().collect::<Vec<_>>().join(" ");
            let find = |column: &Column| match column {
                Column::Titles(known) => {
                    let known: Vec<String> = known.iter().map(|known| title(known)).collect();
                    titles.iter().position(|title| known.contains(title))
                }
                Column::Letter(letters) => table::column(letters),
            };
            let found = find(&columns.code).is_some() && columns.name.as_ref().is_none_or(|name| find(name).is_some());
            if found && let Some(layout) = self.arrange(index + 1, row.width(), find, called) {
                return Ok(layout);
            }
        }
        let titles = |column: &Column| match column {
            Column::Titles(titles) => titles.first().cloned().unwrap_or_default(),
            Column::Letter(letters) => letters.clone(),
        };
        let wanted = [Some(&columns.code), columns.name.as_ref()].into_iter().flatten().map(titles);
        let wanted = wanted.map(|title| format!("`{title}`")).collect::<Vec<_>>().join(" and ");
        let what = format!(
            "最初の {within} 行に見出し {wanted} がありません / none of the first {within} rows has the titles {wanted}"
        );
        let row = sheet.rows.first().map(|row| row.number);
        Err(Mistake { sheet: sheet.name.clone(), row, ..Mistake::file(what) })
    }

    fn arrange(
        &self,
        skip: usize,
        width: usize,
        find: impl Fn(&Column) -> Option<usize>,
        called: impl Fn(usize) -> String,
    ) -> Option<Layout> {
        let place = |column: &Column| {
            let column = match column {
                Column::Letter(letters) => table::column(letters),
                titles @ Column::Titles(_) => find(titles),
            }?;
            Some(Place { column, called: called(column) })
        };
        let optional = |column: &Option<Column>| column.as_ref().and_then(place);
        Some(Layout {
            skip,
            width,
            keyed_by: optional(&self.rows.keyed_by),
            code: place(&self.columns.code)?,
            name: optional(&self.columns.name),
            prefecture: optional(&self.columns.prefecture),
            category: optional(&self.columns.category),
            address: optional(&self.columns.address),
        })
    }
}

impl Layout {
    /// Whether a row is data: its key, if the format has one, is a number.
    #[must_use]
    pub fn keyed(&self, row: &Row) -> bool {
        let numbered = |text: &str| !text.is_empty() && text.chars().all(char::is_numeric);
        self.keyed_by.as_ref().is_none_or(|place| numbered(row.cell(place.column)))
    }
}

/// A title without what is said in brackets behind it: `医療機関 コード（10桁）` is `医療機関コード`.
fn title(text: &str) -> String {
    let plain = plain(text).replace('_', "");
    plain.split('(').next().unwrap_or_default().to_owned()
}

/// One width, one case, no spaces or line breaks.
fn plain(text: &str) -> String {
    text.nfkc().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase()
}
