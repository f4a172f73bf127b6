//! Opens the spool's file. A file that is broken or belongs to another terminal is renamed and its loss reported,
//! because no one in a clinic would repair it.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use chrono::{DateTime, Utc};
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTableMetadata as _, StorageError};
use yomitori_observation::Sighting;
use yomitori_proto::event::CollectionGap;
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::GapSource;

use super::Spool;
use super::error::{OpenError, SpoolError};
use super::record::OBSERVATIONS;
use crate::telemetry;

const FILE: &str = "spool.redb";
/// Only the last one is kept, for analysis.
const ASIDE: &str = "spool.broken.redb";
/// The size of redb's cache; the whole agent must fit in 15 MiB.
const CACHE_BYTES: usize = 1024 * 1024;

impl Spool {
    /// Opens the spool of `terminal` in `state_dir`, or begins a new life where there is none or it is broken.
    pub fn open(state_dir: &Path, terminal: TerminalId, budget: u64, now: DateTime<Utc>) -> Result<Self, OpenError> {
        let path = state_dir.join(FILE);
        let because = match attempt(&path, terminal, budget) {
            Ok(Some(spool)) => return Ok(spool),
            Ok(None) => None,
            Err(error) if is_broken(&error) => Some(error),
            Err(OpenError::InUse { .. }) => return Err(OpenError::InUse { state_dir: state_dir.to_owned() }),
            Err(error) => return Err(error),
        };
        let born_at = fs::metadata(&path).and_then(|file| file.created().or_else(|_| file.modified()));
        let from = born_at.map_or(now, DateTime::from).min(now);
        fs::rename(&path, state_dir.join(ASIDE)).map_err(|source| OpenError::File { path: path.clone(), source })?;
        let spool = attempt(&path, terminal, budget)?.ok_or(OpenError::Broken)?;
        telemetry::spool_set_aside(spool.life(), because.as_ref().map(|cause| cause as _));
        let gap =
            CollectionGap { source: GapSource::Spool, from: yomitori_proto::time::truncate(from), to: now, lost: None };
        spool.keep(&[Sighting::now(now, gap)], &[], &[])?;
        Ok(spool)
    }

    /// How many observations wait in the spool in `state_dir`, without changing it; `None` where that is not known yet.
    pub fn waiting(state_dir: &Path) -> Result<Option<u64>, OpenError> {
        let path = state_dir.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let database = match Database::builder().set_cache_size(CACHE_BYTES).open_read_only(&path) {
            Ok(database) => database,
            // The file was not closed in order; the agent's next start repairs it.
            Err(DatabaseError::RepairAborted) => return Ok(None),
            Err(error) => return Err(open_error(&path, error)),
        };
        let read = database.begin_read().map_err(SpoolError::from)?;
        let table = read.open_table(OBSERVATIONS).map_err(SpoolError::from)?;
        Ok(Some(table.len().map_err(SpoolError::from)?))
    }

    /// A spool that ends with the process: for simulated terminals.
    pub fn in_memory(terminal: TerminalId, budget: u64) -> Result<Self, OpenError> {
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(redb::backends::InMemoryBackend::new())
            .map_err(SpoolError::from)?;
        Self::within(database, terminal, budget)?.ok_or(OpenError::Broken)
    }
}

/// Opens or creates the file, and verifies every page. redb promises an error for a file that was altered; if it panics
/// all the same, the file counts as broken too.
fn attempt(path: &Path, terminal: TerminalId, budget: u64) -> Result<Option<Spool>, OpenError> {
    catch_unwind(AssertUnwindSafe(|| {
        let file = path.to_owned();
        let create =
            move || Database::builder().set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true).create(&file);
        let database = create().map_err(|error| open_error(path, error))?;
        Ok(Spool::within(database, terminal, budget)?.map(|spool| spool.reopened_by(create)))
    }))
    .unwrap_or(Err(OpenError::Broken))
}

fn open_error(path: &Path, error: DatabaseError) -> OpenError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => OpenError::InUse { state_dir: path.to_owned() },
        // The error of redb for a file that it did not write or whose header is torn.
        DatabaseError::Storage(StorageError::Io(source))
            if matches!(source.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            OpenError::Broken
        }
        DatabaseError::Storage(StorageError::Io(source)) => OpenError::File { path: path.to_owned(), source },
        DatabaseError::UpgradeRequired(_) | DatabaseError::RepairAborted => OpenError::Broken,
        other => OpenError::Spool(SpoolError::from(other)),
    }
}

fn is_broken(error: &OpenError) -> bool {
    match error {
        OpenError::Broken => true,
        OpenError::Spool(SpoolError(cause)) => matches!(
            **cause,
            redb::Error::Corrupted(_)
                | redb::Error::TableTypeMismatch { .. }
                | redb::Error::TableIsMultimap(_)
                | redb::Error::TypeDefinitionChanged { .. }
        ),
        OpenError::InUse { .. } | OpenError::Newer { .. } | OpenError::File { .. } => false,
    }
}
