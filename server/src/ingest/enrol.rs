//! Issues a terminal's certificate: first for a technician's token, later for its present certificate.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};
use tonic::{Request, Response, Status};
use uuid::Uuid;
use yomitori_proto::event::{Stated, TerminalEnrolled};
use yomitori_proto::id::{FacilityId, TerminalId};
use yomitori_proto::uplink::Peer;
use yomitori_proto::wire;

use crate::clock;
use crate::identity::{Authority, CertificateRequest, RequestError};
use crate::ingest::operator::Operator;
use crate::ingest::registry;
use crate::ingest::service::enrolment_server::Enrolment;
use crate::ingest::tls::Caller;
use crate::store::facility;
use crate::store::terminal::{self, RegisteredTerminal, TerminalState};
use crate::store::token::{self, TokenRejection, TokenUse};
use crate::store::{Store, StoreError};
use crate::telemetry;

/// The validity of a token.
pub const TOKEN_FOR: TimeDelta = TimeDelta::hours(24);
/// The prefix of every token, so that people and programs recognise it.
const TOKEN_KIND: &str = "ytm1";
const SECRET_BYTES: usize = 16;

/// A token that was issued.
pub struct IssuedToken {
    /// What the technician takes to the site.
    pub token: String,
    /// Its name in lists.
    pub id: Uuid,
    pub expires_at: DateTime<Utc>,
}

/// Issues a token that enrols one terminal of `facility`, once, within [`TOKEN_FOR`]. Only a hash of the secret is
/// stored.
///
/// # Errors
/// If the database is away.
pub async fn issue_token(
    store: &Store,
    authority: &Authority,
    facility: FacilityId,
    stated: &Stated,
) -> Result<IssuedToken, StoreError> {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    let secret = BASE32_NOPAD.encode(&bytes).to_ascii_lowercase();
    let expires_at = stated.stated_at + TOKEN_FOR;
    let id = token::issue(store, &hash(secret.as_bytes()), facility, stated, expires_at).await?;
    Ok(IssuedToken { token: format!("{TOKEN_KIND}.{secret}.{}", authority.fingerprint()), id, expires_at })
}

/// The answer to a technician. Only who has the whole token learns more than that it is unknown.
const fn sentence(rejection: TokenRejection) -> &'static str {
    match rejection {
        TokenRejection::Unknown => {
            "このトークンはありません。入力を確かめてください / there is no such token: compare what was typed, or issue a new one \
             (yomitori-server token issue)"
        }
        TokenRejection::Used => {
            "使用済みのトークンです。新しいトークンを発行してください / the token has enrolled a terminal already: issue a new one \
             (yomitori-server token issue)"
        }
        TokenRejection::Expired => {
            "トークンの有効期限（24時間）が切れています。新しいトークンを発行してください / the token is older than 24 hours: issue a new one \
             (yomitori-server token issue)"
        }
        TokenRejection::Revoked => {
            "取り消されたトークンです。新しいトークンを発行してください / the token was revoked: issue a new one \
             (yomitori-server token issue)"
        }
    }
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(bytes).to_vec()
}

/// The enrolment service.
pub struct EnrolService {
    pub store: Store,
    pub authority: Arc<Authority>,
    pub operator: Operator,
}

impl EnrolService {
    fn certify(&self, request: &CertificateRequest, peer: Peer) -> Result<wire::Identity, Status> {
        let certificate = self.authority.certify(request, peer, clock::now()).map_err(|error| unusable(&error))?;
        Ok(wire::Identity {
            terminal: peer.terminal.to_bytes(),
            facility: peer.facility.to_bytes(),
            certificate_der: certificate.to_vec(),
            authority_der: self.authority.certificate().to_vec(),
            ..wire::Identity::default()
        })
    }

