//! Read attempts: taps, result files and desk entries are joined, so that each read and each failure counts once, with
//! its strongest evidence.
//!
//! * An attested read, a failure or a fallback is joined to the nearest tap in time, one to one. A signed-in person's
//!   statement of a read that the desk page has already attested is the same read.
//! * A pair of tap and file is a read only if nothing else explains the file: see [`Doubt`], and `weigh` for chance.
//!
//! The attempts are derived on every call and not stored. An attempt is counted before it leaves a bounded list: see
//! `settle`.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::id::TerminalId;
use yomitori_proto::vocabulary::ReaderRole;

use crate::correlate::{Match, ResultOf, Tap};
use crate::desk::{DeskEntry, DeskEntryKind};
use crate::evidence::{Doubt, Grade, Level};
use crate::facility::Facility;
use crate::instant::later;
use crate::rules::{RuleSet, Rules};
use crate::seen::SeqPosition;
use crate::terminal::Terminal;
use crate::weigh::{Test, Trial, Weight};

/// One attempt to read a phone.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Attempt {
    /// By the server's clock.
    pub(crate) at: DateTime<Utc>,
    /// Time at which the server learned of it.
    pub(crate) known_at: DateTime<Utc>,
    pub(crate) terminal: Option<TerminalId>,
    /// `None` if only people saw it.
    pub(crate) tap: Option<SeqPosition>,
    pub(crate) grade: Grade,
    pub(crate) doubt: Option<Doubt>,
    /// The tap was too short for a phone, no result followed, or a person reported the failure.
    pub(crate) failed: Failure,
    pub(crate) mute: bool,
    pub(crate) in_use: bool,
    /// A technician's test.
    pub(crate) test: bool,
    /// The entries that belong to the attempt.
    pub(crate) entries: Vec<EntryId>,
    trial: Option<Trial>,
}

/// Whether an attempt failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    No,
    Yes,
    /// Failed if no result arrives until then.
    From(DateTime<Utc>),
}

/// An entry of one desk: `desk` is a terminal, or `None` for signed-in people.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct EntryId {
    pub(crate) desk: Option<TerminalId>,
    pub(crate) index: usize,
}

/// Phones work here. `at` is the read that proved it; pairs count from `from` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Proof {
    pub(crate) at: DateTime<Utc>,
    pub(crate) from: Option<DateTime<Utc>>,
    /// A person attested the read.
    #[serde(default)]
    pub(crate) attested: bool,
}

/// The attempts that are kept individually, ascending.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Attempts {
    pub(crate) list: Vec<Attempt>,
    pub(crate) proof: Option<Proof>,
    /// State of the test after all of them.
    pub(crate) test: Test,
}

/// An attempt and its level.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct GradedAttempt {
    pub(crate) at: DateTime<Utc>,
    /// Time at which the server learned of it.
    pub(crate) known_at: DateTime<Utc>,
    pub(crate) level: Level,
}

/// Identifies an attempt while it is kept: its tap, or the instant of its desk entry and the index among the entries of
/// that instant.
pub(crate) type AttemptKey = (Option<TerminalId>, Option<SeqPosition>, DateTime<Utc>, usize);

impl Facility {
    /// The attempts that are kept. `passed` reports whether an instant has passed.
    pub(crate) fn attempts(&self, rules: &Rules, passed: impl Fn(DateTime<Utc>) -> bool) -> Attempts {
        let mut list = Vec::new();
        for (id, terminal) in &self.terminals {
            let first = list.len();
            let matches = terminal.matches(rules);
            let made =
                matches.into_iter().filter_map(|(tap, found)| attempt(*id, terminal, tap, found, rules, &passed));
            list.extend(made);
            let retries = retries(terminal, &list[first..], rules);
            for (attempt, retried_at) in list[first..].iter_mut().zip(retries) {
                if let Some(trial) = &mut attempt.trial {
                    trial.retried_at = retried_at;
                }
            }
            attach(&mut list, first, Some(*id), terminal.desk.entries(), rules, |at| terminal.counts(at));
        }
        attach(&mut list, 0, None, self.desk.entries(), rules, |_| true);
        list.sort_by_key(|attempt| (attempt.at, attempt.terminal, attempt.tap));
        let (proof, test) = self.weighed(&list, rules, passed);
        for attempt in &mut list {
            let clean = matches!(attempt.grade, Grade::Clean | Grade::CleanConfirmed);
            let counts = proof.is_some_and(|proof| proof.from.is_none_or(|from| from <= attempt.at));
            if clean && !counts {
                attempt.doubt = Some(Doubt::Chance);
                if proof.is_some() {
                    attempt.grade = Grade::Doubtful;
                }
            }
        }
        Attempts { list, proof, test }
    }

