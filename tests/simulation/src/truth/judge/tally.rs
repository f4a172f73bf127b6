//! The sum of verdicts.

use super::Verdict;
use crate::truth::site::Kind;

/// A part of a whole.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Part {
    pub good: usize,
    pub of: usize,
}

/// See the head of this file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    pub histories: usize,
    pub reads: usize,
    pub claimed: usize,
    pub right: usize,
    /// Of the sites called eligible, those where a phone was read.
    pub eligible: Part,
    /// Of the sites where a phone was read, those called eligible.
    pub found: Part,
    /// Of the sites where phones never work, those called eligible.
    pub never: Part,
    pub after_third: Part,
    /// At quiet clinics only.
    pub after_first: Part,
    pub after_attested: Part,
}

impl Part {
    const fn add(&mut self, good: bool) {
        self.of += 1;
        self.good += good as usize;
    }

    fn take(&mut self, other: Self) {
        self.of += other.of;
        self.good += other.good;
    }

    /// In percent; `None` if the whole is empty.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    pub fn percent(self) -> Option<f64> {
        (self.of > 0).then(|| 100.0 * self.good as f64 / self.of as f64)
    }
}

impl Tally {
    pub fn add(&mut self, verdict: &Verdict) {
        self.histories += 1;
        self.reads += verdict.reads;
        self.claimed += verdict.claimed;
        self.right += verdict.right;
        if verdict.eligible {
            self.eligible.add(verdict.reads > 0);
        }
        if verdict.reads > 0 {
            self.found.add(verdict.eligible);
        }
        if !verdict.phones_work {
            self.never.add(verdict.eligible);
        }
        let quiet = verdict.kind == Kind::QuietClinic;
        let asked = [
            (&mut self.after_third, verdict.after_third),
            (&mut self.after_first, verdict.after_first.filter(|_| quiet)),
            (&mut self.after_attested, verdict.after_attested),
        ];
        for (part, answer) in asked {
            answer.into_iter().for_each(|good| part.add(good));
        }
    }

    /// Adds another tally.
    pub fn take(&mut self, other: &Self) {
        self.histories += other.histories;
        self.reads += other.reads;
        self.claimed += other.claimed;
        self.right += other.right;
        self.eligible.take(other.eligible);
        self.found.take(other.found);
        self.never.take(other.never);
        self.after_third.take(other.after_third);
        self.after_first.take(other.after_first);
        self.after_attested.take(other.after_attested);
    }

    #[must_use]
    pub const fn precision(&self) -> Part {
        Part { good: self.right, of: self.claimed }
    }

    #[must_use]
    pub const fn recall(&self) -> Part {
        Part { good: self.right, of: self.reads }
    }
}
