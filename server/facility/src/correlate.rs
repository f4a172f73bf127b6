//! Taps and result files of one terminal, and the pairs that they may form.
//!
//! * One file supports at most one tap, and one tap has at most one file. Taps as long as a phone's come first; among
//!   the pairs within the window, the nearest in time are joined first.
//! * The pairs are derived on every call from a bounded window, so the order of arrival has no influence. When a file
//!   leaves the window, the taps near it keep their pairs.
//! * A pair on two sides of a clock step is rejected: its nearness in time would be an effect of the clock.
//!
//! Whether a pair is a read is decided in `attempt` and `weigh`.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::ReaderKey;
use yomitori_proto::vocabulary::{ReadOutcome, ReaderRole};

use crate::bounds::{FILES, TAPS};
use crate::cause;
use crate::instant::later;
use crate::rules::RuleSet;
use crate::seen::SeqPosition;
use crate::stamp::{Clock, Stamp};

/// Half an hour: whatever lies on a reader for longer belongs to no result.
const LONGEST_MS: u32 = 30 * 60 * 1_000;

/// The newest taps and files, each ascending by position.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Window {
    pub(crate) taps: Vec<Tap>,
    files: Vec<File>,
}

/// A medium that may be a phone lay on a reader that may be for phones.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Tap {
    pub(crate) stamp: Stamp,
    pub(crate) reader: ReaderKey,
    /// Duration of the tap; 0 if the agent doesn't report it.
    pub(crate) present_ms: u32,
    pub(crate) in_use: bool,
    pub(crate) mute: bool,
    /// The reader's role in the terminal's configuration, and the position of that observation.
    pub(crate) configured: Option<(SeqPosition, ReaderRole)>,
    /// The reader's role as assigned by a person before the tap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) assigned: Option<(DateTime<Utc>, ReaderRole)>,
    /// Number of results in the half hour before the tap (`unrelated_window_s`).
    pub(crate) results_before: u16,
    /// Average number of results in the half hour before a result of this desk, in hundredths. A desk that has just
    /// opened is as busy as usual, although it has no results yet.
    pub(crate) usual_hundredths: u32,
    /// Result files are not watched, so none can be joined.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) blind: bool,
    /// The match at the time at which a file near the tap left the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) settled: Option<Match>,
}

/// A face reader completed a transaction.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct File {
    pub(crate) place: SeqPosition,
    #[serde(with = "chrono::serde::ts_microseconds")]
    pub(crate) at: DateTime<Utc>,
    /// `at` is from the file's name, which has whole seconds.
    pub(crate) named: bool,
    pub(crate) outcome: ReadOutcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error_code: Option<String>,
    /// Differs between two files of one second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tag: Option<u16>,
    /// A settled tap is joined to it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) taken: bool,
}

/// The result files found for a tap.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Match {
    pub(crate) result: ResultOf,
    /// Delay of the joined file after the tap.
    pub(crate) delay_ms: Option<u32>,
    /// Delays of all files in the tap's window that no other tap is joined to, ascending.
    pub(crate) near_ms: Vec<u32>,
}

/// The outcome in the joined file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResultOf {
    /// No file is joined.
    #[default]
    None,
    /// A file is joined, and its contents were not read.
    Unread,
    /// The header reports success.
    Confirmed,
    /// The header reports a failure.
    Failed,
}

impl Tap {
    /// The reader's role.
    pub(crate) fn role(&self) -> ReaderRole {
        let assigned = self.assigned.map(|(_, role)| role);
        assigned.or_else(|| self.configured.map(|(_, role)| role)).unwrap_or_default()
    }

    /// Whether the tap was shorter than a phone's.
    pub(crate) fn too_short(&self, set: &RuleSet) -> bool {
        0 < self.present_ms && u64::from(self.present_ms) < set.phone_present_ms
    }

    /// Whether something lay there for longer than a phone does, such as a card that was forgotten, or a reader that
    /// reports a card which is gone.
    pub(crate) const fn too_long(&self) -> bool {
        self.present_ms > LONGEST_MS
    }

    /// Whether the tap can be joined to a file.
    fn may_match(&self, set: &RuleSet) -> bool {
        self.role() == ReaderRole::Phone && !self.mute && !self.too_long() && (self.in_use || !set.require_in_use)
    }

    const fn at(&self) -> DateTime<Utc> {
        self.stamp.at
    }

    const fn place(&self) -> SeqPosition {
        self.stamp.place
    }
}

impl File {
    fn later_than(&self, at: DateTime<Utc>) -> Duration {
        let later = self.at - at;
        // A name without fractional seconds may lie up to one second before its tap.
        if self.named && later > Duration::seconds(-1) { later.max(Duration::zero()) } else { later }
    }

    /// Rank of the outcome by how much it reveals.
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

