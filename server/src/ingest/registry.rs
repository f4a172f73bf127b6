//! Which terminals may not send, as the registry says. Their open streams learn why and end on every server within a
//! second, also while they wait for the log, and also if the terminal reads no answer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use yomitori_proto::id::TerminalId;
use yomitori_proto::uplink::Peer;

use crate::ingest::admission::Admission;
use crate::store::announcement;
use crate::store::terminal::{self, TerminalState};
use crate::store::{Store, StoreError, TERMINALS};
use crate::telemetry;

/// How often the registry is read without an announcement, which may be lost with its connection.
const READ_EVERY: Duration = Duration::from_secs(10);
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How long a refused terminal has to read why, before its connections end.
const READS_WHY_WITHIN: Duration = Duration::from_millis(500);

type Refused = Arc<BTreeMap<TerminalId, TerminalState>>;

/// The terminals that may not send, as last read; a task keeps them current.
#[derive(Clone)]
pub struct TerminalRegistry(watch::Receiver<Refused>);

impl TerminalRegistry {
    /// Whether the terminal may send.
    ///
    /// # Errors
    /// The answer to a terminal that may not.
    pub fn admit(&mut self, peer: Peer) -> Result<(), Status> {
        let state = self.0.borrow_and_update().get(&peer.terminal).copied();
        state.map_or(Ok(()), |state| Err(refusal(peer, state)))
    }

    /// Waits until the terminal may not send any more, and returns the answer to it.
    pub async fn refused(&mut self, peer: Peer) -> Status {
        let refused = self.0.wait_for(|all| all.contains_key(&peer.terminal)).await;
        let state = refused.ok().and_then(|all| all.get(&peer.terminal).copied());
        match state {
            Some(state) => refusal(peer, state),
            // The task that reads the registry has ended: the server is stopping.
            None => std::future::pending().await,
        }
    }
}

/// Logs that the terminal is refused, and says why.
pub(super) fn refusal(peer: Peer, state: TerminalState) -> Status {
    telemetry::terminal_refused(peer, state.key());
    Status::permission_denied(match state {
        TerminalState::Suspended => {
            "一時停止中の端末です / this terminal is suspended: it sends again once it is resumed (yomitori-server terminal \
             resume)"
        }
        TerminalState::Revoked => {
            "証明書が失効した端末です / this terminal's certificate is revoked: enrol it with a new token (yomitori-server \
             token issue)"
        }
        TerminalState::Retired | TerminalState::Enrolled => {
            "使用を終了した端末です / this terminal is no longer in use: enrol it with a new token (yomitori-server token issue)"
        }
    })
}

/// Reads the registry, and from then on repeatedly until `stop`.
///
/// # Errors
/// If the database is away: no terminal is let in before the registry was read.
pub async fn open(store: Store, admission: Admission, stop: CancellationToken) -> Result<TerminalRegistry, StoreError> {
    let (known, refused) = watch::channel(Arc::new(terminal::refused(&store).await?));
    let changed = Arc::new(Notify::new());
    tokio::spawn(stop.clone().run_until_cancelled_owned(listen(store.clone(), Arc::clone(&changed))));
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        loop {
            // Announced also when the listening begins: what changed before that is read then.
            tokio::time::timeout(READ_EVERY, changed.notified()).await.ok();
            match terminal::refused(&store).await {
                Ok(all) => renew(&known, all, &admission),
                Err(error) => telemetry::registry_unknown(&error),
            }
        }
    }));
    Ok(TerminalRegistry(refused))
}

async fn listen(store: Store, changed: Arc<Notify>) {
    loop {
        if let Err(error) = announcement::listen(&store, TERMINALS, |_| changed.notify_one()).await {
            telemetry::waiting_for("the announcements of the registry of terminals", &error);
        }
        tokio::time::sleep(LISTEN_AGAIN_AFTER).await;
    }
}

fn renew(known: &watch::Sender<Refused>, all: BTreeMap<TerminalId, TerminalState>, admission: &Admission) {
    let mut new = Vec::new();
    known.send_if_modified(|before| {
        new.extend(all.keys().filter(|terminal| !before.contains_key(terminal)).copied());
        let changed = **before != all;
        if changed {
            *before = Arc::new(all);
        }
        changed
    });
    if !new.is_empty() {
        let admission = admission.clone();
        tokio::spawn(async move {
            tokio::time::sleep(READS_WHY_WITHIN).await;
            new.into_iter().for_each(|terminal| admission.end(terminal));
        });
    }
}
