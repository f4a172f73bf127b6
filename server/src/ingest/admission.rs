//! Who may hold a connection, and for how long. Strangers can open as many as they like: they get few, for a short time,
//! and the oldest of them makes room for the next, so that a terminal is always let in.
//!
//! A connection begins as a stranger's. With a terminal's certificate it is admitted, which counts per terminal. Without
//! one it stays a stranger's, which is enough to enrol. This is bookkeeping only; `tls` does the I/O.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;
use yomitori_proto::id::TerminalId;

/// Limits on connections.
#[derive(Debug, Clone, Copy)]
pub struct AdmissionLimits {
    /// Strangers in all.
    pub strangers: usize,
    /// Strangers from one address, or from one network of IPv6. Behind one address may be a relay with hundreds of
    /// terminals that connect again at the same moment.
    pub strangers_per_source: usize,
    /// Connections of one terminal: a stream, a renewal, and what the network has not ended yet.
    pub per_terminal: usize,
}

impl AdmissionLimits {
    /// The limits of a server that may open `files` files: a quarter of them for strangers.
    #[must_use]
    pub fn of(files: u64) -> Self {
        let strangers = usize::try_from(files / 4).unwrap_or(usize::MAX).clamp(64, 4096);
        Self { strangers, strangers_per_source: strangers / 4, per_terminal: 8 }
    }
}

/// The connections of a server.
#[derive(Debug, Clone)]
pub struct Admission {
    limits: AdmissionLimits,
    connections: Arc<Mutex<Connections>>,
}

#[derive(Debug, Default)]
struct Connections {
    next: u64,
    /// In the order in which they came.
    strangers: BTreeMap<u64, Stranger>,
    per_source: HashMap<IpAddr, usize>,
    per_terminal: HashMap<TerminalId, BTreeMap<u64, CancellationToken>>,
}

#[derive(Debug)]
struct Stranger {
    source: IpAddr,
    ends: CancellationToken,
}

/// The place of one connection; dropping it frees the place.
#[derive(Debug)]
pub struct Place {
    number: u64,
    terminal: Option<TerminalId>,
    /// Is cancelled when the connection has to make room.
    pub ends: CancellationToken,
    connections: Arc<Mutex<Connections>>,
}

impl Admission {
    #[must_use]
    pub fn new(limits: AdmissionLimits) -> Self {
        Self { limits, connections: Arc::default() }
    }

    /// A connection from `address` arrives. If there are too many strangers, or too many from its source, the oldest of
    /// them ends.
    #[must_use]
    pub fn arrive(&self, address: IpAddr) -> Place {
        let source = source(address);
        let ends = CancellationToken::new();
        let mut connections = locked(&self.connections);
        let from_source = connections.per_source.get(&source).copied().unwrap_or(0);
        if from_source >= self.limits.strangers_per_source {
            connections.end_oldest(|stranger| stranger.source == source);
        } else if connections.strangers.len() >= self.limits.strangers {
            connections.end_oldest(|_| true);
        }
        let number = connections.next;
        connections.next += 1;
        connections.strangers.insert(number, Stranger { source, ends: ends.clone() });
        *connections.per_source.entry(source).or_default() += 1;
        Place { number, terminal: None, ends, connections: Arc::clone(&self.connections) }
    }

    /// The connection has shown the certificate of this terminal. If the terminal has too many, its oldest ends.
    pub fn admit(&self, place: &mut Place, terminal: TerminalId) {
        let mut connections = locked(&self.connections);
        connections.forget_stranger(place.number);
        place.terminal = Some(terminal);
        let own = connections.per_terminal.entry(terminal).or_default();
        if own.len() >= self.limits.per_terminal
            && let Some((_, oldest)) = own.pop_first()
        {
            oldest.cancel();
        }
        own.insert(place.number, place.ends.clone());
    }