    fn result(&self) -> ResultOf {
        match self.outcome {
            ReadOutcome::Ok => ResultOf::Confirmed,
            // The phone was read, but the insurance has expired.
            ReadOutcome::Error if self.error_code.as_deref().is_some_and(cause::code_means_read) => ResultOf::Confirmed,
            ReadOutcome::Error => ResultOf::Failed,
            ReadOutcome::Unknown | ReadOutcome::InProgress | ReadOutcome::NotRead | ReadOutcome::Unreadable => {
                ResultOf::Unread
            }
        }
    }
}

impl Window {
    /// Whether a tap may form or change a pair.
    pub(crate) fn tap_touches(&self, at: DateTime<Utc>, set: &RuleSet) -> bool {
        self.files.iter().any(|file| near(at, file, set))
    }

    /// Whether a tap may have a file.
    pub(crate) fn may_be_joined(&self, tap: &Tap, set: &RuleSet) -> bool {
        tap.settled.as_ref().map_or_else(|| self.tap_touches(tap.at(), set), |found| found.delay_ms.is_some())
    }

    /// Whether a file at `at` may affect a tap: as a pair, or by showing how busy the desk was before it.
    pub(crate) fn file_matters(&self, at: DateTime<Utc>, set: &RuleSet) -> bool {
        let from = later(at, -(set.correlation_to + Duration::seconds(1)));
        let to = later(at, set.unrelated_window.max(Duration::seconds(1)));
        self.taps.iter().any(|tap| from <= tap.stamp.at && tap.stamp.at <= to)
    }

    /// Whether an arrival at `at` is newer than everything in the window, and no tap near it has been shown for longer
    /// than the late window. Such an arrival can only add a pair, so it corrects nothing.
    pub(crate) fn in_order(&self, place: SeqPosition, at: DateTime<Utc>, now: DateTime<Utc>, set: &RuleSet) -> bool {
        let around = NearWindow::new(at, set);
        let shown_since = later(now, -(set.late_window + set.correlation_to));
        let newer_than = |tap: &Tap| {
            tap.place() < place
                && tap.at() <= at
                && (shown_since <= tap.stamp.received_at || !around.contains(tap.at()))
        };
        // A file's name has whole seconds: a tap may come up to one second after its file.
        let begun = |file: &File| later(file.at, Duration::seconds(file.named.into())) <= at;
        self.taps.iter().all(newer_than)
            && self.files.iter().all(|file| file.place < place && file.at < at && begun(file))
    }

    pub(crate) fn files(&self) -> &[File] {
        &self.files
    }

    /// Adds a tap.
    pub(crate) fn tap(&mut self, mut tap: Tap, set: &RuleSet) {
        tap.usual_hundredths = usual(&self.files, tap.place(), set);
        let from = later(tap.at(), -set.unrelated_window);
        let before = self.files.iter().filter(|file| from <= file.at && file.at < tap.at()).count();
        tap.results_before = u16::try_from(before).unwrap_or(u16::MAX);
        let (Ok(index) | Err(index)) = self.taps.binary_search_by_key(&tap.place(), Tap::place);
        self.taps.insert(index, tap);
    }

    /// Adds a file. Two observations of the same file count once, with the more informative outcome.
    pub(crate) fn file(&mut self, mut file: File, set: &RuleSet) {
        let twin = |known: &File| file.named && known.named && (known.at, known.tag) == (file.at, file.tag);
        if let Some(index) = self.files.iter().position(twin) {
            let known = self.files.remove(index);
            file.place = known.place.min(file.place);
            if (known.weight(), &known.error_code) > (file.weight(), &file.error_code) {
                (file.outcome, file.error_code) = (known.outcome, known.error_code);
            }
        } else if self.file_matters(file.at, set) {
            let until = later(file.at, set.unrelated_window);
            for tap in self.taps.iter_mut().filter(|tap| file.at < tap.stamp.at && tap.stamp.at <= until) {
                tap.results_before = tap.results_before.saturating_add(1);
            }
        }
        let place = file.place;
        let (Ok(index) | Err(index)) = self.files.binary_search_by_key(&place, |other| other.place);
        self.files.insert(index, file);
        // A late file changes how busy the desk was.
        let Self { taps, files } = self;
        for tap in taps.iter_mut().filter(|tap| place < tap.stamp.place && tap.settled.is_none()) {
            tap.usual_hundredths = usual(files, tap.stamp.place, set);
        }
    }

    /// Time of the newest observation, other than the one at `place`, that no clock step separates from it.
    pub(crate) fn newest_at(&self, place: SeqPosition, clock: &Clock) -> Option<DateTime<Utc>> {
        let taps = self.taps.iter().map(|tap| (tap.place(), tap.at()));
        let files = self.files.iter().map(|file| (file.place, file.at));
        let others = taps.chain(files).filter(|(other, _)| *other != place && !clock.stepped(*other, place));
        others.max_by_key(|(place, _)| *place).map(|(_, at)| at)
    }

