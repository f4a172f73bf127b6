//! The facility for which this terminal was enrolled, by name and code: for the people at the terminal, so that a token of
//! another clinic is noticed. The certificate has its identifier only. Nothing else depends on this file.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use yomitori_base::file;
use yomitori_proto::id::FacilityId;
use yomitori_proto::letter::is_plain;
use yomitori_proto::wire;

use super::file::FileError;

const FILE: &str = "facility.json";

/// See the head of this file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EnrolledFacility {
    name: String,
    /// `None` if the facility has no current code.
    code: Option<String>,
}

impl EnrolledFacility {
    /// What the server answered; `None` if it does not name the facility.
    #[must_use]
    pub fn of(answer: &wire::Identity) -> Option<Self> {
        // A name is shown on the terminal's console: nothing that moves its cursor or turns the line is taken.
        let line = |text: &str| -> String { text.chars().filter(|one| is_plain(*one)).take(200).collect() };
        let name = line(&answer.facility_name);
        let code = Some(line(&answer.facility_code)).filter(|code| !code.is_empty());
        (!name.is_empty()).then_some(Self { name, code })
    }

    /// Reads it from `state_dir`; `None` if it is not known.
    #[must_use]
    pub fn load(state_dir: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(state_dir.join(FILE)).ok()?).ok()
    }

    /// Name and code, or else the identifier.
    #[must_use]
    pub fn label(known: Option<&Self>, id: FacilityId) -> String {
        known.map_or_else(|| id.to_string(), ToString::to_string)
    }

    /// Writes it into `state_dir` atomically.
    ///
    /// # Errors
    /// If the file can't be written.
    pub fn store(&self, state_dir: &Path) -> Result<(), FileError> {
        let path = state_dir.join(FILE);
        let text = serde_json::to_vec(self).expect("two texts are JSON");
        file::replace(&path, &text).map_err(|source| FileError::File { path, source })
    }

    /// Forgets the facility of an earlier enrolment.
    ///
    /// # Errors
    /// If the file can't be deleted.
    pub fn forget(state_dir: &Path) -> Result<(), FileError> {
        let path = state_dir.join(FILE);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(FileError::File { path, source }),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for EnrolledFacility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if let Some(code) = &self.code {
            write!(f, "（{code}）")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_stored_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let answer = |name: &str, code: &str| wire::Identity {
            facility_name: name.to_owned(),
            facility_code: code.to_owned(),
            ..wire::Identity::default()
        };
        assert_eq!(EnrolledFacility::of(&answer("", "1319999015")), None, "an older server");
        let known = EnrolledFacility::of(&answer("さくら\u{1b}[2J\u{202e}医院\n", "1319999015")).unwrap();
        assert_eq!(known.to_string(), "さくら[2J医院（1319999015）");
        assert_eq!(EnrolledFacility::load(folder.path()), None);
        known.store(folder.path()).unwrap();
        assert_eq!(EnrolledFacility::load(folder.path()), Some(known));
        EnrolledFacility::forget(folder.path()).unwrap();
        EnrolledFacility::forget(folder.path()).unwrap();
        assert_eq!(EnrolledFacility::load(folder.path()), None);
        assert_eq!(EnrolledFacility::of(&answer("無名", "")).unwrap().to_string(), "無名");
    }
}
