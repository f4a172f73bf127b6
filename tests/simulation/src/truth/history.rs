//! A site's history over some months: facts in order of arrival, and the ledger of the real events.

use std::io::{self, Write};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use yomitori_proto::event::{Event, FacilityRegistered, Origin, Recorded, Stated, TerminalEnrolled};

use super::assumptions::Assumptions;
use super::day::{Living, Mark};
use super::ledger::{Ledger, Read};
use super::site::Site;
use super::{calendar, transport};
use crate::fleet::facility;

/// Start and length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stretch {
    pub first: NaiveDate,
    pub days: u64,
}

/// See the head of this file.
#[derive(Clone, PartialEq, Debug)]
pub struct History {
    pub site: Site,
    pub facts: Vec<Recorded>,
    pub ledger: Ledger,
    /// The end of the last day, when everything has arrived.
    pub ends: DateTime<Utc>,
}

impl History {
    /// The life of a site that is drawn by `seed`. `choose` may change the site before its life begins.
    #[must_use]
    pub fn new(assumptions: &Assumptions, seed: u64, stretch: Stretch, choose: impl FnOnce(&mut Site)) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut site = Site::draw(assumptions, &mut rng);
        choose(&mut site);
        let mut living = Living::new(site.clone(), assumptions.clone(), seed ^ 0x5bd1_e995);
        let dates = stretch.first.iter_days().take(usize::try_from(stretch.days).unwrap_or(usize::MAX));
        let mut days: Vec<_> = dates.map(|date| living.day(date)).collect();
        let arrived = transport::carry(&site, assumptions, &mut days, &mut rng);

        let mut facts = introduced(&site, seed, stretch.first);
        facts.reserve(arrived.len());
        for arrived in arrived {
            let heard_at = Some(arrived.recorded.received_at);
            match arrived.mark {
                Some((day, Mark::Result(read))) => days[day].reads[read].heard_at = heard_at,
                Some((day, Mark::Attested(read))) => days[day].reads[read].attestation_heard_at = heard_at,
                None => {}
            }
            facts.push(arrived.recorded);
        }
        let mut ledger = Ledger {
            kind: site.kind,
            seed,
            phones_work: site.phones_work,
            reads: days.iter_mut().flat_map(|day| std::mem::take(&mut day.reads)).collect(),
            failures: days.into_iter().flat_map(|day| day.failures).collect(),
        };
        ledger.reads.sort_by_key(|read: &Read| read.at);
        ledger.failures.sort_by_key(|failure| failure.at);
        let over = calendar::at(stretch.first + Days::new(stretch.days), 0.0);
        let ends = facts.last().map_or(over, |last| over.max(last.received_at + TimeDelta::minutes(5)));
        Self { site, facts, ledger, ends }
    }

    /// Writes the facts in the format of `explain --events`.
    ///
    /// # Errors
    /// If `out` can't be written.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        for recorded in &self.facts {
            serde_json::to_writer(&mut *out, recorded)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// Registration and enrolment on the evening before.
fn introduced(site: &Site, seed: u64, first: NaiveDate) -> Vec<Recorded> {
    let at = calendar::at(first - Days::new(1), 18.0);
    let invented = facility::invent(1, seed).remove(0);
    let registered = FacilityRegistered {
        moved_at: None,
        correction: false,
        name: invented.name,
        prefecture: format!("{:02}", invented.prefecture.number()),
        codes: vec![invented.codes[0].to_string()],
        address: Some(invented.address),
    };
    let enrolled = site.stations.iter().map(|station| TerminalEnrolled { terminal: station.terminal }.into());
    let said = |(number, event): (i64, Event)| {
        let stated_at = at + TimeDelta::minutes(number);
        let stated = Stated { by: "truth".to_owned(), why: None, stated_at, id: None };
        Recorded { facility: site.facility, received_at: stated_at, origin: Origin::Person(stated), event }
    };
    (0..).zip(std::iter::once(registered.into()).chain(enrolled)).map(said).collect()
}
