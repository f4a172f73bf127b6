//! Opens the spool's file. A file that is broken is renamed and its loss reported, because no one in a clinic would
//! repair it. A file of another facility is renamed too, and waits for a person to decide about it.

use std::fs;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTableMetadata as _, StorageError};
use yomitori_observation::Sighting;
use yomitori_proto::event::CollectionGap;
use yomitori_proto::uplink::Peer;
use yomitori_proto::vocabulary::GapSource;

use super::Spool;
use super::error::{OpenError, SpoolError};
use super::lost::LostFile;
use super::record::OBSERVATIONS;
use crate::telemetry;

const FILE: &str = "spool.redb";
/// Only the last one is kept, for analysis.
const BROKEN: &str = "spool.broken.redb";
/// Before the number and the extension.
const OTHERS: &str = "spool.other-facility.";
/// The size of redb's cache; the whole agent must fit in 15 MiB.
const CACHE_BYTES: usize = 1024 * 1024;

impl Spool {
    /// Opens the spool of `peer` in `state_dir`, or begins a new life where there is none, it is broken, or it belongs to
    /// another facility.
    pub fn open(state_dir: &Path, peer: Peer, budget: u64, now: DateTime<Utc>) -> Result<Self, OpenError> {
        let path = state_dir.join(FILE);
        let error = match attempt(&path, peer, budget) {
            Ok(spool) => return Ok(spool),
            Err(OpenError::InUse { .. }) => return Err(OpenError::InUse { state_dir: state_dir.to_owned() }),
            Err(error) if is_broken(&error) || matches!(error, OpenError::OtherOwner { .. }) => error,
            Err(error) => return Err(error),
        };
        let born_at = fs::metadata(&path).and_then(|file| file.created().or_else(|_| file.modified()));
        let from = born_at.map_or(now, DateTime::from).min(now);
        let aside = match error {
            OpenError::OtherOwner { .. } => free_name(state_dir),
            _ => state_dir.join(BROKEN),
        };
        fs::rename(&path, &aside).map_err(|source| OpenError::File { path: path.clone(), source })?;
        let spool = attempt(&path, peer, budget)?;
        match &error {
            OpenError::OtherOwner { facility } => telemetry::spool_of_others(spool.life(), *facility, &aside),
            cause => telemetry::spool_broken(spool.life(), cause),
        }
        // What another facility's terminal saw is not missing here.
        if !matches!(error, OpenError::OtherOwner { facility: Some(_) }) {
            let from = yomitori_proto::time::truncate(from);
            let gap = CollectionGap { source: GapSource::Spool, from, to: now, lost: None };
            spool.keep(&[Sighting::now(now, gap)], &[], &[])?;
        }
        Ok(spool)
    }

    /// The files of the spools of other facilities in `state_dir`. A person may have deleted one of them.
    #[must_use]
    pub fn paths_of_others(state_dir: &Path) -> Vec<PathBuf> {
        const AT_MOST: usize = 100;
        names(state_dir).take(AT_MOST).filter(|path| path.exists()).collect()
    }

    /// The spools of other facilities in `state_dir`, each with the number of its observations that were never sent.
    pub fn of_others(state_dir: &Path) -> Result<Vec<(PathBuf, u64)>, OpenError> {
        let mut all = Vec::new();
        for path in Self::paths_of_others(state_dir) {
            let waiting = waiting(&path)?.unwrap_or_default();
            all.push((path, waiting));
        }
        Ok(all)
    }

    /// How many observations wait in the spool in `state_dir`, without changing it; `None` where that is not known yet.
    pub fn waiting(state_dir: &Path) -> Result<Option<u64>, OpenError> {
        waiting(&state_dir.join(FILE))
    }

    /// A spool that ends with the process: for simulated terminals.
    pub fn in_memory(peer: Peer, budget: u64) -> Result<Self, OpenError> {
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            .create_with_backend(redb::backends::InMemoryBackend::new())
            .map_err(SpoolError::from)?;
        Self::within(database, peer, budget)
    }
}

/// The names for spools of other facilities. Each is used once, so that none replaces an earlier one.
fn names(state_dir: &Path) -> impl Iterator<Item = PathBuf> {
    (1_u32..).map(move |number| state_dir.join(format!("{OTHERS}{number}.redb")))
}

fn free_name(state_dir: &Path) -> PathBuf {
    names(state_dir).find(|path| !path.exists()).unwrap_or_else(|| state_dir.join(BROKEN))
}

fn waiting(path: &Path) -> Result<Option<u64>, OpenError> {
    if !path.exists() {
        return Ok(None);
    }
    let database = match Database::builder().set_cache_size(CACHE_BYTES).open_read_only(path) {
        Ok(database) => database,
        // The file was not closed in order; the agent's next start repairs it.
        Err(DatabaseError::RepairAborted) => return Ok(None),
        Err(error) => return Err(open_error(path, error)),
    };
    let read = database.begin_read().map_err(SpoolError::from)?;
    let table = read.open_table(OBSERVATIONS).map_err(SpoolError::from)?;
    Ok(Some(table.len().map_err(SpoolError::from)?))
}

/// Opens or creates the file, and verifies every page. redb promises an error for a file that was altered; if it panics
/// all the same, the file counts as broken too.
fn attempt(path: &Path, peer: Peer, budget: u64) -> Result<Spool, OpenError> {
    catch_unwind(AssertUnwindSafe(|| {
        let file = path.to_owned();
        let create =
            move || Database::builder().set_cache_size(CACHE_BYTES).set_check_integrity_on_open(true).create(&file);
        let database = create().map_err(|error| open_error(path, error))?;
        let lost = LostFile::open(path.parent().unwrap_or(Path::new(".")));
        Ok(Spool::within(database, peer, budget)?.reopened_by(create).counting_losses_in(lost))
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
        OpenError::InUse { .. } | OpenError::Newer { .. } | OpenError::OtherOwner { .. } | OpenError::File { .. } => {
            false
        }
    }
}
