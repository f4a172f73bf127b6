//! The freshness axis: connected terminals, silence measured in opening days, gaps and holes.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::{CollectionLevel, GapSource, Way};

use crate::collection::SettingsStatus;
use crate::instant::later;
use crate::seen::Hole;
use crate::terminal::{Gap, Terminal, Versions};
use crate::text::{Axis, Text, Word as _};
use crate::view::View;
use crate::word::words;

/// The freshness axis.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "key", rename_all = "snake_case")]
pub enum Freshness {
    /// No terminal has reported yet.
    Waiting,
    Fresh,
    Stale {
        since: DateTime<Utc>,
    },
    Silent {
        since: DateTime<Utc>,
    },
    /// Fresh, but some recent data are missing.
    Gap {
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    },
}

words! {
    Freshness {
        Waiting = "waiting", "記録待ち", "waiting for the first report";
        Fresh = "fresh", "最新", "fresh";
        Stale = "stale", "古い", "stale";
        Silent = "silent", "途絶", "silent";
        Gap = "gap", "欠落あり", "with a gap";
    }
}

impl Freshness {
    /// Rank by the amount of missing data, then by its age: greater is worse.
    const fn rank(&self) -> (u8, i64) {
        match self {
            Self::Waiting => (0, 0),
            Self::Fresh => (1, 0),
            Self::Gap { to, .. } => (2, to.timestamp_micros()),
            Self::Stale { since } => (3, -since.timestamp_micros()),
            Self::Silent { since } => (4, -since.timestamp_micros()),
        }
    }
}

/// One terminal.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TerminalStatus {
    pub terminal: TerminalId,
    pub connected: bool,
    pub connected_since: Option<DateTime<Utc>>,
    pub last_heard_at: Option<DateTime<Utc>>,
    pub agent_version: Option<String>,
    /// The terminal's clock minus the server's.
    pub clock_offset_ms: i64,
    /// Connection route of the terminal; `None` if its agent is too old to report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
    /// The collection level that it reported last.
    pub collection: CollectionLevel,
    /// It has not received the limit, or has not applied it yet.
    pub collects_too_much: bool,
    pub settings: Option<SettingsStatus>,
    pub software: Option<Versions>,
    /// All observations before this instant have arrived.
    pub complete_until: Option<DateTime<Utc>>,
    /// Observations that were made and never arrived.
    pub holes: Vec<Hole>,
    /// Periods in which the agent reports that it could not collect.
    pub gaps: Vec<Gap>,
    pub last_boot_at: Option<DateTime<Utc>>,
    pub enrolled_at: Option<DateTime<Utc>>,
    pub retired_at: Option<DateTime<Utc>>,
    pub revoked: bool,
    /// The key of [`Freshness`] for this terminal alone.
    pub freshness: Cow<'static, str>,
    /// Time at which a sequence number was last used for a second observation: two machines use a copy of one spool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers_reused_at: Option<DateTime<Utc>>,
}

