//! How long to wait before the next connection: longer each time, and each terminal differently, so that a server that
//! comes back isn't overrun.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(100);
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Backoff {
    at_most: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { at_most: FIRST }
    }
}

impl Backoff {
    /// The wait after a stream that `progressed` or did not; `jitter` is in 0..1.
    pub(super) fn after(&mut self, progressed: bool, jitter: f64) -> Duration {
        if progressed {
            self.at_most = FIRST;
        }
        let wait = self.at_most.mul_f64(jitter).max(SHORTEST);
        self.at_most = (self.at_most * 2).min(LONGEST);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_minute_and_begin_anew_after_progress() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.after(false, 1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(backoff.after(false, 0.5), Duration::from_secs(30));
        assert_eq!(backoff.after(true, 0.0), SHORTEST);
        assert_eq!(backoff.after(false, 1.0), Duration::from_secs(2));
    }
}
