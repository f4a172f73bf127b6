//! Steps of the wall clock, set by a person or a time service.
//!
//! The wall clock is compared with how long the terminal has been up, including sleep, so that sleep is not a step.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use yomitori_proto::event::ClockStepped;

use crate::Sighting;

/// A smaller difference comes from a clock that is being slewed, or from the time between two readings.
const LEAST: TimeDelta = TimeDelta::seconds(1);

/// The readings of both clocks at the last call.
#[derive(Clone, Copy, Debug, Default)]
pub struct Steps {
    last: Option<(DateTime<Utc>, Duration)>,
}

impl Steps {
    /// Compares both clocks: `running` is how long the terminal has been up, including sleep.
    pub fn observe(&mut self, wall: DateTime<Utc>, running: Duration) -> Option<Sighting> {
        let (wall_before, running_before) = self.last.replace((wall, running))?;
        let passed = TimeDelta::from_std(running.saturating_sub(running_before)).ok()?;
        let delta = (wall - wall_before) - passed;
        (delta.abs() >= LEAST).then(|| Sighting::now(wall, ClockStepped { delta_ms: delta.num_milliseconds() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yomitori_proto::event::Event;

    #[test]
    fn a_step_is_reported_once_with_its_size_and_sleep_is_none() {
        let start: DateTime<Utc> = "2026-04-01T00:00:00Z".parse().unwrap();
        let mut steps = Steps::default();
        let mut look = |wall_ms: i64, running_ms: u64| {
            let step = steps.observe(start + TimeDelta::milliseconds(wall_ms), Duration::from_millis(running_ms));
            step.map(|sighting| match sighting.event {
                Event::ClockStepped(step) => step.delta_ms,
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(look(0, 50_000), None);
        assert_eq!(look(5_000, 55_003), None);
        assert_eq!(look(10_900, 60_000), None, "slewed");
        assert_eq!(look(3_615_900, 65_000), Some(3_600_000));
        assert_eq!(look(3_620_900, 70_000), None);
        assert_eq!(look(25_900, 75_000), Some(-3_600_000));
        assert_eq!(look(36_025_900, 36_075_000), None, "ten hours asleep");
        assert_eq!(look(36_030_900, 0), Some(5_000), "a counter that goes back counts as none passed");
    }
}
