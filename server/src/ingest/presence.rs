//! Which terminals are connected, without an event per keep-alive.
//!
//! Each instance holds a lease, and its terminals count as connected while it does. Three things can make that untrue, and
//! each has a task that corrects it: the log was away when a terminal left (`disconnects`), an instance was lost with its
//! terminals (`orphans`), and another instance reported terminals as gone that are still connected here (`reports`).

mod disconnects;
mod heard;
mod orphans;
mod reports;
mod streams;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use yomitori_proto::event::TerminalConnected;
use yomitori_proto::id::{FacilityId, Instance, Session};
use yomitori_proto::vocabulary::DisconnectReason;

use self::heard::Unwritten;
use self::streams::{Disconnect, LiveStreams};
use crate::ingest::operator::Operator;
use crate::log::kafka::AppendError;
use crate::store::heard::Heard;
use crate::store::{Store, lease};
use crate::telemetry;
use yomitori_base::crash;

const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Long enough for several failed renewals before the terminals of an instance count as gone.
const LEASE_FOR: Duration = Duration::from_secs(10);
/// Records that a task appends at once.
const AT_ONCE: usize = 64;

/// The open streams of this instance.
#[derive(Clone)]
pub struct Presence {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    operator: Operator,
    instance: Instance,
    streams: Mutex<LiveStreams>,
    heard: Mutex<Unwritten>,
    /// A stream has ended.
    ended: Notify,
    /// The end of one was recorded.
    recorded: Notify,
    /// When this instance was last without a lease, so that others may have reported its terminals.
    without_lease_at: Mutex<Instant>,
}

impl Presence {
    /// Starts the tasks. They end with `stop`, but for what is still to be recorded: see [`Self::finish`].
    #[must_use]
    pub fn start(store: Store, operator: Operator, instance: Instance, stop: &CancellationToken) -> Self {
        let shared = Arc::new(Shared {
            store,
            operator,
            instance,
            streams: Mutex::default(),
            heard: Mutex::default(),
            ended: Notify::new(),
            recorded: Notify::new(),
            without_lease_at: Mutex::new(Instant::now()),
        });
        tokio::spawn(disconnects::record(Arc::clone(&shared)));
        tokio::spawn(renew(Arc::clone(&shared), stop.clone()));
        tokio::spawn(orphans::report(Arc::clone(&shared), stop.clone()));
        tokio::spawn(reports::check(Arc::clone(&shared), stop.clone()));
        tokio::spawn(heard::write(Arc::clone(&shared), stop.clone()));
        Self { shared }
    }

    /// Records that a terminal has connected.
    ///
    /// # Errors
    /// If the log did not confirm. It may contain the record all the same, and gets the end of the session too.
    pub async fn connected(&self, facility: FacilityId, connected: TerminalConnected) -> Result<(), AppendError> {
        let session = connected.session;
        self.shared.streams().open(facility, connected.clone());
        let event = connected.into();
        crash::point("before-connected");
        let position = self.shared.operator.record_from_server(facility, self.shared.instance, event).await?;
        crash::point("after-connected");
        self.shared.streams().recorded(session, position, Instant::now());
        Ok(())
    }

    /// Takes a keep-alive of a connected terminal.
    pub fn heard(&self, heard: Heard) {
        self.shared.heard().add(heard);
    }

    /// Has it recorded that the stream with this session has ended. A stream that never connected leaves no record.
    pub fn disconnected(&self, session: Session, reason: DisconnectReason) {
        let closed = self.shared.streams().close(session);
        if let Some(stream) = closed {
            self.shared.disconnect(stream.facility, &stream.connected, reason);
        }
    }

    /// Waits until all that ended is recorded, for at most `limit`, and returns the lease. What is then still missing is
    /// reported by another instance, or by this one after its next start.
    pub async fn finish(&self, limit: Duration) {
        tokio::time::timeout(limit, self.shared.streams_are_recorded()).await.ok();
        if let Err(error) = lease::release(&self.shared.store, self.shared.instance).await {
            telemetry::lease_not_renewed(&error);
        }
    }
}

impl Shared {
    fn streams(&self) -> MutexGuard<'_, LiveStreams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn heard(&self) -> MutexGuard<'_, Unwritten> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn disconnect(&self, facility: FacilityId, connected: &TerminalConnected, reason: DisconnectReason) {
        let disconnect = Disconnect { facility, terminal: connected.terminal, session: connected.session, reason };
        self.streams().ended(disconnect);
        self.ended.notify_one();
    }

    async fn streams_are_recorded(&self) {
        loop {
            let recorded = self.recorded.notified();
            if self.streams().all_recorded() {
                return;
            }
            recorded.await;
        }
    }

    fn without_lease_at(&self) -> Instant {
        *self.without_lease_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Renews the lease, in a task of its own, so that nothing delays it.
async fn renew(shared: Arc<Shared>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(RENEW_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        match lease::renew(&shared.store, shared.instance, LEASE_FOR).await {
            Ok(held) => {
                crash::point("after-lease");
                if !held {
                    *shared.without_lease_at.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
                }
            }
            Err(error) => telemetry::lease_not_renewed(&error),
        }
    }
}
