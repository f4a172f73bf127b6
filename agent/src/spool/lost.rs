//! What a full disk lost, in a file of fixed size. It is written when there is room and changed in its place, which needs
//! none, so that a restart forgets nothing before the gap can be stored.
//!
//! Two slots are written in turn, so that a power cut during a change leaves the slot of before. A count belongs to the end
//! of the spool at which it was made: each observation that is stored later has brought the gap along in its transaction.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use yomitori_proto::id::{Life, Seq};
use yomitori_proto::time;

use super::budget::Loss;

const FILE: &str = "spool.lost";
/// Each slot lies in a sector of its own.
const SLOT: usize = 512;
/// Turn, life, end of the spool, count, from, to.
const VALUES: usize = 8 + 16 + 8 + 8 + 8 + 8;
const DIGEST: usize = 32;

/// What is in the file: a loss that is not stored as a gap yet.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Slot {
    turn: u64,
    life: Life,
    /// The highest number of the spool when the last of it was lost.
    last: Seq,
    count: u64,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

/// See the head of this file.
#[derive(Debug)]
pub(super) struct LostFile {
    path: PathBuf,
    /// `None` if the disk was full when the file was needed first.
    file: Option<File>,
    turn: u64,
}

/// How many observations in `state_dir` were lost since when and wait for room to be reported; `None` if there are none.
#[must_use]
pub fn lost(state_dir: &Path) -> Option<(u64, DateTime<Utc>)> {
    let slot = newest(&mut File::open(state_dir.join(FILE)).ok()?)?;
    (slot.count > 0).then_some((slot.count, slot.from))
}

impl LostFile {
    /// Opens the file, and gets its room for later. Without room a loss is counted in memory until there is some.
    pub(super) fn open(state_dir: &Path) -> Self {
        let mut all = Self { path: state_dir.join(FILE), file: None, turn: 0 };
        all.file = all.prepared().ok();
        all.turn = all.file.as_mut().and_then(newest).map_or(0, |slot| slot.turn);
        all
    }

    fn prepared(&self) -> io::Result<File> {
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&self.path)?;
        if file.metadata()?.len() < 2 * SLOT as u64 {
            file.write_all(&[0; 2 * SLOT])?;
            file.sync_all()?;
        }
        Ok(file)
    }

    /// What was lost of `life`, if no observation was stored since.
    pub(super) fn read(&mut self, life: Life, last: Seq) -> Option<Loss> {
        let slot = newest(self.file.as_mut()?)?;
        let Slot { count, from, to, .. } = slot;
        (count > 0 && slot.life == life && slot.last == last).then_some(Loss { from, to, count })
    }

    /// Replaces what was lost.
    ///
    /// # Errors
    /// If the file can't be written, or there was never room for it.
    pub(super) fn write(&mut self, life: Life, last: Seq, lost: Option<&Loss>) -> io::Result<()> {
        let turn = self.turn + 1;
        let none = Loss { from: DateTime::UNIX_EPOCH, to: DateTime::UNIX_EPOCH, count: 0 };
        let Loss { from, to, count } = *lost.unwrap_or(&none);
        let bytes = encoded(&Slot { turn, life, last, count, from, to });
        let mut file = match self.file.take() {
            Some(file) => file,
            None => self.prepared()?,
        };
        file.seek(SeekFrom::Start((turn % 2) * SLOT as u64))?;
        file.write_all(&bytes)?;
        file.sync_data()?;
        (self.file, self.turn) = (Some(file), turn);
        Ok(())
    }
}

/// The slot that was written last and as a whole.
fn newest(file: &mut File) -> Option<Slot> {
    let mut bytes = [0; 2 * SLOT];
    file.seek(SeekFrom::Start(0)).ok()?;
    file.read_exact(&mut bytes).ok()?;
    bytes.chunks(SLOT).filter_map(decoded).max_by_key(|slot| slot.turn)
}

fn encoded(Slot { turn, life, last, count, from, to }: &Slot) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(VALUES + DIGEST);
    bytes.extend_from_slice(&turn.to_be_bytes());
    bytes.extend_from_slice(life.0.as_bytes());
    bytes.extend_from_slice(&last.0.to_be_bytes());
    bytes.extend_from_slice(&count.to_be_bytes());
    bytes.extend_from_slice(&time::to_micros(*from).to_be_bytes());
    bytes.extend_from_slice(&time::to_micros(*to).to_be_bytes());
    let digest = Sha256::digest(&bytes);
    bytes.extend_from_slice(&digest);
    bytes
}

/// `None` for a slot that was never written, or not as a whole.
fn decoded(bytes: &[u8]) -> Option<Slot> {
    let (values, rest) = bytes.split_at_checked(VALUES)?;
    if rest.get(..DIGEST)? != Sha256::digest(values).as_slice() {
        return None;
    }
    let number = |at: usize| Some(u64::from_be_bytes(values.get(at..at + 8)?.try_into().ok()?));
    let instant = |at: usize| time::from_micros(number(at)?.cast_signed());
    Some(Slot {
        turn: number(0)?,
        life: Life(Uuid::from_slice(values.get(8..24)?).ok()?),
        last: Seq(number(24)?),
        count: number(32)?,
        from: instant(40)?,
        to: instant(48)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(number: u128) -> Life {
        Life(Uuid::from_u128(number))
    }

    fn loss(count: u64) -> Loss {
        let at = |text: &str| text.parse().unwrap();
        Loss { from: at("2026-04-01T01:00:00Z"), to: at("2026-04-01T02:00:00.000001Z"), count }
    }

    #[test]
    fn it_is_there_after_a_restart_until_something_was_stored() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = LostFile::open(folder.path());
        assert_eq!((file.read(life(1), Seq(7)), lost(folder.path())), (None, None));
        file.write(life(1), Seq(7), Some(&loss(3))).unwrap();
        file.write(life(1), Seq(7), Some(&loss(4))).unwrap();
        let mut file = LostFile::open(folder.path());
        assert_eq!(file.read(life(1), Seq(7)), Some(loss(4)));
        assert_eq!(lost(folder.path()), Some((4, loss(4).from)));
        // The observation with number 8 brought the gap along, although the file could not be changed any more.
        assert_eq!(file.read(life(1), Seq(8)), None);
        // The spool was set aside, which is a gap of its own.
        assert_eq!(file.read(life(2), Seq(7)), None);
        file.write(life(1), Seq(8), None).unwrap();
        assert_eq!((LostFile::open(folder.path()).read(life(1), Seq(8)), lost(folder.path())), (None, None));
    }

    #[test]
    fn a_torn_slot_leaves_the_one_of_before() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = LostFile::open(folder.path());
        file.write(life(1), Seq(7), Some(&loss(3))).unwrap();
        file.write(life(1), Seq(7), Some(&loss(4))).unwrap();
        let path = folder.path().join(FILE);
        let whole = std::fs::read(&path).unwrap();
        assert_eq!(whole.len(), 2 * SLOT);
        for place in 0..whole.len() {
            let mut torn = whole.clone();
            torn[place] ^= 0x10;
            std::fs::write(&path, torn).unwrap();
            let found = LostFile::open(folder.path()).read(life(1), Seq(7));
            let newest = (0..VALUES + DIGEST).contains(&place);
            assert_eq!(found, Some(loss(if newest { 3 } else { 4 })), "{place}");
        }
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            LostFile::open(folder.path()).read(life(1), Seq(7));
            assert_eq!(std::fs::metadata(&path).unwrap().len(), 2 * SLOT as u64, "its room is prepared again");
        }
    }
}
