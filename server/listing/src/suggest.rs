//! Whose a row might be that has nobody's code: for a person to decide, never a match.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use yomitori_proto::code::{InstitutionCode, Prefecture, Table};

use super::directory::{Directory, DirectoryFacility};
use super::entry::ListingEntry;
use super::normal;

/// Why a facility is suggested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    SameAddress,
    SameName,
    /// The same code under the other number of the prefecture.
    OtherPrefectureNumber,
    /// The same seven digits under another table.
    OtherTable,
    /// A code whose check digit fails differs from it in one digit or by two swapped ones.
    NearCode,
}

impl Reason {
    /// Its word in the store.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::SameAddress => "same_address",
            Self::SameName => "same_name",
            Self::OtherPrefectureNumber => "other_prefecture_number",
            Self::OtherTable => "other_table",
            Self::NearCode => "near_code",
        }
    }
}

/// A facility that a row may belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    /// Its place in the directory.
    pub facility: u32,
    pub reasons: Vec<Reason>,
}

/// At most this many facilities are suggested for a row.
const SUGGESTED: usize = 3;
/// A name that more facilities of a prefecture bear says nothing by itself.
const NAMESAKES: usize = 5;

/// Names and addresses by the hash of their normal forms: small, and verified at every hit.
pub struct Index<'a> {
    directory: &'a Directory,
    names: Vec<(u64, u32)>,
    addresses: Vec<(u64, u32)>,
}

impl<'a> Index<'a> {
    #[must_use]
    pub fn new(directory: &'a Directory) -> Self {
        let facilities = || (0..).zip(&directory.facilities);
        let names = || {
            let mut names = Vec::with_capacity(directory.facilities.len());
            for (place, facility) in facilities() {
                names.extend(normal::names(&facility.name).iter().map(|name| (hash(facility.prefecture, name), place)));
            }
            names.sort_unstable();
            names
        };
        let addresses = || {
            let address = |(place, facility): (u32, &DirectoryFacility)| {
                let address = facility.address.as_deref().and_then(normal::address)?;
                Some((hash(facility.prefecture, &address), place))
            };
            let mut addresses: Vec<(u64, u32)> = facilities().filter_map(address).collect();
            addresses.sort_unstable();
            addresses
        };
        // Both take as long as all the rest of a reconciliation.
        let (names, addresses) = std::thread::scope(|scope| {
            let names = scope.spawn(names);
            let addresses = addresses();
            (names.join().expect("no name makes it panic"), addresses)
        });
        Self { directory, names, addresses }
    }

    /// The likeliest facilities first.
    #[must_use]
    pub fn suggest(&self, entry: &ListingEntry) -> Vec<Suggestion> {
        let prefecture = Some(entry.code.prefecture());
        let mut found: BTreeMap<u32, Vec<Reason>> = BTreeMap::new();
        for place in self.at_address(prefecture, entry) {
            found.entry(place).or_default().push(Reason::SameAddress);
        }
        for held in self.directory.holders(entry.code.twin()) {
            found.entry(held.facility).or_default().push(Reason::OtherPrefectureNumber);
        }
        for held in other_tables(entry.code).flat_map(|code| self.directory.holders(code)) {
            found.entry(held.facility).or_default().push(Reason::OtherTable);
        }
        if !entry.code.check_digit_holds() {
            for held in near(entry.code).into_iter().flat_map(|code| self.directory.holders(code)) {
                let reasons = found.entry(held.facility).or_default();
                if !reasons.contains(&Reason::NearCode) {
                    reasons.push(Reason::NearCode);
                }
            }
        }
        let namesakes = self.named(prefecture, entry);
        let telling = namesakes.len() <= NAMESAKES;
        for place in namesakes {
            if telling || found.contains_key(&place) {
                found.entry(place).or_default().push(Reason::SameName);
            }
        }
        let mut suggestions: Vec<Suggestion> = found
            .into_iter()
            .map(|(facility, mut reasons)| {
                reasons.sort_unstable();
                Suggestion { facility, reasons }
            })
            .collect();
        suggestions.sort_by(|one, other| {
            other.reasons.len().cmp(&one.reasons.len()).then_with(|| one.reasons.cmp(&other.reasons))
        });
        suggestions.truncate(SUGGESTED);
        suggestions
    }

    fn named(&self, prefecture: Option<Prefecture>, entry: &ListingEntry) -> Vec<u32> {
        let mut places = Vec::new();
        for name in normal::names(&entry.name) {
            let hits = range(&self.names, hash(prefecture, &name));
            places.extend(hits.iter().map(|(_, place)| *place).filter(|place| {
                let facility = self.directory.facility(*place);
                facility.is_some_and(|f| f.prefecture == prefecture && normal::names(&f.name).contains(&name))
            }));
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    fn at_address(&self, prefecture: Option<Prefecture>, entry: &ListingEntry) -> Vec<u32> {
        let Some(address) = entry.address.as_deref().and_then(normal::address) else { return Vec::new() };
        let hits = range(&self.addresses, hash(prefecture, &address));
        let same = |place: &u32| {
            let known = self.directory.facility(*place).filter(|facility| facility.prefecture == prefecture);
            known.and_then(|facility| normal::address(facility.address.as_deref()?)).as_ref() == Some(&address)
        };
        // A building full of clinics suggests none of them.
        let places: Vec<u32> = hits.iter().map(|(_, place)| *place).filter(same).collect();
        if places.len() > NAMESAKES { Vec::new() } else { places }
    }
}

fn hash(prefecture: Option<Prefecture>, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (prefecture, text).hash(&mut hasher);
    hasher.finish()
}

fn range(index: &[(u64, u32)], hash: u64) -> &[(u64, u32)] {
    let start = index.partition_point(|(known, _)| *known < hash);
    let length = index.get(start..).unwrap_or_default().iter().take_while(|(known, _)| *known == hash).count();
    index.get(start..start + length).unwrap_or_default()
}

fn other_tables(code: InstitutionCode) -> impl Iterator<Item = InstitutionCode> {
    let seven = code.as_str().get(3..).unwrap_or_default().to_owned();
    let tables = [Table::Medical, Table::Dental, Table::Pharmacy, Table::HomeNursing];
    let other = tables.into_iter().filter(move |table| *table != code.table());
    other.filter_map(move |table| InstitutionCode::parse_with(code.prefecture(), table, &seven).ok())
}

/// Codes that a slip of the hand makes of `code`, the prefecture left as it is.
fn near(code: InstitutionCode) -> Vec<InstitutionCode> {
    let digits: Vec<u8> = code.as_str().bytes().collect();
    let mut near = Vec::new();
    let mut push = |digits: &[u8]| {
        let code = str::from_utf8(digits).ok().and_then(|text| InstitutionCode::parse(text).ok());
        near.extend(code);
    };
    for place in 2..digits.len() {
        let mut changed = digits.clone();
        for digit in (b'0'..=b'9').filter(|digit| *digit != digits[place]) {
            changed[place] = digit;
            push(&changed);
        }
        if place + 1 < digits.len() && digits[place] != digits[place + 1] {
            let mut swapped = digits.clone();
            swapped.swap(place, place + 1);
            push(&swapped);
        }
    }
    near
}

#[cfg(test)]
mod tests;