    /// The proof that phones work here, and the state of the test.
    fn weighed(
        &self,
        list: &[Attempt],
        rules: &Rules,
        passed: impl Fn(DateTime<Utc>) -> bool,
    ) -> (Option<Proof>, Test) {
        if let Some(proof) = self.proof {
            return (Some(proof), self.test);
        }
        let attested = list.iter().find(|attempt| attempt.grade == Grade::Attested);
        let attested = attested.map(|attempt| Proof { at: attempt.at, from: None, attested: true });
        let trials: Vec<&Trial> = list.iter().filter_map(|attempt| attempt.trial.as_ref()).collect();
        let mut test = self.test;
        let mut proof = None;
        // Each instant at which information became known: a result arrived, or the window of a tap ended.
        let mut looks: Vec<(DateTime<Utc>, usize)> = Vec::with_capacity(2 * trials.len());
        for (index, trial) in trials.iter().enumerate() {
            let end = rules.at(trial.at).over_at(trial.at);
            if let Some(delay) = trial.delay_ms {
                looks.push((later(trial.at, Duration::milliseconds(delay.into())), index));
            }
            if passed(end) {
                looks.push((end, index));
            }
        }
        looks.sort_unstable();
        let ends_by = |trial: &Trial, now: DateTime<Utc>| rules.at(trial.at).over_at(trial.at) <= now;
        let mut ended = 0;
        for (now, index) in looks {
            while let Some(trial) = trials.get(ended).filter(|trial| ends_by(trial, now)) {
                let set = rules.at(trial.at);
                if trial.retried_at.is_none() {
                    test.add(trial, &trial.at_end(set), set);
                }
                ended += 1;
            }
            if proof.is_some() {
                continue;
            }
            let mut seen = test;
            let known = trials[ended..].iter().take_while(|trial| trial.at <= now);
            // A retry counts only from the time at which it happened, so evidence that sufficed before still suffices.
            for trial in known.filter(|trial| trial.retried_at.is_none_or(|retried_at| now < retried_at)) {
                let set = rules.at(trial.at);
                let known_ms = u32::try_from((now - trial.at).num_milliseconds()).unwrap_or(u32::MAX);
                seen.add(trial, &trial.weigh(set, known_ms), set);
            }
            let at = trials[index].at;
            if seen.passes(rules.at(at)) {
                proof = Some(Proof { at: trials[index].at, from: seen.run_from, attested: false });
            }
        }
        for trial in &trials[ended..] {
            let set = rules.at(trial.at);
            if let Some(weight) = trial.at_result(set) {
                test.add(trial, &weight, set);
            }
        }
        let first = [proof, attested].into_iter().flatten().min_by_key(|proof| proof.at);
        (first, test)
    }
}

impl Attempt {
    /// The trial that is weighed, if there is one.
    pub(crate) const fn trial(&self) -> Option<&Trial> {
        self.trial.as_ref()
    }
}

impl Attempts {
    /// Each attempt and its level.
    pub(crate) fn levels(&self) -> BTreeMap<AttemptKey, GradedAttempt> {
        let works = self.proof.is_some();
        let mut list: Vec<_> = self.list.iter().map(|attempt| (attempt, attempt.grade.level(works))).collect();
        list.sort_by_key(|(_, level)| Reverse(*level));
        let mut levels = BTreeMap::new();
        for (Attempt { at, known_at, terminal, tap, .. }, level) in list {
            let entered_at = if tap.is_some() { DateTime::UNIX_EPOCH } else { *at };
            let name = |which| (*terminal, *tap, entered_at, which);
            let same = levels.range(name(0)..=name(usize::MAX)).count();
            levels.insert(name(same), GradedAttempt { at: *at, known_at: *known_at, level });
        }
        levels
    }
}

