//! The route to the server: this terminal connects to it, or a relay on the clinic's network has connected to this
//! terminal and forwards the bytes. In both cases TLS runs between this terminal and the server.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use yomitori_proto::vocabulary;

use super::dial::dial;
use super::relay_listener::{RelayAddress, RelayListener};
use super::socket;
use crate::address::ServerAddress;

/// A handshake has a cost, so connections that fail at once are not replaced at once.
const NEXT_AFTER_FAILURE: Duration = Duration::from_millis(100);
const NEXT_MEANWHILE: Duration = Duration::from_secs(3);

/// How this terminal reaches the server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// It connects by itself.
    #[default]
    Direct,
    /// It waits for a relay to connect.
    Relay(RelayAddress),
}

/// A server and the route to it.
#[derive(Debug)]
pub struct Route {
    server: ServerAddress,
    listener: Option<RelayListener>,
}

impl From<ServerAddress> for Route {
    /// The direct route.
    fn from(server: ServerAddress) -> Self {
        Self { server, listener: None }
    }
}

impl Route {
    /// For a command: fails at once if the listener can't be opened.
    pub fn open(server: ServerAddress, mode: Mode) -> io::Result<Self> {
        let listener = match mode {
            Mode::Direct => None,
            Mode::Relay(listen) => Some(RelayListener::open(listen)?),
        };
        Ok(Self { server, listener })
    }

    /// For the daemon, which may start before its network: opens the listener as soon as possible.
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

    /// Whether the route is direct or through a relay.
    #[must_use]
    pub const fn way(&self) -> vocabulary::Way {
        match self.listener {
            None => vocabulary::Way::Direct,
            Some(_) => vocabulary::Way::Relay,
        }
    }

    /// Returns at once for a direct route, else once a relay has connected.
    pub async fn wait_until_ready(&self) {
        if let Some(listener) = &self.listener {
            listener.wait_for_relay().await;
        }
    }

    /// Connects to the server and verifies it by TLS.
    pub(super) async fn connect(&self, connector: &TlsConnector) -> io::Result<TlsStream<TcpStream>> {
        match &self.listener {
            None => {
                let stream = dial(self.server.host(), self.server.port()).await?;
                socket::prepare(&stream)?;
                connector.connect(self.server.name().clone(), stream).await
            }
            Some(listener) => self.connect_through(listener, connector).await,
        }
    }

    /// A waiting connection may come from anyone and may stay silent, so further connections are tried while earlier
    /// ones are pending.
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
