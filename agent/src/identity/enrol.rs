//! Requests certificates: the first with a technician's token, later ones with the present certificate.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use tonic::transport::Channel;
use tonic::{Code, Response, Status};
use yomitori_proto::wire;

use super::facility::EnrolledFacility;
use super::file::FileError;
use super::pending::{self, PendingError};
use super::token::Token;
use super::{CertificateError, Identity};
use crate::connect::{self, ConnectError, Route};
use crate::rpc::enrolment_client::EnrolmentClient;

const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// The server accepts a token again from the same key, so a lost answer does no harm.
const ATTEMPTS: usize = 3;

/// Why no certificate was obtained.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    #[error("failed to generate a key")]
    Key(#[source] rcgen::Error),
    #[error("failed to prepare the enrolment")]
    Pending(#[from] PendingError),
    #[error("failed to store the certificate")]
    File(#[from] FileError),
    #[error("failed to reach the server")]
    Connect(#[from] ConnectError),
    #[error("the server rejected the request: {}", .0.message())]
    Refused(Box<Status>),
    #[error("the server did not answer in time (try again)")]
    Late,
    #[error("the server's answer contains an invalid certificate")]
    Answer(#[from] CertificateError),
    #[error("the server answered with an authority that the token does not name (ask for a new token)")]
    OtherAuthority,
}

/// Enrols at the server of `route`, which is trusted only once it shows a certificate of the authority that `token`
/// names, and stores the identity in `state_dir`, with the facility if the server named it. After a failure the same token can
/// be used again from there.
pub async fn enrol(
    route: &Arc<Route>,
    token: &Token,
    state_dir: &Path,
) -> Result<(Identity, Option<EnrolledFacility>), EnrolError> {
    let key = pending::key(state_dir, token)?;
    let request = wire::EnrolRequest { token: token.text().to_owned(), csr_der: request(&key)? };
    let mut attempt = 1;
    let answer = loop {
        let channel = connect::pinned(route, token.authority()).await?;
        let mut client = EnrolmentClient::new(channel);
        match await_answer(client.enrol(request.clone())).await {
            Err(EnrolError::Refused(status)) if status.code() == Code::Unavailable && attempt < ATTEMPTS => {}
            Err(EnrolError::Late) if attempt < ATTEMPTS => {}
            answer => break answer?,
        }
        attempt += 1;
    };
    let digest: [u8; 32] = Sha256::digest(&answer.authority_der).into();
    if digest != token.authority() {
        return Err(EnrolError::OtherAuthority);
    }
    let facility = EnrolledFacility::of(&answer);
    let identity = identity(&key, answer)?;
    EnrolledFacility::forget(state_dir)?;
    identity.store(state_dir)?;
    if let Some(facility) = &facility {
        // The terminal is enrolled without it too.
        facility.store(state_dir).ok();
    }
    pending::forget(state_dir).map_err(|source| FileError::File { path: state_dir.to_owned(), source })?;
    Ok((identity, facility))
}

/// Requests a new certificate for a new key, over a channel that was opened with `identity`.
pub async fn renew(channel: Channel, identity: &Identity) -> Result<Identity, EnrolError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(EnrolError::Key)?;
    let request = wire::RenewRequest { csr_der: request(&key)? };
    let mut answer = await_answer(EnrolmentClient::new(channel).renew(request)).await?;
    // The authority that was pinned at the enrolment does not change.
    answer.authority_der = identity.authority().to_vec();
    let renewed = self::identity(&key, answer)?;
    if renewed.terminal() == identity.terminal() { Ok(renewed) } else { Err(CertificateError::Names.into()) }
}

fn request(key: &KeyPair) -> Result<Vec<u8>, EnrolError> {
    let request = CertificateParams::default().serialize_request(key).map_err(EnrolError::Key)?;
    Ok(request.der().to_vec())
}

fn identity(key: &KeyPair, answer: wire::Identity) -> Result<Identity, EnrolError> {
    let certificate = CertificateDer::from(answer.certificate_der);
    let identity = Identity::new(key.serialize_der(), certificate, CertificateDer::from(answer.authority_der))?;
    let named = identity.terminal().to_bytes() == answer.terminal && identity.facility().to_bytes() == answer.facility;
    if named { Ok(identity) } else { Err(CertificateError::Names.into()) }
}

async fn await_answer<T>(call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T, EnrolError> {
    match tokio::time::timeout(ANSWER_WITHIN, call).await {
        Ok(Ok(answer)) => Ok(answer.into_inner()),
        Ok(Err(status)) => Err(EnrolError::Refused(Box::new(status))),
        Err(_) => Err(EnrolError::Late),
    }
}
