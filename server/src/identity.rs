//! The certificate authority: a terminal's certificate defines its identity, and only this authority signs one.
//!
//! The key of the authority exists only in `state_dir`. A terminal's key never leaves the terminal: it sends a signed
//! request (CSR), of which only the public key is used.

mod lapsed;
pub mod server;

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use sha2::{Digest, Sha256};
use yomitori_base::file;
use yomitori_proto::id::{FacilityId, TerminalId};
use yomitori_proto::uplink::Peer;

/// The validity of a terminal's certificate. Agents renew it after a third of that time.
pub const TERMINAL_CERTIFICATE_FOR: Duration = Duration::from_secs(30 * 24 * 3600);
/// Certificates are backdated by this much, so that a terminal with a slow clock accepts its own.
const BACKDATED_BY: Duration = Duration::from_secs(24 * 3600);

/// Why the authority cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    #[error(
        "failed to read or write the certificate authority in `{path}` (check that the folder exists and belongs to this user)"
    )]
    File { path: PathBuf, source: std::io::Error },
    #[error("invalid certificate authority in `{path}` (restore ca.pem and ca.key from the backup)")]
    Broken { path: PathBuf, source: rcgen::Error },
    #[error("`{present}` exists and `{missing}` does not (restore both from the backup)")]
    Half { present: PathBuf, missing: PathBuf },
    #[error(
        "no certificate authority in `{path}` (on the first machine run `yomitori-server migrate`; on another one copy ca.pem and \
         ca.key from the first)"
    )]
    Missing { path: PathBuf },
    #[error("`{path}` exists already")]
    Present { path: PathBuf },
    #[error("ca.pem and ca.key in `{path}` don't belong together (restore both from the backup)")]
    Mixed { path: PathBuf },
    #[error(
        "the certificate authority in `{path}` is {found}, and terminals trust {recorded}: copy ca.pem and ca.key from another \
         server or from the backup. If they are lost, delete these two files and run `yomitori-server migrate --new-authority`; \
         each terminal must then be enrolled again"
    )]
    Other { path: PathBuf, found: String, recorded: String },
    #[error("the database does not know the certificate authority (run `yomitori-server migrate`)")]
    Unrecorded,
    #[error("failed to create a certificate")]
    Issue(#[source] rcgen::Error),
    #[error("failed to set up TLS")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why a certificate request is refused.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    #[error("the certificate request is not valid or is not signed with its own key")]
    Unreadable(#[source] rcgen::Error),
    #[error("failed to create the terminal's certificate")]
    Issue(#[source] rcgen::Error),
}

/// A certificate request that is signed with its own key. Only its public key is used.
pub struct CertificateRequest(CertificateSigningRequestParams);

impl CertificateRequest {
    /// Parses a request and verifies its signature.
    ///
    /// # Errors
    /// If the request is malformed or not signed with its own key.
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
    /// Opens the authority in `state_dir`.
    ///
    /// # Errors
    /// If there is none, the files cannot be read or parsed, only one of the two exists, or they don't belong together.
    pub fn open(state_dir: &Path) -> Result<Self, AuthorityError> {
        let (certificate_path, key_path) = Self::files(state_dir);
        match (certificate_path.exists(), key_path.exists()) {
            (true, true) => {}
            (false, false) => return Err(AuthorityError::Missing { path: state_dir.to_owned() }),
            (true, false) => return Err(AuthorityError::Half { present: certificate_path, missing: key_path }),
            (false, true) => return Err(AuthorityError::Half { present: key_path, missing: certificate_path }),
        }
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| AuthorityError::File { path: path.to_owned(), source })
        };
        let broken = |source| AuthorityError::Broken { path: key_path.clone(), source };
        let certificate_pem = read(&certificate_path)?;
        let key = KeyPair::from_pem(&read(&key_path)?).map_err(broken)?;
        let public_key = key.subject_public_key_info();
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key).map_err(broken)?;
        let certificate: CertificateDer<'static> =
            rustls::pki_types::pem::PemObject::from_pem_slice(certificate_pem.as_bytes())
                .map_err(|e| AuthorityError::Tls(Box::new(e)))?;
        let parsed = x509_parser::parse_x509_certificate(&certificate);
        if parsed.is_ok_and(|(_, parsed)| parsed.public_key().raw != public_key) {
            return Err(AuthorityError::Mixed { path: state_dir.to_owned() });
        }
        Ok(Self { certificate, issuer })
    }

    /// The two files of an authority in `state_dir`: the certificate and the key.
    fn files(state_dir: &Path) -> (PathBuf, PathBuf) {
        (state_dir.join("ca.pem"), state_dir.join("ca.key"))
    }

    /// Whether this authority, of `state_dir`, is the one that terminals trust.
    ///
    /// # Errors
    /// If it is another one, or none is recorded.
    pub fn check(&self, state_dir: &Path, recorded: Option<&str>) -> Result<(), AuthorityError> {
        let (path, found) = (state_dir.to_owned(), self.fingerprint());
        match recorded {
            Some(recorded) if recorded == found => Ok(()),
            Some(recorded) => Err(AuthorityError::Other { path, found, recorded: recorded.to_owned() }),
            None => Err(AuthorityError::Unrecorded),
        }
    }

    /// Creates an authority in `state_dir`, which has none.
    ///
    /// # Errors
    /// If the files cannot be written, or there is one already.
    pub fn create(state_dir: &Path, now: DateTime<Utc>) -> Result<Self, AuthorityError> {
        let (certificate_path, key_path) = Self::files(state_dir);
        for present in [&certificate_path, &key_path] {
            if present.exists() {
                return Err(AuthorityError::Present { path: present.clone() });
            }
        }
        let key = KeyPair::generate().map_err(AuthorityError::Issue)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Yomitori certificate authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        hold_for(&mut params, now, Duration::from_secs(20 * 365 * 24 * 3600));
        let certificate = params.self_signed(&key).map_err(AuthorityError::Issue)?;
        std::fs::create_dir_all(state_dir)
            .map_err(|source| AuthorityError::File { path: state_dir.to_owned(), source })?;
        write_private(&key_path, &key.serialize_pem())?;
        write_private(&certificate_path, &certificate.pem())?;
        let der = certificate.der().clone();
        Ok(Self { certificate: der, issuer: Issuer::new(params, key) })
    }

    /// The certificate that agents pin.
    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// SHA-256 of the certificate, in hexadecimal; every enrolment token contains it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex::encode(Sha256::digest(&self.certificate))
    }

    /// Issues a terminal's certificate for the public key of `request`.
    ///
    /// # Errors
    /// If no certificate can be created for that key.
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
}