impl View<'_> {
    pub(crate) fn terminal_statuses(&self) -> Vec<TerminalStatus> {
        let terminals = self.facility.terminals.iter();
        terminals
            .map(|(id, terminal)| TerminalStatus {
                terminal: *id,
                connected: terminal.session.is_some(),
                connected_since: terminal.session.map(|(_, since)| since),
                last_heard_at: terminal.heard_at,
                agent_version: terminal.agent_version.clone(),
                clock_offset_ms: terminal.clock.offset_ms,
                way: Some(terminal.way).filter(|way| *way != Way::Unknown),
                collection: terminal.collecting.level(),
                collects_too_much: self.collects_too_much(&terminal.collecting),
                settings: terminal.collecting.settings(),
                software: terminal.versions.as_ref().map(|(_, versions)| versions.clone()),
                complete_until: terminal.complete_until(self.set),
                holes: terminal.holes(self.set),
                gaps: terminal.gaps(self.set),
                last_boot_at: terminal.booted_at(self.set),
                enrolled_at: terminal.enrolled_at(),
                retired_at: terminal.retired_at(),
                revoked: terminal.revoked,
                freshness: self.terminal_freshness(terminal).key().into(),
                numbers_reused_at: terminal.lives.reused_at(),
            })
            .collect()
    }

    pub(crate) fn connected(&self) -> bool {
        self.terminals().any(|terminal| terminal.session.is_some())
    }

    pub(crate) fn last_heard_at(&self) -> Option<DateTime<Utc>> {
        self.terminals().filter_map(|terminal| terminal.heard_at).max()
    }

    pub(crate) fn freshness(&self) -> Axis<Freshness> {
        let freshness = self.freshness_value();
        let why = self.freshness_why(&freshness);
        Axis::new(freshness, why)
    }

    /// The freshness of the worst terminal, because each terminal in use must report.
    fn freshness_value(&self) -> Freshness {
        let each = self.terminals().map(|terminal| self.terminal_freshness(terminal));
        // An enrolled terminal that has not reported yet doesn't hide the others.
        let heard = each.filter(|freshness| *freshness != Freshness::Waiting);
        heard.max_by_key(Freshness::rank).unwrap_or(Freshness::Waiting)
    }

    /// The freshness of one terminal.
    pub(crate) fn terminal_freshness(&self, terminal: &Terminal) -> Freshness {
        let Some(heard_at) = terminal.heard_at else { return Freshness::Waiting };
        if terminal.session.is_none() {
            let silence = self.after_maintenance(heard_at);
            if self.passed(self.after_opening_days(silence, self.set.silent_after_opening_days)) {
                return Freshness::Silent { since: heard_at };
            }
            if self.passed(self.after_opening_days(silence, self.set.stale_after_opening_days)) {
                return Freshness::Stale { since: heard_at };
            }
        }
        let gaps = terminal.gaps(self.set).into_iter().map(|gap| (gap.to, gap.from));
        let holes = terminal.holes(self.set).into_iter();
        let holes = holes.map(|hole| (hole.before, hole.after.unwrap_or(hole.before)));
        let shown = gaps.chain(holes).filter(|(to, _)| !self.passed(later(*to, self.set.gap_shown)));
        shown.max().map_or(Freshness::Fresh, |(to, from)| Freshness::Gap { from, to })
    }

    /// Opening days of this facility.
    pub(crate) fn after_opening_days(&self, at: DateTime<Utc>, count: u32) -> DateTime<Utc> {
        self.calendar.after_opening_days(at, count, &self.facility.closures)
    }

    /// The terminals in use that satisfy a condition.
    pub(crate) fn terminals_where(&self, holds: impl Fn(&Terminal) -> bool) -> Vec<TerminalId> {
        let named = self.named_terminals().filter(|(_, terminal)| holds(terminal));
        named.map(|(id, _)| id).collect()
    }

    /// Start of the silence that counts: a maintenance window excuses silence until its end if the silence began within
    /// it, or if it began before the silence was noticed.
    fn after_maintenance(&self, heard_at: DateTime<Utc>) -> DateTime<Utc> {
        let mut from = heard_at;
        for (begin, end) in self.facility.maintenance.iter() {
            let noticed_at = self.after_opening_days(from, self.set.stale_after_opening_days);
            if begin < noticed_at && from < *end && self.passed(begin) {
                from = *end;
            }
        }
        from
    }

    /// Whether a maintenance window is open now.
    pub(crate) fn in_maintenance(&self) -> bool {
        self.facility.maintenance.iter().any(|(from, to)| self.within(from, *to))
    }

    fn freshness_why(&self, freshness: &Freshness) -> Text {
        let heard = self.last_heard_at().map(|at| self.minute(at)).unwrap_or_default();
        match freshness {
            Freshness::Waiting if self.facility.terminals.values().any(|terminal| terminal.heard_at.is_some()) => {
                let newest = self.facility.terminals.values().filter_map(|terminal| terminal.heard_at).max();
                let heard = newest.map(|at| self.minute(at)).unwrap_or_default();
                Text::new(
                    format!("使用中の端末からはまだ記録がありません（撤去された端末の最後の記録は{heard}）。"),
                    format!("No terminal in use has reported; the last of a retired one was heard at {heard}."),
                )
            }
            Freshness::Waiting => {
                Text::fixed("まだどの端末からも記録が届いていません。", "No terminal has reported anything yet.")
            }
            Freshness::Fresh if self.terminals().all(|terminal| terminal.session.is_some()) => {
                Text::fixed("端末が接続しています。", "Every terminal is connected.")
            }
            Freshness::Fresh if self.connected() => Text::new(
                format!("接続している端末と、していない端末があります（最後の記録は{heard}）。"),
                format!("Some terminals are connected and some are not; the last was heard at {heard}."),
            ),
            Freshness::Fresh => Text::new(
                format!("端末は接続していませんが、{heard}に記録が届いています。"),
                format!("No terminal is connected; the last was heard at {heard}."),
            ),
            Freshness::Stale { since } | Freshness::Silent { since } => {
                let (heard, count) = (self.minute(*since), self.terminals().count());
                if count < 2 {
                    return Text::new(
                        format!("{heard}を最後に、診療日が過ぎても記録が届いていません。"),
                        format!("Nothing was heard since {heard}, although opening days have passed."),
                    );
                }
                Text::new(
                    format!("{count}台の端末のうち、{heard}を最後に診療日が過ぎても記録が届いていないものがあります。"),
                    format!("Of {count} terminals one was not heard since {heard}, although opening days have passed."),
                )
            }
            Freshness::Gap { from, to } => {
                let (from, to) = (self.minute(*from), self.minute(*to));
                let gaps = self.terminals().flat_map(|terminal| terminal.gaps(self.set));
                let reported = gaps.filter_map(|gap| gap.lost);
                // The missing sequence numbers may still arrive.
                let holes = self.terminals().flat_map(|terminal| terminal.holes(self.set));
                let missing = holes.map(|hole| (hole.to.0 - hole.from.0).saturating_add(1));
                let (lost, missing) =
                    [reported.fold(0, u64::saturating_add), missing.fold(0, u64::saturating_add)].into();
                Text::new(
                    format!(
                        "{from}から{to}まで記録が欠けています（失われた記録: {lost}件、届いていない記録: {missing}件）。"
                    ),
                    format!("Observations from {from} to {to} are missing ({lost} lost, {missing} not received)."),
                )
            }
        }
    }

    /// Whether a terminal recently lost observations that it had made.
    pub(crate) fn lost(&self, terminal: &Terminal) -> bool {
        let lost = |gap: &Gap| gap.source == GapSource::Spool || gap.lost.is_some_and(|lost| lost > 0);
        terminal
            .gaps(self.set)
            .iter()
            .filter(|gap| lost(gap))
            .any(|gap| !self.passed(later(gap.to, self.set.gap_shown)))
    }
}

