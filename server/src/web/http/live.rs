//! Notifies open pages of changes, within moments of the commit.
//!
//! One connection of the process listens to PostgreSQL; every open page has a stream (server-sent events) that says
//! which facilities changed. A stream carries no data about them: the page is fetched again, so that it always shows
//! one consistent answer of the database. Changes that may have been missed during a lost connection are announced as
//! "many".

use std::convert::Infallible;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::{broadcast, watch};
use tokio_stream::wrappers::{BroadcastStream, WatchStream};
use tokio_util::sync::CancellationToken;

use crate::store::announcement::{self, Announcement};
use crate::store::{CHANGED, Store};
use crate::telemetry;
use crate::web::Web;

/// A page that lags by more than this many announcements receives "many".
const ANNOUNCEMENTS: usize = 256;
const LISTEN_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The interval of the keep-alive, at which a page is also fetched again, because time alone changes what it shows.
const TICK: Duration = Duration::from_secs(10);
/// The announcement for many facilities or unknown ones.
const MANY: &str = "many";

/// The source of the streams of pages.
#[derive(Clone)]
pub(in crate::web) struct Live {
    changes: broadcast::Sender<Arc<str>>,
    /// Whether the connection that listens to the database is up.
    listening: watch::Receiver<bool>,
    stop: CancellationToken,
}

impl Live {
    /// Listens until `stop`.
    pub(in crate::web) fn start(store: Store, stop: CancellationToken) -> Self {
        let (changes, _) = broadcast::channel(ANNOUNCEMENTS);
        let (says, listening) = watch::channel(false);
        tokio::spawn(listen(store, changes.clone(), says, stop.clone()));
        Self { changes, listening, stop }
    }

    pub(in crate::web) fn listening(&self) -> bool {
        *self.listening.borrow()
    }

    fn events(&self) -> impl Stream<Item = Result<Event, Infallible>> + Send + use<> {
        let state = |listening| Event::default().event("state").data(if listening { "live" } else { "away" });
        let states = WatchStream::new(self.listening.clone()).map(state);
        let changes = BroadcastStream::new(self.changes.subscribe()).map(|change| {
            let ids = change.unwrap_or_else(|_| Arc::from(MANY));
            Event::default().event("changed").data(&*ids)
        });
        let hello = stream::once(ready(Event::default().event("hello").retry(LISTEN_AGAIN_AFTER).data("1")));
        // An endless stream must not prevent the server from stopping.
        hello.chain(stream::select(states, changes)).map(Ok).take_until(self.stop.clone().cancelled_owned())
    }
}

/// `/events`.
pub(in crate::web) async fn events(State(web): State<Web>) -> impl IntoResponse {
    let tick = KeepAlive::new().interval(TICK).event(Event::default().event("tick").data("1"));
    Sse::new(web.live.events()).keep_alive(tick)
}

async fn listen(
    store: Store,
    changes: broadcast::Sender<Arc<str>>,
    says: watch::Sender<bool>,
    stop: CancellationToken,
) {
    while !stop.is_cancelled() {
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = listen_once(&store, &changes, &says) => ended,
        };
        says.send_replace(false);
        if let Err(error) = ended {
            telemetry::waiting_for("the database's announcements", &error);
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LISTEN_AGAIN_AFTER) => {}
        }
    }
}

/// Listens until the connection ends.
async fn listen_once(
    store: &Store,
    changes: &broadcast::Sender<Arc<str>>,
    says: &watch::Sender<bool>,
) -> Result<(), tokio_postgres::Error> {
    // Sending fails if no page is open, which is fine.
    let announce = |ids: &str| drop(changes.send(Arc::from(ids)));
    announcement::listen(store, CHANGED, |heard| match heard {
        Announcement::Listening => {
            says.send_replace(true);
            announce(MANY);
        }
        Announcement::Changed(ids) => announce(ids),
    })
    .await
}
