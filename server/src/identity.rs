//! The certificate authority: who a terminal is, is what its certificate says, and only this authority writes one.
//!
//! The key of the authority lives in `state_dir` and nowhere else. A terminal's key never comes here: it sends a request
//! signed with it (CSR), of which only the public key is used.

mod lapsed;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use yomitori_base::file;
use yomitori_proto::id::{FacilityId, TerminalId};
use yomitori_proto::uplink::Peer;

/// How long a terminal's certificate holds. Agents renew from a third of it on.
pub const TERMINAL_CERTIFICATE_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long the server's own certificate holds; a new one is made at every start.
const SERVER_CERTIFICATE_FOR: Duration = Duration::from_secs(397 * 24 * 3600);
/// Certificates begin this long ago, so that a terminal whose clock is slow accepts its own.
const BACKDATED_BY: Duration = Duration::from_secs(24 * 3600);

/// Why the authority can't be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error(
        "failed to read or write the certificate authority in `{path}` (check that the folder exists and belongs to this user)"
    )]
    File { path: PathBuf, source: std::io::Error },
    #[error("invalid certificate authority in `{path}` (restore ca.pem and ca.key from the backup)")]
    Broken { path: PathBuf, source: rcgen::Error },
    #[error("`{present}` is there and `{missing}` is not (restore both from the backup)")]
    Half { present: PathBuf, missing: PathBuf },
    #[error("failed to make a certificate")]
    Issue(#[source] rcgen::Error),
    #[error("failed to set up TLS")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a certificate request is refused.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("the certificate request can't be read or isn't signed with its own key")]
    Unreadable(#[source] rcgen::Error),
    #[error("failed to make the terminal's certificate")]
    Issue(#[source] rcgen::Error),
}

/// A certificate request that was signed with its own key. Nothing of it counts but the public key.
pub struct CertificateRequest(CertificateSigningRequestParams);

impl CertificateRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// Where it is broken, or the signature isn't its own key's.
    pub fn read(der: &[u8]) -> Result<Self, RequestError> {
        let der = CertificateSigningRequestDer::from(der.to_vec());
        CertificateSigningRequestParams::from_der(&der).map(Self).map_err(RequestError::Unreadable)
    }

    /// SHA-256 of the public key.
    #[must_use]
    pub fn key_hash(&self) -> Vec<u8> {
        Sha256::digest(self.0.public_key.subject_public_key_info()).to_vec()
    }
}

/// Signs certificates of terminals and of the server itself.
pub struct Authority {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Opens the authority in `state_dir`, or makes one where there is none.
    ///
    /// # Errors
    /// Where the files can't be read, written or understood, or where only one of the two is there.
    pub fn open_or_create(state_dir: &Path, now: DateTime<Utc>) -> Result<Self, AuthorityError> {
        let (certificate_path, key_path) = (state_dir.join("ca.pem"), state_dir.join("ca.key"));
        match (certificate_path.exists(), key_path.exists()) {
            (true, true) => Self::open(&certificate_path, &key_path),
            (false, false) => Self::create(state_dir, &certificate_path, &key_path, now),
            (true, false) => Err(AuthorityError::Half { present: certificate_path, missing: key_path }),
            (false, true) => Err(AuthorityError::Half { present: key_path, missing: certificate_path }),
        }
    }

    fn open(certificate_path: &Path, key_path: &Path) -> Result<Self, AuthorityError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| AuthorityError::File { path: path.to_owned(), source })
        };
        let broken = |source| AuthorityError::Broken { path: key_path.to_owned(), source };
        let certificate_pem = read(certificate_path)?;
        let key = KeyPair::from_pem(&read(key_path)?).map_err(broken)?;
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key).map_err(broken)?;
        let certificate = rustls::pki_types::pem::PemObject::from_pem_slice(certificate_pem.as_bytes())
            .map_err(|e| AuthorityError::Tls(Box::new(e)))?;
        Ok(Self { certificate, issuer })
    }

    fn create(
        dir: &Path,
        certificate_path: &Path,
        key_path: &Path,
        now: DateTime<Utc>,
    ) -> Result<Self, AuthorityError> {
        let key = KeyPair::generate().map_err(AuthorityError::Issue)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Yomitori certificate authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        hold_for(&mut params, now, Duration::from_secs(20 * 365 * 24 * 3600));
        let certificate = params.self_signed(&key).map_err(AuthorityError::Issue)?;
        std::fs::create_dir_all(dir).map_err(|source| AuthorityError::File { path: dir.to_owned(), source })?;
        write_private(key_path, &key.serialize_pem())?;
        write_private(certificate_path, &certificate.pem())?;
        let der = certificate.der().clone();
        Ok(Self { certificate: der, issuer: Issuer::new(params, key) })
    }

    /// The certificate that agents pin.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the certificate, in hexadecimal; it stands in every enrolment token.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(&self.certificate))
    }

    /// Writes a terminal's certificate for the public key of `request`.
    ///
    /// # Errors
    /// Where no certificate can be made for that key.
    pub fn certify(
        &self,
        request: &CertificateRequest,
        peer: Peer,
        now: DateTime<Utc>,
    ) -> Result<CertificateDer<'static>, RequestError> {
        let uri = |text: String| text.try_into().map(SanType::URI).map_err(RequestError::Issue);
        let mut params = CertificateParams::default();
        params.distinguished_name = named(&peer.terminal.to_string());
        params.subject_alt_names = vec![
            uri(format!("urn:yomitori:terminal:{}", peer.terminal))?,
            uri(format!("urn:yomitori:facility:{}", peer.facility))?,
        ];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        hold_for(&mut params, now, TERMINAL_CERTIFICATE_FOR);
        let certificate = params.signed_by(&request.0.public_key, &self.issuer).map_err(RequestError::Issue)?;
        Ok(certificate.der().clone())
    }

    /// TLS 1.3 for the uplink: a certificate of our own for `names`; a client certificate is verified where one is shown.
    /// One that has lapsed is let in too, to be renewed and for nothing else: see [`TerminalCertificate::is_current`].
    ///
    /// # Errors
    /// Where no certificate can be made for `names`.
    pub fn server_tls(&self, names: &[String], now: DateTime<Utc>) -> Result<rustls::ServerConfig, AuthorityError> {
        let key = KeyPair::generate().map_err(AuthorityError::Issue)?;
        let mut params = CertificateParams::new(names.to_vec()).map_err(AuthorityError::Issue)?;
        params.distinguished_name = named("Yomitori server");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        hold_for(&mut params, now, SERVER_CERTIFICATE_FOR);
        let leaf = params.signed_by(&key, &self.issuer).map_err(AuthorityError::Issue)?;
        let chain = vec![leaf.der().clone(), self.certificate.clone()];
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));

        let tls = |e: Box<dyn std::error::Error + Send + Sync>| AuthorityError::Tls(e);
        let clients = lapsed::ClientVerifier::of(&self.certificate)?;
        let mut config = rustls::ServerConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
            .with_client_cert_verifier(Arc::new(clients))
            .with_single_cert(chain, key)
            .map_err(|e| tls(Box::new(e)))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }
}

