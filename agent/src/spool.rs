//! Stores observations until they are in the server's log.
//!
//! * Kept means fsynced: [`Spool::keep`] returns once the observations survive a power cut.
//! * The life is a random identifier of the file. Within a life the sequence has no gap, and no number is used twice.
//! * An observation is removed only when the server has acknowledged it or when the spool is full. A full spool removes
//!   the least valuable first, and stores a gap with their count in the same transaction.
//! * Marks of reported files and entries of the desk are stored in the transaction of their observation.
//! * A full disk acts like a smaller budget: the spool removes the least valuable observations until new ones fit.
//!   Observations that still do not fit are counted, also over a restart, and the count is stored with the next one that
//!   fits.
//! * A broken file is set aside and never written again; a new life begins and reports the loss.
//! * A terminal that is enrolled again for the same facility continues its life under its new identifier. The spool of
//!   another facility is set aside and never sent.

mod budget;
mod entries;
mod error;
mod file;
mod lost;
mod meta;
mod open;
mod owner;
mod record;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::{
    Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _, TableDefinition,
};
use uuid::Uuid;
use yomitori_observation::Sighting;
use yomitori_proto::event::{CollectionGap, Event, Observation, Speaker};
use yomitori_proto::id::{Boot, Life, Seq, TerminalId};
use yomitori_proto::uplink::Peer;
use yomitori_proto::vocabulary::GapSource;

use crate::outlet::FileMark;
use crate::telemetry;
use budget::Loss;
use entries::ENTRIES;
pub use error::{OpenError, SpoolError};
use file::File;
use lost::LostFile;
pub use lost::lost;
use meta::{FORMAT, LAST, LIFE, META, RELEASED, STARTED, STOPPED, id, number};
use owner::{Claim, Owner};
use record::{OBSERVATIONS, decoded, encoded};

/// By folder and name.
const MARKS: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("marks");

const THIS_FORMAT: u64 = 1;
/// The tables of this format.
const TABLES: usize = 4;
/// When the disk is full, the write is retried with the spool reduced to these percentages of the present size. The
/// first retry reduces nothing, because reopening the file may free enough space.
const RETRY_AT_PERCENT: [u64; 4] = [100, 90, 60, 20];

/// See the head of this file.
pub struct Spool {
    life: Life,
    owner: Owner,
    budget: u64,
    /// Locked during a whole write, so that numbers are assigned in the order in which observations are stored.
    inner: Mutex<OpenSpool>,
}

struct OpenSpool {
    file: File,
    ends: SpoolEnds,
    /// What did not fit on the disk and is not reported yet.
    lost: Option<Loss>,
    /// Keeps that over a restart; `None` in memory.
    lost_file: Option<LostFile>,
}

#[derive(Clone, Copy, Debug)]
struct SpoolEnds {
    last: Seq,
    released: Seq,
    bytes: u64,
}

/// The previous start of the agent with this spool.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EarlierStart {
    pub boot: Boot,
    pub agent_version: String,
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spool").field("life", &self.life).finish_non_exhaustive()
    }
}

impl Spool {
    /// The spool in `database`, which is empty or was initialised by this function. It is refused if it belongs to
    /// another facility; that of the same terminal under an earlier identity is continued.
    pub fn within(database: Database, peer: Peer, budget: u64) -> Result<Self, OpenError> {
        let write = database.begin_write().map_err(SpoolError::from)?;
        let is_complete = write.list_tables().map_err(SpoolError::from)?.count() >= TABLES;
        let (Claim { owner, is_new }, life, ends) = {
            let mut meta = write.open_table(META).map_err(SpoolError::from)?;
            write.open_table(MARKS).map_err(SpoolError::from)?;
            write.open_table(ENTRIES).map_err(SpoolError::from)?;
            let observations = write.open_table(OBSERVATIONS).map_err(SpoolError::from)?;
            match number(&meta, FORMAT)? {
                Some(THIS_FORMAT) => {}
                None => {
                    let (format, zero) = (THIS_FORMAT.to_be_bytes(), 0_u64.to_be_bytes());
                    let life = Uuid::new_v4();
                    let born: [(&str, &[u8]); 4] =
                        [(FORMAT, &format), (LIFE, life.as_bytes()), (LAST, &zero), (RELEASED, &zero)];
                    for (name, value) in born {
                        meta.insert(name, value).map_err(SpoolError::from)?;
                    }
                    owner::give(&mut meta, peer)?;
                }
                Some(format) => return Err(OpenError::Newer { format }),
            }
            let life = id(&meta, LIFE)?.ok_or(OpenError::Broken)?;
            let last = Seq(number(&meta, LAST)?.ok_or(OpenError::Broken)?);
            let released = Seq(number(&meta, RELEASED)?.ok_or(OpenError::Broken)?);
            let claim = owner::claim(&mut meta, peer, last, released)?;
            (claim, Life(life), SpoolEnds { last, released, bytes: budget::used_bytes(&observations)? })
        };
        // Nothing is written without need: even a commit without a change may need room, and the disk may be full.
        if is_complete && !is_new {
            write.abort().map_err(SpoolError::from)?;
        } else {
            write.commit().map_err(SpoolError::from)?;
        }
        let inner = OpenSpool { file: File::new(database), ends, lost: None, lost_file: None };
        Ok(Self { life, owner, budget, inner: Mutex::new(inner) })
    }

