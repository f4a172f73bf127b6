//! Guesses from the ATR, by masks, what lies on a reader. The bytes of the ATR are not passed on.
//!
//! The guess is recorded with the version of the masks. No document specifies the ATR of a phone with the insurance
//! card, and the role of a reader is the better evidence.

use std::sync::LazyLock;

use serde::Deserialize;
use yomitori_proto::vocabulary::Medium;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ruleset {
    version: u32,
    mask: Vec<Mask>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mask {
    medium: Medium,
    atr: Shape,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Shape {
    /// Each value, and the bits of it that are compared.
    bytes: Vec<(u8, u8)>,
    open_ended: bool,
}

impl TryFrom<String> for Shape {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        const WRONG: &str = "a mask is made of hexadecimal bytes with `?` for an open digit, and `*` at its end";
        let (text, open_ended) = match text.strip_suffix('*') {
            Some(start) => (start, true),
            None => (text.as_str(), false),
        };
        let digit = |character: char| match character {
            '?' => Some((0, 0)),
            _ => character.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).map(|digit| (digit, 0xF)),
        };
        let byte = |word: &str| {
            let mut characters = word.chars();
            let (high, low) = (digit(characters.next()?)?, digit(characters.next()?)?);
            characters.next().is_none().then_some((high.0 << 4 | low.0, high.1 << 4 | low.1))
        };
        let bytes = text.split_whitespace().map(byte).collect::<Option<Vec<_>>>().ok_or(WRONG)?;
        Ok(Self { bytes, open_ended })
    }
}

impl Shape {
    fn fits(&self, atr: &[u8]) -> bool {
        (atr.len() == self.bytes.len() || self.open_ended && atr.len() > self.bytes.len())
            && self.bytes.iter().zip(atr).all(|((value, counts), byte)| byte & counts == *value)
    }
}

static RULESET: LazyLock<Ruleset> = LazyLock::new(|| {
    toml::from_str(include_str!("../masks.toml")).expect("the shipped masks parse: a test reads them")
});

/// The version of the masks.
#[must_use]
pub fn ruleset() -> u32 {
    RULESET.version
}

/// The medium with this ATR. An ATR that is empty, truncated, too long or has a wrong check byte is `Unknown`.
#[must_use]
pub fn classify(atr: &[u8]) -> Medium {
    if !is_whole(atr) {
        return Medium::Unknown;
    }
    RULESET.mask.iter().find(|mask| mask.atr.fits(atr)).map_or(Medium::Unknown, |mask| mask.medium)
}

/// The better of two guesses during one tap: a phone may show FeliCa or Type A first and then Type B.
#[must_use]
pub fn better(one: Medium, other: Medium) -> Medium {
    let worth = |medium| match medium {
        Medium::Unknown => 0,
        Medium::FelicaOnly => 1,
        Medium::OtherTypeA => 2,
        Medium::OtherTypeB => 3,
        Medium::ResidentCard => 4,
        Medium::DrivingLicence => 5,
        Medium::MyNumberCard => 6,
    };
    if worth(other) > worth(one) { other } else { one }
}

/// Whether the ATR has the length that it declares (ISO 7816-3) and the right check byte, if it has one.
fn is_whole(atr: &[u8]) -> bool {
    let [0x3B | 0x3F, format, rest @ ..] = atr else { return false };
    let historical = usize::from(format & 0x0F);
    let mut interface = 0;
    let mut indicator = *format;
    let mut checked = false;
    loop {
        interface += (indicator >> 4).count_ones() as usize;
        if indicator & 0x80 == 0 {
            break;
        }
        let Some(next) = rest.get(interface - 1) else { return false };
        indicator = *next;
        checked |= indicator & 0x0F != 0;
    }
    let sum = rest.iter().fold(*format, |sum, byte| sum ^ byte);
    atr.len() <= 32 && rest.len() == interface + historical + usize::from(checked) && (!checked || sum == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TABLE: &[(&str, Medium)] = &[
        ("3B888001000005E0B381A1007F", Medium::MyNumberCard),
        ("3B888001000041E0B381A1003B", Medium::MyNumberCard),
        ("3B888001004B51FFB381D1000F", Medium::MyNumberCard),
        ("3B888001004B51FF0081D100BC", Medium::MyNumberCard),
        ("3BE000FF8131FE4514", Medium::MyNumberCard),
        ("3B888001000014E0B38191005E", Medium::OtherTypeB),
        ("3B888001000000009181C100D8", Medium::DrivingLicence),
        ("3B8880010000000080817100 79", Medium::OtherTypeB),
        ("3B80800101", Medium::OtherTypeB),
        ("3B8F8001804F0CA00000030611003B0000000042", Medium::FelicaOnly),
        ("3B8F8001804F0CA0000003060300010000000 06A", Medium::OtherTypeA),
        ("3B8180018080", Medium::OtherTypeA),
    ];

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }

    #[test]
    fn the_known_media_are_recognised() {
        for (hex, medium) in TABLE {
            assert_eq!(classify(&bytes(hex)), *medium, "{hex}");
        }
    }

    #[test]
    fn a_wrong_check_byte_a_cut_or_a_wrong_length_is_unknown() {
        for (hex, _) in TABLE {
            let whole = bytes(hex);
            let mut wrong = whole.clone();
            *wrong.last_mut().unwrap() ^= 0x40;
            assert_eq!(classify(&wrong), Medium::Unknown, "{hex} with a wrong check byte");
            for length in 0..whole.len() {
                assert_eq!(classify(&whole[..length]), Medium::Unknown, "{hex} cut to {length}");
            }
            let mut long = whole.clone();
            long.resize(33, 0);
            assert_eq!(classify(&long), Medium::Unknown, "{hex} of 33 bytes");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_something(atr in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = classify(&atr);
        }

        #[test]
        fn one_byte_of_the_protocol_information_does_not_matter(open in any::<u8>()) {
            let mut atr = bytes(TABLE[2].0);
            atr[12] ^= atr[8] ^ open;
            atr[8] = open;
            prop_assert_eq!(classify(&atr), Medium::MyNumberCard);
        }
    }
}
