//! A client that sends arbitrary input: over TLS with any certificate, in HTTP/2 with any bytes.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as Waker, Poll};
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper::http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::credential::Credential;

/// The three methods of the services.
pub const CARRY: &str = "/yomitori.v1.Uplink/Carry";
pub const ENROL: &str = "/yomitori.v1.Enrolment/Enrol";
pub const RENEW: &str = "/yomitori.v1.Enrolment/Renew";

/// Limit of the wait for an answer to any request.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// No valid answer is longer.
const ANSWER_LIMIT: usize = 1 << 20;

/// A TCP connection to a server's `uplink`, such as `https://127.0.0.1:7443`.
///
/// # Errors
/// If the port is closed.
pub async fn reach(uplink: &str) -> Result<TcpStream> {
    let address = uplink.strip_prefix("https://").context("https")?;
    TcpStream::connect(address).await.with_context(|| format!("reach {address}"))
}

/// A TCP connection from another address of the loopback network.
///
/// # Errors
/// If the port is closed.
pub async fn reach_from(source: Ipv4Addr, uplink: &str) -> Result<TcpStream> {
    let address = uplink.strip_prefix("https://").context("https")?.parse()?;
    let socket = TcpSocket::new_v4()?;
    socket.bind((source, 0).into())?;
    socket.connect(address).await.with_context(|| format!("reach {address}"))
}

/// A TLS connection to a server that `authority` certifies. In TLS 1.3 the client finishes before the server has
/// checked its certificate, so a rejection appears at the first read.
///
/// # Errors
/// If the handshake fails.
pub async fn greet(
    uplink: &str,
    authority: &CertificateDer<'static>,
    credential: Option<&Credential>,
    protocol: &[u8],
) -> Result<TlsStream<TcpStream>> {
    greet_over(reach(uplink).await?, authority, credential, protocol).await
}

/// The same over a TCP connection that is open already.
///
/// # Errors
/// If the handshake fails.
pub async fn greet_over(
    stream: TcpStream,
    authority: &CertificateDer<'static>,
    credential: Option<&Credential>,
    protocol: &[u8],
) -> Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.clone())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots);
    let mut config = match credential {
        Some(Credential { chain, key }) => config.with_client_auth_cert(chain.clone(), key.clone_key())?,
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    let name = ServerName::try_from("127.0.0.1")?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.context("shake hands")
}

/// A connection for arbitrary requests.
#[derive(Debug)]
pub struct Line {
    sender: SendRequest<Saying>,
    connection: AbortHandle,
}

impl Line {
    /// Opens a connection.
    ///
    /// # Errors
    /// If the server closes the connection.
    pub async fn open(
        uplink: &str,
        authority: &CertificateDer<'static>,
        credential: Option<&Credential>,
    ) -> Result<Self> {
        let stream = greet(uplink, authority, credential, b"h2").await?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        Ok(Self { sender, connection: tokio::spawn(connection).abort_handle() })
    }

