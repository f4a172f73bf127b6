//! Where relays come in: they dial this terminal and wait; the uplink takes a connection when it wants one.
//!
//! The terminal speaks first, so a connection that says anything while it waits, or ends, is none of a relay and is
//! dropped. Few wait at a time, fewer of one address, and who has just failed is tried last: a stranger who fills the
//! door can't keep a relay out, and who is behind a connection is known by TLS alone.

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

/// A relay keeps one ready; a second may be one that died unnoticed.
const OF_ONE_ADDRESS: usize = 2;
const WAITING: usize = 16;
const REMEMBERED: usize = 64;
/// The interface may not be up yet.
const OPEN_AGAIN: Duration = Duration::from_secs(10);
/// After a connection that could not be accepted, such as when there are too many files open.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// Where relays are waited for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelayAddress {
    /// Of one interface, never of all.
    pub address: SocketAddr,
    /// Whose connections are taken; anybody's where none is named.
    pub relays: Vec<IpAddr>,
}

#[derive(Debug)]
pub(super) struct RelayListener {
    hall: Arc<WaitingRoom>,
    _porter: AbortOnDropHandle<()>,
}

/// Who waits.
#[derive(Debug, Default)]
struct WaitingRoom {
    guests: Mutex<WaitingRelays>,
    came: Notify,
}

#[derive(Debug, Default)]
struct WaitingRelays {
    /// The newest last.
    waiting: VecDeque<(IpAddr, TcpStream)>,
    /// Who was tried in vain, the latest last.
    failed: VecDeque<IpAddr>,
    /// Behind whom the server was found last.
    proven: Option<IpAddr>,
}

impl RelayListener {
    pub(super) fn open(listen: RelayAddress) -> io::Result<Self> {
        let listener = bind(&listen)?;
        Ok(Self::with_porter(|hall| async move { receive(&hall, &listener, &listen).await }))
    }

    pub(super) fn open_in_time(listen: RelayAddress) -> Self {
        Self::with_porter(|hall| async move {
            let mut told = false;
            let listener = loop {
                match bind(&listen) {
                    Ok(listener) => break listener,
                    Err(error) if told => drop(error),
                    Err(error) => telemetry::door_closed(listen.address, &error),
                }
                told = true;
                tokio::time::sleep(OPEN_AGAIN).await;
            };
            telemetry::door_open(listen.address);
            receive(&hall, &listener, &listen).await;
        })
    }

    fn with_porter<F: Future<Output = ()> + Send + 'static>(receive: impl FnOnce(Arc<WaitingRoom>) -> F) -> Self {
        let hall = Arc::new(WaitingRoom::default());
        let porter = tokio::spawn(receive(Arc::clone(&hall)));
        Self { hall, _porter: AbortOnDropHandle::new(porter) }
    }

    /// Until somebody waits.
    pub(super) async fn visited(&self) {
        loop {
            let came = self.hall.came.notified();
            if self.hall.guests().anybody() {
                return;
            }
            came.await;
        }
    }

    pub(super) async fn take(&self) -> (TcpStream, IpAddr) {
        loop {
            let came = self.hall.came.notified();
            if let Some((address, stream)) = self.hall.guests().take() {
                return (stream, address);
            }
            came.await;
        }
    }

    pub(super) fn tried(&self, relay: IpAddr, reached: bool) {
        self.hall.guests().tried(relay, reached);
    }
}

impl WaitingRoom {
    fn guests(&self) -> std::sync::MutexGuard<'_, WaitingRelays> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WaitingRelays {
    fn come(&mut self, address: IpAddr, stream: TcpStream) {
        self.waiting.retain(|(_, stream)| silent(stream));
        if self.of(address) >= OF_ONE_ADDRESS {
            let oldest = self.waiting.iter().position(|(other, _)| *other == address);
            oldest.and_then(|index| self.waiting.remove(index));
        } else if self.waiting.len() >= WAITING {
            let least = self
                .waiting
                .iter()
                .enumerate()
                .max_by_key(|(index, (other, _))| (self.rank(*other), usize::MAX - index));
            least.map(|(index, _)| index).and_then(|index| self.waiting.remove(index));
        }
        self.waiting.push_back((address, stream));
    }

