//! Says why the server's certificate is rejected, where a person can do something about it: this terminal's clock is
//! wrong, or somebody in between shows a certificate of another authority.

use std::error::Error as StdError;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};
use yomitori_proto::letter::is_plain;

use crate::clock_offset::ClockOffset;

/// A name is not longer in this message.
const LONGEST_NAME: usize = 120;

/// See the head of this file.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RejectedCertificate {
    #[error(
        "this terminal's clock is wrong: it shows {}, {}, by the server's certificate (set the clock)",
        here.format("%Y-%m-%d %H:%M"), offset.en()
    )]
    Clock { here: DateTime<Utc>, offset: ClockOffset },
    #[error(
        "the certificate that was shown is from \"{issuer}\", not from this server's authority (a proxy or a virus scanner \
         may inspect TLS here: exempt the server's address; after a loss of the authority enrol again)"
    )]
    ForeignIssuer { issuer: String },
}

impl RejectedCertificate {
    /// What happened and what to do, in Japanese.
    #[must_use]
    pub fn ja(&self) -> String {
        match self {
            Self::Clock { here, offset } => {
                let here = here.format("%Y-%m-%d %H:%M");
                format!("この端末の時計（{here} UTC）が{}。日付と時刻を合わせてください", offset.ja())
            }
            Self::ForeignIssuer { issuer } => format!(
                "別の認証局「{issuer}」の証明書が示されました。通信を検査するプロキシ等の対象から除外してください"
            ),
        }
    }

    /// The reason in the causes of `error`, if there is one.
    #[must_use]
    pub fn among_causes(error: &(dyn StdError + 'static)) -> Option<Self> {
        let mut cause = Some(error);
        while let Some(one) = cause {
            // The cause of an error of input and output is that of the error within, which is left out.
            let within = one.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            let tls = within.and_then(|within| within.downcast_ref::<Error>()).or_else(|| one.downcast_ref());
            if let Some(Error::InvalidCertificate(CertificateError::Other(OtherError(other)))) = tls
                && let Some(rejected) = other.downcast_ref::<Self>()
            {
                return Some(rejected.clone());
            }
            cause = one.source();
        }
        None
    }
}

/// A verifier whose rejections are explained.
#[derive(Debug)]
pub(super) struct Explained(pub(super) Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for Explained {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        verified.map_err(|error| match explanation(&error, end_entity, now) {
            Some(rejected) => Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(rejected)))),
            None => error,
        })
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

fn explanation(error: &Error, end_entity: &CertificateDer<'_>, now: UnixTime) -> Option<RejectedCertificate> {
    let Error::InvalidCertificate(error) = error else { return None };
    let (_, shown) = X509Certificate::from_der(end_entity).ok()?;
    match error {
        CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. }
        | CertificateError::Expired
        | CertificateError::ExpiredContext { .. } => {
            let at = |seconds| DateTime::from_timestamp(seconds, 0);
            let here = at(i64::try_from(now.as_secs()).ok()?)?;
            let validity = shown.validity();
            let (from, until) = (at(validity.not_before.timestamp())?, at(validity.not_after.timestamp())?);
            let offset = ClockOffset::outside(here, from, until)?;
            Some(RejectedCertificate::Clock { here, offset })
        }
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            // It is shown to people, and anybody may have written it.
            let issuer: String =
                shown.issuer().to_string().chars().filter(|letter| is_plain(*letter)).take(LONGEST_NAME).collect();
            Some(RejectedCertificate::ForeignIssuer { issuer })
        }
        _ => None,
    }
}
