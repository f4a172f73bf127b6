//! A facility at one instant, with the rules and the calendar that judge it.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use yomitori_proto::id::TerminalId;

use crate::calendar::Calendar;
use crate::discrepancy::Flag;
use crate::due::LookAt;
use crate::equipment::Equipment;
use crate::evidence::{Eligible, Evidence, Total};
use crate::facility::Facility;
use crate::freshness::Freshness;
use crate::instant::local;
use crate::intent::Wish;
use crate::listing::Listing;
use crate::opt_out::{OptOutStatus, Process};
use crate::rules::{RuleSet, Rules};
use crate::terminal::Terminal;
use crate::text::Axis;

#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) facility: &'a Facility,
    pub(crate) rules: &'a Rules,
    /// The rules in force at the moment.
    pub(crate) set: &'a RuleSet,
    pub(crate) calendar: &'a Calendar,
    moment: &'a LookAt,
}

/// Every axis.
pub(crate) struct Axes {
    pub(crate) total: Total,
    pub(crate) equipment: Axis<Equipment>,
    pub(crate) evidence: Axis<Evidence>,
    pub(crate) eligible: Axis<Eligible>,
    pub(crate) intent: Axis<Wish>,
    pub(crate) opt_out: Axis<OptOutStatus>,
    pub(crate) listing: Axis<Listing>,
    pub(crate) process: Process,
    pub(crate) freshness: Axis<Freshness>,
}

impl<'a> View<'a> {
    pub(crate) fn new(facility: &'a Facility, rules: &'a Rules, calendar: &'a Calendar, moment: &'a LookAt) -> Self {
        for change in rules.changes() {
            moment.passed(change);
        }
        Self { facility, rules, set: rules.at(moment.now()), calendar, moment }
    }

    pub(crate) fn axes(&self) -> Axes {
        let total = self.total();
        let freshness = self.freshness();
        let equipment = self.equipment();
        let evidence = self.evidence(&total);
        let eligible = self.eligible(&total);
        let intent = self.intent();
        let listing = self.listing();
        let sights = self.facility.listings.sights(&self.facility.identity);
        let process = self.facility.opt_out.process(sights);
        let opt_out = self.opt_out(&process, &intent.value, &total, &listing.value);
        Axes { total, equipment, evidence, eligible, intent, opt_out, listing, process, freshness }
    }

    pub(crate) fn flags(&self, axes: &Axes) -> BTreeSet<Flag> {
        Flag::ALL.iter().copied().filter(|flag| self.stands(*flag, axes)).collect()
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.moment.now()
    }

    /// Whether `at` has passed. The instant is remembered as a possible time of change.
    pub(crate) fn passed(&self, at: DateTime<Utc>) -> bool {
        self.moment.passed(at)
    }

    /// Whether now is in [from, to).
    pub(crate) fn within(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
        self.passed(from) && !self.passed(to)
    }

    /// The terminals in use.
    pub(crate) fn terminals(&self) -> impl Iterator<Item = &'a Terminal> {
        self.named_terminals().map(|(_, terminal)| terminal)
    }

    /// The terminals in use, with their identifiers.
    pub(crate) fn named_terminals(&self) -> impl Iterator<Item = (TerminalId, &'a Terminal)> {
        let terminals = self.facility.terminals.iter().map(|(id, terminal)| (*id, terminal.as_ref()));
        terminals.filter(|(_, terminal)| terminal.retired_at().is_none())
    }

    /// A date in Japan.
    pub(crate) fn date(&self, at: DateTime<Utc>) -> String {
        local(at).format("%Y-%m-%d").to_string()
    }

    /// A date and minute in Japan.
    pub(crate) fn minute(&self, at: DateTime<Utc>) -> String {
        local(at).format("%Y-%m-%d %H:%M").to_string()
    }
}
