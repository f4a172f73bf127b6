//! Listens for relays: they connect to this terminal and wait, and the uplink takes a connection when it needs one.
//!
//! The terminal sends first, so a connection that sends something while it waits, or ends, is not from a relay and is
//! dropped. The number of waiting connections is limited, also per address, and addresses that failed last are tried
//! last, so that a stranger can't keep a relay out. Only TLS shows who is at the other end.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::socket;
use crate::telemetry;

/// A relay keeps one connection ready; a second one may be a dead one that was not noticed yet.
const MAX_PER_ADDRESS: usize = 2;
const MAX_WAITING: usize = 16;
const MAX_FAILED: usize = 64;
/// The interface may come up later.
const OPEN_AGAIN: Duration = Duration::from_secs(10);
/// The pause after an accept failed, for example because too many files are open.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// Where to listen for relays.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelayAddress {
    /// The address of one interface, never of all.
    pub address: SocketAddr,
    /// The relays whose connections are accepted; if empty, any address is accepted.
    pub relays: Vec<IpAddr>,
}

#[derive(Debug)]
pub(super) struct RelayListener {
    waiting_room: Arc<WaitingRoom>,
    _acceptor: AbortOnDropHandle<()>,
}

/// The waiting connections, with the signal for a new one.
#[derive(Debug, Default)]
struct WaitingRoom {
    relays: Mutex<WaitingRelays>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct WaitingRelays {
    /// The newest is last.
    waiting: VecDeque<(IpAddr, TcpStream)>,
    /// Addresses that failed, the latest last.
    failed: VecDeque<IpAddr>,
    /// The address through which the server was last reached.
    proven: Option<IpAddr>,
}

impl RelayListener {
    pub(super) fn open(listen: RelayAddress) -> io::Result<Self> {
        let listener = bind(&listen)?;
        Ok(Self::with_acceptor(|waiting_room| async move { receive(&waiting_room, &listener, &listen).await }))
    }

    pub(super) fn open_when_possible(listen: RelayAddress) -> Self {
        Self::with_acceptor(|waiting_room| async move {
            let mut logged = false;
            let listener = loop {
                match bind(&listen) {
                    Ok(listener) => break listener,
                    Err(error) if logged => drop(error),
                    Err(error) => telemetry::relay_listener_failed(listen.address, &error),
                }
                logged = true;
                tokio::time::sleep(OPEN_AGAIN).await;
            };
            telemetry::relay_listener_open(listen.address);
            receive(&waiting_room, &listener, &listen).await;
        })
    }

    fn with_acceptor<F: Future<Output = ()> + Send + 'static>(receive: impl FnOnce(Arc<WaitingRoom>) -> F) -> Self {
        let waiting_room = Arc::new(WaitingRoom::default());
        let acceptor = tokio::spawn(receive(Arc::clone(&waiting_room)));
        Self { waiting_room, _acceptor: AbortOnDropHandle::new(acceptor) }
    }

    /// Returns once a connection is waiting.
    pub(super) async fn wait_for_relay(&self) {
        loop {
            let arrived = self.waiting_room.arrived.notified();
            if self.waiting_room.relays().is_occupied() {
                return;
            }
            arrived.await;
        }
    }

    pub(super) async fn take(&self) -> (TcpStream, IpAddr) {
        loop {
            let arrived = self.waiting_room.arrived.notified();
            if let Some((address, stream)) = self.waiting_room.relays().take() {
                return (stream, address);
            }
            arrived.await;
        }
    }

    pub(super) fn record_attempt(&self, relay: IpAddr, reached: bool) {
        self.waiting_room.relays().record_attempt(relay, reached);
    }
}

