//! A configuration file in TOML: a reader that collects all mistakes, each with its line and what to do.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A mistake in the configuration file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mistake {
    pub line: usize,
    pub field: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            write!(f, "line {}: {}", self.line, self.what)
        } else {
            write!(f, "line {}, `{}`: {}", self.line, self.field, self.what)
        }
    }
}

/// One line a mistake, indented, as the message of an error lists them.
#[must_use]
pub fn list(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(|mistake| format!("  {mistake}")).collect::<Vec<_>>().join("\n")
}

/// Reads the document in `text` with `read`. A field that `read` does not ask for is a mistake too. `sample` is the file
/// that a missing field refers to.
pub fn read<T>(
    text: &str,
    sample: &'static str,
    read: impl FnOnce(&mut Section<'_>) -> Option<T>,
) -> Result<T, Vec<Mistake>> {
    // Where the syntax is wrong, more would follow from it: a field that seems to be missing, or to stand elsewhere.
    let (parsed, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|error| unparsed(text, error)).collect());
    }
    let mut root = Section {
        text,
        sample,
        path: String::new(),
        at: 0,
        table: parsed.get_ref(),
        known_fields: BTreeSet::new(),
        mistakes: Vec::new(),
    };
    let read = read(&mut root);
    let mut mistakes = root.finish();
    mistakes.sort();
    read.filter(|_| mistakes.is_empty()).ok_or(mistakes)
}

/// The document with another string at `path` and everything else unchanged; `None` if there is no string at `path`.
pub fn with_value(text: &str, path: &[&str], new: &str) -> Result<Option<String>, Vec<Mistake>> {
    let parsed = DeTable::parse(text).map_err(|error| vec![unparsed(text, &error)])?;
    let Some((last, above)) = path.split_last() else { return Ok(None) };
    let table = above.iter().try_fold(parsed.get_ref(), |table, field| table.get(*field)?.get_ref().as_table());
    let Some(value) = table.and_then(|table| table.get(*last)).filter(|value| value.get_ref().is_str()) else {
        return Ok(None);
    };
    let (Some(before), Some(after)) = (text.get(..value.span().start), text.get(value.span().end..)) else {
        return Ok(None);
    };
    let new = toml::Value::from(new);
    Ok(Some(format!("{before}{new}{after}")))
}

fn unparsed(text: &str, error: &toml::de::Error) -> Mistake {
    Mistake {
        line: line(text, error.span().map_or(0, |span| span.start)),
        field: String::new(),
        what: format!("{} (the file is written in TOML)", error.message()),
    }
}

/// A table of the document, with the fields that its reader knows.
pub struct Section<'a> {
    text: &'a str,
    sample: &'static str,
    path: String,
    at: usize,
    table: &'a DeTable<'a>,
    known_fields: BTreeSet<&'static str>,
    mistakes: Vec<Mistake>,
}

impl<'a> Section<'a> {
    /// A required string.
    pub fn required<T>(&mut self, field: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        if !self.table.contains_key(field) {
            self.known_fields.insert(field);
            self.mistake_at(self.at, field, &format!("is missing; add it (a sample is in {})", self.sample));
            return None;
        }
        self.optional(field, read)
    }

    /// An optional string.
    pub fn optional<T>(&mut self, field: &'static str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let value = self.value(field)?;
        let read =
            value.get_ref().as_str().ok_or_else(|| "is not a string; write it in quotes".to_owned()).and_then(read);
        read.map_err(|what| self.mistake_at(value.span().start, field, &what)).ok()
    }

    /// An optional list of strings.
    pub fn list<T>(&mut self, field: &'static str, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let Some(value) = self.value(field) else { return Vec::new() };
        let Some(items) = value.get_ref().as_array() else {
            self.mistake_at(value.span().start, field, "is not a list; write it as [\"…\", \"…\"]");
            return Vec::new();
        };
        let mut all = Vec::new();
        for item in items {
            let text = item
                .get_ref()
                .as_str()
                .ok_or_else(|| "contains a value that is not a string; write it in quotes".to_owned());
            match text.and_then(&read) {
                Ok(one) => all.push(one),
                Err(what) => self.mistake_at(item.span().start, field, &what),
            }
        }
        all
    }

