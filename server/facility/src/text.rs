//! Text for people: every sentence in Japanese and in English.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// One sentence in both languages.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Text {
    pub ja: Cow<'static, str>,
    pub en: Cow<'static, str>,
}

impl Text {
    /// A constant sentence.
    #[must_use]
    pub const fn fixed(ja: &'static str, en: &'static str) -> Self {
        Self { ja: Cow::Borrowed(ja), en: Cow::Borrowed(en) }
    }

    /// A sentence with values in it.
    #[must_use]
    pub fn new(ja: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Self {
        Self { ja: ja.into(), en: en.into() }
    }

    /// This sentence, followed by `other` if there is one.
    #[must_use]
    pub fn then_if(self, other: Option<Self>) -> Self {
        match other {
            Some(other) => self.then(&other),
            None => self,
        }
    }

    /// This sentence, followed by `other`.
    #[must_use]
    pub fn then(self, other: &Self) -> Self {
        Self::new(format!("{}{}", self.ja, other.ja), format!("{} {}", self.en, other.en))
    }
}

/// A value of a closed list: filters use its key, people read its label.
pub trait Word {
    /// Stable, in snake case: used in SQL, JSON and filters.
    fn key(&self) -> &'static str;
    /// For people.
    fn label(&self) -> Text;
}

/// One axis of a facility: its value and the reason for it.
///
/// In JSON `{"key": …, "label": …, "why": …}`, next to the fields of the value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Axis<T> {
    #[serde(flatten)]
    pub value: T,
    pub label: Text,
    pub why: Text,
}

impl<T: Word> Axis<T> {
    pub(crate) fn new(value: T, why: Text) -> Self {
        Self { label: value.label(), value, why }
    }

    /// The key of the value.
    #[must_use]
    pub fn key(&self) -> &'static str {
        self.value.key()
    }
}