    /// The match of each tap. Taps with the least `worth` come first.
    pub(crate) fn matches<'a>(
        &self,
        clock: &Clock,
        worth: impl Fn(&Tap) -> u8,
        rules: impl Fn(DateTime<Utc>) -> &'a RuleSet,
    ) -> Vec<Match> {
        self.joined(clock, worth, rules).0
    }

    /// The matches, and the tap of each file.
    fn joined<'a>(
        &self,
        clock: &Clock,
        worth: impl Fn(&Tap) -> u8,
        rules: impl Fn(DateTime<Utc>) -> &'a RuleSet,
    ) -> (Vec<Match>, Vec<Option<usize>>) {
        let mut matches: Vec<Match> = self.taps.iter().map(|tap| tap.settled.clone().unwrap_or_default()).collect();
        let mut edges = Vec::new();
        for (tap_index, tap) in self.taps.iter().enumerate().filter(|(_, tap)| tap.settled.is_none()) {
            let set = rules(tap.at());
            if !tap.may_match(set) {
                continue;
            }
            for (file_index, file) in self.files.iter().enumerate() {
                let free = file.outcome != ReadOutcome::InProgress && !file.taken;
                if free && near(tap.at(), file, set) && !clock.stepped(tap.place(), file.place) {
                    let delay = file.later_than(tap.at());
                    edges.push((worth(tap), delay, tap.place(), file.place, tap_index, file_index));
                }
            }
        }
        edges.sort_unstable();
        let mut taken = vec![None; self.files.len()];
        for (_, delay, _, _, tap, file) in &edges {
            if matches[*tap].delay_ms.is_none() && taken[*file].is_none() {
                taken[*file] = Some(*tap);
                matches[*tap].result = self.files[*file].result();
                matches[*tap].delay_ms = Some(milliseconds(*delay));
            }
        }
        for (_, delay, _, _, tap, file) in &edges {
            if taken[*file].is_none_or(|taken| taken == *tap) {
                matches[*tap].near_ms.push(milliseconds(*delay));
            }
        }
        for found in &mut matches {
            found.near_ms.sort_unstable();
        }
        (matches, taken)
    }

    /// Whether there are too many taps. Several are then settled together, because counting one takes the whole
    /// facility.
    pub(crate) const fn too_many_taps(&self) -> bool {
        self.taps.len() > TAPS
    }

    /// Removes the oldest files in a batch. The taps near them keep their pairs.
    pub(crate) fn settle_files<'a>(
        &mut self,
        clock: &Clock,
        worth: impl Fn(&Tap) -> u8,
        rules: impl Fn(DateTime<Utc>) -> &'a RuleSet,
    ) {
        if self.files.len() <= FILES {
            return;
        }
        let going = &self.files[..AT_ONCE];
        let settles = |tap: &Tap| {
            let set = rules(tap.at());
            tap.settled.is_none() && going.iter().any(|file| near(tap.at(), file, set))
        };
        let indexes: Vec<usize> = (0..self.taps.len()).filter(|index| settles(&self.taps[*index])).collect();
        // The usual case: results without a phone.
        if !indexes.is_empty() {
            let (mut matches, taken) = self.joined(clock, &worth, &rules);
            for (file, tap) in self.files.iter_mut().zip(taken) {
                file.taken |= tap.is_some_and(|tap| indexes.contains(&tap));
            }
            for index in indexes {
                self.taps[index].settled = Some(std::mem::take(&mut matches[index]));
            }
        }
        self.files.drain(..AT_ONCE);
    }
}

/// Number of files that are removed together, because finding the taps near them takes all taps.
const AT_ONCE: usize = 16;

/// For the files before `place`: the average number of other files in the half hour before each, in hundredths.
fn usual(files: &[File], place: SeqPosition, set: &RuleSet) -> u32 {
    let before = &files[..files.partition_point(|file| file.place < place)];
    let within = |later: &File, file: &File| file.at < later.at && later.at - file.at <= set.unrelated_window;
    let pairs: usize = before.iter().map(|later| before.iter().filter(|file| within(later, file)).count()).sum();
    let average = (pairs * 100).checked_div(before.len()).unwrap_or_default();
    u32::try_from(average).unwrap_or(u32::MAX)
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.num_milliseconds()).unwrap_or_default()
}

/// A cheap filter for the exact check: comparing instants is much faster than subtracting them.
struct NearWindow(DateTime<Utc>, DateTime<Utc>);

impl NearWindow {
    fn new(at: DateTime<Utc>, set: &RuleSet) -> Self {
        let margin = set.correlation_to + Duration::seconds(1);
        Self(later(at, -margin), later(at, margin))
    }

    fn contains(&self, at: DateTime<Utc>) -> bool {
        self.0 <= at && at <= self.1
    }
}

fn near(tap_at: DateTime<Utc>, file: &File, set: &RuleSet) -> bool {
    let later = file.later_than(tap_at);
    set.correlation_from <= later && later <= set.correlation_to
}

#[cfg(test)]
mod tests;