    /// An optional whole number.
    pub fn number(&mut self, field: &'static str, range: RangeInclusive<u64>) -> Option<u64> {
        let value = self.value(field)?;
        let number = value
            .get_ref()
            .as_integer()
            .and_then(|number| u64::from_str_radix(&number.as_str().replace('_', ""), number.radix()).ok());
        let number = number.filter(|number| range.contains(number));
        if number.is_none() {
            let what = format!("is not a whole number from {} to {}", range.start(), range.end());
            self.mistake_at(value.span().start, field, &what);
        }
        number
    }

    /// The table `[field]`; an absent table is read as an empty one.
    pub fn section<T>(&mut self, field: &'static str, read: impl FnOnce(&mut Section<'_>) -> T) -> Option<T> {
        let empty = DeTable::default();
        match self.value(field) {
            None => self.within(field.to_owned(), self.at, &empty, read),
            Some(value) => match value.get_ref().as_table() {
                Some(table) => self.within(field.to_owned(), value.span().start, table, read),
                None => {
                    self.mistake_at(value.span().start, field, &format!("is not a section; write it as [{field}]"));
                    None
                }
            },
        }
    }

    /// The tables `[[field]]`, which may be absent or repeated.
    pub fn sections<T>(&mut self, field: &'static str, mut read: impl FnMut(&mut Section<'_>) -> Option<T>) -> Vec<T> {
        let Some(value) = self.value(field) else { return Vec::new() };
        let tables = value.get_ref().as_array().map(|array| {
            array.iter().map(|item| item.get_ref().as_table().map(|table| (item.span().start, table))).collect()
        });
        let Some(Some::<Vec<_>>(tables)) = tables else {
            self.mistake_at(
                value.span().start,
                field,
                &format!("is not a list of sections; write each as [[{field}]]"),
            );
            return Vec::new();
        };
        let mut all = Vec::new();
        for (number, (at, table)) in (1..).zip(tables) {
            all.extend(self.within(format!("{field}[{number}]"), at, table, &mut read).flatten());
        }
        all
    }

    /// The number of these fields that are present.
    pub fn count_present(&self, fields: &[&str]) -> usize {
        fields.iter().filter(|field| self.table.contains_key(**field)).count()
    }

    /// Whether `field` is present and a list of nothing.
    pub fn is_empty_list(&self, field: &str) -> bool {
        self.table.get(field).and_then(|value| value.get_ref().as_array()).is_some_and(|items| items.is_empty())
    }

    /// Records a mistake in `field`.
    pub fn mistake(&mut self, field: &'static str, what: &str) {
        let at = self.table.get(field).map_or(self.at, |value| value.span().start);
        self.mistake_at(at, field, what);
    }

    fn value(&mut self, field: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.known_fields.insert(field);
        self.table.get(field)
    }

    fn within<T>(
        &mut self,
        name: String,
        at: usize,
        table: &DeTable<'_>,
        read: impl FnOnce(&mut Section<'_>) -> T,
    ) -> Option<T> {
        let mut section = Section {
            text: self.text,
            sample: self.sample,
            path: self.named(&name),
            at,
            table,
            known_fields: BTreeSet::new(),
            mistakes: Vec::new(),
        };
        let read = read(&mut section);
        self.mistakes.extend(section.finish());
        Some(read)
    }

    fn named(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }

    fn mistake_at(&mut self, at: usize, field: &str, what: &str) {
        let field = self.named(field);
        self.mistakes.push(Mistake { line: line(self.text, at), field, what: what.to_owned() });
    }

    fn finish(mut self) -> Vec<Mistake> {
        for key in self.table.keys() {
            if !self.known_fields.contains(key.get_ref().as_ref()) {
                let known: Vec<_> = self.known_fields.iter().map(|field| format!("`{field}`")).collect();
                let what = format!("is not known here; known are {}", known.join(", "));
                self.mistake_at(key.span().start, key.get_ref(), &what);
            }
        }
        self.mistakes
    }
}

fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