/// The content of a certificate that TLS has verified.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TerminalCertificate {
    pub peer: Peer,
    /// To the second, as in the certificate.
    pub expires_at: DateTime<Utc>,
}

impl TerminalCertificate {
    /// Whether the certificate has not expired at `now`. The owner of an expired one may only renew it. A connection may
    /// last for longer than the certificate with which it was opened.
    #[must_use]
    pub fn is_current(&self, now: DateTime<Utc>) -> bool {
        now.timestamp() <= self.expires_at.timestamp()
    }
}

/// Parses a certificate that TLS has verified; `None` if it is not a terminal's.
#[must_use]
pub fn terminal_certificate(certificate_der: &[u8]) -> Option<TerminalCertificate> {
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
    let expires_at = DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)?;
    Some(TerminalCertificate { peer, expires_at })
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

/// Writes a file atomically; only this user can read it.
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
        let authority = Authority::create(dir.path(), now).unwrap();
        let again = Authority::open(dir.path()).unwrap();
        assert_eq!(authority.fingerprint(), again.fingerprint());

        let key = KeyPair::generate().unwrap();
        let mut request = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
        request.distinguished_name = named("somebody else");
        let csr = request.serialize_request(&key).unwrap();
        let asked = Peer { terminal: TerminalId(Uuid::from_u128(1)), facility: FacilityId(Uuid::from_u128(2)) };
        let certificate = again.certify(&CertificateRequest::read(csr.der()).unwrap(), asked, now).unwrap();
        let read = terminal_certificate(&certificate).unwrap();
        assert_eq!(read.peer, asked);
        let end = now + TERMINAL_CERTIFICATE_FOR;
        assert_eq!((read.is_current(now), read.is_current(end)), (true, true));
        assert!(!read.is_current(end + Duration::from_secs(1)));
        assert!(!String::from_utf8_lossy(&certificate).contains("evil"));
        assert!(CertificateRequest::read(b"not a request").is_err());
    }

    #[test]
    fn an_authority_that_is_not_complete_is_refused_and_not_replaced() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let now = crate::clock::now();
        assert!(matches!(Authority::open(dir.path()), Err(AuthorityError::Missing { .. })));
        let authority = Authority::create(dir.path(), now).unwrap();
        assert!(matches!(Authority::create(dir.path(), now), Err(AuthorityError::Present { .. })));
        Authority::create(other.path(), now).unwrap();
        let recorded = authority.fingerprint();
        assert!(authority.check(dir.path(), Some(&recorded)).is_ok());
        assert!(matches!(authority.check(dir.path(), None), Err(AuthorityError::Unrecorded)));
        assert!(matches!(authority.check(dir.path(), Some("another")), Err(AuthorityError::Other { .. })));

        std::fs::copy(other.path().join("ca.key"), dir.path().join("ca.key")).unwrap();
        assert!(matches!(Authority::open(dir.path()), Err(AuthorityError::Mixed { .. })));
        std::fs::remove_file(dir.path().join("ca.key")).unwrap();
        assert!(matches!(Authority::open(dir.path()), Err(AuthorityError::Half { .. })));
        assert!(matches!(Authority::create(dir.path(), now), Err(AuthorityError::Present { .. })));
    }
}
