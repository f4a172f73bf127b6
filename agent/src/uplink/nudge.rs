//! On a line with a long delay and losses, TCP detects a loss quickly only if more data follows. While an answer is
//! pending on such a line, a few keep-alives therefore follow the last message.

use std::time::{Duration, Instant};

use yomitori_proto::id::Seq;

/// A line on which `Welcome` takes this long after `Hello` counts as far.
const FAR: Duration = Duration::from_millis(500);
const EVERY: Duration = Duration::from_millis(500);
/// After this many, the line is not the cause of the silence.
const AT_MOST: u8 = 20;

#[derive(Debug, Default)]
pub(super) struct Nudge {
    greeted_at: Option<Instant>,
    far: bool,
    /// The highest number that was sent.
    sent: Seq,
    next_at: Option<Instant>,
    left: u8,
}

impl Nudge {
    pub(super) const fn greeted(&mut self, now: Instant) {
        self.greeted_at = Some(now);
    }

    pub(super) fn welcomed(&mut self, now: Instant) {
        self.far = self.greeted_at.is_some_and(|at| now.saturating_duration_since(at) >= FAR);
    }

    /// Records that everything up to `last` was sent and awaits its acknowledgement.
    pub(super) fn sent(&mut self, last: Seq, now: Instant) {
        self.sent = self.sent.max(last);
        self.left = AT_MOST;
        self.next_at = self.far.then(|| now + EVERY);
    }

    pub(super) fn acknowledged(&mut self, through: Seq) {
        if through >= self.sent {
            self.rest();
        }
    }

    /// Stops sending keep-alives: the server has asked for a pause, or no answer is pending.
    pub(super) const fn rest(&mut self) {
        self.next_at = None;
    }

    /// Whether a keep-alive should be sent now.
    pub(super) fn poll(&mut self, now: Instant) -> bool {
        let due = self.next_at.is_some_and(|at| at <= now);
        if due {
            self.left = self.left.saturating_sub(1);
            self.next_at = (self.left > 0).then(|| now + EVERY);
        }
        due
    }

    pub(super) const fn deadline(&self) -> Option<Instant> {
        self.next_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of keep-alives in a minute.
    fn keep_alives(welcome_after: Duration, settled_after: Option<Duration>) -> usize {
        let start = crate::clock::moment().steady;
        let mut nudge = Nudge::default();
        nudge.greeted(start);
        nudge.welcomed(start + welcome_after);
        nudge.sent(Seq(7), start);
        nudge.acknowledged(Seq(6));
        let due = |tenth| {
            let now = start + Duration::from_millis(100) * tenth;
            if settled_after.is_some_and(|after| start + after <= now) {
                nudge.acknowledged(Seq(7));
            }
            nudge.poll(now)
        };
        (0..600_u32).map(due).filter(|due| *due).count()
    }

    #[test]
    fn a_few_keep_alives_follow_on_a_far_line_until_all_is_acknowledged() {
        assert_eq!(keep_alives(Duration::from_millis(499), None), 0);
        assert_eq!(keep_alives(Duration::from_secs(2), None), usize::from(AT_MOST));
        assert_eq!(keep_alives(Duration::from_secs(2), Some(Duration::from_millis(1_200))), 2);
    }
}
