//! The network between terminals and servers: one forwarder in front of each server. A connection can fall silent (its
//! bytes stay where they are, and nobody closes it), as behind a router that forgot it, or become slow.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use rand::Rng as _;
use rand::rngs::StdRng;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

/// The bytes that a connection carries at once; on a slow one, each takes the time of its state.
const AT_ONCE: usize = 4_096;

/// How a connection carries bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Carries {
    Everything,
    /// Each [`AT_ONCE`] bytes arrive this much later.
    After(Duration),
    Nothing,
}

/// The forwarder in front of one server. Its connections end when it is dropped.
pub(super) struct Forwarder {
    pub(super) port: u16,
    connections: Arc<Mutex<Vec<watch::Sender<Carries>>>>,
    _accepting: AbortOnDropHandle<()>,
}

impl Forwarder {
    /// Forwards to the server that listens on `port` of this machine.
    pub(super) async fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listen for terminals")?;
        let own = listener.local_addr().context("the forwarder's address")?.port();
        let connections = Arc::<Mutex<Vec<watch::Sender<Carries>>>>::default();
        let known = Arc::clone(&connections);
        let accepting = tokio::spawn(async move {
            while let Ok((terminal, _)) = listener.accept().await {
                let (state, carries) = watch::channel(Carries::Everything);
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                known.retain(|connection| !connection.is_closed());
                known.push(state);
                tokio::spawn(forward(terminal, port, carries));
            }
        });
        Ok(Self { port: own, connections, _accepting: AbortOnDropHandle::new(accepting) })
    }

    /// Lets each of `share` of the connections carry like this; returns how many.
    pub(super) fn some(&self, rng: &mut StdRng, share: f64, carries: Carries) -> usize {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        let mut met = 0;
        for connection in connections.iter().filter(|connection| !connection.is_closed()) {
            if rng.random_bool(share) {
                connection.send_replace(carries);
                met += 1;
            }
        }
        met
    }

    /// Lets every connection carry everything.
    pub(super) fn heal(&self) {
        let connections = self.connections.lock().unwrap_or_else(PoisonError::into_inner);
        connections.iter().for_each(|connection| _ = connection.send_replace(Carries::Everything));
    }
}

/// Carries both ways until one side closes.
async fn forward(terminal: TcpStream, port: u16, carries: watch::Receiver<Carries>) {
    let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { return };
    let ((from_terminal, to_terminal), (from_server, to_server)) = (terminal.into_split(), server.into_split());
    let up = carry(from_terminal, to_server, carries.clone());
    let down = carry(from_server, to_terminal, carries);
    // The side that is left learns of the end by its closed connection. Both are errors of a connection that ends.
    _ = tokio::join!(up, down);
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut carries: watch::Receiver<Carries>) -> Result<()> {
    let mut buffer = vec![0; AT_ONCE];
    loop {
        let count = from.read(&mut buffer).await?;
        // Nothing passes a silent connection, not even its end.
        let state = *carries.wait_for(|state| *state != Carries::Nothing).await?;
        if let Carries::After(delay) = state {
            tokio::time::sleep(delay).await;
        }
        if count == 0 {
            to.shutdown().await?;
            return Ok(());
        }
        to.write_all(&buffer[..count]).await?;
    }
}
