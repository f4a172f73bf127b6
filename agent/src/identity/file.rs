//! The identity on disk: one PEM file with key, certificate and authority, so that after a power cut either the old or
//! the new identity is there, never a mixture.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{PemObject as _, SectionKind};

use super::{CertificateError, Identity};
use yomitori_base::file;

const FILE: &str = "identity.pem";

/// Why the identity can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("failed to read or write `{path}` (check that it belongs to the agent's user)")]
    File { path: PathBuf, source: io::Error },
    #[error("invalid identity in `{path}` (enrol this terminal again with a new token)")]
    Broken { path: PathBuf, source: Option<CertificateError> },
}

impl Identity {
    /// Reads it from `state_dir`; `None` if this terminal was never enrolled.
    pub fn load(state_dir: &Path) -> Result<Option<Self>, FileError> {
        let path = state_dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FileError::File { path, source }),
        };
        let (mut key, mut certificates) = (None, Vec::new());
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(&text) {
            match section {
                Ok((SectionKind::PrivateKey, der)) => key = Some(der),
                Ok((SectionKind::Certificate, der)) => certificates.push(CertificateDer::from(der)),
                Ok(_) | Err(_) => return Err(FileError::Broken { path, source: None }),
            }
        }
        let (Some(key), Ok([certificate, authority])) = (key, <[_; 2]>::try_from(certificates)) else {
            return Err(FileError::Broken { path, source: None });
        };
        match Self::new(key, certificate, authority) {
            Ok(identity) => Ok(Some(identity)),
            Err(error) => Err(FileError::Broken { path, source: Some(error) }),
        }
    }

    /// Writes it into `state_dir` atomically.
    pub fn store(&self, state_dir: &Path) -> Result<(), FileError> {
        let path = state_dir.join(FILE);
        let sections = [
            pem::Pem::new("PRIVATE KEY", self.key.clone()),
            pem::Pem::new("CERTIFICATE", self.certificate.to_vec()),
            pem::Pem::new("CERTIFICATE", self.authority.to_vec()),
        ];
        file::replace(&path, pem::encode_many(&sections).as_bytes()).map_err(|source| FileError::File { path, source })
    }
}
