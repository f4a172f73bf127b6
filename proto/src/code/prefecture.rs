//! The 47 prefectures with their numbers in institution codes, which are those of JIS X 0401.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One of the 47 prefectures. Its text form, also in JSON, is the two-digit number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Prefecture(u8);

/// The text is not a prefecture.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a prefecture: write 01 to 47, 東京都, 東京 or Tokyo / 都道府県は番号または名称で書いてください")]
pub struct PrefectureError;

impl Prefecture {
    /// All of them, from north to south.
    pub fn all() -> impl Iterator<Item = Self> {
        (1..=NAMES.len() as u8).map(Self)
    }

    /// The prefecture of a number from 1 to 47.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        if number >= 1 && number as usize <= NAMES.len() { Some(Self(number)) } else { None }
    }

    /// From 1 to 47.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The Japanese name, such as 東京都.
    #[must_use]
    pub const fn japanese(self) -> &'static str {
        NAMES[self.0 as usize - 1].0
    }

    /// The English name, such as Tokyo.
    #[must_use]
    pub const fn english(self) -> &'static str {
        NAMES[self.0 as usize - 1].1
    }

    fn bears(self, name: &str) -> bool {
        let japanese = self.japanese();
        let short = japanese.strip_suffix(['都', '府', '県']).unwrap_or(japanese);
        name == japanese || name == short || name.eq_ignore_ascii_case(self.english())
    }
}

impl FromStr for Prefecture {
    type Err = PrefectureError;

    /// Accepts `13`, `1`, `０１`, 東京都, 東京 and Tokyo.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let narrow: String = text
            .chars()
            .map(|c| match c {
                '０'..='９' => char::from(b'0' + (c as u32 - '０' as u32) as u8),
                other => other,
            })
            .collect();
        let by_number = (narrow.bytes().all(|b| b.is_ascii_digit()) && narrow.len() <= 2)
            .then(|| narrow.parse().ok().and_then(Self::from_number))
            .flatten();
        by_number.or_else(|| Self::all().find(|one| one.bears(text))).ok_or(PrefectureError)
    }
}

impl fmt::Display for Prefecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

impl Serialize for Prefecture {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Prefecture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

const NAMES: [(&str, &str); 47] = [
    ("北海道", "Hokkaido"),
    ("青森県", "Aomori"),
    ("岩手県", "Iwate"),
    ("宮城県", "Miyagi"),
    ("秋田県", "Akita"),
    ("山形県", "Yamagata"),
    ("福島県", "Fukushima"),
    ("茨城県", "Ibaraki"),
    ("栃木県", "Tochigi"),
    ("群馬県", "Gunma"),
    ("埼玉県", "Saitama"),
    ("千葉県", "Chiba"),
    ("東京都", "Tokyo"),
    ("神奈川県", "Kanagawa"),
    ("新潟県", "Niigata"),
    ("富山県", "Toyama"),
    ("石川県", "Ishikawa"),
    ("福井県", "Fukui"),
    ("山梨県", "Yamanashi"),
    ("長野県", "Nagano"),
    ("岐阜県", "Gifu"),
    ("静岡県", "Shizuoka"),
    ("愛知県", "Aichi"),
    ("三重県", "Mie"),
    ("滋賀県", "Shiga"),
    ("京都府", "Kyoto"),
    ("大阪府", "Osaka"),
    ("兵庫県", "Hyogo"),
    ("奈良県", "Nara"),
    ("和歌山県", "Wakayama"),
    ("鳥取県", "Tottori"),
    ("島根県", "Shimane"),
    ("岡山県", "Okayama"),
    ("広島県", "Hiroshima"),
    ("山口県", "Yamaguchi"),
    ("徳島県", "Tokushima"),
    ("香川県", "Kagawa"),
    ("愛媛県", "Ehime"),
    ("高知県", "Kochi"),
    ("福岡県", "Fukuoka"),
    ("佐賀県", "Saga"),
    ("長崎県", "Nagasaki"),
    ("熊本県", "Kumamoto"),
    ("大分県", "Oita"),
    ("宮崎県", "Miyazaki"),
    ("鹿児島県", "Kagoshima"),
    ("沖縄県", "Okinawa"),
];
