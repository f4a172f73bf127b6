//! The wait before the next connection: it grows with each failure and differs between terminals, so that a server that
//! comes back is not overloaded. A server that is unreachable for long is asked less than once a minute.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(100);
const FIRST: Duration = Duration::from_secs(1);
/// From here on the outage is not a short one.
const LONG: Duration = Duration::from_secs(60);
/// Terminals that lost their connections together reconnect spread over this time.
const SPREAD: Duration = Duration::from_secs(30);

/// A terminal that may not send asks this seldom, and up to twice as seldom.
const REFUSED: Duration = Duration::from_secs(300);

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
    /// The wait after a stream that `progressed` or not; `jitter` is in 0..1.
    pub(super) fn after(&mut self, progressed: bool, jitter: f64) -> Duration {
        if progressed {
            self.at_most = FIRST;
        }
        if self.at_most >= LONG {
            return LONG + SPREAD.mul_f64(jitter);
        }
        let wait = self.at_most.mul_f64(jitter).max(SHORTEST);
        self.at_most *= 2;
        wait
    }

    /// The wait after the server refused this terminal: a person has to act first.
    pub(super) fn after_refusal(jitter: f64) -> Duration {
        REFUSED + REFUSED.mul_f64(jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_more_than_a_minute_and_restart_after_progress() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..8).map(|_| backoff.after(false, 1.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 90, 90]);
        assert_eq!(backoff.after(false, 0.5), Duration::from_secs(75));
        assert_eq!(backoff.after(true, 0.0), SHORTEST);
        assert_eq!(backoff.after(false, 1.0), Duration::from_secs(2));
    }

    #[test]
    fn in_thirty_days_an_unreachable_server_is_asked_less_than_once_a_minute() {
        for jitter in [0.0, 0.3, 1.0] {
            let (mut backoff, mut now, mut asked) = (Backoff::default(), Duration::ZERO, 0_u64);
            let thirty_days = Duration::from_secs(30 * 24 * 3_600);
            while now < thirty_days {
                let wait = backoff.after(false, jitter);
                assert!(asked < 6 || wait >= Duration::from_secs(60), "only the first attempts come sooner: {wait:?}");
                now += wait;
                asked += 1;
            }
            assert!(asked <= 6 + thirty_days.as_secs() / 60, "{asked}");
        }
    }
}
