//! The page for reception staff, on this terminal only, where they enter what no reader can detect.
//!
//! * It listens on 127.0.0.1 and ::1 and nowhere else; no configuration changes that.
//! * There is no login: anyone at the terminal may make entries. Pages of other origins in the same browser must not;
//!   `gate` rejects them.
//! * Entries come from a closed list (`entry`). There is no field for a name, a number or free text.
//! * An entry is confirmed once it is stored, and can be withdrawn.

pub mod choices;
mod day;
mod entry;
mod gate;
mod page;
mod request;
mod shared;
mod state;
mod text;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use yomitori_proto::event::Observation;
use yomitori_proto::id::Life;

use crate::outlet::Outlet;
use crate::telemetry;
use day::Day;
use shared::Shared;
pub use state::FolderCollection;

/// More than the open pages of a reception; each page makes a short request every few seconds.
const CONNECTIONS: usize = 32;
/// The limit for a whole request and its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// A browser sends its request at once; any other client would only block a connection.
const ASK_WITHIN: Duration = Duration::from_secs(2);
/// The smallest buffer that hyper allows; a request here has a few hundred bytes.
const BUFFER: usize = 8 * 1024;
/// How often a port that is in use is tried again.
const BIND_AGAIN: Duration = Duration::from_secs(30);
/// The pause after an accept failed, for example because the process has no more handles.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

/// Everything that the page needs.
pub struct DeskPage {
    pub port: u16,
    /// The life of the spool that numbers the entries.
    pub life: Life,
    /// The entries of the last day.
    pub entries: Vec<Observation>,
    /// Whether linkage folders are watched.
    pub collects: Box<dyn Fn() -> FolderCollection + Send + Sync>,
    pub outlet: Outlet,
    /// The number of observations that the server has not acknowledged yet.
    pub unsent: Box<dyn Fn() -> u64 + Send + Sync>,
}

/// Serves the page until `closing`.
pub async fn serve(desk: DeskPage, closing: CancellationToken) {
    let port = desk.port;
    let shared = Arc::new(Shared {
        port,
        life: desk.life,
        collects: desk.collects,
        outlet: desk.outlet,
        unsent: desk.unsent,
        day: Mutex::new(Day::from_observations(desk.entries)),
        token: hex::encode(rand::random::<[u8; 16]>()),
    });
    tokio::select! {
        () = closing.cancelled() => {}
        () = listen(port, shared) => {}
    }
}

async fn listen(port: u16, shared: Arc<Shared>) {
    let v4 = bind(port).await;
    // A terminal without IPv6 needs no IPv6 listener.
    let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await.ok();
    telemetry::desk_page_open(port);
    // Dropping this ends the open connections.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = v4.accept() => accepted,
            accepted = accept(v6.as_ref()) => accepted,
            _ = connections.join_next(), if !connections.is_empty() => continue,
        };
        match accepted {
            Ok((stream, _)) if connections.len() < CONNECTIONS => {
                connections.spawn(answer(stream, Arc::clone(&shared)));
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
        }
    }
}

async fn bind(port: u16) -> TcpListener {
    let mut logged = false;
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(listener) => return listener,
            Err(error) => {
                if !logged {
                    telemetry::desk_page_unavailable(port, &error);
                    logged = true;
                }
                tokio::time::sleep(BIND_AGAIN).await;
            }
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> std::io::Result<(TcpStream, SocketAddr)> {
    match listener {
        Some(listener) => listener.accept().await,
        None => std::future::pending().await,
    }
}

async fn answer(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, std::convert::Infallible>(request::answer(request, &shared).await) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(BUFFER)
        .timer(TokioTimer::new())
        .header_read_timeout(ASK_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    // A browser that disconnects early or a client that speaks no HTTP is not an error of the agent.
    let _ = tokio::time::timeout(ANSWER_WITHIN, connection).await;
}
