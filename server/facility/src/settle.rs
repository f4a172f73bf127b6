//! What leaves a list that has a limit is counted first: a tap with its entries, an entry with its tap.

use chrono::{DateTime, Utc};
use yomitori_proto::id::TerminalId;

use crate::attempt::{Attempt, EntryId};
use crate::facility::Facility;
use crate::rules::Rules;

impl Facility {
    /// Lets go what is beyond the bounds. What is known of chance by then stays known.
    pub(crate) fn settle(&mut self, rules: &Rules, now: DateTime<Utc>) {
        while let Some(oldest) = self.beyond() {
            let attempts = self.attempts(rules, |at| at <= now);
            if self.proof.is_none() && attempts.proof.is_some() {
                let began = attempts.proof.and_then(|proof| proof.from);
                let first = attempts.list.first().map(|attempt| attempt.at);
                if began.zip(first).is_some_and(|(began, first)| first <= began) {
                    self.settled.refute();
                }
                (self.proof, self.test) = (attempts.proof, attempts.test.rounded());
            }
            let holds = |attempt: &&Attempt| match oldest {
                Oldest::Tap(terminal) => {
                    let place = self.terminals.get(&terminal).and_then(|terminal| terminal.taps().next());
                    attempt.terminal == Some(terminal)
                        && attempt.tap.is_some()
                        && attempt.tap == place.map(|tap| tap.stamp.place)
                }
                Oldest::Entry(desk) => attempt.entries.contains(&EntryId { desk, index: 0 }),
            };
            match attempts.list.iter().find(holds).cloned() {
                Some(attempt) => self.count(&attempt, rules),
                None => self.drop_oldest(oldest),
            }
        }
    }

    fn beyond(&self) -> Option<Oldest> {
        if self.desk.too_many() {
            return Some(Oldest::Entry(None));
        }
        self.terminals.iter().find_map(|(id, terminal)| {
            if terminal.too_many_taps() {
                Some(Oldest::Tap(*id))
            } else {
                terminal.desk.too_many().then_some(Oldest::Entry(Some(*id)))
            }
        })
    }

    /// Counts an attempt and lets go what it consists of.
    fn count(&mut self, attempt: &Attempt, rules: &Rules) {
        self.settled.add(attempt.grade, attempt.at, rules);
        self.settled.tests = self.settled.tests.saturating_add(attempt.test.into());
        if let (None, Some(trial)) = (self.proof, attempt.trial()) {
            let set = rules.at(trial.at);
            let before = self.test.run_from;
            self.test.add(trial, &trial.at_end(set), set);
            self.test = self.test.rounded();
            if self.test.run_from != before {
                self.settled.refute();
            }
        }
        let mut entries = attempt.entries.clone();
        entries.sort_unstable();
        for EntryId { desk, index } in entries.into_iter().rev() {
            match desk {
                None => self.desk.settle(index),
                Some(terminal) => {
                    if let Some(terminal) = self.terminals.get_mut(&terminal) {
                        terminal.desk.settle(index);
                    }
                }
            }
        }
        if let (Some(id), Some(place)) = (attempt.terminal, attempt.tap)
            && let Some(terminal) = self.terminals.get_mut(&id)
        {
            terminal.forget_tap(place);
        }
    }

    /// What is no attempt: a tap elsewhere, a fallback without a tap, what a retired terminal sent.
    fn drop_oldest(&mut self, oldest: Oldest) {
        match oldest {
            Oldest::Entry(None) => self.desk.settle(0),
            Oldest::Entry(Some(id)) => {
                if let Some(terminal) = self.terminals.get_mut(&id) {
                    terminal.desk.settle(0);
                }
            }
            Oldest::Tap(id) => {
                if let Some(terminal) = self.terminals.get_mut(&id) {
                    let place = terminal.taps().next().map(|tap| tap.stamp.place);
                    place.into_iter().for_each(|place| terminal.forget_tap(place));
                }
            }
        }
    }
}

/// What is too much: the oldest of it goes.
#[derive(Clone, Copy)]
enum Oldest {
    Tap(TerminalId),
    /// Of a terminal's desk page, or of signed-in people.
    Entry(Option<TerminalId>),
}
