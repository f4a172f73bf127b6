//! One terminal: keeps a connection ready and forwards what the terminal sends on it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::peer::RelayPeer;
use super::splice::splice;
use crate::telemetry;

/// The agent uses one connection, its `check` may use another, and one may be about to end.
const AT_ONCE: usize = 4;
const TERMINAL_WITHIN: Duration = Duration::from_secs(10);
/// On a bad line the first packets may be lost several times.
const SERVER_WITHIN: Duration = Duration::from_secs(30);
/// A terminal and its server exchange something at least every 20 s.
const SILENT_FOR: Duration = Duration::from_secs(180);
const SHORTEST: Duration = Duration::from_secs(1);
/// Terminals are switched on in the morning and should then be reached soon; the clinic's network can carry the
/// retries.
const LONGEST: Duration = Duration::from_secs(15);

/// Serves `terminal` until the task is aborted.
pub(super) async fn serve(terminal: RelayPeer, server: RelayPeer) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut carried = JoinSet::new();
    let (mut wait, mut lost) = (SHORTEST, false);
    loop {
        let place = Arc::clone(&places).acquire_owned().await.expect("the semaphore is never closed");
        while carried.try_join_next().is_some() {}
        match wait_until_sending(&terminal, &mut lost).await {
            Ok(stream) => {
                wait = SHORTEST;
                let (terminal, server) = (terminal.clone(), server.clone());
                carried.spawn(async move {
                    forward(&terminal, stream, &server).await;
                    drop(place);
                });
            }
            Err(error) => {
                drop(place);
                if !lost {
                    telemetry::relay_terminal_unreachable(&terminal, &error);
                }
                lost = true;
                // The jitter keeps relays that lost their terminals together from reconnecting together.
                tokio::time::sleep(wait.mul_f64(0.5 + rand::random::<f64>())).await;
                wait = (wait * 2).min(LONGEST);
            }
        }
    }
}

/// Returns a connection on which the terminal has begun to send.
async fn wait_until_sending(terminal: &RelayPeer, lost: &mut bool) -> io::Result<TcpStream> {
    let stream = terminal.dial(TERMINAL_WITHIN).await?;
    // A terminal that rejects this relay ends the connection at once, so it counts as reachable only if it does not.
    if tokio::time::timeout(SHORTEST, stream.readable()).await.is_err() && std::mem::take(lost) {
        telemetry::relay_terminal_reachable(terminal);
    }
    if stream.peek(&mut [0]).await? == 0 {
        return Err(io::ErrorKind::ConnectionAborted.into());
    }
    *lost = false;
    Ok(stream)
}

async fn forward(terminal: &RelayPeer, stream: TcpStream, server: &RelayPeer) {
    match server.dial(SERVER_WITHIN).await {
        Ok(server) => {
            telemetry::relay_forwarding(terminal);
            let bytes = splice(stream, server, SILENT_FOR).await;
            telemetry::relay_forwarded(terminal, bytes);
        }
        Err(error) => telemetry::relay_server_unreachable(terminal, &error),
    }
}
