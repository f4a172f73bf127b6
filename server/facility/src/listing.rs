//! The listing axis: the ministry's list, snapshot by snapshot, ordered by the date of the snapshot and not by its
//! import. A snapshot that is dated after its import is ignored.
//!
//! A row counts in any snapshot. Absence counts only in a snapshot that covers the facility: a search without a result
//! differs from an absence in a full file.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::coverage;
use yomitori_proto::event::ListingObserved;
use yomitori_proto::id::SnapshotId;

use crate::bounded;
use crate::bounds::{SIGHT_CODES, SIGHTS};
use crate::evidence::Total;
use crate::identity::Identity;
use crate::opt_out::{OptOut, OptOutStatus, Process};
use crate::text::{Axis, Text};
use crate::view::View;
use crate::word::words;

#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Listings {
    /// Ascending by date, then snapshot.
    sights: Vec<SnapshotSighting>,
    /// The result of the forgotten snapshots, and the date of the last one.
    before: Option<(Listing, DateTime<Utc>)>,
    /// The newest date of a snapshot that was dated after its import.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ahead: Option<DateTime<Utc>>,
    /// The earliest date at which a snapshot named the facility that is not kept individually.
    first_listed_at: Option<DateTime<Utc>>,
}

/// What one snapshot says, by the codes that the facility has: a row that matched nothing but a code which was withdrawn
/// is not its row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sight {
    pub(crate) as_of: DateTime<Utc>,
    pub(crate) snapshot: SnapshotId,
    pub(crate) listed: bool,
    /// Whether the facility's absence from it counts.
    pub(crate) covers: bool,
}

/// One snapshot's view of the facility, for all codes together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct SnapshotSighting {
    pub(crate) as_of: DateTime<Utc>,
    pub(crate) snapshot: SnapshotId,
    pub(crate) coverage: Coverage,
    pub(crate) listed: bool,
    pub(crate) codes: Vec<String>,
}

/// Delays of the ministry's list, as measured here.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Lag {
    /// The earliest date at which any snapshot named the facility.
    pub first_listed_at: Option<DateTime<Utc>>,
    /// From the first read that counts to the first snapshot that names the facility.
    pub success_to_listed_s: Option<i64>,
    /// From the call centre's confirmation to the snapshot that no longer names the facility.
    pub acknowledged_to_gone_s: Option<i64>,
}

/// The scope of a snapshot.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    Full,
    /// Two digits.
    Prefecture(String),
    Query,
    /// The scope is not readable: rows count, absence doesn't.
    Unknown,
}

/// The listing axis.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "key", rename_all = "snake_case")]
pub enum Listing {
    /// No snapshot covers the facility.
    Unknown,
    NotListed {
        as_of: DateTime<Utc>,
    },
    Listed {
        since: DateTime<Utc>,
        last_seen_at: DateTime<Utc>,
    },
    Delisted {
        at: DateTime<Utc>,
    },
    /// Two snapshots of the same date contradict each other.
    Ambiguous {
        as_of: DateTime<Utc>,
    },
}

words! {
    Listing {
        Unknown = "unknown", "不明（リスト未取得）", "unknown: no list read";
        NotListed = "not_listed", "未掲載", "not listed";
        Listed = "listed", "掲載中", "listed";
        Delisted = "delisted", "掲載終了", "no longer listed";
        Ambiguous = "ambiguous", "判定できない", "ambiguous";
    }
}

impl Coverage {
    /// What a snapshot says that it covers; of another version's word nothing is known.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text.parse() {
            Ok(coverage::Coverage::Full) => Self::Full,
            Ok(coverage::Coverage::Prefecture(prefecture)) => Self::Prefecture(prefecture.to_string()),
            Ok(coverage::Coverage::Query(_)) => Self::Query,
            Err(_) => Self::Unknown,
        }
    }

    /// Whether absence at that date means that the facility is not listed.
    fn covers(&self, identity: &Identity, as_of: DateTime<Utc>) -> bool {
        match self {
            Self::Full => true,
            Self::Prefecture(prefecture) => identity.prefecture_at(as_of) == Some(prefecture),
            Self::Query | Self::Unknown => false,
        }
    }
}

impl SnapshotSighting {
    fn sight(&self, identity: &Identity) -> Sight {
        let Self { as_of, snapshot, .. } = *self;
        let withdrawn = !self.codes.is_empty() && self.codes.iter().all(|code| identity.is_withdrawn(code));
        let listed = self.listed && !withdrawn;
        Sight { as_of, snapshot, listed, covers: self.coverage.covers(identity, as_of) }
    }
}

