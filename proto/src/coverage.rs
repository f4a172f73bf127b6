//! What a snapshot covers: absence means something only inside it.

use std::fmt;
use std::str::FromStr;

use crate::code::Prefecture;

/// `full`, `prefecture:13` or `query:TEXT`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Coverage {
    Full,
    Prefecture(Prefecture),
    /// What a search page gave for a text: who is not in it may still be listed.
    Query(String),
}

/// The text names no coverage.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CoverageError {
    #[error(
        "`{0}` は範囲ではありません。full、prefecture:13、query:TEXT のいずれかです / `{0}` is no coverage: write `full`, \
         `prefecture:13` or `query:TEXT`"
    )]
    Unknown(String),
    /// Institution codes may begin with it, as people report; nothing official says so.
    #[error(
        "{0} は都道府県番号に50を足したものです。prefecture:{1} と指定してください / {0} is the number of prefecture {1} plus 50: write \
         `prefecture:{1}`"
    )]
    Alternate(u8, Prefecture),
}

const QUERY_LIMIT: usize = 200;

impl Coverage {
    /// The prefecture of every row, where there is but one.
    #[must_use]
    pub const fn prefecture(&self) -> Option<Prefecture> {
        match self {
            Self::Prefecture(prefecture) => Some(*prefecture),
            Self::Full | Self::Query(_) => None,
        }
    }

    /// Whether it says of a facility there that it is not listed.
    #[must_use]
    pub fn covers(&self, prefecture: Option<Prefecture>) -> bool {
        match self {
            Self::Full => true,
            Self::Prefecture(covered) => prefecture == Some(*covered),
            Self::Query(_) => false,
        }
    }
}

impl FromStr for Coverage {
    type Err = CoverageError;

    fn from_str(text: &str) -> Result<Self, CoverageError> {
        let error = || CoverageError::Unknown(text.to_owned());
        let (kind, what) =
            text.trim().split_once(':').map_or((text.trim(), ""), |(kind, what)| (kind.trim(), what.trim()));
        match (kind.to_ascii_lowercase().as_str(), what) {
            ("full", "") => Ok(Self::Full),
            ("prefecture", what) => what.parse().map(Self::Prefecture).map_err(|_| {
                let alternate = what.parse().ok().and_then(|number: u8| {
                    let prefecture = Prefecture::from_number(number.checked_sub(50)?)?;
                    Some(CoverageError::Alternate(number, prefecture))
                });
                alternate.unwrap_or_else(error)
            }),
            ("query", what) if !what.is_empty() && what.chars().count() <= QUERY_LIMIT => {
                Ok(Self::Query(what.to_owned()))
            }
            _ => Err(error()),
        }
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Prefecture(prefecture) => write!(f, "prefecture:{prefecture}"),
            Self::Query(text) => write!(f, "query:{text}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in ["full", "prefecture:13", "query:さくら"] {
            assert_eq!(text.parse::<Coverage>().unwrap().to_string(), text);
        }
        assert_eq!(" Prefecture: 1 ".parse::<Coverage>().unwrap().to_string(), "prefecture:01");
        for text in ["", "query", "query:", "prefecture", "prefecture:48", "full:13", "all"] {
            assert!(text.parse::<Coverage>().is_err(), "{text}");
        }
        let alternate = "prefecture:63".parse::<Coverage>().unwrap_err().to_string();
        assert!(alternate.contains("write `prefecture:13`"), "{alternate}");
    }
}
