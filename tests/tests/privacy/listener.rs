//! An eavesdropper between agent and server who has the authority's key, and records every decrypted byte in both
//! directions.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use rustls::server::WebPkiClientVerifier;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use yomitori_server::identity;
use yomitori_tests::hostile::credential::{Signer, Wish};
use yomitori_tests::hostile::stranger::greet;
use yomitori_tests::world::World;
use yomitori_tests::world::port;

/// See the head of this file.
pub(crate) struct Listener {
    /// The address that agents connect to instead.
    pub(crate) uplink: String,
    heard: Heard,
    accepting: AbortHandle,
}

type Heard = Arc<Mutex<Vec<u8>>>;

impl Listener {
    /// Listens in front of the server at `uplink`.
    pub(crate) async fn before(world: &World, uplink: &str) -> Result<Self> {
        let signer = Arc::new(Signer::of(world)?);
        let mut roots = rustls::RootCertStore::empty();
        roots.add(signer.certificate.clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()?;
        let own = signer.sign(&Wish::server())?;
        let mut tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_client_cert_verifier(clients)
            .with_single_cert(own.chain, own.key)?;
        tls.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(tls));

        let port = port::free()?;
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let heard = Heard::default();
        let (hearing, server) = (Arc::clone(&heard), uplink.to_owned());
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, signer) = (acceptor.clone(), Arc::clone(&signer));
                let (hearing, server) = (Arc::clone(&hearing), server.clone());
                // If the server is down, the agent receives nothing, as without the listener.
                tokio::spawn(async move { pass_on(stream, &acceptor, &signer, &server, &hearing).await.ok() });
            }
        });
        Ok(Self { uplink: format!("https://127.0.0.1:{port}"), heard, accepting: accepting.abort_handle() })
    }

    /// Every byte so far.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn pass_on(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    signer: &Signer,
    server: &str,
    heard: &Heard,
) -> Result<()> {
    let agent = acceptor.accept(stream).await?;
    let certificate = agent.get_ref().1.peer_certificates().and_then(<[_]>::first);
    // The server sees the same terminal, with a certificate whose key we have.
    let credential = match certificate {
        Some(certificate) => {
            let peer = identity::terminal_certificate(certificate).context("whose certificate")?.peer;
            Some(signer.sign(&Wish::terminal(peer))?)
        }
        None => None,
    };
    let server = greet(server, &signer.certificate, credential.as_ref(), b"h2").await?;
    let ((from_agent, to_agent), (from_server, to_server)) = (tokio::io::split(agent), tokio::io::split(server));
    tokio::try_join!(write_down(from_agent, to_server, heard), write_down(from_server, to_agent, heard))?;
    Ok(())
}

async fn write_down(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    heard: &Heard,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { return to.shutdown().await };
        heard.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        to.write_all(bytes).await?;
        to.flush().await?;
    }
}