/// What a certificate that TLS has verified says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TerminalCertificate {
    pub peer: Peer,
    /// It has not ended yet. Else its owner may ask for a new one, and nothing more.
    pub is_current: bool,
}

/// Reads a certificate that TLS has verified; `None` where it isn't a terminal's.
#[must_use]
pub fn terminal_certificate(certificate_der: &[u8], now: DateTime<Utc>) -> Option<TerminalCertificate> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate_der).ok()?;
    let names = &certificate.subject_alternative_name().ok()??.value.general_names;
    let find = |prefix: &str| {
        names.iter().find_map(|name| match name {
            x509_parser::extensions::GeneralName::URI(uri) => uri.strip_prefix(prefix)?.parse().ok(),
            _ => None,
        })
    };
    let peer = Peer {
        terminal: TerminalId(find("urn:yomitori:terminal:")?),
        facility: FacilityId(find("urn:yomitori:facility:")?),
    };
    Some(TerminalCertificate { peer, is_current: now.timestamp() <= certificate.validity().not_after.timestamp() })
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn hold_for(params: &mut CertificateParams, now: DateTime<Utc>, span: Duration) {
    let at = std::time::SystemTime::from(now);
    params.not_before = (at - BACKDATED_BY).into();
    params.not_after = (at + span).into();
}

/// Writes a file that only this user can read, whole or not at all.
fn write_private(path: &Path, text: &str) -> Result<(), AuthorityError> {
    file::replace(path, text.as_bytes()).map_err(|source| AuthorityError::File { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn a_terminal_is_who_its_certificate_says() {
        let dir = tempfile::tempdir().unwrap();
        let now = crate::clock::now();
        let authority = Authority::open_or_create(dir.path(), now).unwrap();
        let again = Authority::open_or_create(dir.path(), now).unwrap();
        assert_eq!(authority.fingerprint(), again.fingerprint());

        let key = KeyPair::generate().unwrap();
        let mut request = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
        request.distinguished_name = named("somebody else");
        let csr = request.serialize_request(&key).unwrap();
        let asked = Peer { terminal: TerminalId(Uuid::from_u128(1)), facility: FacilityId(Uuid::from_u128(2)) };
        let certificate = again.certify(&CertificateRequest::read(csr.der()).unwrap(), asked, now).unwrap();
        assert_eq!(
            terminal_certificate(&certificate, now),
            Some(TerminalCertificate { peer: asked, is_current: true })
        );
        let later = now + TERMINAL_CERTIFICATE_FOR + Duration::from_secs(1);
        assert_eq!(
            terminal_certificate(&certificate, later),
            Some(TerminalCertificate { peer: asked, is_current: false })
        );
        assert!(!String::from_utf8_lossy(&certificate).contains("evil"));
        assert!(CertificateRequest::read(b"not a request").is_err());
    }

    #[test]
    fn an_authority_without_its_key_is_refused_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        Authority::open_or_create(dir.path(), crate::clock::now()).unwrap();
        std::fs::remove_file(dir.path().join("ca.key")).unwrap();
        assert!(matches!(Authority::open_or_create(dir.path(), crate::clock::now()), Err(AuthorityError::Half { .. })));
    }
}