#[cfg(test)]
mod tests {
    use chrono::{TimeDelta, Utc};
    use yomitori_proto::event::{Event, MaintenanceWindowSet, Recorded};

    use crate::{Calendar, Facility, Rules, Word as _, due, status};

    #[test]
    fn maintenance_excuses_a_silence_only_before_it_was_noticed() {
        let (rules, calendar) = (Rules::bundled(), Calendar::bundled());
        let lines = include_str!("../tests/facility/scenarios/silence.jsonl").lines();
        let facts: Vec<Recorded> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        let left =
            facts.iter().rposition(|recorded| recorded.received_at.to_rfc3339().starts_with("2026-05-01T")).unwrap();
        let mut silent = Facility::new(facts[0].facility);
        facts[..=left].iter().for_each(|recorded| silent.apply(recorded, &rules));
        let key = |facility: &Facility, at| status(facility, &rules, &calendar, at).freshness.value.key();
        let mut noticed_at = facts[left].received_at;
        while key(&silent, noticed_at) == "fresh" {
            noticed_at = due(&silent, &rules, &calendar, noticed_at).unwrap();
        }
        assert_eq!(key(&silent, noticed_at), "stale");
        for (before, expected) in [(TimeDelta::zero(), "stale"), (TimeDelta::seconds(1), "fresh")] {
            let mut window = facts[0].clone();
            window.received_at = noticed_at;
            let (from, to) = (noticed_at - before, noticed_at + TimeDelta::days(10));
            window.event = Event::MaintenanceWindowSet(MaintenanceWindowSet { from, to });
            let mut facility = silent.clone();
            facility.apply(&window, &rules);
            let later: chrono::DateTime<Utc> = noticed_at + TimeDelta::seconds(1);
            assert_eq!(key(&facility, later), expected, "it begins {before} earlier");
        }
    }
}