    /// Lets the spool recover from a full disk: `open` reopens the database.
    #[must_use]
    pub fn reopened_by(self, open: impl Fn() -> Result<Database, DatabaseError> + Send + Sync + 'static) -> Self {
        self.lock().file.reopened_by(Box::new(open));
        self
    }

    /// Keeps what a full disk loses over a restart, in `file`.
    #[must_use]
    fn counting_losses_in(self, mut file: LostFile) -> Self {
        let mut inner = self.lock();
        inner.lost = file.read(self.life, inner.ends.last);
        inner.lost_file = Some(file);
        drop(inner);
        self
    }

    /// The life to which all numbers of this spool belong.
    #[must_use]
    pub const fn life(&self) -> Life {
        self.life
    }

    /// The terminal for which this spool began. The keys of readers and the marks of files are made with it, so that they
    /// stay the same when the terminal is enrolled again.
    #[must_use]
    pub const fn first_owner(&self) -> TerminalId {
        self.owner.first
    }

    /// The former identifiers of this terminal under which observations that are not acknowledged may have been sent.
    #[must_use]
    pub fn former_owners(&self) -> Vec<TerminalId> {
        self.owner.former_of(self.first_unacknowledged())
    }

    /// The highest number that is stored.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.lock().ends.last
    }

    /// The lowest number that the server has not acknowledged, or the next number to be assigned.
    #[must_use]
    pub fn first_unacknowledged(&self) -> Seq {
        self.lock().ends.released.next()
    }

    /// How much of the budget is used, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.lock().ends.bytes
    }

    /// Stores `sightings` in their order, and adds and removes marks, all in one transaction. If the disk is full
    /// ([`SpoolError::is_full`]), the sightings are counted as lost.
    pub fn keep(&self, sightings: &[Sighting], marks: &[FileMark], forgotten: &[FileMark]) -> Result<Seq, SpoolError> {
        let mut inner = self.lock();
        let was_lost = inner.lost.is_some();
        let mut kept = inner.keep(sightings, marks, forgotten, self.budget, 100);
        for percent in RETRY_AT_PERCENT {
            if !kept.as_ref().is_err_and(SpoolError::is_full) {
                break;
            }
            inner.file.close();
            kept = inner.keep(sightings, marks, forgotten, self.budget, percent);
        }
        if kept.as_ref().is_err_and(SpoolError::is_full) {
            inner.file.close();
            for sighting in sightings {
                Loss::add(&mut inner.lost, Loss::new(sighting.occurred_at, &sighting.event));
            }
            inner.note_lost(self.life);
        } else if was_lost && kept.is_ok() {
            inner.note_lost(self.life);
        }
        kept
    }

    /// Up to `limit` observations with a number above `after`, in order.
    pub fn after(&self, after: Seq, limit: usize) -> Result<Vec<Observation>, SpoolError> {
        let mut inner = self.lock();
        let read = inner.file.database()?.begin_read()?;
        let table = read.open_table(OBSERVATIONS)?;
        let mut observations = Vec::new();
        for entry in table.range(after.0.saturating_add(1)..)?.take(limit) {
            let (_, value) = entry?;
            observations.push(decoded(value.value())?);
        }
        Ok(observations)
    }

    /// Removes everything up to and including `through`. On a disk that is too full even for that, the next call
    /// removes it.
    pub fn release(&self, through: Seq) -> Result<(), SpoolError> {
        let mut inner = self.lock();
        match inner.release(through) {
            Err(error) if error.is_full() => {
                inner.file.close();
                Ok(())
            }
            released => released,
        }
    }

    /// The marks of files that were reported and not forgotten.
    pub fn marks(&self) -> Result<Vec<FileMark>, SpoolError> {
        let mut inner = self.lock();
        let read = inner.file.database()?.begin_read()?;
        let table = read.open_table(MARKS)?;
        let mut marks = Vec::with_capacity(usize::try_from(table.len()?).unwrap_or_default());
        for entry in table.iter()? {
            let (folder, name) = entry?.0.value();
            marks.push(FileMark { folder, name });
        }
        Ok(marks)
    }

    /// The desk's entries of the last day, oldest first, also those that the server has acknowledged.
    pub fn entries(&self) -> Result<Vec<Observation>, SpoolError> {
        let mut inner = self.lock();
        let read = inner.file.database()?.begin_read()?;
        let table = read.open_table(ENTRIES)?;
        table.iter()?.map(|entry| decoded(entry?.1.value())).collect()
    }

    /// Records the present start. Returns the previous one and whether it ended in order; `None` in a new life. On a full disk
    /// the previous start stays the one that is known.
    pub fn started(&self, now: &EarlierStart) -> Result<Option<(EarlierStart, bool)>, SpoolError> {
        let mut value = now.boot.to_bytes();
        value.extend_from_slice(now.agent_version.as_bytes());
        let mut inner = self.lock();
        let before = inner.earlier_start()?;
        match inner.note_start(&value) {
            Err(error) if error.is_full() => inner.file.close(),
            noted => noted?,
        }
        Ok(before)
    }

    fn lock(&self) -> MutexGuard<'_, OpenSpool> {
        // The ends change only after a commit, so a writer that panicked left them unchanged.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenSpool {
    /// Writes what is lost into its file. If that fails too, it is in memory until the end of this process.
    fn note_lost(&mut self, life: Life) {
        let Some(file) = &mut self.lost_file else { return };
        if let Err(error) = file.write(life, self.ends.last, self.lost.as_ref()) {
            telemetry::loss_not_counted(&error);
        }
    }

    fn earlier_start(&mut self) -> Result<Option<(EarlierStart, bool)>, SpoolError> {
        let last = self.ends.last.0;
        let read = self.file.database()?.begin_read()?;
        let meta = read.open_table(META)?;
        let stopped = meta.get(STOPPED)?.and_then(|value| value.value().try_into().ok()).map(u64::from_be_bytes);
        let Some(value) = meta.get(STARTED)? else { return Ok(None) };
        let before = value.value().split_first_chunk::<16>().and_then(|(boot, agent_version)| {
            let agent_version = std::str::from_utf8(agent_version).ok()?.to_owned();
            Some(EarlierStart { boot: Boot(Uuid::from_bytes(*boot)), agent_version })
        });
        Ok(before.map(|before| (before, stopped == Some(last))))
    }

    fn note_start(&mut self, value: &[u8]) -> Result<(), SpoolError> {
        let write = self.file.database()?.begin_write()?;
        write.open_table(META)?.insert(STARTED, value)?;
        write.commit()?;
        Ok(())
    }

    fn keep(
        &mut self,
        sightings: &[Sighting],
        marks: &[FileMark],
        forgotten: &[FileMark],
        budget: u64,
        percent: u64,
    ) -> Result<Seq, SpoolError> {
        let mut next = self.ends;
        let mut lost = self.lost.clone();
        let write = self.file.database()?.begin_write()?;
        {
            let mut table = write.open_table(OBSERVATIONS)?;
            for sighting in sightings {
                let value = append(&mut table, &mut next, sighting)?;
                if sighting.event.speaker() == Speaker::Anyone {
                    entries::remember(&mut write.open_table(ENTRIES)?, next.last, &value, sighting)?;
                }
                if matches!(sighting.event, Event::AgentStopped(_)) {
                    write.open_table(META)?.insert(STOPPED, next.last.0.to_be_bytes().as_slice())?;
                }
            }
            let room = budget.min(next.bytes * percent / 100);
            budget::shed(&mut table, &mut next.bytes, room, &mut lost)?;
            if let Some(Loss { from, to, count }) = lost {
                let at = sightings.last().map_or(to, |sighting| sighting.observed_at);
                let gap = CollectionGap { source: GapSource::Spool, from, to, lost: Some(count) };
                append(&mut table, &mut next, &Sighting::now(at, gap))?;
            }
            write.open_table(META)?.insert(LAST, next.last.0.to_be_bytes().as_slice())?;
            let mut known = write.open_table(MARKS)?;
            for mark in forgotten {
                known.remove((mark.folder, mark.name))?;
            }
            for mark in marks {
                known.insert((mark.folder, mark.name), ())?;
            }
        }
        write.commit()?;
        (self.ends, self.lost) = (next, None);
        Ok(next.last)
    }

    fn release(&mut self, through: Seq) -> Result<(), SpoolError> {
        let mut next = self.ends;
        next.released = next.released.max(through.min(next.last));
        if next.released == self.ends.released {
            return Ok(());
        }
        let write = self.file.database()?.begin_write()?;
        {
            let mut table = write.open_table(OBSERVATIONS)?;
            for entry in table.extract_from_if(..=next.released.0, |_, _| true)? {
                next.bytes = next.bytes.saturating_sub(budget::cost(entry?.1.value()));
            }
            write.open_table(META)?.insert(RELEASED, next.released.0.to_be_bytes().as_slice())?;
        }
        write.commit()?;
        self.ends = next;
        Ok(())
    }
}

fn append(
    table: &mut redb::Table<'_, u64, &'static [u8]>,
    ends: &mut SpoolEnds,
    sighting: &Sighting,
) -> Result<Vec<u8>, SpoolError> {
    ends.last = ends.last.next();
    let value = encoded(ends.last, sighting.clone());
    table.insert(ends.last.0, value.as_slice())?;
    ends.bytes += budget::cost(&value);
    Ok(value)
}