impl Listings {
    /// Adds a snapshot's view of the facility.
    pub(crate) fn observed(
        &mut self,
        snapshot: SnapshotId,
        event: &ListingObserved,
        received_at: DateTime<Utc>,
        identity: &Identity,
        opt_out: &mut OptOut,
    ) {
        let as_of = event.as_of;
        if received_at < as_of {
            self.ahead = self.ahead.max(Some(as_of));
            return;
        }
        if self.before.as_ref().is_some_and(|(_, until)| as_of <= *until) {
            if event.listed {
                self.first_listed_at = earlier(self.first_listed_at, Some(as_of));
            }
            return;
        }
        let codes: Vec<String> = event.code.iter().map(|code| crate::identity::written(code)).collect();
        let coverage = Coverage::parse(&event.coverage);
        let same = |known: &&mut SnapshotSighting| known.snapshot == snapshot && known.as_of == as_of;
        if let Some(known) = self.sights.iter_mut().find(same) {
            known.listed |= event.listed;
            known.coverage = known.coverage.clone().min(coverage);
            for code in codes {
                if !known.codes.contains(&code) && known.codes.len() < SIGHT_CODES {
                    known.codes.push(code);
                    known.codes.sort();
                }
            }
            return;
        }
        let sight = SnapshotSighting { as_of, snapshot, coverage, listed: event.listed, codes };
        let forgotten = bounded::insert(&mut self.sights, sight, |sight| (sight.as_of, sight.snapshot), SIGHTS);
        if let Some(oldest) = forgotten {
            let oldest = oldest.sight(identity);
            let before = self.before.take().map_or(Listing::Unknown, |(listing, _)| listing);
            self.before = Some((step(before, &oldest), oldest.as_of));
            if oldest.listed {
                self.first_listed_at = earlier(self.first_listed_at, Some(oldest.as_of));
            }
            opt_out.forget(&oldest);
        }
    }

    /// The listing by all snapshots together.
    pub(crate) fn listing(&self, identity: &Identity) -> Listing {
        let before = self.before.as_ref().map_or(Listing::Unknown, |(listing, _)| listing.clone());
        self.sights(identity).fold(before, |listing, sight| step(listing, &sight))
    }

    /// Every snapshot that is kept, ascending by date.
    pub(crate) fn sights(&self, identity: &Identity) -> impl DoubleEndedIterator<Item = Sight> {
        self.sights.iter().map(|sight| sight.sight(identity))
    }

    /// The newest snapshot that covers the facility and doesn't name it.
    pub(crate) fn newest_absence(&self, identity: &Identity) -> Option<Sight> {
        self.sights(identity).rev().find(|sight| !sight.listed && sight.covers)
    }

    /// The earliest date at which a snapshot named the facility.
    fn first_listed_at(&self, identity: &Identity) -> Option<DateTime<Utc>> {
        let kept = self.sights(identity).find(|sight| sight.listed).map(|sight| sight.as_of);
        earlier(self.first_listed_at, kept)
    }

    /// The newest snapshot that names the facility.
    fn last_row(&self, identity: &Identity) -> Option<&SnapshotSighting> {
        self.sights.iter().rev().find(|sight| sight.sight(identity).listed)
    }
}

fn earlier(one: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    one.into_iter().chain(other).min()
}

/// The listing after a later snapshot.
fn step(listing: Listing, sight: &Sight) -> Listing {
    let Sight { as_of, listed, .. } = *sight;
    if listed {
        return match listing {
            Listing::Listed { since, .. } => Listing::Listed { since, last_seen_at: as_of },
            Listing::NotListed { as_of: other } | Listing::Delisted { at: other } if other == as_of => {
                Listing::Ambiguous { as_of }
            }
            Listing::Ambiguous { as_of: other } if other == as_of => Listing::Ambiguous { as_of },
            Listing::Unknown | Listing::NotListed { .. } | Listing::Delisted { .. } | Listing::Ambiguous { .. } => {
                Listing::Listed { since: as_of, last_seen_at: as_of }
            }
        };
    }
    if !sight.covers {
        return listing;
    }
    match listing {
        Listing::Listed { last_seen_at, .. } if last_seen_at == as_of => Listing::Ambiguous { as_of },
        Listing::Listed { .. } => Listing::Delisted { at: as_of },
        Listing::Ambiguous { as_of: other } if other == as_of => Listing::Ambiguous { as_of },
        Listing::Delisted { at } => Listing::Delisted { at },
        Listing::Unknown | Listing::NotListed { .. } | Listing::Ambiguous { .. } => Listing::NotListed { as_of },
    }
}

