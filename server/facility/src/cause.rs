//! Causes of failed reads, fallbacks of the desk, and face reader models: open tables, kept as data.

use std::borrow::Cow;
use std::sync::LazyLock;

use serde::Deserialize;
use yomitori_proto::vocabulary::PhoneNative;

use crate::text::Text;

/// A cause of a failed read.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cause {
    pub id: String,
    /// The party who acts: patient, desk, clinic, vendor, it, municipality or wait.
    pub who: String,
    /// Codes of result files or face readers that denote this cause.
    #[serde(default)]
    pub codes: Vec<String>,
    /// The phone was read although the result reports an error.
    #[serde(default)]
    pub read_succeeds: bool,
    ja: String,
    en: String,
    next_ja: String,
    next_en: String,
}

/// The desk's alternative when a phone can't be read.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    pub id: String,
    ja: String,
    en: String,
    next_ja: String,
    next_en: String,
}

/// A face reader model.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaceReaderModel {
    pub id: String,
    pub name: String,
    pub phone_native: PhoneNative,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Causes {
    cause: Vec<Cause>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fallbacks {
    fallback: Vec<Fallback>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FaceReaders {
    model: Vec<FaceReaderModel>,
}

static CAUSES: LazyLock<Causes> = LazyLock::new(|| {
    toml::from_str(include_str!("../data/causes.toml")).expect("the bundled causes are parsed by a test")
});
static FALLBACKS: LazyLock<Fallbacks> = LazyLock::new(|| {
    toml::from_str(include_str!("../data/fallbacks.toml")).expect("the bundled fallbacks are parsed by a test")
});
static FACE_READERS: LazyLock<FaceReaders> = LazyLock::new(|| {
    toml::from_str(include_str!("../data/face_readers.toml")).expect("the bundled face readers are parsed by a test")
});

fn sentence(ja: &'static str, en: &'static str) -> Text {
    Text { ja: Cow::Borrowed(ja), en: Cow::Borrowed(en) }
}

impl Cause {
    /// Every known cause.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &CAUSES.cause
    }

    /// The cause with that identifier; `None` for an unknown identifier.
    #[must_use]
    pub fn of(id: &str) -> Option<&'static Self> {
        Self::all().iter().find(|cause| cause.id == id)
    }

    /// Description for people.
    #[must_use]
    pub fn sentence(&'static self) -> Text {
        sentence(&self.ja, &self.en)
    }

    /// Next step for people.
    #[must_use]
    pub fn next_step(&'static self) -> Text {
        sentence(&self.next_ja, &self.next_en)
    }
}

impl Fallback {
    /// Every known fallback, in the order of the ministry's notice.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &FALLBACKS.fallback
    }

    /// The fallback with that identifier.
    #[must_use]
    pub fn of(id: &str) -> Option<&'static Self> {
        Self::all().iter().find(|fallback| fallback.id == id)
    }

    /// Label for people.
    #[must_use]
    pub fn label(&'static self) -> Text {
        sentence(&self.ja, &self.en)
    }

    /// Next step for people.
    #[must_use]
    pub fn next_step(&'static self) -> Text {
        sentence(&self.next_ja, &self.next_en)
    }
}

impl FaceReaderModel {
    /// Every known face reader model.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &FACE_READERS.model
    }

    /// The face reader model with that identifier.
    #[must_use]
    pub fn of(id: &str) -> Option<&'static Self> {
        Self::all().iter().find(|model| model.id == id)
    }
}

/// Whether an error code of a result file still means that the phone was read.
pub(crate) fn code_means_read(code: &str) -> bool {
    read_by(Cause::all(), code)
}

fn read_by(causes: &[Cause], code: &str) -> bool {
    causes.iter().filter(|cause| cause.read_succeeds).flat_map(|cause| &cause.codes).any(|known| known == code)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_table_is_readable_and_names_nothing_twice() {
        let ids = |ids: Vec<&'static str>| (ids.len(), ids.into_iter().collect::<BTreeSet<_>>().len());
        for (all, different) in [
            ids(Cause::all().iter().map(|cause| cause.id.as_str()).collect()),
            ids(Fallback::all().iter().map(|fallback| fallback.id.as_str()).collect()),
            ids(FaceReaderModel::all().iter().map(|model| model.id.as_str()).collect()),
        ] {
            assert_eq!(all, different);
            assert!(all > 4);
        }
    }

    #[test]
    fn canon_reads_phones_by_itself() {
        assert_eq!(FaceReaderModel::of("canon-hi-cara").unwrap().phone_native, PhoneNative::Yes);
    }

    #[test]
    fn only_the_codes_of_a_read_that_worked_mean_one() {
        let coded = |id: &str, code: &str| Cause { codes: vec![code.to_owned()], ..Cause::of(id).unwrap().clone() };
        let causes = [coded("Eligibility.Invalid", "X1"), coded("PatientDevice.PinWrong", "X2")];
        assert_eq!(["X1", "X2", "X3"].map(|code| read_by(&causes, code)), [true, false, false]);
    }

    #[test]
    fn an_insurance_that_is_not_valid_was_read_all_the_same() {
        assert!(Cause::of("Eligibility.Invalid").unwrap().read_succeeds);
        assert!(!Cause::of("PatientDevice.PinWrong").unwrap().read_succeeds);
    }
}
