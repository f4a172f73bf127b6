//! A simulated disk that can be full, and that keeps, loses or tears unsynced data when the power fails.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rand::Rng as _;
use rand::rngs::StdRng;
use redb::StorageBackend;

const SECTOR: usize = 512;
const BLOCK: usize = 4_096;

/// The contents of the platter, and writes that are only in the cache.
#[derive(Debug)]
pub(crate) struct Disk {
    safe: Vec<u8>,
    seen: Vec<u8>,
    unsynced: Vec<Write>,
    /// As in a sparse file, unwritten blocks need no space.
    taken: BTreeSet<usize>,
    /// The size in blocks.
    pub(crate) room: usize,
    /// The power fails at this operation.
    pub(crate) operations_left: u64,
}

#[derive(Debug)]
enum Write {
    At(usize, Vec<u8>),
    Length(usize),
}

impl Write {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::At(at, data) => put(bytes, *at, data),
            Self::Length(length) => bytes.resize(*length, 0),
        }
    }
}

fn put(bytes: &mut Vec<u8>, at: usize, data: &[u8]) {
    let to = at + data.len();
    if bytes.len() < to {
        bytes.resize(to, 0);
    }
    bytes[at..to].copy_from_slice(data);
}

impl Disk {
    fn spend(&mut self) -> io::Result<()> {
        self.operations_left = self.operations_left.saturating_sub(1);
        if self.operations_left == 0 { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    pub(crate) const fn has_power(&self) -> bool {
        self.operations_left > 0
    }

    pub(crate) fn taken(&self) -> usize {
        self.taken.len()
    }

    fn take(&mut self, at: usize, length: usize) -> io::Result<()> {
        for block in at / BLOCK..(at + length).div_ceil(BLOCK) {
            if !self.taken.contains(&block) {
                if self.taken.len() >= self.room {
                    return Err(io::ErrorKind::StorageFull.into());
                }
                self.taken.insert(block);
            }
        }
        Ok(())
    }

    /// The power fails and comes back. Any part of the unsynced data may have reached the platter, and of a write only
    /// the beginning or some sectors.
    pub(crate) fn cut(&mut self, random: &mut StdRng) {
        for unsynced in std::mem::take(&mut self.unsynced) {
            match &unsynced {
                _ if random.random_bool(0.4) => {}
                Write::At(at, data) if random.random_bool(0.2) => {
                    put(&mut self.safe, *at, &data[..random.random_range(0..=data.len())]);
                }
                Write::At(at, data) if random.random_bool(0.2) => {
                    for (number, sector) in data.chunks(SECTOR).enumerate() {
                        if random.random() {
                            put(&mut self.safe, at + number * SECTOR, sector);
                        }
                    }
                }
                whole => whole.apply(&mut self.safe),
            }
        }
        self.restore(self.safe.clone());
    }

    /// The contents of the platter as one file, for tests with a real file.
    pub(crate) fn file(&self) -> &[u8] {
        &self.safe
    }

    pub(crate) fn restore(&mut self, file: Vec<u8>) {
        self.taken = file
            .chunks(BLOCK)
            .enumerate()
            .filter_map(|(number, block)| block.iter().any(|byte| *byte != 0).then_some(number))
            .collect();
        self.seen = file.clone();
        self.safe = file;
        self.unsynced.clear();
    }
}

/// A disk as redb uses it. Clones share one disk.
#[derive(Clone, Debug)]
pub(crate) struct Backend(Arc<Mutex<Disk>>);

impl Backend {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Disk {
            safe: Vec::new(),
            seen: Vec::new(),
            unsynced: Vec::new(),
            taken: BTreeSet::new(),
            room: usize::MAX,
            operations_left: u64::MAX,
        })))
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut Disk) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StorageBackend for Backend {
    fn len(&self) -> Result<u64, io::Error> {
        self.with(|disk| Ok(disk.seen.len() as u64))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.with(|disk| {
            let from = offset as usize;
            let bytes = disk.seen.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
            out.copy_from_slice(bytes);
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.with(|disk| {
            disk.spend()?;
            let length = len as usize;
            disk.taken.retain(|block| block * BLOCK < length);
            disk.seen.resize(length, 0);
            disk.unsynced.push(Write::Length(length));
            Ok(())
        })
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.with(|disk| {
            disk.spend()?;
            for write in std::mem::take(&mut disk.unsynced) {
                write.apply(&mut disk.safe);
            }
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.with(|disk| {
            disk.spend()?;
            let at = offset as usize;
            disk.take(at, data.len())?;
            put(&mut disk.seen, at, data);
            disk.unsynced.push(Write::At(at, data.to_vec()));
            Ok(())
        })
    }
}
