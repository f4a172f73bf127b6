//! Taps and result files of one terminal, and which file supports which tap.
//!
//! * One file supports at most one tap, one tap has at most one file: of all pairs within the window the nearest in time
//!   are joined first.
//! * The pairs are found anew from a bounded window whenever they are asked for, so the order of arrival has no influence.
//!   What leaves the window, by its place in the terminal's life and so by no clock, is settled.
//! * A pair across a step of the wall clock is no pair: the nearness would be the clock's, not the patient's.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::ReaderKey;
use yomitori_proto::vocabulary::ReadOutcome;

use crate::bounded;
use crate::cause;
use crate::evidence::Level;
use crate::instant::later;
use crate::rules::RuleSet;
use crate::seen::Place;

/// What is not settled yet, each ascending by place.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) taps: Vec<Tap>,
    files: Vec<File>,
    steps: Vec<Place>,
}

/// Something that may have been a phone lay on a reader that may be for phones.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Tap {
    pub(crate) place: Place,
    pub(crate) at: DateTime<Utc>,
    pub(crate) received_at: DateTime<Utc>,
    pub(crate) reader: ReaderKey,
    pub(crate) in_use: bool,
    pub(crate) mute: bool,
}

/// A face reader ended a transaction.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct File {
    pub(crate) place: Place,
    pub(crate) at: DateTime<Utc>,
    /// `at` is from the file's name, which has whole seconds.
    pub(crate) named: bool,
    pub(crate) outcome: ReadOutcome,
    pub(crate) error_code: Option<String>,
}

/// What became of a tap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Not on a reader for phones.
    Elsewhere,
    /// On the phone reader, and nothing came of it, or not yet.
    Alone,
    /// Its result says that it failed.
    Failed,
    Read(Level),
}

/// What left the window.
pub(crate) struct Settled {
    pub(crate) tap: Tap,
    pub(crate) verdict: Verdict,
}

const TAPS: usize = 48;
const FILES: usize = 48;
const STEPS: usize = 16;

impl Tap {
    /// When the phone was read: never after the server heard of it, whatever the terminal's clock says.
    pub(crate) fn read_at(&self) -> DateTime<Utc> {
        self.at.min(self.received_at)
    }
}

impl File {
    fn later_than(&self, tap: &Tap) -> Duration {
        let later = self.at - tap.at;
        // A name without fractions may lie up to a second before the tap that it belongs to.
        if self.named && later > Duration::seconds(-1) { later.max(Duration::zero()) } else { later }
    }

    /// How much the outcome says.
    const fn weight(&self) -> u8 {
        match self.outcome {
            ReadOutcome::Unknown => 0,
            ReadOutcome::InProgress => 1,
            ReadOutcome::NotRead => 2,
            ReadOutcome::Unreadable => 3,
            ReadOutcome::Error => 4,
            ReadOutcome::Ok => 5,
        }
    }

    fn verdict(&self) -> Verdict {
        match self.outcome {
            ReadOutcome::Ok => Verdict::Read(Level::HeaderConfirmed),
            // An expired insurance found through a phone is a read that worked.
            ReadOutcome::Error if self.error_code.as_deref().is_some_and(cause::code_means_read) => {
                Verdict::Read(Level::HeaderConfirmed)
            }
            ReadOutcome::Error => Verdict::Failed,
            ReadOutcome::Unknown | ReadOutcome::InProgress | ReadOutcome::NotRead | ReadOutcome::Unreadable => {
                Verdict::Read(Level::Correlated)
            }
        }
    }
}

impl Window {
    /// Whether a tap may make or change a pair.
    pub(crate) fn tap_touches(&self, tap: &Tap, set: &RuleSet) -> bool {
        let around = Around::new(tap.at, set);
        self.files.iter().any(|file| around.contains(file.at) && near(tap, file, set))
    }

    /// Whether a file may make or change a pair.
    pub(crate) fn file_touches(&self, file: &File, set: &RuleSet) -> bool {
        let around = Around::new(file.at, set);
        self.taps.iter().any(|tap| around.contains(tap.at) && near(tap, file, set))
    }

    /// Whether what is about to come in at `at` is newer than all that is here, and nothing near it has been shown for
    /// longer than the late window: then it can only add a pair, and corrects nothing.
    pub(crate) fn in_order(&self, place: Place, at: DateTime<Utc>, received_at: DateTime<Utc>, set: &RuleSet) -> bool {
        let around = Around::new(at, set);
        let shown_since = later(received_at, -(set.late_window + set.correlation_to));
        let newer_than = |tap: &Tap| {
            tap.place < place && tap.at <= at && (shown_since <= tap.received_at || !around.contains(tap.at))
        };
        self.taps.iter().all(newer_than) && self.files.iter().all(|file| file.place < place && file.at < at)
    }

    /// Takes in a tap.
    pub(crate) fn tap(&mut self, tap: Tap) {
        let (Ok(index) | Err(index)) = self.taps.binary_search_by_key(&tap.place, |other| other.place);
        self.taps.insert(index, tap);
    }

