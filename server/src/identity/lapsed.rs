//! Expired client certificates, so that a terminal that was switched off for months returns without a technician. TLS
//! accepts its last certificate, verified in everything except the expiry, and the renewal is the only call that the
//! terminal may make.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::AuthorityError;

/// A terminal that was off for longer has to be enrolled again.
const RENEWABLE_FOR: Duration = Duration::from_secs(400 * 24 * 3600);

pub(super) struct ClientVerifier(Arc<dyn ClientCertVerifier>);

impl ClientVerifier {
    /// Accepts certificates that `authority` has signed, and clients without a certificate.
    pub(super) fn of(authority: &CertificateDer<'static>) -> Result<Self, AuthorityError> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(authority.clone()).map_err(|error| AuthorityError::Tls(Box::new(error)))?;
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated().build();
        verifier.map(Self).map_err(|error| AuthorityError::Tls(Box::new(error)))
    }
}

impl fmt::Debug for ClientVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clients")
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match self.0.verify_client_cert(end_entity, intermediates, now) {
            Err(Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
                let ended = renewable(end_entity, now).ok_or(Error::from(CertificateError::Expired))?;
                // Verifies owner, issuer and purpose as of the last valid moment.
                self.0.verify_client_cert(end_entity, intermediates, ended)
            }
            verified => verified,
        }
    }

    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// The last moment of a certificate that expired not too long before `now`.
fn renewable(certificate: &CertificateDer<'_>, now: UnixTime) -> Option<UnixTime> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let ended = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    let since = now.as_secs().checked_sub(ended)?;
    (since <= RENEWABLE_FOR.as_secs()).then(|| UnixTime::since_unix_epoch(Duration::from_secs(ended)))
}
