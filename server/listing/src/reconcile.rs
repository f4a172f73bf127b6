//! A snapshot against the facilities that are watched: whose every row is, and what it says of every covered facility.

use super::directory::Directory;
use super::entry::ListingEntry;
use super::suggest::{Index, Suggestion};
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::coverage::Coverage;

/// Whose a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Its place in the directory.
    pub facility: u32,
    /// By a code that is no longer the facility's.
    pub retired: bool,
}

/// What the snapshot says of a facility.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Its place in the directory.
    pub facility: u32,
    /// The code in the row; `None`: no row names it, and the snapshot covers it.
    pub code: Option<InstitutionCode>,
}

/// What comes of a snapshot.
#[derive(Debug, Clone, Default)]
pub struct Reconciliation {
    /// One an entry, in their order.
    pub matches: Vec<Option<Match>>,
    /// Ascending by facility; all findings of a facility stand together.
    pub findings: Vec<Finding>,
    /// The places of entries whose check digit fails.
    pub odd_digits: Vec<usize>,
}

/// Finds whose `entries` are, by code and by nothing else.
#[must_use]
pub fn reconcile(entries: &[ListingEntry], directory: &Directory, coverage: &Coverage) -> Reconciliation {
    let mut found = Reconciliation { matches: Vec::with_capacity(entries.len()), ..Reconciliation::default() };
    for (place, entry) in entries.iter().enumerate() {
        let mut holders = directory.holders(entry.code).peekable();
        let first = holders.peek().map(|held| Match { facility: held.facility, retired: held.retired });
        found.matches.push(first);
        found.findings.extend(holders.map(|held| Finding { facility: held.facility, code: Some(entry.code) }));
        if !entry.code.check_digit_holds() {
            found.odd_digits.push(place);
        }
    }
    found.findings.sort_unstable();
    found.findings.dedup();
    let mut listed = found.findings.iter().map(|tiding| tiding.facility).peekable();
    let mut absent = Vec::new();
    for (place, facility) in (0..).zip(&directory.facilities) {
        while listed.next_if(|listed| *listed < place).is_some() {}
        if listed.peek() != Some(&place) && coverage.covers(facility.prefecture) {
            absent.push(Finding { facility: place, code: None });
        }
    }
    found.findings.extend(absent);
    found.findings.sort_unstable();
    found
}

/// For entries that are nobody's but resemble somebody: the place of the entry, and whom. Takes as long as all the rest.
#[must_use]
pub fn suggestions(entries: &[ListingEntry], directory: &Directory) -> Vec<(usize, Vec<Suggestion>)> {
    let nobodys = |entry: &ListingEntry| directory.holders(entry.code).next().is_none();
    let mut unmatched = entries.iter().enumerate().filter(|(_, entry)| nobodys(entry)).peekable();
    if unmatched.peek().is_none() {
        return Vec::new();
    }
    let index = Index::new(directory);
    unmatched.map(|(place, entry)| (place, index.suggest(entry))).filter(|(_, found)| !found.is_empty()).collect()
}

#[cfg(test)]
mod tests;