    /// Ends all connections of a terminal.
    pub fn end(&self, terminal: TerminalId) {
        let connections = locked(&self.connections);
        connections
            .per_terminal
            .get(&terminal)
            .into_iter()
            .flat_map(BTreeMap::values)
            .for_each(CancellationToken::cancel);
    }

    /// How many strangers there are.
    #[must_use]
    pub fn strangers(&self) -> usize {
        locked(&self.connections).strangers.len()
    }
}

impl Connections {
    fn end_oldest(&mut self, of: impl Fn(&Stranger) -> bool) {
        let oldest = self.strangers.iter().find(|(_, stranger)| of(stranger)).map(|(number, _)| *number);
        if let Some(number) = oldest {
            if let Some(stranger) = self.strangers.get(&number) {
                stranger.ends.cancel();
            }
            self.forget_stranger(number);
        }
    }

    fn forget_stranger(&mut self, number: u64) {
        let Some(stranger) = self.strangers.remove(&number) else { return };
        if let Some(count) = self.per_source.get_mut(&stranger.source) {
            *count -= 1;
            if *count == 0 {
                self.per_source.remove(&stranger.source);
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut connections = locked(&self.connections);
        connections.forget_stranger(self.number);
        if let Some(terminal) = self.terminal
            && let Some(own) = connections.per_terminal.get_mut(&terminal)
        {
            own.remove(&self.number);
            if own.is_empty() {
                connections.per_terminal.remove(&terminal);
            }
        }
    }
}

fn locked(connections: &Mutex<Connections>) -> MutexGuard<'_, Connections> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A host with one address of IPv6 usually has a network of 2⁶⁴.
fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::from((v6.to_bits() & !u128::from(u64::MAX)).to_be_bytes()),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const LIMITS: AdmissionLimits = AdmissionLimits { strangers: 10, strangers_per_source: 4, per_terminal: 2 };

    fn address(number: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, number])
    }

    proptest! {
        /// Whatever comes and goes, strangers stay within both limits, nobody new is turned away, an admitted terminal is
        /// only ended by itself, and nothing is left when all have gone.
        #[test]
        fn strangers_are_bounded_and_terminals_stay(steps in proptest::collection::vec((0..6_u8, 0..8_u8, 0..30_usize), 1..200)) {
            let admission = Admission::new(LIMITS);
            let mut places: Vec<Place> = Vec::new();
            for (what, who, which) in steps {
                match what {
                    0..=2 => {
                        let place = admission.arrive(address(who));
                        prop_assert!(!place.ends.is_cancelled());
                        places.push(place);
                    }
                    3..=4 => {
                        if let Some(place) = places.get_mut(which)
                            && place.terminal.is_none()
                            && !place.ends.is_cancelled()
                        {
                            admission.admit(place, TerminalId(Uuid::from_u128(u128::from(who))));
                            prop_assert!(!place.ends.is_cancelled());
                        }
                    }
                    _ => {
                        if which < places.len() {
                            places.swap_remove(which);
                        }
                    }
                }
                prop_assert!(admission.strangers() <= LIMITS.strangers);
                let connections = locked(&admission.connections);
                prop_assert!(connections.per_source.values().all(|count| (1..=LIMITS.strangers_per_source).contains(count)));
                prop_assert_eq!(connections.per_source.values().sum::<usize>(), connections.strangers.len());
                prop_assert!(connections.per_terminal.values().all(|own| (1..=LIMITS.per_terminal).contains(&own.len())));
                let live = |place: &&Place| !place.ends.is_cancelled();
                let admitted = places.iter().filter(live).filter(|place| place.terminal.is_some()).count();
                prop_assert_eq!(connections.per_terminal.values().map(BTreeMap::len).sum::<usize>(), admitted);
                prop_assert_eq!(places.iter().filter(live).count() - admitted, connections.strangers.len());
            }
            places.clear();
            let connections = locked(&admission.connections);
            prop_assert!(connections.strangers.is_empty() && connections.per_source.is_empty());
            prop_assert!(connections.per_terminal.is_empty());
        }
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let of = |text: &str| source(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