    /// Sends all of `saying` to `method`, and returns the whole answer.
    ///
    /// # Errors
    /// If the connection or the stream breaks, or no answer arrives.
    pub async fn ask(&self, method: &str, saying: impl Into<Saying>) -> Result<Answer> {
        let request = Request::post(format!("https://localhost{method}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(saying.into())?;
        let answered = async {
            let mut sender = self.sender.clone();
            sender.ready().await.context("the connection")?;
            Answer::read(sender.send_request(request).await.context("the request")?).await
        };
        tokio::time::timeout(ANSWER_WITHIN, answered).await.context("no answer")?
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// A request: `head`, followed by a limited or unlimited number of zeros.
#[derive(Debug, Default)]
pub struct Saying {
    head: Bytes,
    zeros: u64,
    /// What follows once somebody says so.
    later: Option<oneshot::Receiver<Vec<u8>>>,
    /// After the request, the client sends neither an end nor further data.
    pub lasting: bool,
    /// Number of bytes that the server accepted.
    pub taken: Arc<AtomicU64>,
}

impl Saying {
    /// `head`, followed by `zeros` zeros.
    #[must_use]
    pub fn with_zeros(head: Vec<u8>, zeros: u64) -> Self {
        Self { head: head.into(), zeros, ..Self::default() }
    }

    /// `head`, and later what comes out of `later`.
    #[must_use]
    pub fn with_more(head: Vec<u8>, later: oneshot::Receiver<Vec<u8>>) -> Self {
        Self { head: head.into(), later: Some(later), ..Self::default() }
    }
}

impl From<Vec<u8>> for Saying {
    fn from(head: Vec<u8>) -> Self {
        Self::with_zeros(head, 0)
    }
}

impl Body for Saying {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, waker: &mut Waker<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        static ZEROS: [u8; 1 << 16] = [0; 1 << 16];
        if self.head.is_empty()
            && let Some(later) = &mut self.later
        {
            let Poll::Ready(more) = Pin::new(later).poll(waker) else { return Poll::Pending };
            self.later = None;
            self.head = more.unwrap_or_default().into();
        }
        let data = if self.head.is_empty() {
            let count = self.zeros.min(ZEROS.len() as u64);
            self.zeros -= count;
            Bytes::from_static(ZEROS.split_at(usize::try_from(count).unwrap_or(0)).0)
        } else {
            std::mem::take(&mut self.head)
        };
        self.taken.fetch_add(data.len() as u64, Ordering::Relaxed);
        match (data.is_empty(), self.lasting) {
            (true, true) => Poll::Pending,
            (true, false) => Poll::Ready(None),
            (false, _) => Poll::Ready(Some(Ok(Frame::data(data)))),
        }
    }
}

/// The answer of a server.
#[derive(Clone, Debug)]
pub struct Answer {
    pub http: u16,
    /// gRPC's status, such as 16 for "unauthenticated".
    pub status: Option<i32>,
    pub message: String,
    pub body: Vec<u8>,
}

impl Answer {
    async fn read(response: hyper::http::Response<Incoming>) -> Result<Self> {
        let (head, mut incoming) = response.into_parts();
        let mut trailers = head.headers;
        let mut body = Vec::new();
        while let Some(frame) = std::future::poll_fn(|waker| Pin::new(&mut incoming).poll_frame(waker)).await {
            match frame.context("the answer")?.into_data() {
                Ok(data) => body.extend_from_slice(&data),
                Err(frame) => trailers.extend(frame.into_trailers().ok().into_iter().flatten()),
            }
            anyhow::ensure!(body.len() < ANSWER_LIMIT, "an answer of more than {ANSWER_LIMIT} bytes");
        }
        let trailer = |name| trailers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Ok(Self {
            http: head.status.as_u16(),
            status: trailer("grpc-status").and_then(|status| status.parse().ok()),
            message: trailer("grpc-message").unwrap_or_default(),
            body,
        })
    }

    /// The messages in the answer.
    ///
    /// # Errors
    /// If the answer doesn't consist of such messages.
    pub fn messages<M: Message + Default>(&self) -> Result<Vec<M>> {
        let mut rest = self.body.as_slice();
        let mut messages = Vec::new();
        while let Some((&[0, a, b, c, d], after)) = rest.split_first_chunk() {
            let length = usize::try_from(u32::from_be_bytes([a, b, c, d]))?;
            let (message, after) = after.split_at_checked(length).context("a message that was cut")?;
            messages.push(M::decode(message)?);
            rest = after;
        }
        anyhow::ensure!(rest.is_empty(), "{} bytes are left", rest.len());
        Ok(messages)
    }
}

/// `message` in a gRPC frame.
#[must_use]
pub fn framed(message: &[u8]) -> Vec<u8> {
    framed_as(u32::try_from(message.len()).unwrap_or(u32::MAX), message)
}

/// `message` in a frame that states `length` bytes.
#[must_use]
pub fn framed_as(length: u32, message: &[u8]) -> Vec<u8> {
    [&[0], length.to_be_bytes().as_slice(), message].concat()
}

/// `messages` in consecutive frames.
#[must_use]
pub fn said<M: Message>(messages: &[M]) -> Vec<u8> {
    messages.iter().flat_map(|message| framed(&message.encode_to_vec())).collect()
}