    fn of(&self, address: IpAddr) -> usize {
        self.waiting.iter().filter(|(other, _)| *other == address).count()
    }

    fn anybody(&mut self) -> bool {
        self.waiting.retain(|(_, stream)| silent(stream));
        !self.waiting.is_empty()
    }

    /// Who is most likely a relay, and of its connections the newest.
    fn take(&mut self) -> Option<(IpAddr, TcpStream)> {
        self.waiting.retain(|(_, stream)| silent(stream));
        let newest_first = self.waiting.iter().enumerate().rev();
        let best = newest_first.min_by_key(|(_, (address, _))| self.rank(*address))?.0;
        self.waiting.remove(best)
    }

    /// The later, the less likely: proven, unknown, failed long ago, failed just now.
    fn rank(&self, address: IpAddr) -> usize {
        if self.proven == Some(address) {
            return 0;
        }
        self.failed.iter().position(|other| *other == address).map_or(1, |at| at + 2)
    }

    fn tried(&mut self, relay: IpAddr, reached: bool) {
        self.failed.retain(|other| *other != relay);
        if reached {
            self.proven = Some(relay);
        } else {
            if self.proven == Some(relay) {
                self.proven = None;
            }
            self.failed.push_back(relay);
            if self.failed.len() > REMEMBERED {
                self.failed.pop_front();
            }
        }
    }
}

/// Whether the other side is there and has said nothing.
fn silent(stream: &TcpStream) -> bool {
    let mut byte = [0];
    matches!(stream.try_read(&mut byte), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

fn bind(listen: &RelayAddress) -> io::Result<TcpListener> {
    // The standard library lets a port be taken again at once after a restart.
    let listener = StdListener::bind(listen.address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

async fn receive(hall: &WaitingRoom, listener: &TcpListener, listen: &RelayAddress) {
    loop {
        let (stream, address) = match listener.accept().await {
            Ok((stream, address)) => (stream, address.ip().to_canonical()),
            Err(error) => {
                telemetry::door_refused(&error);
                tokio::time::sleep(ACCEPT_AGAIN).await;
                continue;
            }
        };
        if !listen.relays.is_empty() && !listen.relays.contains(&address) {
            telemetry::door_stranger();
            continue;
        }
        if socket::prepare(&stream).is_ok() {
            hall.guests().come(address, stream);
            hall.came.notify_waiters();
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
    async fn who_speaks_first_or_leaves_is_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut guests = WaitingRelays::default();
        let ((mut noisy, first), (leaving, second), (_relay, third)) =
            (pair(&listener).await, pair(&listener).await, pair(&listener).await);
        for (last, stream) in [(1, first), (2, second), (3, third)] {
            guests.come(address(last), stream);
        }
        noisy.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        drop(leaving);
        while guests.anybody() && guests.waiting.len() > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(guests.take().map(|(address, _)| address), Some(address(3)));
        assert!(guests.take().is_none());
    }

    #[tokio::test]
    async fn strangers_who_fill_the_door_do_not_keep_a_relay_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut guests = WaitingRelays::default();
        let mut open = Vec::new();
        let mut come = async |guests: &mut WaitingRelays, last| {
            let (there, here) = pair(&listener).await;
            open.push(there);
            guests.come(address(last), here);
        };
        come(&mut guests, 1).await;
        for _ in 0..100 {
            come(&mut guests, 2).await;
        }
        assert_eq!((guests.waiting.len(), guests.of(address(2))), (3, OF_ONE_ADDRESS));
        // The newest is tried, fails, and its address is then tried last.
        let (tried, _) = guests.take().unwrap();
        assert_eq!(tried, address(2));
        guests.tried(tried, false);
        assert_eq!(guests.take().unwrap().0, address(1));
        guests.tried(address(1), true);
        come(&mut guests, 1).await;
        for last in 10..100 {
            come(&mut guests, last).await;
            guests.tried(address(last), false);
        }
        assert_eq!(guests.waiting.len(), WAITING);
        assert_eq!(guests.take().unwrap().0, address(1));
        assert!(guests.failed.len() <= REMEMBERED);
    }
}