/// Classifies a single tap; `None` if the tap doesn't count.
fn attempt(
    id: TerminalId,
    terminal: &Terminal,
    tap: &Tap,
    found: Match,
    rules: &Rules,
    passed: impl Fn(DateTime<Utc>) -> bool,
) -> Option<Attempt> {
    let set = rules.at(tap.stamp.at);
    let at = tap.stamp.true_at(set);
    if tap.role() != ReaderRole::Phone || !terminal.counts(at) {
        return None;
    }
    let short = tap.too_short(set);
    let not_taken = terminal.not_taken(tap);
    let alike = terminal.may_be_on_another(tap, set);
    let end = later(tap.stamp.at, set.correlation_to);
    let unseen = tap.blind || terminal.gap_in(tap.stamp.at, end);
    let result = found.result;
    let Match { delay_ms, near_ms, .. } = found;
    let trial = Trial {
        at,
        near_ms,
        delay_ms,
        results_before: tap.results_before,
        usual_hundredths: tap.usual_hundredths,
        in_use: tap.in_use && !short,
        failed: result == ResultOf::Failed,
        retried_at: None,
    };
    let over_at = set.over_at(at);
    let (grade, doubt) = match result {
        ResultOf::None | ResultOf::Failed => (Grade::TapOnly, None),
        ResultOf::Unread | ResultOf::Confirmed => {
            let doubt = if short {
                Some(Doubt::Short)
            } else if not_taken {
                Some(Doubt::NotTaken)
            } else if alike {
                Some(Doubt::Alike)
            } else {
                doubted(&trial, set, || passed(over_at))
            };
            let clean = if result == ResultOf::Confirmed { Grade::CleanConfirmed } else { Grade::Clean };
            let grade = match doubt {
                None => clean,
                // Nothing says that it was a phone, so that it asks for no call either.
                Some(Doubt::Alike) => Grade::Denied,
                Some(_) => Grade::Doubtful,
            };
            (grade, doubt)
        }
    };
    let failed = match result {
        ResultOf::Failed => Failure::Yes,
        ResultOf::None if !unseen && !short && !alike && !tap.too_long() => Failure::From(over_at),
        ResultOf::None | ResultOf::Unread | ResultOf::Confirmed => Failure::No,
    };
    let weighs = !short && !tap.mute && !alike && !tap.too_long() && (!unseen || delay_ms.is_some());
    Some(Attempt {
        at,
        known_at: tap.stamp.received_at,
        terminal: Some(id),
        tap: Some(tap.stamp.place),
        grade,
        doubt,
        failed,
        mute: tap.mute,
        in_use: tap.in_use,
        test: false,
        entries: Vec::new(),
        trial: weighs.then_some(trial),
    })
}

/// The doubt about the file that is joined to a tap. It is judged when the file arrives, and again when the window has
/// ended.
fn doubted(trial: &Trial, set: &RuleSet, is_over: impl Fn() -> bool) -> Option<Doubt> {
    let first = trial.at_result(set)?;
    let certain = |weight: &Weight| weight.certainty >= set.read_certainty;
    if certain(&first) || (certain(&trial.at_end(set)) && is_over()) {
        return None;
    }
    Some(if first.card { Doubt::Late } else { Doubt::Busy })
}

/// For each attempt of a terminal, the time at which the same patient tried again: the later attempt decides.
fn retries(terminal: &Terminal, attempts: &[Attempt], rules: &Rules) -> Vec<Option<DateTime<Utc>>> {
    let readers: BTreeMap<SeqPosition, _> = terminal.taps().map(|tap| (tap.stamp.place, tap.reader)).collect();
    let reader = |attempt: &Attempt| attempt.tap.and_then(|place| readers.get(&place));
    let retried = |attempt: &Attempt| {
        let again = later(attempt.at, rules.at(attempt.at).retry_within);
        let next = attempts.iter().filter(|next| {
            next.trial.is_some() && attempt.at < next.at && next.at <= again && reader(next) == reader(attempt)
        });
        if attempt.grade == Grade::TapOnly { next.map(|next| next.at).min() } else { None }
    };
    attempts.iter().map(retried).collect()
}

