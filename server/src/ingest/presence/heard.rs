//! What idle terminals say: that they are there, and up to where they have kept observations. It is not a fact, since it
//! repeats every half a minute; the newest of each terminal is written to the database, many at once.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use yomitori_proto::id::TerminalId;

use super::Shared;
use crate::store::heard::{self, Heard};
use crate::telemetry;

const WRITE_EVERY: Duration = Duration::from_secs(10);
/// Rows of one statement.
const AT_ONCE: usize = 5_000;

/// The newest keep-alive of each terminal that is not written yet: at most one for each open stream.
#[derive(Default, Debug)]
pub(super) struct Unwritten(HashMap<TerminalId, Heard>);

impl Unwritten {
    pub(super) fn add(&mut self, heard: Heard) {
        self.0.insert(heard.terminal, heard);
    }

    fn take(&mut self) -> Vec<Heard> {
        mem::take(&mut self.0).into_values().collect()
    }

    /// Puts back what could not be written, unless the terminal was heard again.
    fn restore(&mut self, heard: &[Heard]) {
        for heard in heard {
            self.0.entry(heard.terminal).or_insert(*heard);
        }
    }
}

/// Writes what was heard until `stop`.
pub(super) async fn write(shared: Arc<Shared>, stop: CancellationToken) {
    let mut tick = tokio::time::interval(WRITE_EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(tick.tick()).await.is_some() {
        let heard = shared.heard().take();
        for part in heard.chunks(AT_ONCE) {
            if let Err(error) = heard::write(&shared.store, part).await {
                telemetry::heard_not_written(&error);
                shared.heard().restore(part);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use uuid::Uuid;
    use yomitori_proto::id::{Life, Seq};

    use super::*;

    fn heard(terminal: u128, seconds: i64) -> Heard {
        let at = DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds);
        Heard { terminal: TerminalId(Uuid::from_u128(terminal)), life: Life(Uuid::nil()), last_kept: Seq(0), at }
    }

    #[test]
    fn what_could_not_be_written_does_not_replace_what_was_heard_since() {
        let mut unwritten = Unwritten::default();
        unwritten.add(heard(1, 10));
        unwritten.add(heard(2, 10));
        let taken = unwritten.take();
        assert_eq!(taken.len(), 2);
        unwritten.add(heard(1, 40));
        unwritten.restore(&taken);
        let mut now = unwritten.take();
        now.sort_by_key(|heard| heard.terminal);
        assert_eq!(now, [heard(1, 40), heard(2, 10)]);
    }
}
