//! The key of an enrolment that is not finished. The server accepts a token again from the same key only; with the key
//! written down first, neither an outage nor a death between the answer and its file uses up the token.

use std::fs;
use std::io;
use std::path::Path;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use sha2::{Digest as _, Sha256};

use super::file::FileError;
use super::token::Token;
use yomitori_base::file;

const FILE: &str = "enrolment.key";
/// The sections of the file: which token the key is for, without the token itself, and the key.
const SECTIONS: [&str; 2] = ["TOKEN DIGEST", "PRIVATE KEY"];

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum PendingError {
    #[error("failed to generate a key")]
    Key(#[from] rcgen::Error),
    #[error(transparent)]
    File(#[from] FileError),
}

/// The key with which `token` is redeemed: that of an earlier attempt, or a new one.
///
/// # Errors
/// If the key cannot be written into `state_dir`.
pub(super) fn key(state_dir: &Path, token: &Token) -> Result<KeyPair, PendingError> {
    let digest = Sha256::digest(token.text()).to_vec();
    if let Some(key) = read(state_dir, &digest) {
        return Ok(key);
    }
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let path = state_dir.join(FILE);
    let [of, secret] = SECTIONS;
    let text = pem::encode_many(&[pem::Pem::new(of, digest), pem::Pem::new(secret, key.serialize_der())]);
    file::replace(&path, text.as_bytes()).map_err(|source| FileError::File { path, source })?;
    Ok(key)
}

/// What can't be read, or is for another token, is replaced: the key then serves nothing.
fn read(state_dir: &Path, digest: &[u8]) -> Option<KeyPair> {
    let text = fs::read(state_dir.join(FILE)).ok()?;
    let sections = pem::parse_many(text).ok()?;
    let [of, secret] = sections.as_slice() else { return None };
    let ours = [of.tag(), secret.tag()] == SECTIONS && of.contents() == digest;
    ours.then(|| KeyPair::try_from(secret.contents()).ok()).flatten()
}

/// Deletes the key, once the certificate for it is stored.
pub(super) fn forget(state_dir: &Path) -> io::Result<()> {
    match fs::remove_file(state_dir.join(FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(first: char) -> Token {
        format!("ytm1.{}.{}", first.to_string().repeat(26), "0f".repeat(32)).parse().unwrap()
    }

    #[test]
    fn a_token_keeps_its_key_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let first = key(folder.path(), &token('a')).unwrap().serialize_der();
        assert_eq!(key(folder.path(), &token('a')).unwrap().serialize_der(), first);
        // Neither the secret of the token nor the key of another one is used.
        let text = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert!(!text.contains(token('a').text()));
        let other = key(folder.path(), &token('b')).unwrap().serialize_der();
        assert_ne!(other, first);
        forget(folder.path()).unwrap();
        forget(folder.path()).unwrap();
        assert_ne!(key(folder.path(), &token('b')).unwrap().serialize_der(), other);
    }

    #[test]
    fn a_broken_file_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        for broken in ["", "x", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            fs::write(folder.path().join(FILE), broken).unwrap();
            let made = key(folder.path(), &token('a')).unwrap().serialize_der();
            assert_eq!(key(folder.path(), &token('a')).unwrap().serialize_der(), made);
        }
    }
}
