//! Accepts connections. Each TLS handshake runs in its own task and within a limit, so that no client delays another.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Connected;

use crate::identity::{self, TerminalCertificate};
use crate::{clock, telemetry};

/// Sufficient for a terminal on a slow line that loses every fifth packet.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);
/// Finished handshakes that the server has not accepted yet.
const WAITING: usize = 256;

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
}

/// Accepts until `stop`.
pub fn accept(
    listener: TcpListener,
    tls: rustls::ServerConfig,
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
                Ok((stream, _)) => {
                    tokio::spawn(secure(acceptor.clone(), stream, sender.clone()));
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

async fn secure(acceptor: TlsAcceptor, stream: TcpStream, sender: mpsc::Sender<io::Result<TlsConnection>>) {
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
        // Without it, a client that sends nothing after the handshake would be waited for without end.
        if stream.fill_buf().await?.is_empty() {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
        }
        Ok(stream)
    };
    match tokio::time::timeout(HANDSHAKE_LIMIT, handshake).await {
        Ok(Ok(stream)) => {
            let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
            let caller =
                Caller { shown: certificate.and_then(|der| identity::terminal_certificate(der, clock::now())) };
            // Sending fails only after the server has stopped.
            sender.send(Ok(TlsConnection { stream, caller })).await.ok();
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
