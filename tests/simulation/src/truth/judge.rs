//! Compares the fold's claims with the real events.
//!
//! A read is claimed if its level is *correlated* or above. A claim is right if a true read happened within [`NEAR`] of
//! it at the same terminal. If only a count is available, as many claims are right as there are true reads.

pub mod curve;
pub mod report;
pub mod tally;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use yomitori_facility::{Calendar, Eligible, Evidence, Facility, Rules, Status, reads, status};
use yomitori_proto::id::TerminalId;

use super::history::History;
use super::ledger::{Ledger, Read};
use super::site::{Kind, Site};

pub use tally::Tally;

/// Maximal distance between a claimed read and the true one.
pub const NEAR: TimeDelta = TimeDelta::minutes(3);
/// Time from a read to the evaluation after it.
const AFTER: TimeDelta = TimeDelta::minutes(5);

/// The fold's claims of reads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claims {
    pub count: usize,
    /// The claims if they can be listed; forgotten ones are only in the count.
    pub listed: Option<Vec<(DateTime<Utc>, TerminalId)>>,
}

/// The result of one history under one set of rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    pub kind: Kind,
    pub phones_work: bool,
    pub reads: usize,
    pub claimed: usize,
    pub right: usize,
    /// At the end.
    pub eligible: bool,
    /// After exactly three true reads, after the first one, and after the first one that the desk attested; `None` if
    /// that never happened, or if an attestation came before.
    pub after_third: Option<bool>,
    pub after_first: Option<bool>,
    pub after_attested: Option<bool>,
}

/// Folds `history` and evaluates it as time passes.
#[must_use]
pub fn judge(history: &History, rules: &Rules, calendar: &Calendar) -> Verdict {
    let ledger = &history.ledger;
    let asked = [exactly(ledger, 3), exactly(ledger, 1), attested(ledger)];
    let mut answers = [None; 3];
    let mut facility = Facility::new(history.site.facility);
    let mut waiting: Vec<(DateTime<Utc>, usize)> =
        asked.iter().enumerate().filter_map(|(question, at)| Some(((*at)?, question))).collect();
    waiting.sort_unstable_by(|one, other| other.cmp(one));
    for recorded in &history.facts {
        while let Some((at, question)) = waiting.pop_if(|(at, _)| *at < recorded.received_at) {
            answers[question] = Some(is_eligible(&status(&facility, rules, calendar, at)));
        }
        facility.apply(recorded, rules);
    }
    for (at, question) in waiting {
        answers[question] = Some(is_eligible(&status(&facility, rules, calendar, at)));
    }
    let last = status(&facility, rules, calendar, history.ends);
    let claims = claims(&facility, rules, calendar, &last);
    let [after_third, after_first, after_attested] = answers;
    Verdict {
        kind: ledger.kind,
        phones_work: ledger.phones_work,
        reads: ledger.reads.len(),
        claimed: claims.count,
        right: right(&claims, &history.site, &ledger.reads),
        eligible: is_eligible(&last),
        after_third,
        after_first,
        after_attested,
    }
}

fn is_eligible(status: &Status) -> bool {
    matches!(status.eligible.value, Eligible::Eligible { .. })
}

/// The only place that queries the fold for its reads.
fn claims(facility: &Facility, rules: &Rules, calendar: &Calendar, status: &Status) -> Claims {
    let count = match &status.evidence.value {
        Evidence::Succeeded { count, .. } => *count,
        Evidence::NotObservable | Evidence::Never | Evidence::AttemptedOnly { .. } | Evidence::Plausible { .. } => 0,
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let kept = reads(facility, rules, calendar, status.at).into_iter().filter(|read| read.level.is_read());
    let listed: Vec<_> = kept.filter_map(|read| Some((read.at, read.terminal?))).collect();
    // A comparison with the ledger needs all claims individually.
    Claims { count, listed: (listed.len() == count).then_some(listed) }
}

/// The number of right claims: each true read makes one claim right, nearest first, by the correct time or by its
/// terminal's.
#[must_use]
pub fn right(claims: &Claims, site: &Site, reads: &[Read]) -> usize {
    let Some(listed) = &claims.listed else { return claims.count.min(reads.len()) };
    let mut pairs = Vec::new();
    for (claim, (at, terminal)) in listed.iter().enumerate() {
        let from = reads.partition_point(|read| read.at < *at - NEAR - TimeDelta::hours(1));
        let until = *at + NEAR + TimeDelta::hours(1);
        for (number, read) in reads.iter().enumerate().skip(from).take_while(|(_, read)| read.at <= until) {
            let station = site.stations.iter().find(|station| station.terminal == *terminal);
            let offset = station.filter(|_| read.terminal == *terminal).map(|station| station.clock_offset);
            let Some(offset) = offset else { continue };
            let away = (*at - read.at).abs().min((*at - read.at - offset).abs());
            if away <= NEAR {
                pairs.push((away, claim, number));
            }
        }
    }
    pairs.sort_unstable();
    let (mut claimed, mut found) = (BTreeSet::new(), BTreeSet::new());
    for (_, claim, read) in pairs {
        if !claimed.contains(&claim) && !found.contains(&read) {
            claimed.insert(claim);
            found.insert(read);
        }
    }
    found.len()
}

/// The time of the evaluation after exactly `count` true reads; `None` if the desk has attested one before.
fn exactly(ledger: &Ledger, count: usize) -> Option<DateTime<Utc>> {
    let reads = ledger.reads.get(..count)?;
    let heard = reads.iter().filter_map(|read| read.heard_at).max()?;
    let at = heard.max(reads.last()?.result_at) + AFTER;
    let more = ledger.reads.get(count).and_then(|read| read.heard_at).is_some_and(|heard| heard <= at);
    let attested = ledger.reads.iter().filter_map(|read| read.attestation_heard_at).any(|heard| heard <= at);
    (!more && !attested).then_some(at)
}

fn attested(ledger: &Ledger) -> Option<DateTime<Utc>> {
    let heard = ledger.reads.iter().filter_map(|read| read.attestation_heard_at).min()?;
    Some(heard + TimeDelta::seconds(1))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::truth::{Assumptions, Stretch};

    #[test]
    fn a_claim_is_right_near_a_true_read_and_each_read_makes_one_right() {
        let stretch = Stretch { first: NaiveDate::from_ymd_opt(2026, 6, 1).unwrap(), days: 20 };
        let history = History::new(&Assumptions::default(), 3, stretch, |site| {
            (site.phones_work, site.phones_a_day) = (true, 3.0);
        });
        let (site, reads) = (&history.site, &history.ledger.reads);
        let count = reads.len();
        assert!(count > 10, "{count}");
        let of = |listed: Vec<_>| right(&Claims { count: listed.len(), listed: Some(listed) }, site, reads);
        let all: Vec<_> = reads.iter().map(|read| (read.at + TimeDelta::seconds(9), read.terminal)).collect();
        assert_eq!(of(all.clone()), count);
        assert_eq!(of([&all[..], &all[..]].concat()), count);
        assert_eq!(of(vec![(reads[0].at - TimeDelta::hours(9), reads[0].terminal)]), 0);
        assert_eq!(of(vec![(reads[0].at, TerminalId(uuid::Uuid::nil()))]), 0);
        assert_eq!(right(&Claims { count: count + 5, listed: None }, site, reads), count);
    }
}
