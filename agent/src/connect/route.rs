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
    listener: Option<RelayListener>,
}

impl From<ServerAddress> for Route {
    /// The direct way.
    fn from(server: ServerAddress) -> Self {
        Self { server, listener: None }
    }
}

impl Route {
    /// For a command: says at once where the listener can't be opened.
    pub fn open(server: ServerAddress, mode: Mode) -> io::Result<Self> {
        let listener = match mode {
            Mode::Direct => None,
            Mode::Relay(listen) => Some(RelayListener::open(listen)?),
        };
        Ok(Self { server, listener })
    }

    /// For the daemon: its network may come up later than itself.
    #[must_use]
    pub fn open_when_possible(server: ServerAddress, mode: Mode) -> Self {
        let listener = match mode {
            Mode::Direct => None,
            Mode::Relay(listen) => Some(RelayListener::open_when_possible(listen)),
        };
        Self { server, listener }
    }

    #[must_use]
    pub const fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// Whether this terminal dials the server itself.
    #[must_use]
    pub const fn way(&self) -> vocabulary::Way {
        match self.listener {
            None => vocabulary::Way::Direct,
            Some(_) => vocabulary::Way::Relay,
        }
    }

    /// Until there is a way out: at once if this terminal dials itself, else with the next relay.
    pub async fn wait_until_ready(&self) {
        if let Some(listener) = &self.listener {
            listener.wait_for_relay().await;
        }
    }

    /// The server, as TLS has found it at the other end.
    pub(super) async fn connect(&self, connector: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
        match &self.listener {
            None => {
                let stream = TcpStream::connect((self.server.host(), self.server.port())).await?;
                socket::prepare(&stream)?;
                connector.connect(self.server.name().clone(), stream).await
            }
            Some(listener) => self.connect_through(listener, connector).await,
        }
    }

    /// Whoever waits at the listener may be anyone and may keep silent, so while one is tried the next is tried too.
    async fn connect_through(
        &self,
        listener: &RelayListener,
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
                listener.take().await
            };
            tokio::select! {
                (stream, relay) = next => {
                    let connect = connector.connect(self.server.name().clone(), stream);
                    tried.spawn(async move { (connect.await, relay) });
                    last_at = Some(Instant::now());
                }
                Some(Ok((result, relay))) = tried.join_next() => {
                    listener.record_attempt(relay, result.is_ok());
                    if let Ok(stream) = result {
                        return Ok(stream);
                    }
                }
            }
        }
    }
}