    /// Takes in a file. One file that is found twice is one file, and the finding that says most counts.
    pub(crate) fn file(&mut self, mut file: File) {
        let twin = |known: &File| file.named && known.named && known.at == file.at;
        if let Some(index) = self.files.iter().position(twin) {
            let known = self.files.remove(index);
            file.place = known.place.min(file.place);
            if (known.weight(), &known.error_code) > (file.weight(), &file.error_code) {
                (file.outcome, file.error_code) = (known.outcome, known.error_code);
            }
        }
        let (Ok(index) | Err(index)) = self.files.binary_search_by_key(&file.place, |other| other.place);
        self.files.insert(index, file);
    }

    /// Takes in a step of the wall clock.
    pub(crate) fn step(&mut self, place: Place) {
        bounded::insert(&mut self.steps, place, |place| *place, STEPS);
    }

    /// When the newest observation before `place` happened, where no step of the clock lies between.
    pub(crate) fn newest_at(&self, place: Place) -> Option<DateTime<Utc>> {
        let taps = self.taps.iter().map(|tap| (tap.place, tap.at));
        let files = self.files.iter().map(|file| (file.place, file.at));
        let others = taps.chain(files).filter(|(other, _)| *other != place && !self.stepped(*other, place));
        others.max_by_key(|(place, _)| *place).map(|(_, at)| at)
    }

    fn stepped(&self, one: Place, other: Place) -> bool {
        let (first, last) = (one.min(other), one.max(other));
        self.steps.iter().any(|step| first < *step && *step < last)
    }

    /// What became of each tap, and the file that says so.
    pub(crate) fn pairs<'a>(
        &self,
        phone_reader: impl Fn(&Tap) -> bool,
        rules: impl Fn(DateTime<Utc>) -> &'a RuleSet,
    ) -> Vec<(Verdict, Option<usize>)> {
        let mut verdicts = Vec::with_capacity(self.taps.len());
        let mut edges = Vec::new();
        for (tap_index, tap) in self.taps.iter().enumerate() {
            let on_phone_reader = phone_reader(tap);
            verdicts.push((if on_phone_reader { Verdict::Alone } else { Verdict::Elsewhere }, None));
            let set = rules(tap.at);
            if !on_phone_reader || tap.mute || (set.require_in_use && !tap.in_use) {
                continue;
            }
            let around = Around::new(tap.at, set);
            for (file_index, file) in self.files.iter().enumerate().filter(|(_, file)| around.contains(file.at)) {
                let ended = file.outcome != ReadOutcome::InProgress;
                if ended && near(tap, file, set) && !self.stepped(tap.place, file.place) {
                    edges.push((file.later_than(tap), tap.place, file.place, tap_index, file_index));
                }
            }
        }
        edges.sort_unstable();
        let mut taken = vec![false; self.files.len()];
        for (_, _, _, tap_index, file_index) in edges {
            if verdicts[tap_index].1.is_none() && !taken[file_index] {
                taken[file_index] = true;
                verdicts[tap_index] = (self.files[file_index].verdict(), Some(file_index));
            }
        }
        verdicts
    }

    pub(crate) fn full(&self) -> bool {
        self.too_many_taps() || self.files.len() > FILES
    }

    const fn too_many_taps(&self) -> bool {
        self.taps.len() > TAPS
    }

    /// Lets the oldest go, with what it is joined to, until the window is within its bounds.
    pub(crate) fn settle<'a>(
        &mut self,
        phone_reader: impl Fn(&Tap) -> bool,
        rules: impl Fn(DateTime<Utc>) -> &'a RuleSet,
        mut settled: impl FnMut(Settled),
    ) {
        while self.full() {
            // The usual case: a result without a phone, or a tap without a result.
            if !self.too_many_taps() && !self.file_touches(&self.files[0], rules(self.files[0].at)) {
                self.files.remove(0);
                continue;
            }
            if self.too_many_taps() && !self.tap_touches(&self.taps[0], rules(self.taps[0].at)) {
                let tap = self.taps.remove(0);
                let verdict = if phone_reader(&tap) { Verdict::Alone } else { Verdict::Elsewhere };
                settled(Settled { tap, verdict });
                continue;
            }
            let pairs = self.pairs(&phone_reader, &rules);
            let (tap, file) = if self.too_many_taps() {
                (Some(0), pairs[0].1)
            } else {
                (pairs.iter().position(|(_, file)| *file == Some(0)), Some(0))
            };
            if let Some(file) = file {
                self.files.remove(file);
            }
            if let Some(index) = tap {
                settled(Settled { tap: self.taps.remove(index), verdict: pairs[index].0 });
            }
        }
    }
}

/// The instants that are worth a closer look: comparing is much cheaper than subtracting.
struct Around(DateTime<Utc>, DateTime<Utc>);

impl Around {
    fn new(at: DateTime<Utc>, set: &RuleSet) -> Self {
        let margin = set.correlation_to + Duration::seconds(1);
        Self(later(at, -margin), later(at, margin))
    }

    fn contains(&self, at: DateTime<Utc>) -> bool {
        self.0 <= at && at <= self.1
    }
}

fn near(tap: &Tap, file: &File, set: &RuleSet) -> bool {
    let later = file.later_than(tap);
    set.correlation_from <= later && later <= set.correlation_to
}

#[cfg(test)]
mod tests;
