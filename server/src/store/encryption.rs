//! TLS to PostgreSQL. The certificate of the database and its name are always verified: otherwise anyone in between could
//! answer in its place.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::{ClientConfig, RootCertStore, version};
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Why the authority of the database's certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum EncryptionError {
    #[error("failed to read `{path}` (`database.ca_file`)")]
    File { path: PathBuf, source: pem::Error },
    #[error("`{path}` (`database.ca_file`) contains no certificate in PEM format")]
    Empty { path: PathBuf },
    #[error("a certificate in `{path}` (`database.ca_file`) is not valid")]
    Invalid { path: PathBuf, source: rustls::Error },
}

/// How connections are encrypted: not at all, or with TLS 1.3 and a certificate of an authority in `ca_file`.
///
/// # Errors
/// If the file can't be used.
pub(super) fn encryption(ca_file: Option<&Path>) -> Result<(SslMode, MakeRustlsConnect), EncryptionError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        let file = |source| EncryptionError::File { path: path.to_owned(), source };
        for certificate in CertificateDer::pem_file_iter(path).map_err(file)? {
            roots
                .add(certificate.map_err(file)?)
                .map_err(|source| EncryptionError::Invalid { path: path.to_owned(), source })?;
        }
        if roots.is_empty() {
            return Err(EncryptionError::Empty { path: path.to_owned() });
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .expect("the provider knows TLS 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mode = if ca_file.is_some() { SslMode::Require } else { SslMode::Disable };
    Ok((mode, MakeRustlsConnect::new(config)))
}

/// Whether a connection to `address` leaves this machine.
pub(super) fn leaves_this_machine(address: &tokio_postgres::Config) -> bool {
    let here = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    let addresses = address.get_hostaddrs();
    if addresses.is_empty() {
        !address.get_hosts().iter().all(here)
    } else {
        !addresses.iter().all(|one| one.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_this_machine_is_told_by_its_address() {
        let table = [
            ("postgres://yomitori@127.0.0.1:5432/yomitori", false),
            ("postgres://yomitori@localhost/yomitori", false),
            ("postgres://yomitori@[::1]/yomitori", false),
            ("postgres://yomitori@db.example.jp/yomitori", true),
            ("postgres://yomitori@127.0.0.1,db.example.jp/yomitori", true),
            ("postgres://yomitori@192.0.2.1/yomitori", true),
            ("host=/run/postgresql user=yomitori", false),
            ("host=db.example.jp hostaddr=127.0.0.1 user=yomitori", false),
            ("host=localhost hostaddr=192.0.2.1 user=yomitori", true),
        ];
        for (address, leaves) in table {
            assert_eq!(leaves_this_machine(&address.parse().unwrap()), leaves, "{address}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        assert!(matches!(encryption(Some(&path)), Err(EncryptionError::File { .. })));
        std::fs::write(&path, "no certificate\n").unwrap();
        assert!(matches!(encryption(Some(&path)), Err(EncryptionError::Empty { .. })));
        std::fs::write(&path, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").unwrap();
        assert!(matches!(encryption(Some(&path)), Err(EncryptionError::Invalid { .. })));
        assert!(matches!(encryption(None), Ok((SslMode::Disable, _))));
    }
}
