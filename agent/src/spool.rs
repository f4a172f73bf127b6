//! What was observed and is not yet in the server's log.
//!
//! * Kept means fsynced: [`Spool::keep`] returns once the observations survive a power cut.
//! * The life is random and born with the file. Within it the sequence has no gap; a number is never used twice.
//! * Only the server's acknowledgement lets an observation go, or a full spool: then the least valuable goes first, and
//!   a counted gap that is kept in the same transaction says so.
//! * Marks of files that were told, and the entries of the desk, are kept in the transaction that keeps the observation.
//! * A full disk is a small budget: the file lets go of what is worth least until it has room for what comes. What finds
//!   no room all the same is counted, and told with the next that does.
//! * A file that is broken is set aside and never written again; a new life begins, and says so.

mod budget;
mod entries;
mod error;
mod file;
mod open;
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
use yomitori_proto::vocabulary::GapSource;

use crate::outlet::FileMark;
use budget::Loss;
use entries::ENTRIES;
pub use error::{OpenError, SpoolError};
use file::File;
use record::{OBSERVATIONS, decoded, encoded};

/// By folder and name.
const MARKS: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("marks");
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

const FORMAT: &str = "format";
const LIFE: &str = "life";
const TERMINAL: &str = "terminal";
const LAST: &str = "last";
const RELEASED: &str = "released";
const STARTED: &str = "started";
const STOPPED: &str = "stopped";
const THIS_FORMAT: u64 = 1;
/// How much of it all is kept, in percent, where the disk has no room: as little less as is enough. Opening the file anew
/// may help by itself.
const RETRY_AT_PERCENT: [u64; 4] = [100, 90, 60, 20];

/// See the head of this file.
pub struct Spool {
    life: Life,
    budget: u64,
    /// Held over a whole write, so that numbers are given in the order in which they are kept.
    held: Mutex<OpenSpool>,
}

struct OpenSpool {
    file: File,
    ends: SpoolEnds,
    /// What found no room on the disk, until it is told.
    lost: Option<Loss>,
}

#[derive(Clone, Copy, Debug)]
struct SpoolEnds {
    last: Seq,
    released: Seq,
    bytes: u64,
}

