//! The time of an observation by its terminal's clock, and the error of that clock.

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
    /// The terminal's clock minus the server's, as derived from connections and clock steps.
    pub(crate) offset_ms: i64,
    /// The observation arrived live, which confirms the offset: no clock step changes it.
    pub(crate) measured: bool,
}

/// Compact form of a stamp, because a state holds many: position, both instants in microseconds, offset, 1 if measured.
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

/// An observation is live if the agent sent it within this time.
const LIVE_WITHIN: Duration = Duration::seconds(60);

/// Whether an observation was sent live. A clock that was set back in between makes that unknown.
pub(crate) fn is_live(observed: &Observed) -> bool {
    (Duration::zero()..LIVE_WITHIN).contains(&(observed.sent_at - observed.observed_at))
}

/// The clock's error at an observation, in ms, and whether its arrival confirms it, so that no later clock step changes
/// it. `known_ms` is the offset by connections and steps. It is not compared with the arrival, because it depends on
/// the steps known so far.
pub(crate) fn wrong_by(observed: &Observed, received_at: DateTime<Utc>, known_ms: i64) -> (i64, bool) {
    let right = is_live(observed) && (observed.observed_at - received_at).abs() < LIVE_WITHIN;
    if right { (0, true) } else { (known_ms, false) }
}

impl Stamp {
    /// The corrected time: the offset of a wrong clock is subtracted, and the result is never later than the arrival.
    pub(crate) fn true_at(&self, set: &RuleSet) -> DateTime<Utc> {
        let wrong = self.offset_ms.unsigned_abs() > set.clock_offset_warn_ms;
        let wrong_by = Duration::try_milliseconds(plausible_offset_ms(self.offset_ms)).unwrap_or_default();
        let at = if wrong { later(self.at, -wrong_by) } else { self.at };
        at.min(self.received_at)
    }
}

/// The clock's error in ms. An error of more than a century is treated as unknown, that is 0.
pub(crate) const fn plausible_offset_ms(offset_ms: i64) -> i64 {
    const CENTURY_MS: u64 = 100 * 366 * 24 * 3600 * 1000;
    if offset_ms.unsigned_abs() > CENTURY_MS { 0 } else { offset_ms }
}

/// A step of a terminal's wall clock.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct ClockStep {
    pub(crate) place: SeqPosition,
    pub(crate) delta_ms: i64,
    /// The step arrived live: the offset reported by the connection was valid until then. Otherwise the step happened
    /// before the connection.
    pub(crate) live: bool,
}

/// A terminal's clock as known now.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Clock {
    /// The terminal's clock minus the server's, now.
    pub(crate) offset_ms: i64,
    /// Ascending by position.
    pub(crate) steps: Vec<ClockStep>,
}

impl Clock {
    /// The offset at `place`.
    pub(crate) fn offset_at(&self, place: SeqPosition) -> i64 {
        let later = self.steps.iter().filter(|step| place < step.place);
        later.fold(self.offset_ms, |offset, step| offset.saturating_sub(step.delta_ms))
    }

    /// Applies a clock step.
    pub(crate) fn step(&mut self, step: ClockStep) {
        if step.live {
            self.offset_ms = self.offset_ms.saturating_add(step.delta_ms);
        }
        crate::bounded::insert(&mut self.steps, step, |step| step.place, crate::bounds::STEPS);
    }

    /// Whether the clock was set between two positions.
    pub(crate) fn stepped(&self, one: SeqPosition, other: SeqPosition) -> bool {
        let (first, last) = (one.min(other), one.max(other));
        self.steps.iter().any(|step| first < step.place && step.place < last)
    }
}

impl Stamp {
    /// Applies a clock step that became known after this stamp.
    pub(crate) fn stepped(&mut self, step: &ClockStep) {
        let ClockStep { place, delta_ms, live } = *step;
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
