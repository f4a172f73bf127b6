//! Announcements of the database: which facilities a commit has changed, and that the registry of terminals has changed.

use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio_postgres::{AsyncMessage, Config};

use super::Store;

/// What a listener receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Announcement<'a> {
    /// The listener is connected; no announcement is missed from now on.
    Listening,
    /// What the channel says of the change; of [`CHANGED`](super::CHANGED) the identifiers of the facilities, separated by
    /// spaces, or `many`.
    Changed(&'a str),
}

/// Listens to `channel` on its own connection until that ends, and passes every announcement to `hear`.
///
/// # Errors
/// If the connection is lost.
pub async fn listen(
    store: &Store,
    channel: &str,
    mut hear: impl FnMut(Announcement<'_>),
) -> Result<(), tokio_postgres::Error> {
    let adapt = |address: &mut Config| {
        address.keepalives_idle(Duration::from_secs(15)).application_name("yomitori-server announcements");
    };
    let (client, mut connection) = store.connect(adapt).await?;
    let command = format!("LISTEN {channel}");
    let mut begun = pin!(client.batch_execute(&command));
    let mut messages = stream::poll_fn(|context| connection.poll_message(context));
    let mut listening = false;
    loop {
        tokio::select! {
            done = poll_fn(|context| begun.as_mut().poll(context)), if !listening => {
                done?;
                listening = true;
                hear(Announcement::Listening);
            }
            message = messages.next() => match message {
                Some(Ok(AsyncMessage::Notification(heard))) => hear(Announcement::Changed(heard.payload())),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
        }
    }
}
