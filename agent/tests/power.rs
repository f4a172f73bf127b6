//! Power cuts: on a disk that loses or tears whatever was not synced, nothing that was reported as kept is lost.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use redb::{Database, StorageBackend};
use uuid::Uuid;
use yomitori_agent::spool::Spool;
use yomitori_observation::Sighting;
use yomitori_proto::event::AgentStopped;
use yomitori_proto::id::{Seq, TerminalId};
use yomitori_proto::vocabulary::StopReason;

const HERE: TerminalId = TerminalId(Uuid::from_u128(1));
const CUTS: u64 = 200;

/// A disk: what is on the platter, and what has only been written to its cache.
#[derive(Debug, Default)]
struct Disk {
    safe: Vec<u8>,
    seen: Vec<u8>,
    unsynced: Vec<Write>,
    /// The power goes at this operation.
    operations_left: u64,
}

#[derive(Debug)]
enum Write {
    At(u64, Vec<u8>),
    Length(u64),
}

fn write(bytes: &mut Vec<u8>, at: u64, data: &[u8]) {
    let (from, to) = (at as usize, at as usize + data.len());
    if bytes.len() < to {
        bytes.resize(to, 0);
    }
    bytes[from..to].copy_from_slice(data);
}

impl Disk {
    fn spend(&mut self) -> io::Result<()> {
        self.operations_left = self.operations_left.saturating_sub(1);
        if self.operations_left == 0 { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    /// The power comes back: of what wasn't synced, any part may have reached the platter, any write only half.
    fn power_up(&mut self, random: &mut StdRng) {
        for unsynced in std::mem::take(&mut self.unsynced) {
            match unsynced {
                Write::At(at, data) if random.random() => {
                    let torn = if random.random_bool(0.3) { random.random_range(0..=data.len()) } else { data.len() };
                    write(&mut self.safe, at, &data[..torn]);
                }
                Write::Length(length) if random.random() => self.safe.resize(length as usize, 0),
                Write::At(..) | Write::Length(_) => {}
            }
        }
        self.seen = self.safe.clone();
    }
}

#[derive(Clone, Debug, Default)]
struct Backend(Arc<Mutex<Disk>>);

impl Backend {
    fn with<T>(&self, act: impl FnOnce(&mut Disk) -> io::Result<T>) -> Result<T, io::Error> {
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
            disk.seen.resize(len as usize, 0);
            disk.unsynced.push(Write::Length(len));
            Ok(())
        })
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.with(|disk| {
            disk.spend()?;
            disk.unsynced.clear();
            disk.safe = disk.seen.clone();
            Ok(())
        })
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.with(|disk| {
            disk.spend()?;
            write(&mut disk.seen, offset, data);
            disk.unsynced.push(Write::At(offset, data.to_vec()));
            Ok(())
        })
    }
}

fn at(second: u64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 + second as i64)
}

fn open(disk: &Backend) -> Option<Spool> {
    let database = Database::builder().set_cache_size(1 << 20).create_with_backend(disk.clone()).ok()?;
    Spool::within(database, HERE, 1 << 20).ok().map(|spool| spool.expect("it is this terminal's"))
}

#[test]
fn a_power_cut_at_any_write_loses_nothing_that_was_kept() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let disk = Backend::default();
    let (mut kept, mut released, mut life) = (0, 0, None);
    for cut in 0..CUTS {
        disk.0.lock().unwrap().operations_left = random.random_range(1..400);
        if let Some(spool) = open(&disk) {
            let first = *life.get_or_insert(spool.life());
            if kept > 0 {
                assert_eq!(spool.life(), first, "cut {cut}: the life is kept with its first observation");
            }
            life = Some(spool.life());
            let last = spool.last().0;
            assert!(last >= kept, "cut {cut}: {last} of {kept} are left");
            let there: Vec<_> = spool.after(Seq(0), usize::MAX).unwrap().iter().map(|kept| kept.seq.0).collect();
            let from = spool.first_unacknowledged().0;
            assert!(from > released, "cut {cut}: a release is taken back");
            assert_eq!(there, (from..=last).collect::<Vec<_>>(), "cut {cut}");
            kept = last;
            loop {
                let second = kept + 1;
                let stopped = Sighting::now(at(second), AgentStopped { reason: StopReason::Service });
                match spool.keep(&vec![stopped; random.random_range(1..20)], &[], &[]) {
                    Ok(last) => kept = last.0,
                    Err(_) => break,
                }
                let through = random.random_range(released..=kept);
                match spool.release(Seq(through)) {
                    Ok(()) => released = through,
                    Err(_) => break,
                }
            }
        }
        disk.0.lock().unwrap().power_up(&mut random);
    }
    assert!(kept > CUTS, "the disk was up for long enough to keep something: {kept}");
}
