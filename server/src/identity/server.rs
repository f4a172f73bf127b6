//! The server's own certificate. It is renewed while the server runs, since a server may run for years; new connections get
//! the new one.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{Authority, AuthorityError, lapsed, named};

/// The validity of the certificate.
const VALID_FOR: Duration = Duration::from_secs(397 * 24 * 3600);
/// The age at which it is renewed.
const RENEWED_AFTER: Duration = Duration::from_secs(30 * 24 * 3600);

/// The server's certificate for its names.
pub struct ServerCertificate {
    authority: Arc<Authority>,
    names: Vec<String>,
    current: RwLock<IssuedCertificate>,
}

#[derive(Clone)]
struct IssuedCertificate {
    key: Arc<CertifiedKey>,
    at: DateTime<Utc>,
}

impl ServerCertificate {
    /// Issues a certificate for `names`.
    ///
    /// # Errors
    /// If none can be created for them.
    pub fn issue(authority: Arc<Authority>, names: Vec<String>, now: DateTime<Utc>) -> Result<Self, AuthorityError> {
        let current = RwLock::new(issue(&authority, &names, now)?);
        Ok(Self { authority, names, current })
    }

    /// Renews the certificate if it is old enough; returns the end of the one that is shown from now on.
    ///
    /// # Errors
    /// If none can be created; the present one stays.
    pub fn renew(&self, now: DateTime<Utc>) -> Result<DateTime<Utc>, AuthorityError> {
        let present = self.present().at;
        // A clock that was set back must not keep the certificate from being renewed.
        if (now - present).abs().to_std().is_ok_and(|age| age < RENEWED_AFTER) {
            return Ok(present + VALID_FOR);
        }
        let new = issue(&self.authority, &self.names, now)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(now + VALID_FOR)
    }

    /// TLS 1.3 for the uplink. A client certificate is optional and is verified. A lapsed one is accepted too, but only for
    /// its renewal: see [`TerminalCertificate::is_current`](super::TerminalCertificate::is_current).
    ///
    /// # Errors
    /// If the authority can't verify clients.
    pub fn tls(self: &Arc<Self>) -> Result<ServerConfig, AuthorityError> {
        let clients = lapsed::ClientVerifier::of(self.authority.certificate())?;
        let shown: Arc<dyn ResolvesServerCert> = Arc::<Self>::clone(self);
        let mut config = ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
            .with_client_cert_verifier(Arc::new(clients))
            .with_cert_resolver(shown);
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    fn present(&self) -> IssuedCertificate {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for ServerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerCertificate").field("names", &self.names).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for ServerCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.present().key)
    }
}

fn issue(authority: &Authority, names: &[String], now: DateTime<Utc>) -> Result<IssuedCertificate, AuthorityError> {
    let key = KeyPair::generate().map_err(AuthorityError::Issue)?;
    let mut params = CertificateParams::new(names.to_vec()).map_err(AuthorityError::Issue)?;
    params.distinguished_name = named("Yomitori server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Valid since ever: a terminal whose clock lost its battery is one that has to be seen.
    params.not_before = SystemTime::UNIX_EPOCH.into();
    params.not_after = (SystemTime::from(now) + VALID_FOR).into();
    let leaf = params.signed_by(&key, &authority.issuer).map_err(AuthorityError::Issue)?;
    let chain = vec![leaf.der().clone(), authority.certificate().clone()];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = CertifiedKey::from_der(chain, key, &ring::default_provider());
    Ok(IssuedCertificate { key: Arc::new(key.map_err(|error| AuthorityError::Tls(Box::new(error)))?), at: now })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(certificate: &ServerCertificate) -> Vec<u8> {
        certificate.present().key.cert[0].to_vec()
    }

    #[test]
    fn it_is_renewed_while_the_server_runs_and_holds_for_every_slow_clock() {
        let folder = tempfile::tempdir().unwrap();
        let began = crate::clock::now();
        let authority = Arc::new(Authority::create(folder.path(), began).unwrap());
        let certificate = ServerCertificate::issue(authority, vec!["localhost".to_owned()], began).unwrap();
        let mut seen = std::collections::BTreeSet::from([leaf(&certificate)]);
        for day in 0..800 {
            let now = began + Duration::from_secs(day * 24 * 3600);
            let ends = certificate.renew(now).unwrap();
            assert!(ends - now > chrono::TimeDelta::days(360), "day {day}");
            let der = leaf(&certificate);
            let (_, parsed) = x509_parser::parse_x509_certificate(&der).unwrap();
            assert_eq!(parsed.validity().not_before.timestamp(), 0);
            assert_eq!(parsed.validity().not_after.timestamp(), ends.timestamp());
            seen.insert(der);
        }
        assert_eq!(seen.len(), 27);
        // A clock that is set back by years.
        certificate.renew(began - Duration::from_secs(3 * 365 * 24 * 3600)).unwrap();
        assert!(seen.insert(leaf(&certificate)));
    }
}
