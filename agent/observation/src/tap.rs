//! Turns the successive states of readers in PC/SC into taps.
//!
//! * A phone may show FeliCa first and then Type B, and hands move: a card that comes back within [`DEBOUNCE`] belongs
//!   to the same tap, so a tap is reported once the reader has been empty for that long.
//! * The event counter takes precedence over the flags: a swap between two snapshots leaves the flags unchanged and
//!   counts two, and so does a tap that came and went between them.
//! * A card that is present at the first snapshot is a tap whose start was not seen, so it has no transition.
//! * The card of a detached reader counts as removed. If both are back in time, as after a restart of the resource
//!   manager, it is the same tap.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use yomitori_proto::event::TapObserved;
use yomitori_proto::id::ReaderKey;
use yomitori_proto::vocabulary::Medium;

use crate::{Moment, Sighting, medium};

/// A reader that is empty for this long has ended its tap.
pub const DEBOUNCE: Duration = Duration::from_millis(1_500);

/// A counter that moved further than is possible between two snapshots was reset.
const COUNTER_RESET: u16 = 64;

/// The state of one reader at one moment.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Snapshot {
    pub present: bool,
    pub in_use: bool,
    pub exclusive: bool,
    pub mute: bool,
    pub atr: Vec<u8>,
    /// How often cards were inserted and removed, modulo 65536.
    pub event_count: u16,
}

/// The taps on all readers of a terminal.
#[derive(Clone, Debug, Default)]
pub struct Taps {
    readers: BTreeMap<ReaderKey, Reader>,
}

#[derive(Clone, Debug, Default)]
struct Reader {
    /// Presence and counter of the last snapshot; `None` before the first and after the reader was detached.
    last: Option<(bool, u16)>,
    tap: Option<Tap>,
}

#[derive(Clone, Debug)]
struct Tap {
    began_at: DateTime<Utc>,
    present_for: Duration,
    transitions: u32,
    in_use: bool,
    exclusive: bool,
    mute: bool,
    medium: Medium,
    phase: Phase,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    Present { since: Instant },
    Empty { since: Instant },
}

impl Taps {
    /// Takes a snapshot of `reader`.
    pub fn observe(&mut self, reader: ReaderKey, snapshot: &Snapshot, now: Moment) {
        let state = self.readers.entry(reader).or_default();
        let insertions = match state.last {
            Some((was, count)) => insertions(was, snapshot.present, snapshot.event_count.wrapping_sub(count)),
            None => 0,
        };
        state.last = Some((snapshot.present, snapshot.event_count));
        if insertions > 0 || snapshot.present {
            let tap = state.tap.get_or_insert_with(|| Tap::beginning(now));
            tap.transitions = tap.transitions.saturating_add(insertions);
            tap.learn(snapshot);
        }
        if let Some(tap) = &mut state.tap {
            tap.presence(snapshot.present, insertions > 0, now.steady);
        }
    }

    /// Records that `reader` was detached.
    pub fn detached(&mut self, reader: ReaderKey, now: Moment) {
        if let Some(state) = self.readers.get_mut(&reader) {
            state.last = None;
            if let Some(tap) = &mut state.tap {
                tap.presence(false, false, now.steady);
            }
        }
    }

    /// When [`Taps::ended`] must be called next although no reader changes.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.readers.values().filter_map(|reader| reader.tap.as_ref()?.deadline()).min()
    }

    /// The taps that have ended by now.
    pub fn ended(&mut self, now: Moment) -> Vec<Sighting> {
        self.take(now, |tap| tap.deadline().is_some_and(|deadline| deadline <= now.steady))
    }

    /// The taps whose card has gone, without waiting whether it comes back; called when the agent stops. The next start
    /// sees cards that are still on a reader.
    pub fn stop(&mut self, now: Moment) -> Vec<Sighting> {
        self.take(now, |tap| matches!(tap.phase, Phase::Empty { .. }))
    }

    fn take(&mut self, now: Moment, is_over: impl Fn(&Tap) -> bool) -> Vec<Sighting> {
        let mut sightings = Vec::new();
        for (key, reader) in &mut self.readers {
            if let Some(tap) = reader.tap.take_if(|tap| is_over(tap)) {
                sightings.push(tap.into_sighting(*key, now));
            }
        }
        self.readers.retain(|_, reader| reader.last.is_some() || reader.tap.is_some());
        sightings
    }
}

impl Tap {
    fn beginning(now: Moment) -> Self {
        Self {
            began_at: now.wall,
            present_for: Duration::ZERO,
            transitions: 0,
            in_use: false,
            exclusive: false,
            mute: false,
            medium: Medium::Unknown,
            phase: Phase::Empty { since: now.steady },
        }
    }

    fn learn(&mut self, snapshot: &Snapshot) {
        self.in_use |= snapshot.in_use;
        self.exclusive |= snapshot.exclusive;
        self.mute |= snapshot.mute;
        if snapshot.present {
            self.medium = medium::better(self.medium, medium::classify(&snapshot.atr));
        }
    }

    /// `touched`: a card was present at least briefly since the last snapshot.
    fn presence(&mut self, present: bool, touched: bool, now: Instant) {
        self.phase = match (self.phase, present) {
            (Phase::Present { since }, true) => Phase::Present { since },
            (Phase::Empty { .. }, true) => Phase::Present { since: now },
            (Phase::Present { since }, false) => {
                self.present_for += now.saturating_duration_since(since);
                Phase::Empty { since: now }
            }
            (Phase::Empty { since }, false) => Phase::Empty { since: if touched { now } else { since } },
        };
    }

    fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Present { .. } => None,
            Phase::Empty { since } => Some(since + DEBOUNCE),
        }
    }

    fn into_sighting(self, reader: ReaderKey, now: Moment) -> Sighting {
        let event = TapObserved {
            reader,
            present_ms: u32::try_from(self.present_for.as_millis()).unwrap_or(u32::MAX),
            transitions: self.transitions,
            in_use: self.in_use,
            exclusive: self.exclusive,
            mute: self.mute,
            medium: self.medium,
            ruleset: medium::ruleset(),
        };
        Sighting { occurred_at: self.began_at, observed_at: now.wall, event: event.into() }
    }
}

/// How often a card was inserted between two snapshots whose counters differ by `counted`.
fn insertions(was: bool, is: bool, counted: u16) -> u32 {
    let arrived = u32::from(!was && is);
    if counted > COUNTER_RESET {
        return arrived;
    }
    let counted = u32::from(counted);
    let by_count = if arrived == 1 { counted.div_ceil(2) } else { counted / 2 };
    by_count.max(arrived)
}