/// What ran before in this spool.
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
    /// The spool in `database`, which is new or was made by this function. `None` if it is another terminal's.
    pub fn within(database: Database, terminal: TerminalId, budget: u64) -> Result<Option<Self>, OpenError> {
        let write = database.begin_write().map_err(SpoolError::from)?;
        let (life, last, released, bytes) = {
            let mut meta = write.open_table(META).map_err(SpoolError::from)?;
            write.open_table(MARKS).map_err(SpoolError::from)?;
            write.open_table(ENTRIES).map_err(SpoolError::from)?;
            let observations = write.open_table(OBSERVATIONS).map_err(SpoolError::from)?;
            match number(&meta, FORMAT)? {
                Some(THIS_FORMAT) => {}
                None => {
                    let (format, zero) = (THIS_FORMAT.to_be_bytes(), 0_u64.to_be_bytes());
                    let (life, terminal) = (Uuid::new_v4(), terminal.to_bytes());
                    let born: [(&str, &[u8]); 5] = [
                        (FORMAT, &format),
                        (LIFE, life.as_bytes()),
                        (TERMINAL, &terminal),
                        (LAST, &zero),
                        (RELEASED, &zero),
                    ];
                    for (name, value) in born {
                        meta.insert(name, value).map_err(SpoolError::from)?;
                    }
                }
                Some(format) => return Err(OpenError::Newer { format }),
            }
            if id(&meta, TERMINAL)? != Some(terminal.0) {
                return Ok(None);
            }
            let life = id(&meta, LIFE)?.ok_or(OpenError::Broken)?;
            let last = number(&meta, LAST)?.ok_or(OpenError::Broken)?;
            let released = number(&meta, RELEASED)?.ok_or(OpenError::Broken)?;
            (Life(life), Seq(last), Seq(released), budget::used_bytes(&observations)?)
        };
        write.commit().map_err(SpoolError::from)?;
        let held = OpenSpool { file: File::new(database), ends: SpoolEnds { last, released, bytes }, lost: None };
        Ok(Some(Self { life, budget, held: Mutex::new(held) }))
    }

    /// The same, on a disk that may be full for a while: `open` opens the database anew.
    #[must_use]
    pub fn reopened_by(self, open: impl Fn() -> Result<Database, DatabaseError> + Send + Sync + 'static) -> Self {
        self.held().file.reopened_by(Box::new(open));
        self
    }

    /// The life that all numbers of this spool belong to.
    #[must_use]
    pub const fn life(&self) -> Life {
        self.life
    }

    /// The number kept last.
    #[must_use]
    pub fn last(&self) -> Seq {
        self.held().ends.last
    }

    /// The lowest number that the server hasn't acknowledged, or the next to be given.
    #[must_use]
    pub fn first_unacknowledged(&self) -> Seq {
        self.held().ends.released.next()
    }

    /// How much of the budget is used, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.held().ends.bytes
    }

    /// Keeps `sightings` in their order, remembers and forgets marks, all of it or nothing. Where the disk has no room
    /// ([`SpoolError::is_full`]), what wasn't kept is counted.
    pub fn keep(&self, sightings: &[Sighting], marks: &[FileMark], forgotten: &[FileMark]) -> Result<Seq, SpoolError> {
        let mut held = self.held();
        let mut kept = held.keep(sightings, marks, forgotten, self.budget, 100);
        for percent in RETRY_AT_PERCENT {
            if !kept.as_ref().is_err_and(SpoolError::is_full) {
                break;
            }
            held.file.close();
            kept = held.keep(sightings, marks, forgotten, self.budget, percent);
        }
        if kept.as_ref().is_err_and(SpoolError::is_full) {
            held.file.close();
            for sighting in sightings {
                Loss::add(&mut held.lost, Loss::new(sighting.occurred_at, &sighting.event));
            }
        }
        kept
    }

    /// Up to `limit` observations with a number above `after`, in their order.
    pub fn after(&self, after: Seq, limit: usize) -> Result<Vec<Observation>, SpoolError> {
        let mut held = self.held();
        let read = held.file.database()?.begin_read()?;
        let table = read.open_table(OBSERVATIONS)?;
        let mut observations = Vec::new();
        for entry in table.range(after.0.saturating_add(1)..)?.take(limit) {
            let (_, value) = entry?;
            observations.push(decoded(value.value())?);
        }
        Ok(observations)
    }

    /// Lets go of everything up to and including `through`; on a disk that has no room even for that, the next time.
    pub fn release(&self, through: Seq) -> Result<(), SpoolError> {
        let mut held = self.held();
        match held.release(through) {
            Err(error) if error.is_full() => {
                held.file.close();
                Ok(())
            }
            released => released,
        }
    }

    /// The files that were told and not forgotten.
    pub fn marks(&self) -> Result<Vec<FileMark>, SpoolError> {
        let mut held = self.held();
        let read = held.file.database()?.begin_read()?;
        let table = read.open_table(MARKS)?;
        let mut marks = Vec::with_capacity(usize::try_from(table.len()?).unwrap_or_default());
        for entry in table.iter()? {
            let (folder, name) = entry?.0.value();
            marks.push(FileMark { folder, name });
        }
        Ok(marks)
    }

    /// What the desk entered during the last day, oldest first, whether the server has it or not.
    pub fn entries(&self) -> Result<Vec<Observation>, SpoolError> {
        let mut held = self.held();
        let read = held.file.database()?.begin_read()?;
        let table = read.open_table(ENTRIES)?;
        table.iter()?.map(|entry| decoded(entry?.1.value())).collect()
    }

    /// Notes what runs now and tells what ran before, and whether that ended in order: nothing, in a new life.
    pub fn started(&self, now: &EarlierStart) -> Result<Option<(EarlierStart, bool)>, SpoolError> {
        let mut value = now.boot.to_bytes();
        value.extend_from_slice(now.agent_version.as_bytes());
        let mut held = self.held();
        let last = held.ends.last;
        let write = held.file.database()?.begin_write()?;
        let before = {
            let mut meta = write.open_table(META)?;
            let in_order = number(&meta, STOPPED)? == Some(last.0);
            meta.insert(STARTED, value.as_slice())?.and_then(|before| {
                let (boot, agent_version) = before.value().split_first_chunk::<16>()?;
                let agent_version = std::str::from_utf8(agent_version).ok()?.to_owned();
                Some((EarlierStart { boot: Boot(Uuid::from_bytes(*boot)), agent_version }, in_order))
            })
        };
        write.commit()?;
        Ok(before)
    }

    fn held(&self) -> MutexGuard<'_, OpenSpool> {
        // The ends change only after a commit, so a writer that panicked has left them as they were.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OpenSpool {
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

type Meta<'a> = redb::Table<'a, &'static str, &'static [u8]>;

fn number(meta: &Meta<'_>, name: &str) -> Result<Option<u64>, SpoolError> {
    let value = meta.get(name)?;
    Ok(value.and_then(|value| value.value().try_into().ok()).map(u64::from_be_bytes))
}

fn id(meta: &Meta<'_>, name: &str) -> Result<Option<Uuid>, SpoolError> {
    let value = meta.get(name)?;
    Ok(value.and_then(|value| Uuid::from_slice(value.value()).ok()))
}
