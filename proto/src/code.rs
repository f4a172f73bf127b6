//! Institution codes (医療機関コード): ten digits, `PP T DDNNNNC`, always a text and never a number, because lists lose
//! leading zeros. The check digit is known from one published example only, so a mismatch is only a warning.

mod prefecture;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use prefecture::Prefecture;

/// The ten digits under which a facility claims its fees.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstitutionCode([u8; 10]);

/// 点数表番号: the fee table by which the facility charges.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Table {
    /// 医科.
    Medical,
    /// 歯科.
    Dental,
    /// 調剤: pharmacies.
    Pharmacy,
    /// 訪問看護.
    HomeNursing,
    /// A digit that only older texts use.
    Other(u8),
}

/// Why a text is not an institution code.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CodeError {
    #[error(
        "an institution code has 10 digits, not {digits}: write it as 1319999015 or 13-1-99-9901-5, or give the \
         prefecture and the table beside the last 7 digits / 医療機関コードは10桁です（{digits}桁でした）"
    )]
    Digits { digits: usize },
    #[error(
        "the part after prefecture and table has 7 digits (5 or 6 where zeros were lost), not {digits} \
         / 都道府県・点数表を除く番号は7桁です（{digits}桁でした）"
    )]
    SevenDigits { digits: usize },
    #[error(
        "`{character}` can't stand in an institution code: only digits, hyphens and spaces / 数字・ハイフン・空白以外は使えません"
    )]
    Character { character: char },
    #[error(
        "prefecture {number:02} doesn't exist: the first two digits are 01 to 47, or 51 to 97 as another number of the \
         same prefectures / 都道府県番号は01〜47（または51〜97）です"
    )]
    Prefecture { number: u8 },
}

impl Table {
    /// The digit of the table in the code.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Medical => 1,
            Self::Dental => 3,
            Self::Pharmacy => 4,
            Self::HomeNursing => 6,
            Self::Other(number) => number,
        }
    }

    /// The table of a digit.
    #[must_use]
    pub const fn from_number(number: u8) -> Self {
        match number {
            1 => Self::Medical,
            3 => Self::Dental,
            4 => Self::Pharmacy,
            6 => Self::HomeNursing,
            other => Self::Other(other),
        }
    }
}

impl InstitutionCode {
    /// Accepts codes as people type them and lists contain them: ten digits, half or full width, with hyphens and
    /// spaces anywhere.
    pub fn parse(text: &str) -> Result<Self, CodeError> {
        let digits = digits(text)?;
        let code = <[u8; 10]>::try_from(digits.as_slice()).map_err(|_| CodeError::Digits { digits: digits.len() })?;
        let number = (code[0] - b'0') * 10 + (code[1] - b'0');
        prefecture(number).ok_or(CodeError::Prefecture { number })?;
        Ok(Self(code))
    }

    /// Builds a code from a list that has separate columns for prefecture and table, and has lost the leading zeros of
    /// the rest.
    pub fn parse_with(prefecture: Prefecture, table: Table, seven_digits: &str) -> Result<Self, CodeError> {
        let rest = digits(seven_digits)?;
        if !(5..=7).contains(&rest.len()) {
            return Err(CodeError::SevenDigits { digits: rest.len() });
        }
        let mut code = [b'0'; 10];
        code[0] += prefecture.number() / 10;
        code[1] += prefecture.number() % 10;
        code[2] += table.number() % 10;
        code[10 - rest.len()..].copy_from_slice(&rest);
        Ok(Self(code))
    }

    /// The ten digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).expect("a code is made of ASCII digits only")
    }

    /// The prefecture of the facility.
    #[must_use]
    pub fn prefecture(&self) -> Prefecture {
        prefecture(self.prefecture_number()).expect("a code is made with a prefecture that exists")
    }

    /// Whether the code has the alternate number of its prefecture, 51 to 97.
    #[must_use]
    pub fn has_alternate_prefecture(&self) -> bool {
        self.prefecture_number() > ALTERNATE
    }

    /// The code with the other number of its prefecture: 63… for 13…, and the reverse. It is a code of its own, and may
    /// be another facility's.
    #[must_use]
    pub fn twin(&self) -> Self {
        let mut twin = *self;
        if self.has_alternate_prefecture() {
            twin.0[0] -= ALTERNATE / 10;
        } else {
            twin.0[0] += ALTERNATE / 10;
        }
        twin
    }

    /// The fee table by which the facility charges.
    #[must_use]
    pub fn table(&self) -> Table {
        Table::from_number(self.digit(2))
    }

    /// Whether the last digit matches the nine before it. If not, warn and continue.
    #[must_use]
    pub fn check_digit_holds(&self) -> bool {
        let sum: u8 = (0..10)
            .map(|place| match self.digit(place) * if place % 2 == 0 { 2 } else { 1 } {
                two_digits @ 10.. => two_digits - 9,
                one_digit => one_digit,
            })
            .sum();
        sum.is_multiple_of(10)
    }

    fn prefecture_number(&self) -> u8 {
        self.digit(0) * 10 + self.digit(1)
    }

    fn digit(&self, place: usize) -> u8 {
        self.0[place] - b'0'
    }
}

/// What the alternate number of a prefecture is more than its number of JIS X 0401 (reported by people, not official).
const ALTERNATE: u8 = 50;

/// The prefecture of either of its two numbers.
const fn prefecture(number: u8) -> Option<Prefecture> {
    Prefecture::from_number(if number > ALTERNATE { number - ALTERNATE } else { number })
}

/// The ASCII digits of a text that consists of digits, hyphens and spaces of any width.
fn digits(text: &str) -> Result<Vec<u8>, CodeError> {
    let mut digits = Vec::with_capacity(10);
    for character in text.chars() {
        match character {
            '0'..='9' => digits.push(character as u8),
            '０'..='９' => digits.push(b'0' + (character as u32 - '０' as u32) as u8),
            '-' | '‐' | '‑' | '–' | '—' | '−' | '－' | 'ー' | 'ｰ' => {}
            space if space.is_whitespace() => {}
            character => return Err(CodeError::Character { character }),
        }
    }
    Ok(digits)
}

impl fmt::Display for InstitutionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for InstitutionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InstitutionCode({self})")
    }
}

impl FromStr for InstitutionCode {
    type Err = CodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for InstitutionCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for InstitutionCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