/// Joins each desk entry to its attempt, among those from `first` on. An entry without a matching attempt becomes an
/// attempt.
fn attach(
    list: &mut Vec<Attempt>,
    first: usize,
    desk: Option<TerminalId>,
    entries: &[DeskEntry],
    rules: &Rules,
    counts: impl Fn(DateTime<Utc>) -> bool,
) {
    let claims: Vec<(EntryId, DateTime<Utc>, &DeskEntry)> = entries
        .iter()
        .enumerate()
        .map(|(index, entry)| (EntryId { desk, index }, entry.stamp.true_at(rules.at(entry.stamp.at)), entry))
        .filter(|(_, at, _)| counts(*at))
        .collect();
    let known = list.len();
    // Reads come first: a witness of a read takes precedence over a report of a failure.
    for claim in [EntryClaim::Read, EntryClaim::Failed, EntryClaim::Fallback] {
        let claims: Vec<_> = claims.iter().filter(|(_, _, entry)| EntryClaim::of(entry) == claim).collect();
        let mut edges = Vec::new();
        for (number, (_, at, _)) in claims.iter().enumerate() {
            let set = rules.at(*at);
            for (index, attempt) in list.iter().enumerate().take(known).skip(first) {
                let near = later(attempt.at, -set.entry_before) <= *at && *at <= later(attempt.at, set.entry_after);
                // A signed-in person often repeats an entry of the desk page, whereas two reads on one page are two
                // reads.
                let free = attempt.grade != Grade::Attested || (claim == EntryClaim::Read && desk.is_none());
                if near && free {
                    // People usually make an entry after the event.
                    edges.push((*at < attempt.at, (*at - attempt.at).abs(), number, index));
                }
            }
        }
        edges.sort_unstable();
        let mut taken = vec![false; known];
        let mut given = vec![false; claims.len()];
        for (_, _, number, index) in edges {
            if !taken[index] && !given[number] {
                (taken[index], given[number]) = (true, true);
                let (id, at, entry) = claims[number];
                belongs(&mut list[index], *id, *at, entry);
            }
        }
        if claim != EntryClaim::Fallback {
            let left = claims.iter().zip(given).filter(|(_, given)| !given);
            list.extend(left.map(|((id, at, entry), _)| alone(*id, *at, entry)));
        }
    }
}

/// The claim that an entry makes about an attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryClaim {
    Read,
    Failed,
    Fallback,
}

impl EntryClaim {
    fn of(entry: &DeskEntry) -> Self {
        match &entry.kind {
            _ if entry.says_read() => Self::Read,
            DeskEntryKind::Failed { .. } => Self::Failed,
            DeskEntryKind::Read { .. }
            | DeskEntryKind::Fallback { .. }
            | DeskEntryKind::Notice { .. }
            | DeskEntryKind::Restarted => Self::Fallback,
        }
    }
}

/// Adds an entry to an attempt.
fn belongs(attempt: &mut Attempt, id: EntryId, at: DateTime<Utc>, entry: &DeskEntry) {
    attempt.entries.push(id);
    if entry.says_read() {
        attempt.at = attempt.at.min(at);
        (attempt.grade, attempt.doubt, attempt.failed) = (Grade::Attested, None, Failure::No);
        attempt.test |= entry.is_test();
        attempt.trial = None;
        return;
    }
    if matches!(entry.kind, DeskEntryKind::Failed { .. }) {
        attempt.failed = Failure::Yes;
    }
    if attempt.grade > Grade::TapOnly {
        (attempt.grade, attempt.doubt) = (Grade::Denied, Some(Doubt::Entered));
    }
    if let Some(trial) = &mut attempt.trial {
        trial.failed = true;
    }
}

/// The attempt of an entry without a tap.
fn alone(id: EntryId, at: DateTime<Utc>, entry: &DeskEntry) -> Attempt {
    let read = entry.says_read();
    Attempt {
        at,
        known_at: entry.stamp.received_at,
        terminal: id.desk,
        tap: None,
        grade: if read { Grade::Attested } else { Grade::Stated },
        doubt: None,
        failed: if read { Failure::No } else { Failure::Yes },
        mute: false,
        in_use: true,
        test: entry.is_test(),
        entries: vec![id],
        trial: None,
    }
}
