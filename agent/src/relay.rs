//! The relay: it runs on a machine of the clinic's network, connects to terminals that may not reach the server, and
//! forwards bytes between them and the server. TLS runs end to end through it: the relay holds no secret, can read
//! nothing, and knows only the address of a terminal.
//!
//! One connection to each terminal is always ready. When the terminal begins to send on it, the relay connects to the
//! server and opens the next ready connection.

mod peer;
mod splice;
mod terminal;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::telemetry;
pub use peer::RelayPeer;

/// The terminals and the server that a relay connects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relay {
    pub server: RelayPeer,
    pub terminals: Vec<RelayPeer>,
}

impl Relay {
    /// Forwards until `closing`. Open connections are then cut; terminals send again what was not acknowledged.
    pub async fn run(self, closing: CancellationToken) {
        telemetry::relay_started(self.terminals.len(), &self.server);
        let mut all = JoinSet::new();
        for terminal in self.terminals {
            all.spawn(terminal::serve(terminal, self.server.clone()));
        }
        closing.cancelled().await;
        all.shutdown().await;
        telemetry::relay_stopped();
    }
}
