//! The identity: parts that belong together are accepted, stored and read back; anything else is rejected.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rcgen::{CertificateParams, IsCa, Issuer, KeyPair, SanType, date_time_ymd};
use rustls::pki_types::CertificateDer;
use uuid::Uuid;
use yomitori_agent::identity::file::FileError;
use yomitori_agent::identity::{CertificateError, Identity};
use yomitori_proto::id::{FacilityId, TerminalId};

struct Made {
    key: KeyPair,
    certificate: CertificateDer<'static>,
    authority: CertificateDer<'static>,
}

fn make(names: &[String]) -> anyhow::Result<Made> {
    let authority_key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&authority_key)?.der().clone();
    let issuer = Issuer::new(params, authority_key);
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    for name in names {
        params.subject_alt_names.push(SanType::URI(name.as_str().try_into()?));
    }
    params.not_before = date_time_ymd(2026, 4, 1);
    params.not_after = date_time_ymd(2026, 5, 1);
    let certificate = params.signed_by(&key, &issuer)?.der().clone();
    Ok(Made { key, certificate, authority })
}

fn names() -> Vec<String> {
    let (terminal, facility) = (Uuid::from_u128(1), Uuid::from_u128(2));
    vec![format!("urn:yomitori:terminal:{terminal}"), format!("urn:yomitori:facility:{facility}")]
}

fn identity(made: &Made) -> Result<Identity, CertificateError> {
    Identity::new(made.key.serialize_der(), made.certificate.clone(), made.authority.clone())
}

#[test]
fn an_identity_survives_its_file_and_only_its_user_can_read_it() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    assert!(Identity::load(dir.path())?.is_none());
    let made = make(&names())?;
    let stored = identity(&made)?;
    stored.store(dir.path())?;
    stored.store(dir.path())?;
    let loaded = Identity::load(dir.path())?.expect("it was stored");
    assert_eq!(loaded.terminal(), TerminalId(Uuid::from_u128(1)));
    assert_eq!(loaded.facility(), FacilityId(Uuid::from_u128(2)));
    assert_eq!(loaded.certificate(), &made.certificate);
    assert_eq!(loaded.authority(), &made.authority);
    assert_eq!(loaded.key(), stored.key());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = dir.path().join("identity.pem").metadata()?.permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert!(!format!("{loaded:?}").contains("key"), "a key is never shown");
    Ok(())
}

#[test]
fn parts_that_do_not_belong_together_are_rejected() -> anyhow::Result<()> {
    let (one, other) = (make(&names())?, make(&names())?);
    let mixed = Identity::new(one.key.serialize_der(), other.certificate, one.authority.clone());
    assert_eq!(mixed.err(), Some(CertificateError::OtherKey));
    assert_eq!(identity(&make(&names()[..1])?).err(), Some(CertificateError::Names));
    let garbage = Identity::new(one.key.serialize_der(), CertificateDer::from(vec![1, 2, 3]), one.authority.clone());
    assert_eq!(garbage.err(), Some(CertificateError::Unreadable));
    Ok(())
}

#[test]
fn a_broken_file_says_what_to_do() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    identity(&make(&names())?)?.store(dir.path())?;
    let path = dir.path().join("identity.pem");
    let text = std::fs::read_to_string(&path)?;
    for broken in
        ["", "nonsense", &text.replacen("PRIVATE", "PUBLIC", 2), text.trim_end_matches("-----END CERTIFICATE-----\r\n")]
    {
        std::fs::write(&path, broken)?;
        let error = Identity::load(dir.path()).expect_err("it is broken");
        assert!(matches!(error, FileError::Broken { .. }), "{error}");
        assert!(error.to_string().contains("enrol this terminal again"));
    }
    Ok(())
}

#[test]
fn renewal_begins_after_a_third_of_the_life_and_is_spread() -> anyhow::Result<()> {
    let identity = identity(&make(&names())?)?;
    let begin: DateTime<Utc> = "2026-04-01T00:00:00Z".parse()?;
    let days = |number: u64| Duration::from_secs(number * 24 * 3_600);
    assert_eq!(identity.renewal_in(begin, 0.0), days(10));
    assert_eq!(identity.renewal_in(begin, 1.0), days(13));
    assert_eq!(identity.renewal_in(begin + TimeDelta::days(40), 1.0), Duration::ZERO);
    assert_eq!(identity.days_left(begin + TimeDelta::days(20)), 10);
    Ok(())
}