impl View<'_> {
    pub(crate) fn listing(&self) -> Axis<Listing> {
        let listing = self.facility.listings.listing(&self.facility.identity);
        let why = match &listing {
            Listing::Unknown => Text::fixed(
                "この医療機関を含むリストはまだ取り込まれていません。",
                "No imported list covers the facility yet.",
            ),
            Listing::NotListed { as_of } => {
                let at = self.date(*as_of);
                Text::new(
                    format!("{at}時点のリストに掲載されていません。"),
                    format!("The list as of {at} doesn't name it."),
                )
            }
            Listing::Listed { since, last_seen_at } => {
                let (since, last) = (self.date(*since), self.date(*last_seen_at));
                Text::new(
                    format!("{since}時点から{last}時点までのリストに掲載されています。"),
                    format!("The lists as of {since} to {last} name it."),
                )
            }
            Listing::Delisted { at } => {
                let at = self.date(*at);
                Text::new(
                    format!("以前は掲載されていましたが、{at}時点のリストから消えました。"),
                    format!("It had been listed and is gone from the list as of {at}."),
                )
            }
            Listing::Ambiguous { as_of } => {
                let at = self.date(*as_of);
                Text::new(
                    format!("{at}時点のリストが互いに矛盾しています。"),
                    format!("Two lists as of {at} contradict each other."),
                )
            }
        };
        let ahead = self.facility.listings.ahead.map(|as_of| self.date(as_of));
        let ahead = ahead.map(|at| {
            Text::new(
                format!("取り込み時に未来の日付だったリスト（{at}時点）は数えていません。"),
                format!("A list dated {at}, ahead of its import, is not counted."),
            )
        });
        let why = ahead.map_or(why.clone(), |ahead| why.then(&ahead));
        Axis::new(listing, why)
    }

    pub(crate) fn lag(&self, total: &Total, process: &Process, opt_out: &OptOutStatus) -> Lag {
        let first_listed_at = self.facility.listings.first_listed_at(&self.facility.identity);
        let seconds = |(from, to): (DateTime<Utc>, DateTime<Utc>)| (to - from).num_seconds();
        let gone_at = match opt_out {
            OptOutStatus::Reflected { as_of, .. } => Some(*as_of),
            OptOutStatus::NotNeeded
            | OptOutStatus::Needed
            | OptOutStatus::Planned { .. }
            | OptOutStatus::Called { .. }
            | OptOutStatus::Acknowledged { .. }
            | OptOutStatus::Withdrawn { .. } => None,
        };
        Lag {
            first_listed_at,
            success_to_listed_s: total.sufficed_at().zip(first_listed_at).map(seconds),
            acknowledged_to_gone_s: process.acknowledged_at.zip(gone_at).map(seconds),
        }
    }

    /// Codes in the newest row that were not the facility's at the list's date, although other codes were. A code that
    /// a person has recorded is no mismatch, even with a wrong check digit.
    pub(crate) fn strange_codes(&self) -> Vec<String> {
        let identity = &self.facility.identity;
        let Some(sight) = self.facility.listings.last_row(identity) else { return Vec::new() };
        let strange = |code: &&String| identity.has_codes() && !identity.knows(code, sight.as_of);
        sight.codes.iter().filter(strange).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coverage_is_read_as_it_is_written() {
        let prefecture = |number: &str| Coverage::Prefecture(number.to_owned());
        let table = [
            ("full", Coverage::Full),
            (" FULL ", Coverage::Full),
            ("prefecture:13", prefecture("13")),
            ("prefecture: 1", prefecture("01")),
            ("prefecture:48", Coverage::Unknown),
            ("prefecture:", Coverage::Unknown),
            ("prefecture", Coverage::Unknown),
            ("query:さくら", Coverage::Query),
            ("query", Coverage::Unknown),
            ("full:13", Coverage::Unknown),
            ("", Coverage::Unknown),
        ];
        for (text, expected) in table {
            assert_eq!(Coverage::parse(text), expected, "{text:?}");
        }
    }

    fn on(day: u32) -> DateTime<Utc> {
        format!("2026-04-{day:02}T00:00:00Z").parse().unwrap()
    }

    fn observe(listings: &mut Listings, number: u128, event: &ListingObserved) {
        let (snapshot, received_at) = (SnapshotId(uuid::Uuid::from_u128(number)), event.as_of);
        listings.observed(snapshot, event, received_at, &Identity::default(), &mut OptOut::default());
    }

    #[test]
    fn a_list_dated_after_its_import_is_ignored() {
        let mut listings = listings(&[(1, true, "full")]);
        let event = ListingObserved { as_of: on(20), coverage: "full".to_owned(), listed: false, code: None };
        let snapshot = SnapshotId(uuid::Uuid::from_u128(9));
        listings.observed(snapshot, &event, on(10), &Identity::default(), &mut OptOut::default());
        assert_eq!(listings.listing(&Identity::default()), Listing::Listed { since: on(1), last_seen_at: on(1) });
        assert_eq!(listings.ahead, Some(on(20)));
    }

    /// Snapshots of these days, each from another import.
    fn listings(sights: &[(u32, bool, &str)]) -> Listings {
        let mut listings = Listings::default();
        for (number, (day, listed, coverage)) in (1_u128..).zip(sights) {
            let event =
                ListingObserved { as_of: on(*day), coverage: (*coverage).to_owned(), listed: *listed, code: None };
            observe(&mut listings, number, &event);
        }
        listings
    }

    #[test]
    fn later_lists_replace_earlier_ones() {
        let listed = |since, last| Listing::Listed { since: on(since), last_seen_at: on(last) };
        let (absent, gone) = (|day| Listing::NotListed { as_of: on(day) }, |day| Listing::Delisted { at: on(day) });
        let ambiguous = |day| Listing::Ambiguous { as_of: on(day) };
        let table: [(&[(u32, bool)], Listing); 14] = [
            (&[], Listing::Unknown),
            (&[(1, false)], absent(1)),
            (&[(1, true)], listed(1, 1)),
            (&[(1, true), (2, true)], listed(1, 2)),
            (&[(2, true), (1, true)], listed(1, 2)),
            (&[(1, false), (2, true)], listed(2, 2)),
            (&[(1, true), (2, false)], gone(2)),
            (&[(1, true), (2, false), (3, false)], gone(2)),
            (&[(1, true), (2, false), (3, true)], listed(3, 3)),
            (&[(1, false), (1, true)], ambiguous(1)),
            (&[(1, true), (1, false), (1, true)], ambiguous(1)),
            (&[(1, true), (1, false), (1, true), (1, false)], ambiguous(1)),
            (&[(1, true), (1, false), (2, true)], listed(2, 2)),
            (&[(1, true), (1, false), (2, false)], absent(2)),
        ];
        for (sights, expected) in table {
            let sights: Vec<_> = sights.iter().map(|(day, listed)| (*day, *listed, "full")).collect();
            assert_eq!(listings(&sights).listing(&Identity::default()), expected, "{sights:?}");
        }
        let again = [(1, true, "full"), (2, false, "full"), (2, true, "full")];
        assert_eq!(listings(&again).listing(&Identity::default()), ambiguous(2));
    }

    #[test]
    fn a_snapshot_of_another_day_is_another_one() {
        let mut listings = Listings::default();
        let said =
            [(1, true, "1319999015"), (1, false, "1319999023"), (1, true, "1319999015"), (2, false, "1319999015")];
        for (day, listed, code) in said {
            let code = Some(code.to_owned());
            let event = ListingObserved { as_of: on(day), coverage: "full".to_owned(), listed, code };
            observe(&mut listings, 1, &event);
        }
        let sights: Vec<_> =
            listings.sights.iter().map(|sight| (sight.as_of, sight.listed, sight.codes.len())).collect();
        assert_eq!(sights, [(on(1), true, 2), (on(2), false, 1)]);
        assert_eq!(listings.sights[0].codes, ["1319999015", "1319999023"]);
        // A row with more codes than any facility has is truncated.
        for number in 0..2 * SIGHT_CODES {
            let code = Some(format!("13{number:08}"));
            let event = ListingObserved { as_of: on(1), coverage: "full".to_owned(), listed: true, code };
            observe(&mut listings, 1, &event);
        }
        assert_eq!(listings.sights[0].codes.len(), SIGHT_CODES);
    }

    #[test]
    fn a_search_shows_presence_and_never_absence() {
        let listings =
            listings(&[(1, false, "full"), (2, false, "query:x"), (3, true, "query:x"), (4, false, "query:x")]);
        let identity = Identity::default();
        assert_eq!(listings.listing(&identity), Listing::Listed { since: on(3), last_seen_at: on(3) });
        assert_eq!(listings.newest_absence(&identity).map(|sight| sight.as_of), Some(on(1)));
        assert_eq!(listings.last_row(&Identity::default()).map(|sight| sight.as_of), Some(on(3)));
    }

    #[test]
    fn forgotten_items_still_count() {
        let identity = Identity::default();
        let mut listings = Listings::default();
        let day = |day: u32| -> DateTime<Utc> {
            format!("2026-{:02}-{:02}T00:00:00Z", 1 + day / 28, 1 + day % 28).parse().unwrap()
        };
        for number in 0..40 {
            let event = ListingObserved { as_of: day(number), coverage: "full".to_owned(), listed: true, code: None };
            observe(&mut listings, number.into(), &event);
        }
        assert_eq!(listings.sights.len(), SIGHTS);
        assert_eq!(listings.first_listed_at, Some(day(0)));
        assert_eq!(listings.listing(&identity), Listing::Listed { since: day(0), last_seen_at: day(39) });
    }
}
