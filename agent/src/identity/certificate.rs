//! The contents of a terminal's certificate.

use chrono::{DateTime, Utc};
use rcgen::{KeyPair, PublicKeyData as _};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use uuid::Uuid;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};
use yomitori_proto::id::{FacilityId, TerminalId};

/// Why a certificate is not valid for this terminal.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("the certificate is not valid X.509")]
    Unreadable,
    #[error("the certificate does not name this terminal and its facility")]
    Names,
    #[error("the certificate is for another key")]
    OtherKey,
    #[error("the key is not a valid private key")]
    Key,
}

pub(super) struct CertificateContents {
    pub(super) terminal: TerminalId,
    pub(super) facility: FacilityId,
    pub(super) not_before: DateTime<Utc>,
    pub(super) not_after: DateTime<Utc>,
}

/// Reads `certificate`, and checks that it is for `key` (PKCS #8).
pub(super) fn read(certificate: &CertificateDer<'_>, key: &[u8]) -> Result<CertificateContents, CertificateError> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::Unreadable)?;
    let key = KeyPair::try_from(&PrivatePkcs8KeyDer::from(key)).map_err(|_| CertificateError::Key)?;
    if parsed.public_key().raw != key.subject_public_key_info() {
        return Err(CertificateError::OtherKey);
    }
    let names = parsed.subject_alternative_name().map_err(|_| CertificateError::Unreadable)?;
    let names = names.ok_or(CertificateError::Names)?;
    let named = |prefix: &str| {
        let id = names.value.general_names.iter().find_map(|name| match name {
            GeneralName::URI(uri) => uri.strip_prefix(prefix)?.parse::<Uuid>().ok(),
            _ => None,
        });
        id.ok_or(CertificateError::Names)
    };
    let instant = |seconds| DateTime::from_timestamp(seconds, 0).ok_or(CertificateError::Unreadable);
    Ok(CertificateContents {
        terminal: TerminalId(named("urn:yomitori:terminal:")?),
        facility: FacilityId(named("urn:yomitori:facility:")?),
        not_before: instant(parsed.validity().not_before.timestamp())?,
        not_after: instant(parsed.validity().not_after.timestamp())?,
    })
}
