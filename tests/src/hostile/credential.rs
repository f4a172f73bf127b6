//! Certificates that a terminal could present, including those that must be rejected.

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, SanType,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use yomitori_proto::uplink::Peer;

use crate::world::World;
use yomitori_simulation::clock;

/// The contents of a certificate.
#[derive(Clone, Debug)]
pub struct Wish {
    pub uris: Vec<String>,
    pub names: Vec<String>,
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub usages: Vec<ExtendedKeyUsagePurpose>,
}

impl Wish {
    /// The certificate of `peer`, as the server itself issues it.
    #[must_use]
    pub fn terminal(peer: Peer) -> Self {
        let uris = vec![
            format!("urn:yomitori:terminal:{}", peer.terminal),
            format!("urn:yomitori:facility:{}", peer.facility),
        ];
        let (from, until) = (clock::now() - TimeDelta::days(1), clock::now() + TimeDelta::days(30));
        Self { uris, names: Vec::new(), from, until, usages: vec![ExtendedKeyUsagePurpose::ClientAuth] }
    }

    /// The certificate of a server on this machine.
    #[must_use]
    pub fn server() -> Self {
        let (from, until) = (clock::now() - TimeDelta::days(1), clock::now() + TimeDelta::days(30));
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        Self { uris: Vec::new(), names, from, until, usages: vec![ExtendedKeyUsagePurpose::ServerAuth] }
    }

    fn params(&self) -> Result<CertificateParams> {
        let mut params = CertificateParams::new(self.names.clone()).context("the names")?;
        params.distinguished_name = named("a stranger");
        for uri in &self.uris {
            params.subject_alt_names.push(SanType::URI(uri.clone().try_into().context("a URI")?));
        }
        let at = |instant: DateTime<Utc>| std::time::SystemTime::from(instant).into();
        (params.not_before, params.not_after) = (at(self.from), at(self.until));
        params.extended_key_usages.clone_from(&self.usages);
        Ok(params)
    }
}

/// A certificate, its chain, and its key.
#[derive(Debug)]
pub struct Credential {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

impl Credential {
    fn new(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> Self {
        Self { chain, key: PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der())) }
    }

    /// A self-signed certificate.
    ///
    /// # Errors
    /// If the certificate can't be created.
    pub fn self_signed(wish: &Wish) -> Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = wish.params()?.self_signed(&key)?;
        Ok(Self::new(vec![certificate.der().clone()], &key))
    }
}

/// An issuer of certificates.
pub struct Signer {
    pub certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Signer {
    /// The authority of the servers of `world`: it stands for a thief of the authority's key.
    ///
    /// # Errors
    /// If there is none yet.
    pub fn of(world: &World) -> Result<Self> {
        let read = |name| std::fs::read_to_string(world.folder().join("authority").join(name)).context(name);
        let (certificate, key) = (read("ca.pem")?, read("ca.key")?);
        let issuer = Issuer::from_ca_cert_pem(&certificate, KeyPair::from_pem(&key)?)?;
        Ok(Self { certificate: CertificateDer::from_pem_slice(certificate.as_bytes()).context("ca.pem")?, issuer })
    }

    /// An unknown authority with the same name.
    ///
    /// # Errors
    /// If the key can't be created.
    pub fn foreign() -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named("Yomitori certificate authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.der().clone();
        Ok(Self { certificate, issuer: Issuer::new(params, key) })
    }

    /// Issues a certificate.
    ///
    /// # Errors
    /// If the certificate can't be created.
    pub fn sign(&self, wish: &Wish) -> Result<Credential> {
        let key = KeyPair::generate()?;
        let certificate = wish.params()?.signed_by(&key, &self.issuer)?;
        Ok(Credential::new(vec![certificate.der().clone(), self.certificate.clone()], &key))
    }

    /// Issues a certificate with the key of a terminal's certificate, as if the terminal were an authority.
    ///
    /// # Errors
    /// If a certificate can't be created.
    pub fn sign_by_terminal(&self, terminal: &Wish, wish: &Wish) -> Result<Credential> {
        let middle = CertifiedIssuer::signed_by(terminal.params()?, KeyPair::generate()?, &self.issuer)?;
        let key = KeyPair::generate()?;
        let certificate = wish.params()?.signed_by(&key, &middle)?;
        Ok(Credential::new(
            vec![certificate.der().clone(), middle.as_ref().der().clone(), self.certificate.clone()],
            &key,
        ))
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}
