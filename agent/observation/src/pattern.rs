//! Patterns with wildcards: `*` matches any run of characters, everything else matches itself in either case.

use serde::{Deserialize, Deserializer};

/// A pattern for reader names, such as `Sony FeliCa RC-S300/*`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    /// The parts that must occur one after the other; the first starts the name and the last ends it.
    parts: Vec<String>,
}

impl Pattern {
    /// Every text is a pattern.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self { parts: text.to_lowercase().split('*').map(str::to_owned).collect() }
    }

    /// Whether the pattern matches the whole of `name`.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        let Some((first, rest)) = self.parts.split_first() else { return name.is_empty() };
        let Some(mut left) = name.strip_prefix(first.as_str()) else { return false };
        let Some((last, middle)) = rest.split_last() else { return left.is_empty() };
        for part in middle {
            match left.split_once(part.as_str()) {
                Some((_, after)) => left = after,
                None => return false,
            }
        }
        left.ends_with(last.as_str())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self::new(&text))
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_star_stands_for_any_run_and_case_does_not_matter() {
        for (pattern, name, fits) in [
            ("Virtual PCD*", "virtual pcd 00 00", true),
            ("Virtual PCD*", "My Virtual PCD 00 00", false),
            ("*pasori 4.0*", "SONY FeliCa Port/PaSoRi 4.0 0", true),
            ("a*b*a", "aba", true),
            ("a*b*a", "ab", false),
            ("ab*ba", "aba", false),
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("カード*", "カードリーダー 0", true),
        ] {
            assert_eq!(Pattern::new(pattern).matches(name), fits, "{pattern:?} on {name:?}");
        }
    }
}
