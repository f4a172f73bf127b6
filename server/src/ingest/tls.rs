//! Accepts connections. Each TLS handshake runs in its own task and within a limit, so that no client delays another.
//!
//! A connection is handed on only after its client has begun to speak HTTP/2, because what comes after has limits of its
//! own and the beginning has none.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::identity::{self, TerminalCertificate};
use crate::ingest::admission::{Admission, Place};
use crate::telemetry;

/// Sufficient for a terminal on a slow line that loses every fifth packet.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);
/// How long a client without a certificate may stay: an enrolment takes seconds.
const STRANGER_LIMIT: Duration = Duration::from_secs(60);
/// Finished handshakes that the server has not accepted yet.
const WAITING: usize = 256;
/// With this every client of HTTP/2 begins (RFC 9113, 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The identity of the client, as TLS has verified it.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// `None` without a client certificate, which is allowed for enrolment only.
    pub shown: Option<TerminalCertificate>,
}

/// A connection with a finished handshake.
pub struct TlsConnection {
    stream: TlsStream<TcpStream>,
    caller: Caller,
    /// What of [`PREFACE`] the server has not read yet.
    preface: &'static [u8],
    /// Ready when the connection has to end: to make room, or because a stranger stayed for too long.
    ends: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
    _place: Place,
}

/// Accepts until `stop`.
pub fn accept(
    listener: TcpListener,
    tls: rustls::ServerConfig,
    admission: Admission,
    stop: CancellationToken,
) -> ReceiverStream<io::Result<TlsConnection>> {
    let (sender, receiver) = mpsc::channel(WAITING);
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, from)) => {
                    let place = admission.arrive(from.ip());
                    tokio::spawn(secure(acceptor.clone(), stream, admission.clone(), place, sender.clone()));
                }
                // Usually a lack of file descriptors: give open connections a moment to end.
                Err(error) => {
                    telemetry::accept_failed(&error);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    });
    ReceiverStream::new(receiver)
}

async fn secure(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    admission: Admission,
    mut place: Place,
    sender: mpsc::Sender<io::Result<TlsConnection>>,
) {
    // Messages are small in both directions: waiting to fill a packet would only add latency.
    stream.set_nodelay(true).ok();
    // Retransmit at even intervals instead of ever longer ones, and do not treat a lossy line as a throttled one, as
    // BBR does.
    #[cfg(target_os = "linux")]
    {
        let socket = socket2::SockRef::from(&stream);
        socket.set_tcp_thin_linear_timeouts(true).ok();
        socket.set_tcp_congestion(b"cubic").ok();
    }
    let handshake = async {
        let mut stream = acceptor.accept(stream).await?;
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await?;
        if preface != *PREFACE {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the client does not speak HTTP/2"));
        }
        Ok(stream)
    };
    let ends = place.ends.clone();
    let handshake = async {
        tokio::select! {
            () = ends.cancelled() => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "too many connections")),
            done = handshake => done,
        }
    };
    match tokio::time::timeout(HANDSHAKE_LIMIT, handshake).await {
        Ok(Ok(stream)) => {
            let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let caller = Caller { shown: certificate.and_then(|der| identity::terminal_certificate(der)) };
            let stays = match caller.shown {
                Some(shown) => {
                    admission.admit(&mut place, shown.peer.terminal);
                    None
                }
                None => Some(STRANGER_LIMIT),
            };
            let ends: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(async move {
                match stays {
                    Some(limit) => drop(tokio::time::timeout(limit, ends.cancelled()).await),
                    None => ends.cancelled().await,
                }
            });
            // Sending fails only after the server has stopped.
            let connection = TlsConnection { stream, caller, preface: PREFACE, ends, ended: false, _place: place };
            sender.send(Ok(connection)).await.ok();
        }
        Ok(Err(error)) => telemetry::handshake_failed(&error),
        Err(_) => telemetry::handshake_failed(&io::Error::from(io::ErrorKind::TimedOut)),
    }
}

impl Connected for TlsConnection {
    type ConnectInfo = Caller;

    fn connect_info(&self) -> Caller {
        self.caller
    }
}

impl AsyncRead for TlsConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // A future must not be polled once it is ready.
        self.ended = self.ended || self.ends.as_mut().poll(cx).is_ready();
        if self.ended {
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionAborted)));
        }
        if !self.preface.is_empty() {
            let (now, later) = self.preface.split_at(self.preface.len().min(buf.remaining()));
            buf.put_slice(now);
            self.preface = later;
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
