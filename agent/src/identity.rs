//! The terminal's identity: a key that was generated here and never leaves it, the certificate for the key, and the
//! authority that the terminal trusts. All three are in one file that only the agent's user can read and that is
//! written in one step.

mod certificate;
pub mod enrol;
pub mod facility;
pub mod file;
pub mod pending;
pub mod token;

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use yomitori_proto::id::{FacilityId, TerminalId};
use yomitori_proto::uplink::Peer;

pub use certificate::CertificateError;

/// See the head of this file. The simulator keeps it in memory, the agent in a file.
#[derive(Clone)]
pub struct Identity {
    terminal: TerminalId,
    facility: FacilityId,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
    /// PKCS #8.
    key: Vec<u8>,
    certificate: CertificateDer<'static>,
    authority: CertificateDer<'static>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("terminal", &self.terminal)
            .field("facility", &self.facility)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// Combines these parts, if they belong together: the certificate is for this key and names a terminal and its
    /// facility.
    pub fn new(
        key: Vec<u8>,
        certificate: CertificateDer<'static>,
        authority: CertificateDer<'static>,
    ) -> Result<Self, CertificateError> {
        let read = certificate::read(&certificate, &key)?;
        Ok(Self {
            terminal: read.terminal,
            facility: read.facility,
            not_before: read.not_before,
            not_after: read.not_after,
            key,
            certificate,
            authority,
        })
    }

    #[must_use]
    pub const fn terminal(&self) -> TerminalId {
        self.terminal
    }

    #[must_use]
    pub const fn facility(&self) -> FacilityId {
        self.facility
    }

    /// Both.
    #[must_use]
    pub const fn peer(&self) -> Peer {
        Peer { terminal: self.terminal, facility: self.facility }
    }

    /// The certificate of the authority that must have issued the server's certificate.
    #[must_use]
    pub const fn authority(&self) -> &CertificateDer<'static> {
        &self.authority
    }

    #[must_use]
    pub const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The private key, to sign with in TLS.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.clone()))
    }

    #[must_use]
    pub const fn not_after(&self) -> DateTime<Utc> {
        self.not_after
    }

    /// Whole days until the certificate expires; negative after that.
    #[must_use]
    pub fn days_left(&self, now: DateTime<Utc>) -> i64 {
        (self.not_after - now).num_days()
    }

    /// How long until it should be renewed: after a third of the certificate's lifetime, plus up to a tenth of it by
    /// `jitter` in 0..1, so that terminals that were enrolled together do not renew together.
    #[must_use]
    pub fn renewal_in(&self, now: DateTime<Utc>, jitter: f64) -> Duration {
        let life = self.not_after - self.not_before;
        #[expect(clippy::cast_possible_truncation, reason = "a tenth of a certificate's life is a few days")]
        let spread = TimeDelta::milliseconds((life.num_milliseconds() as f64 * 0.1 * jitter) as i64);
        (self.not_before + life / 3 + spread - now).to_std().unwrap_or(Duration::ZERO)
    }
}
