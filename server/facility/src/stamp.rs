//! When a terminal observed something, by its own clock, and by how much that clock was wrong.

use chrono::{DateTime, Duration, Utc};
use serde::{Deserialize, Serialize};
use yomitori_proto::event::Observed;

use crate::instant::later;
use crate::rules::RuleSet;
use crate::seen::SeqPosition;

/// An instant by a terminal's clock.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(from = "Packed", into = "Packed")]
pub(crate) struct Stamp {
    pub(crate) place: SeqPosition,
    pub(crate) at: DateTime<Utc>,
    /// By the server's clock.
    pub(crate) received_at: DateTime<Utc>,
    /// The terminal's clock minus ours, as far as connections and steps tell.
    pub(crate) offset_ms: i64,
    /// It came as it happened, and its arrival confirms the offset: no step changes that.
    pub(crate) measured: bool,
}

/// A stamp in the state of a facility, which has many: place, both instants in microseconds, offset, 1 where it is measured.
type Packed = (SeqPosition, i64, i64, i64, u8);

impl From<Stamp> for Packed {
    fn from(Stamp { place, at, received_at, offset_ms, measured }: Stamp) -> Self {
        (place, at.timestamp_micros(), received_at.timestamp_micros(), offset_ms, measured.into())
    }
}

impl From<Packed> for Stamp {
    fn from((place, at, received_at, offset_ms, measured): Packed) -> Self {
        let instant = |micros| DateTime::from_timestamp_micros(micros).unwrap_or_default();
        Self { place, at: instant(at), received_at: instant(received_at), offset_ms, measured: measured == 1 }
    }
}

/// An observation that was sent sooner after it was made came as it happened.
const LIVE_WITHIN: Duration = Duration::seconds(60);

/// Whether an observation was sent as it was made. A clock that was set back meanwhile doesn't tell.
pub(crate) fn is_live(observed: &Observed) -> bool {
    (Duration::zero()..LIVE_WITHIN).contains(&(observed.sent_at - observed.observed_at))
}

/// By how much the clock was wrong by which an observation was made, in ms, and whether its arrival shows that: then no step
/// that is told later changes it. `known_ms` is what connections and steps say; whether that fits the arrival is not asked,
/// since it depends on which steps have been told so far.
pub(crate) fn wrong_by(observed: &Observed, received_at: DateTime<Utc>, known_ms: i64) -> (i64, bool) {
    let right = is_live(observed) && (observed.observed_at - received_at).abs() < LIVE_WITHIN;
    if right { (0, true) } else { (known_ms, false) }
}

impl Stamp {
    /// When it really was: a clock that is known to be wrong is corrected, and nothing was observed after the server heard
    /// of it.
    pub(crate) fn true_at(&self, set: &RuleSet) -> DateTime<Utc> {
        let wrong = self.offset_ms.unsigned_abs() > set.clock_offset_warn_ms;
        let wrong_by = Duration::try_milliseconds(believed(self.offset_ms)).unwrap_or_default();
        let at = if wrong { later(self.at, -wrong_by) } else { self.at };
        at.min(self.received_at)
    }
}

/// By how much a clock is wrong, in ms, as far as that can be: of one that is off by more than a century nothing is known.
pub(crate) const fn believed(offset_ms: i64) -> i64 {
    const CENTURY_MS: u64 = 100 * 366 * 24 * 3600 * 1000;
    if offset_ms.unsigned_abs() > CENTURY_MS { 0 } else { offset_ms }
}

/// A step of a terminal's wall clock.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) place: SeqPosition,
    pub(crate) delta_ms: i64,
    /// It came as it happened: what a connection said of the clock was true until then. Otherwise it had happened before
    /// the connection.
    pub(crate) live: bool,
}

/// What a terminal's clock shows, by what is known at the moment.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Clock {
    /// The terminal's clock minus ours, now.
    pub(crate) offset_ms: i64,
    /// Ascending by place.
    pub(crate) steps: Vec<Step>,
}

impl Clock {
    /// By how much it was wrong at `place`.
    pub(crate) fn offset_at(&self, place: SeqPosition) -> i64 {
        let later = self.steps.iter().filter(|step| place < step.place);
        later.fold(self.offset_ms, |offset, step| offset.saturating_sub(step.delta_ms))
    }

    /// Takes in a step.
    pub(crate) fn step(&mut self, step: Step) {
        if step.live {
            self.offset_ms = self.offset_ms.saturating_add(step.delta_ms);
        }
        crate::bounded::insert(&mut self.steps, step, |step| step.place, crate::bounds::STEPS);
    }

    /// Whether the clock was set between two places.
    pub(crate) fn stepped(&self, one: SeqPosition, other: SeqPosition) -> bool {
        let (first, last) = (one.min(other), one.max(other));
        self.steps.iter().any(|step| first < step.place && step.place < last)
    }
}

impl Stamp {
    /// A step that became known after this.
    pub(crate) fn stepped(&mut self, step: &Step) {
        let Step { place, delta_ms, live } = *step;
        let (own, other) = ((self.place.life, self.place.seq.0), (place.life, place.seq.0));
        if self.measured {
            return;
        }
        let before = own.0 < other.0 || (own.0 == other.0 && own.1 < other.1);
        if before && !live {
            self.offset_ms = self.offset_ms.saturating_sub(delta_ms);
        } else if !before && live {
            self.offset_ms = self.offset_ms.saturating_add(delta_ms);
        }
    }
}
