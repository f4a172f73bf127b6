//! The parts of a workbook beside its sheets: which sheets there are, and the texts that their cells share.

use std::collections::BTreeMap;

use quick_xml::events::{BytesRef, BytesStart, Event};

use super::super::Mistake;
use super::{Archive, SMALL_PART, STRINGS_PART, Xml, damaged, part};

/// What the workbook says that it holds.
pub(super) struct Contents {
    pub(super) sheets: Vec<WorksheetRef>,
    /// The path of the shared texts.
    pub(super) strings: Option<String>,
}

pub(super) struct WorksheetRef {
    pub(super) name: String,
    pub(super) visible: bool,
    pub(super) path: String,
}

pub(super) fn contents(archive: &mut Archive<'_>) -> Result<Contents, Mistake> {
    let top = relations(archive, "_rels/.rels", "")?;
    let workbook = top.values().find(|to| to.is("officeDocument")).map_or("xl/workbook.xml", |to| &to.path).to_owned();
    if workbook.ends_with(".bin") {
        return Err(Mistake::file(
            "バイナリ形式（.xlsb）です。.xlsxで保存してください / it is a binary workbook (.xlsb); save it as .xlsx",
        ));
    }
    let (folder, file) = workbook.rsplit_once('/').unwrap_or(("", &workbook));
    let relations = relations(archive, &format!("{folder}/_rels/{file}.rels"), folder)?;
    let strings = relations.values().find(|to| to.is("sharedStrings")).map(|to| to.path.clone());
    let mut sheets = Vec::new();
    elements(part(archive, &workbook, SMALL_PART)?, "sheet", |element| {
        let found = attribute(element, "id").and_then(|id| relations.get(&id));
        if let (Some(name), Some(to)) = (attribute(element, "name"), found)
            && to.is("worksheet")
        {
            let visible = attribute(element, "state").is_none_or(|state| state == "visible");
            sheets.push(WorksheetRef { name, visible, path: to.path.clone() });
        }
    })?;
    Ok(Contents { sheets, strings })
}

/// What a relation leads to.
struct Relation {
    kind: String,
    path: String,
}

impl Relation {
    fn is(&self, kind: &str) -> bool {
        self.kind.rsplit('/').next() == Some(kind)
    }
}

fn relations(archive: &mut Archive<'_>, path: &str, folder: &str) -> Result<BTreeMap<String, Relation>, Mistake> {
    let mut relations = BTreeMap::new();
    elements(part(archive, path, SMALL_PART)?, "Relationship", |element| {
        let (id, kind) = (attribute(element, "Id"), attribute(element, "Type"));
        if let (Some(id), Some(kind), Some(target)) = (id, kind, attribute(element, "Target")) {
            let path = match target.strip_prefix('/') {
                Some(absolute) => absolute.to_owned(),
                None if folder.is_empty() => target,
                None => format!("{folder}/{target}"),
            };
            relations.insert(id, Relation { kind, path });
        }
    })?;
    Ok(relations)
}

/// Calls `take` for every element `name` of a small part.
fn elements(mut xml: Xml<'_>, name: &str, mut take: impl FnMut(&BytesStart<'_>)) -> Result<(), Mistake> {
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer).map_err(|error| damaged(&error))? {
            Event::Start(element) if element.local_name().as_ref() == name => take(&element),
            Event::Eof => return Ok(()),
            _ => {}
        }
    }
}

/// The texts that cells refer to by number. Readings (furigana) are no part of them.
pub(super) fn strings(archive: &mut Archive<'_>, path: &str) -> Result<Vec<Box<str>>, Mistake> {
    let mut xml = part(archive, path, STRINGS_PART)?;
    let mut buffer = Vec::new();
    let mut strings = Vec::new();
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer).map_err(|error| damaged(&error))? {
            Event::Start(element) if element.local_name().as_ref() == "si" => {
                strings.push(rich_text(&mut xml, "si")?.into_boxed_str());
            }
            Event::Eof => return Ok(strings),
            _ => {}
        }
    }
}

/// The text inside an element `end` that has just begun.
pub(super) fn rich_text(xml: &mut Xml<'_>, end: &str) -> Result<String, Mistake> {
    let mut buffer = Vec::new();
    let mut text = String::new();
    let mut readings = 0_u32;
    loop {
        buffer.clear();
        match xml.read_event_into(&mut buffer).map_err(|error| damaged(&error))? {
            Event::Start(element) if element.local_name().as_ref() == "rPh" => readings += 1,
            Event::End(element) if element.local_name().as_ref() == "rPh" => readings = readings.saturating_sub(1),
            Event::End(element) if element.local_name().as_ref() == end => return Ok(text),
            Event::Text(part) if readings == 0 => text.push_str(&part.xml10_content()),
            Event::CData(part) if readings == 0 => text.push_str(&part.xml10_content()),
            Event::GeneralRef(name) if readings == 0 => text.push(character(&name)?),
            Event::Eof => return Err(Mistake::file("セルの途中で切れています / it breaks off within a cell")),
            _ => {}
        }
    }
}

/// What `&name;` stands for. A document type that defines more of them (and could blow a text up) is not read.
fn character(name: &BytesRef<'_>) -> Result<char, Mistake> {
    if let Ok(Some(character)) = name.resolve_char_ref() {
        return Ok(character);
    }
    match name.xml10_content().as_ref() {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        other => Err(Mistake::file(format!(
            "壊れています（不明な実体 `&{other};`） / it is damaged: nobody knows the entity `&{other};`"
        ))),
    }
}

/// An attribute by its name without prefix.
pub(super) fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let found = element.attributes().flatten().find(|attribute| attribute.key.local_name().as_ref() == name)?;
    quick_xml::escape::unescape(&found.value).ok().map(std::borrow::Cow::into_owned)
}
