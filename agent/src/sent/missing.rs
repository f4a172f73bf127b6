//! How many lines of the record are missing, in a file of fixed size. It is written when there is room, and changed in its
//! place, which needs none.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

const FILE: &str = "sent.missing";

/// The lines that are missing at one place of the record.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct MissingLines {
    pub lines: u64,
    /// The first of them was sent then.
    pub since: DateTime<Utc>,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct MissingFile {
    /// `None` if the disk was full when the file was first needed.
    file: Option<File>,
    missing: Option<MissingLines>,
}

impl MissingFile {
    pub(super) fn open(state_dir: &Path) -> io::Result<Self> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(state_dir.join(FILE));
        let mut file = match opened {
            Ok(file) => Some(file),
            Err(error) if is_full(&error) => None,
            Err(error) => return Err(error),
        };
        let missing = file.as_mut().and_then(read);
        let mut all = Self { file, missing };
        // Now is the time to get the room for later.
        if all.missing.is_none() {
            all.write().or_else(|error| if is_full(&error) { Ok(()) } else { Err(error) })?;
        }
        Ok(all)
    }

    pub(super) const fn lines(&self) -> Option<MissingLines> {
        self.missing
    }

    pub(super) fn add(&mut self, lines: u64, at: DateTime<Utc>) -> io::Result<()> {
        let missing = self.missing.get_or_insert(MissingLines { lines: 0, since: at });
        missing.lines = missing.lines.saturating_add(lines);
        // If there is no room even here, the count is in memory until the end of this process.
        self.write().or_else(|error| if is_full(&error) { Ok(()) } else { Err(error) })
    }

    pub(super) fn clear(&mut self) -> io::Result<()> {
        self.missing = None;
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let MissingLines { lines, since } =
            self.missing.unwrap_or(MissingLines { lines: 0, since: DateTime::UNIX_EPOCH });
        let micros = since.timestamp_micros();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(format!("{lines:020} {micros:020}\n").as_bytes())
    }
}

/// The lines that are missing at the end of the record in `state_dir`.
#[must_use]
pub fn at_the_end(state_dir: &Path) -> Option<MissingLines> {
    read(&mut File::open(state_dir.join(FILE)).ok()?)
}

pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn read(file: &mut File) -> Option<MissingLines> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    let (lines, since) = text.trim_end().split_once(' ')?;
    let lines = lines.parse().ok().filter(|lines| *lines > 0)?;
    Some(MissingLines { lines, since: DateTime::from_timestamp_micros(since.parse().ok()?)? })
}
