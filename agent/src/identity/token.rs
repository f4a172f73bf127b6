//! The one-time token that a technician gets from the server: `ytm1.<secret>.<SHA-256 of the authority's certificate>`.
//! The secret authorises one enrolment; the digest lets the terminal verify the server.

use std::fmt;
use std::str::FromStr;

/// An enrolment token.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    text: String,
    authority: [u8; 32],
}

/// The text is not a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "invalid enrolment token: a token begins with ytm1. and has {LENGTH} characters (copy the whole text that \
     `yomitori-server token issue` prints)"
)]
pub struct TokenError;

const LENGTH: usize = 4 + 1 + 26 + 1 + 64;

impl Token {
    /// The whole text, for the server.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The SHA-256 digest of the certificate of the authority that must have issued the server's certificate.
    #[must_use]
    pub const fn authority(&self) -> [u8; 32] {
        self.authority
    }
}

impl FromStr for Token {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let mut parts = text.split('.');
        let (Some("ytm1"), Some(secret), Some(digest), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(TokenError);
        };
        let is_base32 = |byte: u8| matches!(byte.to_ascii_lowercase(), b'a'..=b'z' | b'2'..=b'7');
        if secret.len() != 26 || !secret.bytes().all(is_base32) {
            return Err(TokenError);
        }
        let mut authority = [0; 32];
        hex::decode_to_slice(digest, &mut authority).map_err(|_| TokenError)?;
        Ok(Self { text: text.to_owned(), authority })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_whole_or_not_at_all() {
        let digest = "0f".repeat(32);
        let good = format!("ytm1.abcdefghijklmnopqrstuvwxyz.{digest}");
        let token: Token = format!(" {good}\n").parse().unwrap();
        assert_eq!((token.text(), token.authority()), (good.as_str(), [0x0F; 32]));
        assert_eq!(good.len(), LENGTH);
        assert_eq!(format!("{token:?}"), "Token(…)");
        for bad in [
            "",
            "ytm1",
            "ytm2.abcdefghijklmnopqrstuvwxyz.00",
            good.trim_end_matches('f'),
            &format!("{good}.x"),
            &good.replace('a', "1"),
            &good.replace("0f", "0g"),
        ] {
            assert_eq!(bad.parse::<Token>(), Err(TokenError), "{bad}");
        }
    }
}