    /// The facility's name and code, for the technician; empty if it has none.
    async fn facility(&self, facility: FacilityId) -> Result<(String, String), Status> {
        let row = facility::rows(&self.store, Some(facility)).await.map_err(|error| {
            telemetry::enrolment_refused(&error);
            Status::unavailable("the database is unavailable; try again")
        })?;
        Ok(row.into_iter().next().map(|row| (row.name, row.code.unwrap_or_default())).unwrap_or_default())
    }
}

impl EnrolService {
    /// Refuses a certificate to a terminal that may not send, and with `known` also to one that the registry does not know.
    async fn may_have_certificate(&self, peer: Peer, known: bool) -> Result<(), Status> {
        let found = terminal::find(&self.store, peer.terminal).await.map_err(|error| {
            telemetry::enrolment_refused(&error);
            Status::unavailable("the database is unavailable; try again")
        })?;
        match found {
            Some(found) if found.facility != peer.facility => Err(registry::refusal(peer, TerminalState::Retired)),
            Some(RegisteredTerminal { state: TerminalState::Enrolled, .. }) => Ok(()),
            Some(found) => Err(registry::refusal(peer, found.state)),
            None if known => Err(registry::refusal(peer, TerminalState::Retired)),
            None => Ok(()),
        }
    }
}

#[tonic::async_trait]
impl Enrolment for EnrolService {
    async fn enrol(&self, request: Request<wire::EnrolRequest>) -> Result<Response<wire::Identity>, Status> {
        let wire::EnrolRequest { token, csr_der } = request.into_inner();
        let secret = token.split('.').nth(1).unwrap_or_default();
        // Checked first, so that an invalid request does not use up the token.
        let asked = CertificateRequest::read(&csr_der).map_err(|error| unusable(&error))?;
        let new = TerminalId(Uuid::now_v7());
        let redeemed = token::redeem(&self.store, &hash(secret.as_bytes()), &asked.key_hash(), new, clock::now())
            .await
            .map_err(|error| {
                telemetry::enrolment_refused(&error);
                Status::unavailable("the database is unavailable; try again")
            })?;
        let (peer, issued_by) = match redeemed {
            Ok(TokenUse::First { facility, issued_by }) => (Peer { terminal: new, facility }, issued_by),
            Ok(TokenUse::Again { facility, terminal, issued_by }) => (Peer { terminal, facility }, issued_by),
            Err(invalid) => {
                telemetry::token_refused(invalid);
                return Err(Status::unauthenticated(sentence(invalid)));
            }
        };
        self.may_have_certificate(peer, false).await?;
        let (facility_name, facility_code) = self.facility(peer.facility).await?;
        let identity = wire::Identity { facility_name, facility_code, ..self.certify(&asked, peer)? };
        // Who issued the token let the terminal in.
        let by = issued_by.unwrap_or_else(|| "enrolment".to_owned());
        let stated = Stated { by, why: None, stated_at: clock::now(), id: None };
        let enrolled = TerminalEnrolled { terminal: peer.terminal };
        self.operator.record(peer.facility, stated, enrolled.into()).await.map_err(|error| {
            telemetry::append_failed(&error);
            Status::unavailable("the log is unavailable; try again with the same token")
        })?;
        telemetry::terminal_enrolled(peer);
        Ok(Response::new(identity))
    }

    async fn renew(&self, request: Request<wire::RenewRequest>) -> Result<Response<wire::Identity>, Status> {
        let caller = request.extensions().get::<Caller>().copied();
        let shown = caller
            .and_then(|caller| caller.shown)
            .ok_or_else(|| Status::unauthenticated("renewal needs the terminal's present certificate"))?;
        let asked = CertificateRequest::read(&request.into_inner().csr_der).map_err(|error| unusable(&error))?;
        let peer = shown.peer;
        self.may_have_certificate(peer, !shown.is_current(clock::now())).await?;
        let identity = self.certify(&asked, peer)?;
        telemetry::certificate_renewed(peer);
        Ok(Response::new(identity))
    }
}

fn unusable(error: &RequestError) -> Status {
    telemetry::enrolment_refused(error);
    Status::invalid_argument("invalid certificate request")
}
