//! The relay: on a machine of the clinic's network that may reach both, it dials terminals which may not reach out, and
//! the server, and carries bytes between them. TLS goes through it end to end: it holds no secret, reads nothing, and
//! knows no more of a terminal than its address.
//!
//! One connection to each terminal is always ready. When the terminal begins to speak on it, the server is dialled for it,
//! and the next one is made ready.

mod peer;
mod splice;
mod terminal;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::telemetry;
pub use peer::RelayPeer;

/// Who is carried, and to whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Relay {
    pub server: RelayPeer,
    pub terminals: Vec<RelayPeer>,
}

impl Relay {
    /// Carries until `closing`. What is under way then is cut: terminals send again what was not acknowledged.
    pub async fn run(self, closing: CancellationToken) {
        telemetry::relay_started(self.terminals.len(), &self.server);
        let mut all = JoinSet::new();
        for terminal in self.terminals {
            all.spawn(terminal::attend(terminal, self.server.clone()));
        }
        closing.cancelled().await;
        all.shutdown().await;
        telemetry::relay_stopped();
    }
}
