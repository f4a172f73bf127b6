//! The way to the server: this terminal dials it, or a relay on the clinic's network has dialled this terminal and carries
//! the bytes on. TLS begins here and ends at the server either way.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use yomitori_proto::vocabulary;

use super::relay_listener::{RelayAddress, RelayListener};
use super::socket;
use crate::address::ServerAddress;

/// A handshake costs this terminal something, so who breaks it off at once is not answered as fast.
const NEXT_AFTER_FAILURE: Duration = Duration::from_millis(100);
const NEXT_MEANWHILE: Duration = Duration::from_secs(3);

/// How this terminal's bytes get out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// By a connection of its own.
    #[default]
    Direct,
    /// By the connection of a relay, waited for here.
    Relay(RelayAddress),
}

/// A server and the way to it.
#[derive(Debug)]
pub struct Route {
    server: ServerAddress,
    door: Option<RelayListener>,
}

impl From<ServerAddress> for Route {
    /// The direct way.
    fn from(server: ServerAddress) -> Self {
        Self { server, door: None }
    }
}

impl Route {
    /// For a command: says at once where the door can't be opened.
    pub fn open(server: ServerAddress, way: Mode) -> io::Result<Self> {
        let door = match way {
            Mode::Direct => None,
            Mode::Relay(listen) => Some(RelayListener::open(listen)?),
        };
        Ok(Self { server, door })
    }

    /// For the daemon: its network may come up later than itself.
    #[must_use]
    pub fn open_in_time(server: ServerAddress, way: Mode) -> Self {
        let door = match way {
            Mode::Direct => None,
            Mode::Relay(listen) => Some(RelayListener::open_in_time(listen)),
        };
        Self { server, door }
    }

    #[must_use]
    pub const fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// Whether this terminal dials the server itself.
    #[must_use]
    pub const fn way(&self) -> vocabulary::Way {
        match self.door {
            None => vocabulary::Way::Direct,
            Some(_) => vocabulary::Way::Relay,
        }
    }

    /// Until there is a way out: at once if this terminal dials itself, else with the next relay.
    pub async fn passable(&self) {
        if let Some(door) = &self.door {
            door.visited().await;
        }
    }

    /// The server, as TLS has found it at the other end.
    pub(super) async fn connect(&self, connector: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
        match &self.door {
            None => {
                let stream = TcpStream::connect((self.server.host(), self.server.port())).await?;
                socket::prepare(&stream)?;
                connector.connect(self.server.name().clone(), stream).await
            }
            Some(door) => self.connect_through(door, connector).await,
        }
    }

    /// Whoever waits at the door may be anyone and may keep silent, so while one is tried the next is tried too.
    async fn connect_through(
        &self,
        door: &RelayListener,
        connector: &TlsConnector,
    ) -> io::Result<TlsStream<TcpStream>> {
        let mut tried = JoinSet::new();
        let mut last_at = None;
        loop {
            let pause = if tried.is_empty() { NEXT_AFTER_FAILURE } else { NEXT_MEANWHILE };
            let next = async {
                if let Some(last_at) = last_at {
                    tokio::time::sleep_until(last_at + pause).await;
                }
                door.take().await
            };
            tokio::select! {
                (stream, relay) = next => {
                    let connect = connector.connect(self.server.name().clone(), stream);
                    tried.spawn(async move { (connect.await, relay) });
                    last_at = Some(Instant::now());
                }
                Some(Ok((result, relay))) = tried.join_next() => {
                    door.tried(relay, result.is_ok());
                    if let Ok(stream) = result {
                        return Ok(stream);
                    }
                }
            }
        }
    }
}
