//! Connections to the server: TLS 1.3, always verified. There is no switch that turns this off.
//!
//! Two ways in: with this terminal's certificate, believing the authority that it was enrolled under ([`mutual`]); and
//! once, before that, with nothing but the digest of the authority's certificate ([`pinned`]). Either by a [`Route`].

mod pin;
mod relay_listener;
mod route;
pub(crate) mod socket;

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::identity::Identity;
pub use relay_listener::RelayAddress;
pub use route::{Mode, Route};

/// A relay calls at least so often.
pub const RELAY_WITHIN: Duration = Duration::from_secs(60);
/// Long enough for a handshake on a slow line that loses every fifth packet.
const CONNECT_WITHIN: Duration = Duration::from_secs(45);
/// A line that went silently is noticed within a minute and a half, and one that only loses packets is kept. Asked more
/// often, an idle day would cost more than a MiB.
const PING_EVERY: Duration = Duration::from_secs(60);
const PONG_WITHIN: Duration = Duration::from_secs(30);
/// What a stream may have under way: batches are small, and so is the agent.
const WINDOW: u32 = 64 * 1024;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("no connection to `{server}` (check address, network and the server's certificate)")]
    Server { server: String, source: tonic::transport::Error },
    #[error("set up TLS with this terminal's certificate (enrol it again with a new token)")]
    Tls(#[source] rustls::Error),
}

/// As the terminal that `identity` is.
pub async fn mutual(route: &Arc<Route>, identity: &Identity) -> Result<Channel, ConnectError> {
    channel(route, mutual_tls(identity).map_err(ConnectError::Tls)?).await
}

/// As nobody, to a server that shows a certificate of the authority with this SHA-256.
pub async fn pinned(route: &Arc<Route>, authority: [u8; 32]) -> Result<Channel, ConnectError> {
    let provider = provider();
    let verifier = Arc::new(pin::PinnedAuthority::new(authority, Arc::clone(&provider)));
    let tls = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(ConnectError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    channel(route, tls).await
}

/// How TLS is spoken as the terminal that `identity` is.
pub fn mutual_tls(identity: &Identity) -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(identity.authority().clone())?;
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![identity.certificate().clone()], identity.key())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
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
    let refused = |source| ConnectError::Server { server: server.to_string(), source };
    // tonic takes a URI with https for a demand to do TLS itself.
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
