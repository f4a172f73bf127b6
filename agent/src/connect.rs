//! Connections to the server: TLS 1.3, always verified. No setting turns this off.
//!
//! A terminal connects with its certificate and trusts the authority under which it was enrolled ([`mutual`]). For its
//! enrolment it connects without a certificate and trusts the authority whose digest it knows ([`pinned`]). Both use a
//! [`Route`].

mod dial;
mod explained;
mod pin;
mod relay_listener;
mod route;
pub(crate) mod socket;

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::identity::Identity;
pub(crate) use dial::dial;
use explained::Explained;
pub use explained::RejectedCertificate;
pub use relay_listener::RelayAddress;
pub use route::{Mode, Route};

/// A relay connects at least this often.
pub const RELAY_WITHIN: Duration = Duration::from_secs(60);
/// Long enough for a handshake on a slow line that loses every fifth packet.
const CONNECT_WITHIN: Duration = Duration::from_secs(45);
/// A dead line is noticed within a minute and a half, and a line that only loses packets is kept. More frequent pings
/// would cost more than a MiB on an idle day.
const PING_EVERY: Duration = Duration::from_secs(60);
const PONG_WITHIN: Duration = Duration::from_secs(30);
/// The HTTP/2 window of a stream; it is small because batches are small and the agent's memory is limited.
const WINDOW: u32 = 64 * 1024;

/// Why a connection failed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("failed to connect to `{server}` (check the address, the network and the server's certificate)")]
    Server { server: String, source: tonic::transport::Error },
    #[error("failed to connect to `{server}`")]
    Certificate { server: String, source: RejectedCertificate },
    #[error("invalid certificate of this terminal (enrol it again with a new token)")]
    Tls(#[source] rustls::Error),
}

/// Connects as the terminal of `identity`.
pub async fn mutual(route: &Arc<Route>, identity: &Identity) -> Result<Channel, ConnectError> {
    channel(route, mutual_tls(identity).map_err(ConnectError::Tls)?).await
}

/// Connects without a certificate to a server whose authority's certificate has this SHA-256 digest.
pub async fn pinned(route: &Arc<Route>, authority: [u8; 32]) -> Result<Channel, ConnectError> {
    let provider = provider();
    let verifier = Arc::new(pin::PinnedAuthority::new(authority, Arc::clone(&provider)));
    let tls = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(ConnectError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Explained(verifier)))
        .with_no_client_auth();
    channel(route, tls).await
}

/// The TLS configuration of the terminal of `identity`.
pub fn mutual_tls(identity: &Identity) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(identity.authority().clone())?;
    let provider = provider();
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Explained(verifier)))
        .with_client_auth_cert(vec![identity.certificate().clone()], identity.key())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

async fn channel(route: &Arc<Route>, mut tls: ClientConfig) -> Result<Channel, ConnectError> {
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let connector = TlsConnector::from(Arc::new(tls));
    let target = Arc::clone(route);
    let dial = tower::service_fn(move |_: Uri| {
        let (connector, target) = (connector.clone(), Arc::clone(&target));
        async move { target.connect(&connector).await.map(TokioIo::new) }
    });
    let server = route.server();
    let refused = |source| {
        let server = server.to_string();
        match RejectedCertificate::among_causes(&source) {
            Some(source) => ConnectError::Certificate { server, source },
            None => ConnectError::Server { server, source },
        }
    };
    // With an https URI tonic would do TLS itself, so it gets http; the origin stays https.
    let origin: Uri = server.to_string().parse().expect("a server address is a URI");
    route.wait_until_ready().await;
    Endpoint::from_shared(server.to_string().replacen("https", "http", 1))
        .map_err(refused)?
        .origin(origin)
        .connect_timeout(CONNECT_WITHIN)
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .connect_with_connector(dial)
        .await
        .map_err(refused)
}
