//! A record of everything that this terminal sends, as lines of JSON that a person can read. Each message is written
//! here before it is sent. The record is two files of at most 4 MiB; the older one is overwritten.
//!
//! On a full disk the terminal goes on sending, because nothing else empties its spool. The lines that do not fit are
//! counted in a file of fixed size, which a full disk still takes, and the next line that fits says how many are missing.

pub mod missing;

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;
use yomitori_proto::event::Observation;
use yomitori_proto::id::{Life, Seq, TerminalId};
use yomitori_proto::vocabulary::Way;

use crate::telemetry;
use missing::{MissingFile, MissingLines, is_full};

const LIMIT: u64 = 4 * 1024 * 1024;

/// A message that this terminal sends.
#[derive(Serialize, Clone, PartialEq, Debug)]
#[serde(rename_all = "snake_case")]
pub enum SentMessage<'a> {
    Hello {
        terminal: TerminalId,
        first_unacknowledged: Seq,
        agent_version: &'a str,
        way: Way,
        /// The identifiers that it had before.
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        former: &'a [TerminalId],
    },
    Observation(&'a Observation),
    KeepAlive {
        last_kept: Seq,
    },
    /// A request for a new certificate, with a public key.
    Renewal,
}

#[derive(Serialize)]
struct SentLine<'a> {
    sent_at: DateTime<Utc>,
    life: Life,
    #[serde(flatten)]
    sent: &'a SentMessage<'a>,
}

/// Stands where lines are missing.
#[derive(Serialize)]
struct MissingLine {
    missing: MissingLines,
}

/// The two files: the present one and the previous one.
#[must_use]
pub fn paths(state_dir: &Path) -> [PathBuf; 2] {
    [state_dir.join("sent.jsonl"), state_dir.join("sent.1.jsonl")]
}

/// The record of what is sent.
#[derive(Debug)]
pub struct SentLog {
    paths: [PathBuf; 2],
    life: Life,
    now: Mutex<OpenLog>,
}

#[derive(Debug)]
struct OpenLog {
    /// `None` until it can be opened.
    file: Option<File>,
    bytes: u64,
    missing: MissingFile,
}

impl SentLog {
    /// Continues the files in `state_dir`. On a full disk they may be missing.
    pub fn open(state_dir: &Path, life: Life) -> io::Result<Self> {
        let paths = paths(state_dir);
        let mut now = OpenLog { file: None, bytes: 0, missing: MissingFile::open(state_dir)? };
        match now.file(&paths[0]) {
            Err(error) if !is_full(&error) => return Err(error),
            Ok(_) | Err(_) => {}
        }
        Ok(Self { paths, life, now: Mutex::new(now) })
    }

    /// When something was last written, also before this start; `None` if never.
    #[must_use]
    pub fn last_at(&self) -> Option<DateTime<Utc>> {
        let written = |path: &PathBuf| path.metadata().ok().filter(|file| file.len() > 0)?.modified().ok();
        self.paths.iter().find_map(written).map(DateTime::from)
    }

    /// Writes the messages that are about to be sent, or counts them if the disk is full.
    pub fn write<'a>(&self, sent_at: DateTime<Utc>, all: impl IntoIterator<Item = SentMessage<'a>>) -> io::Result<()> {
        let (mut lines, mut count) = (Vec::new(), 0);
        let mut now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let missing = now.missing.lines();
        if let Some(missing) = missing {
            serde_json::to_writer(&mut lines, &MissingLine { missing })?;
            lines.push(b'\n');
        }
        for sent in all {
            serde_json::to_writer(&mut lines, &SentLine { sent_at, life: self.life, sent: &sent })?;
            lines.push(b'\n');
            count += 1;
        }
        match now.append(&self.paths, &lines) {
            Ok(()) if missing.is_some() => {
                telemetry::sent_log_complete();
                now.missing.clear()
            }
            Ok(()) => Ok(()),
            Err(error) if is_full(&error) => {
                if missing.is_none() {
                    telemetry::sent_log_full();
                }
                now.missing.add(count, sent_at)
            }
            Err(error) => Err(error),
        }
    }
}

impl OpenLog {
    fn file(&mut self, path: &Path) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                let file = OpenOptions::new().create(true).append(true).open(path)?;
                self.bytes = file.metadata()?.len();
                file
            }
        };
        Ok(self.file.insert(file))
    }

    /// Appends all of `lines` or nothing.
    fn append(&mut self, paths: &[PathBuf; 2], lines: &[u8]) -> io::Result<()> {
        if self.bytes > 0 && self.bytes + lines.len() as u64 > LIMIT {
            std::fs::rename(&paths[0], &paths[1])?;
            (self.file, self.bytes) = (None, 0);
        }
        self.file(&paths[0])?;
        let before = self.bytes;
        let file = self.file(&paths[0])?;
        if let Err(error) = file.write_all(lines) {
            // A part of a line may be there.
            file.set_len(before)?;
            return Err(error);
        }
        self.bytes += lines.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn the_two_files_hold_the_latest_and_never_more_than_their_limit() {
        let dir = tempfile::tempdir().unwrap();
        let at: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
        let life = Life(Uuid::from_u128(1));
        let version = "1".repeat(1_000);
        for number in 1..=10 {
            let log = SentLog::open(dir.path(), life).unwrap();
            let all = (0..1_000).map(|_| SentMessage::Hello {
                terminal: TerminalId(Uuid::from_u128(2)),
                first_unacknowledged: Seq(number),
                agent_version: &version,
                way: Way::Direct,
                former: &[],
            });
            log.write(at, all).unwrap();
        }
        let [now, before] = paths(dir.path()).map(|path| std::fs::read_to_string(path).unwrap());
        assert!(now.len() as u64 <= LIMIT && before.len() as u64 <= LIMIT);
        assert!(now.ends_with('\n') && now.contains("\"first_unacknowledged\":10"));
        assert!(before.contains("\"first_unacknowledged\":7") || before.contains("\"first_unacknowledged\":6"));
    }

    #[test]
    fn a_line_says_when_what_left() {
        let dir = tempfile::tempdir().unwrap();
        let at: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
        let life = Life(Uuid::from_u128(1));
        let log = SentLog::open(dir.path(), life).unwrap();
        log.write(at, [SentMessage::KeepAlive { last_kept: Seq(7) }, SentMessage::Renewal]).unwrap();
        assert_eq!(
            std::fs::read_to_string(&paths(dir.path())[0]).unwrap(),
            "{\"sent_at\":\"2026-04-01T00:00:00Z\",\"life\":\"00000000-0000-0000-0000-000000000001\",\
             \"keep_alive\":{\"last_kept\":7}}\n\
             {\"sent_at\":\"2026-04-01T00:00:00Z\",\"life\":\"00000000-0000-0000-0000-000000000001\",\"renewal\":null}\n"
        );
    }
}
