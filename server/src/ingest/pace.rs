//! How much a terminal and a facility may send. A terminal that was offline for months sends all of it at once; one that was
//! stolen, or whose software repeats itself, can't fill the log.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use yomitori_proto::id::{FacilityId, TerminalId};
use yomitori_proto::uplink::Peer;

/// The longest pause at once: shorter than the silence after which a stream counts as dead.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What may come at once, and how long each takes until it may come again.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: u32,
    each: Duration,
}

/// Observations of a terminal. A hospital's terminal makes one a second at its busiest; thirty days are 27,000.
const TERMINAL: Rate = Rate { burst: 250_000, each: Duration::from_millis(50) };
/// Observations of all terminals of a facility.
const FACILITY: Rate = Rate { burst: 1_000_000, each: Duration::from_millis(10) };
/// Streams of a terminal: each leaves two records in the log.
const STREAMS: Rate = Rate { burst: 600, each: Duration::from_secs(5) };

/// The buckets of this instance.
#[derive(Default, Debug)]
pub struct Pace {
    streams: Buckets<TerminalId>,
    terminals: Buckets<TerminalId>,
    facilities: Buckets<FacilityId>,
}

impl Pace {
    /// Counts a new stream; returns how long to wait where there were too many.
    #[must_use]
    pub fn stream(&self, peer: Peer, now: Instant) -> Option<Duration> {
        self.streams.take(peer.terminal, 1, STREAMS, now)
    }

    /// Counts observations, which are accepted in any case; returns how long nothing more is accepted.
    #[must_use]
    pub fn observations(&self, peer: Peer, count: usize, now: Instant) -> Option<Duration> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let terminal = self.terminals.take(peer.terminal, count, TERMINAL, now);
        let facility = self.facilities.take(peer.facility, count, FACILITY, now);
        terminal.max(facility).map(|pause| pause.min(LONGEST_PAUSE))
    }
}

/// Buckets that fill evenly. Only the instant at which a bucket is full again is kept; a full one needs no place.
#[derive(Debug)]
struct Buckets<K>(Mutex<FullAt<K>>);

#[derive(Debug)]
struct FullAt<K> {
    instants: HashMap<K, Instant>,
    /// Full buckets are dropped when there are this many.
    sweep_at: usize,
}

impl<K> Default for Buckets<K> {
    fn default() -> Self {
        Self(Mutex::new(FullAt { instants: HashMap::new(), sweep_at: 1_024 }))
    }
}

impl<K: Eq + Hash> Buckets<K> {
    /// Takes `count` from the bucket of `key`; returns how long it takes until it holds something again.
    fn take(&self, key: K, count: u32, rate: Rate, now: Instant) -> Option<Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.instants.len() >= all.sweep_at {
            all.instants.retain(|_, full_at| *full_at > now);
            all.sweep_at = (all.instants.len() * 2).max(1_024);
        }
        let full_at = all.instants.entry(key).or_insert(now);
        *full_at = (*full_at).max(now) + rate.each * count;
        let empty = *full_at - now;
        Some(empty.saturating_sub(rate.each * rate.burst)).filter(|pause| !pause.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const RATE: Rate = Rate { burst: 100, each: Duration::from_millis(10) };

    #[test]
    fn a_bucket_gives_its_burst_at_once_and_then_its_rate() {
        let (buckets, now) = (Buckets::default(), Instant::now());
        assert_eq!(buckets.take(1, 100, RATE, now), None);
        assert_eq!(buckets.take(1, 5, RATE, now), Some(Duration::from_millis(50)));
        assert_eq!(buckets.take(2, 100, RATE, now), None, "another key has a bucket of its own");
        let later = now + Duration::from_millis(60);
        assert_eq!(buckets.take(1, 1, RATE, later), None);
        assert_eq!(buckets.take(1, 1, RATE, later), Some(Duration::from_millis(10)));
        let full = later + Duration::from_secs(10);
        assert_eq!(buckets.take(1, 100, RATE, full), None, "no more than the burst is saved");
        assert!(buckets.take(1, 1, RATE, full).is_some());
    }

    #[test]
    fn full_buckets_need_no_place() {
        let (buckets, mut now) = (Buckets::default(), Instant::now());
        for key in 0..100_000 {
            assert_eq!(buckets.take(key, 1, RATE, now), None);
            now += Duration::from_millis(1);
        }
        assert!(buckets.0.lock().unwrap().instants.len() <= 2_048);
    }

    #[test]
    fn a_month_offline_comes_at_once_and_a_flood_does_not() {
        let (pace, now) = (Pace::default(), Instant::now());
        let peer = Peer { facility: FacilityId(Uuid::from_u128(1)), terminal: TerminalId(Uuid::from_u128(2)) };
        assert_eq!(pace.observations(peer, 27_301, now), None);
        let flood = (0..1_000).filter_map(|_| pace.observations(peer, 2_000, now)).max();
        assert_eq!(flood, Some(LONGEST_PAUSE));
        assert_eq!((0..600).filter_map(|_| pace.stream(peer, now)).count(), 0);
        assert!(pace.stream(peer, now).is_some());
    }
}
