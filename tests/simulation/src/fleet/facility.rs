//! Fictional facilities: district 99 is unassigned, and the names are invented.
//!
//! One seed gives one list, and a longer list begins with the shorter one.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use yomitori_proto::code::{InstitutionCode, Prefecture, Table};

/// One invented facility.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Facility {
    /// The first one identifies it; a hospital with a dental department has two.
    pub codes: Vec<InstitutionCode>,
    pub name: String,
    pub prefecture: Prefecture,
    pub address: String,
}

/// Facilities of a district and a table are numbered from here on, and continue at 0 after 9999.
const FIRST_SERIAL: u32 = 9_901;
/// One facility in this number is a hospital with two codes.
const HOSPITAL_EVERY: usize = 13;

impl Facility {
    /// The code that identifies it.
    #[must_use]
    pub fn code(&self) -> InstitutionCode {
        self.codes[0]
    }
}

/// The first `count` facilities of `seed`.
#[must_use]
pub fn invent(count: usize, seed: u64) -> Vec<Facility> {
    let mut inventor = Inventor { rng: StdRng::seed_from_u64(seed), serials: BTreeMap::new() };
    (0..count).map(|index| inventor.facility(index)).collect()
}

/// The table for `yomitori-server facility import`.
#[must_use]
pub fn table(facilities: &[Facility]) -> String {
    let mut text = "code,name,prefecture,address\n".to_owned();
    for Facility { codes, name, prefecture, address } in facilities {
        let codes: Vec<&str> = codes.iter().map(InstitutionCode::as_str).collect();
        writeln!(text, "{},{name},{},{address}", codes.join(" "), prefecture.japanese()).expect("a string grows");
    }
    text
}

struct Inventor {
    rng: StdRng,
    serials: BTreeMap<(u8, u8), u32>,
}

impl Inventor {
    fn facility(&mut self, index: usize) -> Facility {
        let prefecture = self.prefecture();
        let hospital = index % HOSPITAL_EVERY == HOSPITAL_EVERY - 1;
        let tables = match self.rng.random_range(0..10) {
            _ if hospital => vec![Table::Medical, Table::Dental],
            0..5 => vec![Table::Medical],
            5..7 => vec![Table::Dental],
            _ => vec![Table::Pharmacy],
        };
        let name = self.name(&tables);
        let (city, town) = (self.one_of(STEMS), self.one_of(STEMS));
        let [block, lot, house] = [5, 20, 30].map(|most| self.rng.random_range(1..=most));
        Facility {
            codes: tables.into_iter().map(|table| self.code(prefecture, table)).collect(),
            name,
            prefecture,
            address: format!("{}{city}市{town}町{block}丁目{lot}-{house}", prefecture.japanese()),
        }
    }

    /// Half of them are where half of the population is.
    fn prefecture(&mut self) -> Prefecture {
        let number = if self.rng.random_bool(0.5) { self.one_of(POPULOUS) } else { self.rng.random_range(1..=47) };
        Prefecture::from_number(number).expect("there are 47 prefectures")
    }

    fn name(&mut self, tables: &[Table]) -> String {
        let (stem, town) = (self.one_of(STEMS), self.one_of(STEMS));
        match tables {
            [_, _] => format!("{stem}{}", self.one_of(&["総合病院", "中央病院", "記念病院"])),
            [Table::Dental] => format!("{stem}{}", self.one_of(&["歯科医院", "歯科クリニック", "デンタルクリニック"])),
            [Table::Pharmacy] => format!("{stem}薬局 {town}店"),
            _ => {
                let department = self.one_of(&["内科", "小児科", "整形外科", "眼科", "皮膚科", "耳鼻咽喉科", ""]);
                format!("{stem}{department}{}", self.one_of(&["クリニック", "医院", "診療所"]))
            }
        }
    }

    fn code(&mut self, prefecture: Prefecture, table: Table) -> InstitutionCode {
        let serial = self.serials.entry((prefecture.number(), table.number())).or_insert(FIRST_SERIAL);
        let number = *serial % 10_000;
        *serial += 1;
        (0..10)
            .map(|check| {
                InstitutionCode::parse_with(prefecture, table, &format!("99{number:04}{check}"))
                    .expect("seven digits make a code")
            })
            .find(InstitutionCode::check_digit_holds)
            .expect("of ten check digits one is right")
    }

    fn one_of<T: Copy>(&mut self, choice: &[T]) -> T {
        *choice.choose(&mut self.rng).expect("there is something to choose from")
    }
}

const POPULOUS: &[u8] = &[1, 4, 11, 12, 13, 13, 13, 14, 14, 22, 23, 26, 27, 27, 28, 34, 40];

const STEMS: &[&str] = &[
    "星見ヶ丘",
    "木もれ日",
    "ひなた坂",
    "朝つゆ",
    "こはる野",
    "みなも",
    "ほしくず",
    "つばめ橋",
    "あかね台",
    "白鷺野",
    "鈴の音",
    "やまびこ",
    "こだち",
    "若葉坂",
    "虹の橋",
    "潮騒",
    "かささぎ",
    "夕凪",
    "月白",
    "花筏",
    "麦の穂",
    "せせらぎ",
    "楠の木",
    "もえぎ",
    "すずかぜ",
    "しらゆり",
    "たんぽぽ",
    "ひいらぎ",
    "なごみ",
    "そよかぜ",
    "雪うさぎ",
    "はなみずき",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_are_valid_and_unassigned(seed: u64) {
            let facilities = invent(60, seed);
            let codes: Vec<_> = facilities.iter().flat_map(|facility| &facility.codes).collect();
            prop_assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
            for facility in &facilities {
                for code in &facility.codes {
                    prop_assert!(code.check_digit_holds());
                    prop_assert_eq!(code.prefecture(), facility.prefecture);
                    prop_assert_eq!(code.as_str().get(3..5), Some("99"));
                }
            }
            prop_assert_eq!(facilities.iter().filter(|facility| facility.codes.len() == 2).count(), 4);
        }

        #[test]
        fn a_longer_list_begins_with_the_shorter_one(seed: u64) {
            prop_assert_eq!(&invent(40, seed)[..5], &invent(5, seed)[..]);
        }
    }

    #[test]
    fn codes_stay_apart_when_a_district_is_full() {
        let facilities = invent(20_000, 7);
        let codes: BTreeSet<_> = facilities.iter().flat_map(|facility| &facility.codes).collect();
        assert_eq!(codes.len(), facilities.iter().map(|facility| facility.codes.len()).sum::<usize>());
    }

    #[test]
    fn the_table_has_a_row_for_each() {
        let text = table(&invent(14, 1));
        assert!(text.starts_with("code,name,prefecture,address\n"), "{text}");
        assert!(text.lines().all(|line| line.split(',').count() == 4), "{text}");
        assert_eq!(text.lines().count(), 15);
    }
}
