//! What the spool must hold: everything that was reported as kept and is not released, in order, except what a gap
//! counts. An operation during which the power failed has happened completely or not at all.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use yomitori_agent::outlet::FileMark;
use yomitori_agent::spool::{Spool, SpoolError};
use yomitori_observation::{Sighting, shed};
use yomitori_proto::event::{AgentStopped, CollectionGap, Event, LinkageResultObserved, Observation, TapObserved};
use yomitori_proto::id::{ReaderKey, Seq};
use yomitori_proto::vocabulary::{GapSource, LinkageFolder, LinkageKind, Medium, ReadOutcome, StopReason};

/// The visible contents of a spool.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Content {
    pub(crate) last: u64,
    pub(crate) released: u64,
    pub(crate) held: BTreeMap<u64, Sighting>,
    pub(crate) marks: BTreeSet<FileMark>,
}

impl Content {
    pub(crate) fn of(spool: &Spool) -> Result<Self, SpoolError> {
        let seen = |observation: Observation| {
            let Observation { seq, occurred_at, observed_at, event } = observation;
            (seq.0, Sighting { occurred_at, observed_at, event })
        };
        let all = spool.after(Seq::NONE, usize::MAX)?;
        let order: Vec<_> = all.iter().map(|observation| observation.seq).collect();
        assert!(order.is_sorted_by(|one, next| one < next), "in order: {order:?}");
        Ok(Self {
            last: spool.last().0,
            released: spool.first_unacknowledged().0 - 1,
            held: all.into_iter().map(seen).collect(),
            marks: spool.marks()?.into_iter().collect(),
        })
    }
}

/// A call of the spool.
#[derive(Clone, Debug)]
pub(crate) enum Asked {
    Keep { sightings: Vec<Sighting>, marks: Vec<FileMark>, forgotten: Vec<FileMark> },
    Release(u64),
}

impl Asked {
    /// Checks that this call may turn `before` into `after`; `missed` did not fit earlier and is reported now.
    pub(crate) fn explains(&self, before: &Content, after: &Content, missed: u64) -> Result<(), String> {
        match self {
            Self::Release(through) => {
                let mut expected = before.clone();
                expected.released = expected.released.max(*through);
                expected.held.retain(|seq, _| *seq > expected.released);
                equal("the rest", &expected, after)
            }
            Self::Keep { sightings, marks, forgotten } => {
                let mut expected = before.clone();
                for sighting in sightings {
                    expected.last += 1;
                    expected.held.insert(expected.last, sighting.clone());
                }
                for mark in forgotten {
                    expected.marks.remove(mark);
                }
                expected.marks.extend(marks);
                account(expected, after, missed)
            }
        }
    }
}

/// Removes from `expected` what the last gap counts, if there is one, and compares the rest.
fn account(mut expected: Content, after: &Content, missed: u64) -> Result<(), String> {
    let gone: Vec<_> = expected.held.keys().filter(|seq| !after.held.contains_key(seq)).copied().collect();
    if gone.is_empty() && missed == 0 {
        return equal("everything", &expected, after);
    }
    expected.last += 1;
    let gap = after.held.get(&expected.last).ok_or_else(|| format!("no gap counts {gone:?} and {missed}"))?;
    let Event::CollectionGap(CollectionGap { source: GapSource::Spool, from, to, lost: Some(lost) }) = gap.event else {
        return Err(format!("{gap:?} does not count {gone:?} and {missed}"));
    };
    let (mut counted, mut worth, mut youngest) = (missed, shed::Worth::Background, 0);
    for seq in &gone {
        let sighting = expected.held.remove(seq).ok_or("it was there")?;
        counted += 1 + already_counted(&sighting.event);
        if already_counted(&sighting.event) == 0 && !(from..=to).contains(&sighting.occurred_at) {
            return Err(format!("{seq} is outside of what the gap says: {gap:?}"));
        }
        let of_this = shed::worth(&sighting.event);
        if of_this >= worth {
            youngest = if of_this > worth { *seq } else { youngest.max(*seq) };
            worth = of_this;
        }
    }
    equal("the count", &counted, &lost)?;
    let kept_instead = |(seq, sighting): &(&u64, &Sighting)| {
        let of_this = shed::worth(&sighting.event);
        !gone.is_empty() && (of_this < worth || of_this == worth && **seq < youngest)
    };
    if let Some(instead) = expected.held.iter().find(kept_instead) {
        return Err(format!("{gone:?} went before {instead:?}"));
    }
    expected.held.insert(expected.last, gap.clone());
    equal("what is left", &expected, after)
}

fn already_counted(event: &Event) -> u64 {
    match event {
        Event::CollectionGap(gap) if gap.source == GapSource::Spool => gap.lost.unwrap_or(0),
        _ => 0,
    }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, expected: &T, found: &T) -> Result<(), String> {
    if expected == found { Ok(()) } else { Err(format!("{what}: expected {expected:?}, found {found:?}")) }
}

/// The `number`th event here, of one of three worths, while the clock jumps back and forth by hours.
pub(crate) fn sighting(number: u64, worth: u8, clock_off: i64) -> Sighting {
    let event: Event = match worth {
        0 => LinkageResultObserved {
            folder: LinkageFolder::Res,
            kind: LinkageKind::Other,
            file_at: None,
            seen_for_ms: number as u32,
            outcome: ReadOutcome::NotRead,
            error_code: None,
            name_tag: None,
        }
        .into(),
        1 => AgentStopped { reason: StopReason::Service }.into(),
        _ => TapObserved {
            reader: ReaderKey(1),
            present_ms: number as u32,
            transitions: 1,
            in_use: true,
            exclusive: false,
            mute: false,
            medium: Medium::MyNumberCard,
            ruleset: 1,
        }
        .into(),
    };
    Sighting::now(at(number, clock_off), event)
}

/// Each is unique, because the number is in the microseconds.
pub(crate) fn at(number: u64, clock_off: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_800_000_000 + clock_off) + TimeDelta::microseconds(number as i64)
}