impl WaitingRoom {
    fn relays(&self) -> std::sync::MutexGuard<'_, WaitingRelays> {
        self.relays.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitingRelays {
    fn add(&mut self, address: IpAddr, stream: TcpStream) {
        self.waiting.retain(|(_, stream)| is_silent(stream));
        if self.count_of(address) >= MAX_PER_ADDRESS {
            let oldest = self.waiting.iter().position(|(other, _)| *other == address);
            oldest.and_then(|index| self.waiting.remove(index));
        } else if self.waiting.len() >= MAX_WAITING {
            let least = self
                .waiting
                .iter()
                .enumerate()
                .max_by_key(|(index, (other, _))| (self.rank(*other), usize::MAX - index));
            least.map(|(index, _)| index).and_then(|index| self.waiting.remove(index));
        }
        self.waiting.push_back((address, stream));
    }

    fn count_of(&self, address: IpAddr) -> usize {
        self.waiting.iter().filter(|(other, _)| *other == address).count()
    }

    fn is_occupied(&mut self) -> bool {
        self.waiting.retain(|(_, stream)| is_silent(stream));
        !self.waiting.is_empty()
    }

    /// The newest connection of the address that is most likely a relay.
    fn take(&mut self) -> Option<(IpAddr, TcpStream)> {
        self.waiting.retain(|(_, stream)| is_silent(stream));
        let newest_first = self.waiting.iter().enumerate().rev();
        let best = newest_first.min_by_key(|(_, (address, _))| self.rank(*address))?.0;
        self.waiting.remove(best)
    }

    /// A lower rank is tried first: proven, unknown, failed long ago, failed recently.
    fn rank(&self, address: IpAddr) -> usize {
        if self.proven == Some(address) {
            return 0;
        }
        self.failed.iter().position(|other| *other == address).map_or(1, |at| at + 2)
    }

    fn record_attempt(&mut self, relay: IpAddr, reached: bool) {
        self.failed.retain(|other| *other != relay);
        if reached {
            self.proven = Some(relay);
        } else {
            if self.proven == Some(relay) {
                self.proven = None;
            }
            self.failed.push_back(relay);
            if self.failed.len() > MAX_FAILED {
                self.failed.pop_front();
            }
        }
    }
}

/// Whether the other side is connected and has sent nothing.
fn is_silent(stream: &TcpStream) -> bool {
    let mut byte = [0];
    matches!(stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn bind(listen: &RelayAddress) -> io::Result<TcpListener> {
    // The standard library sets SO_REUSEADDR, so that the port can be bound again right after a restart.
    let listener = StdListener::bind(listen.address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn receive(waiting_room: &WaitingRoom, listener: &TcpListener, listen: &RelayAddress) {
    loop {
        let (stream, address) = match listener.accept().await {
            Ok((stream, address)) => (stream, address.ip().to_canonical()),
            Err(error) => {
                telemetry::relay_accept_failed(&error);
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        if !listen.relays.is_empty() && !listen.relays.contains(&address) {
            telemetry::relay_rejected();
            continue;
        }
        if socket::prepare(&stream).is_ok() {
            waiting_room.relays().add(address, stream);
            waiting_room.arrived.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    async fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
        let there = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (there, listener.accept().await.unwrap().0)
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 168, 1, last])
    }

    #[tokio::test]
    async fn a_connection_that_sends_first_or_ends_is_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut relays = WaitingRelays::default();
        let ((mut noisy, first), (leaving, second), (_relay, third)) =
            (pair(&listener).await, pair(&listener).await, pair(&listener).await);
        for (last, stream) in [(1, first), (2, second), (3, third)] {
            relays.add(address(last), stream);
        }
        noisy.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        drop(leaving);
        while relays.is_occupied() && relays.waiting.len() > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(relays.take().map(|(address, _)| address), Some(address(3)));
        assert!(relays.take().is_none());
    }

    #[tokio::test]
    async fn strangers_who_fill_the_listener_do_not_keep_a_relay_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut relays = WaitingRelays::default();
        let mut open = Vec::new();
        let mut come = async |relays: &mut WaitingRelays, last| {
            let (there, here) = pair(&listener).await;
            open.push(there);
            relays.add(address(last), here);
        };
        come(&mut relays, 1).await;
        for _ in 0..100 {
            come(&mut relays, 2).await;
        }
        assert_eq!((relays.waiting.len(), relays.count_of(address(2))), (3, MAX_PER_ADDRESS));
        // The newest is tried and fails; its address is then tried last.
        let (tried, _) = relays.take().unwrap();
        assert_eq!(tried, address(2));
        relays.record_attempt(tried, false);
        assert_eq!(relays.take().unwrap().0, address(1));
        relays.record_attempt(address(1), true);
        come(&mut relays, 1).await;
        for last in 10..100 {
            come(&mut relays, last).await;
            relays.record_attempt(address(last), false);
        }
        assert_eq!(relays.waiting.len(), MAX_WAITING);
        assert_eq!(relays.take().unwrap().0, address(1));
        assert!(relays.failed.len() <= MAX_FAILED);
    }
}
