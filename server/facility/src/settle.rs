//! Counts attempts before they leave a bounded list: a tap together with its entries, an entry together with its tap.

use chrono::{DateTime, Utc};
use yomitori_proto::id::TerminalId;

use crate::attempt::{Attempt, EntryId};
use crate::bounds::{ENTRIES, TAPS};
use crate::facility::Facility;
use crate::rules::Rules;

/// Number of taps or entries that are removed together, because counting one takes the whole facility.
const AT_ONCE: usize = 12;

impl Facility {
    /// Counts and removes the attempts above the limits. The state of the test is kept.
    pub(crate) fn settle(&mut self, rules: &Rules, now: DateTime<Utc>) {
        while let Some((list, beyond)) = self.beyond() {
            let attempts = self.attempts(rules, |at| at <= now);
            if self.proof.is_none() && attempts.proof.is_some() {
                let began = attempts.proof.and_then(|proof| proof.from);
                let first = attempts.list.first().map(|attempt| attempt.at);
                if began.zip(first).is_some_and(|(began, first)| first <= began) {
                    self.settled.refute();
                }
                (self.proof, self.test) = (attempts.proof, attempts.test.rounded());
            }
            // Removal runs from the newest to the oldest, so the remaining indexes stay valid.
            let mut gone: Vec<EntryId> = Vec::new();
            for number in 0..beyond + AT_ONCE {
                let attempt = match list {
                    FullList::Taps(id) => {
                        let Some(terminal) = self.terminals.get_mut(&id) else { break };
                        let Some(place) = terminal.forget_oldest_tap() else { break };
                        attempts.list.iter().find(|attempt| attempt.terminal == Some(id) && attempt.tap == Some(place))
                    }
                    FullList::Entries(desk) => {
                        let entry = EntryId { desk, index: number };
                        let attempt = attempts.list.iter().find(|attempt| attempt.entries.contains(&entry));
                        if gone.contains(&entry) {
                            continue;
                        }
                        gone.push(entry);
                        attempt
                    }
                };
                if let Some(attempt) = attempt {
                    self.count(attempt, rules);
                    gone.extend(
                        attempt.entries.iter().filter(|entry| !gone.contains(entry)).copied().collect::<Vec<_>>(),
                    );
                }
            }
            gone.sort_unstable();
            for EntryId { desk, index } in gone.into_iter().rev() {
                match desk {
                    None => self.desk.settle(index),
                    Some(id) => {
                        if let Some(terminal) = self.terminals.get_mut(&id) {
                            terminal.desk.settle(index);
                        }
                    }
                }
            }
        }
    }

    /// A list above the limit, and the number of extra items.
    fn beyond(&self) -> Option<(FullList, usize)> {
        let entries = |count: usize| count.checked_sub(ENTRIES).filter(|beyond| *beyond > 0);
        if let Some(beyond) = entries(self.desk.entries().len()) {
            return Some((FullList::Entries(None), beyond));
        }
        self.terminals.iter().find_map(|(id, terminal)| {
            let taps = terminal.taps().count().checked_sub(TAPS).filter(|beyond| *beyond > 0);
            let taps = taps.map(|beyond| (FullList::Taps(*id), beyond));
            taps.or_else(|| Some((FullList::Entries(Some(*id)), entries(terminal.desk.entries().len())?)))
        })
    }

    /// Counts an attempt and removes its tap.
    fn count(&mut self, attempt: &Attempt, rules: &Rules) {
        self.settled.add(attempt.grade, attempt.at, rules);
        self.settled.tests = self.settled.tests.saturating_add(attempt.test.into());
        if let (None, Some(trial)) = (self.proof, attempt.trial().filter(|trial| trial.retried_at.is_none())) {
            let set = rules.at(trial.at);
            let before = self.test.run_from;
            self.test.add(trial, &trial.at_end(set), set);
            self.test = self.test.rounded();
            if self.test.run_from != before {
                self.settled.refute();
            }
        }
        if let (Some(id), Some(place)) = (attempt.terminal, attempt.tap)
            && let Some(terminal) = self.terminals.get_mut(&id)
        {
            terminal.forget_tap(place);
        }
    }
}

/// The list above the limit.
#[derive(Clone, Copy)]
enum FullList {
    Taps(TerminalId),
    /// Of a terminal's desk page, or of signed-in people.
    Entries(Option<TerminalId>),
}
