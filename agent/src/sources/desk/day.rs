//! The entries of the day, as the desk page lists them.

use chrono::{DateTime, TimeDelta, Utc};
use yomitori_proto::event::{Event, Observation};
use yomitori_proto::id::Seq;

use super::text::day;

/// The same as in the spool: older entries are not from today.
const KEPT_FOR: TimeDelta = TimeDelta::hours(36);

/// One entry.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub(super) seq: Seq,
    pub(super) at: DateTime<Utc>,
    pub(super) event: Event,
    pub(super) is_withdrawn: bool,
}

/// The entries, oldest first.
#[derive(Debug, Default)]
pub(super) struct Day(Vec<Entry>);

impl Day {
    /// The entries among stored observations.
    pub(super) fn from_observations(observations: Vec<Observation>) -> Self {
        let mut day = Self::default();
        for Observation { seq, occurred_at, event, .. } in observations {
            day.record(seq, occurred_at, event);
        }
        day
    }

    /// Records an entry or a withdrawal that is stored.
    pub(super) fn record(&mut self, seq: Seq, at: DateTime<Utc>, event: Event) {
        if let Event::EntryWithdrawn(withdrawn) = event {
            for entry in self.0.iter_mut().filter(|entry| entry.seq == withdrawn.seq) {
                entry.is_withdrawn = true;
            }
            return;
        }
        self.0.retain(|entry| at - entry.at <= KEPT_FOR);
        self.0.push(Entry { seq, at, event, is_withdrawn: false });
    }

    /// Whether this entry exists and is not withdrawn yet.
    pub(super) fn can_withdraw(&self, seq: Seq) -> bool {
        self.0.iter().any(|entry| entry.seq == seq && !entry.is_withdrawn)
    }

    /// The entries of today, newest first.
    pub(super) fn today(&self, now: DateTime<Utc>) -> impl Iterator<Item = &Entry> {
        self.0.iter().rev().filter(move |entry| day(entry.at) == day(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;
    use yomitori_proto::event::{EntryWithdrawn, FaceReaderRestarted};
    use yomitori_proto::id::Life;

    #[test]
    fn a_day_in_japan_lists_entries_and_withdrawn_entries() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let restarted = |seq, at: DateTime<Utc>| Observation {
            seq: Seq(seq),
            occurred_at: at,
            observed_at: at,
            event: FaceReaderRestarted { restarted_at: at }.into(),
        };
        // 23:50, 00:10 and 09:00 in Japan.
        let mut day = Day::from_observations(vec![
            restarted(3, at("2026-04-01T14:50:00Z")),
            restarted(5, at("2026-04-01T15:10:00Z")),
            restarted(6, at("2026-04-02T00:00:00Z")),
        ]);
        let now = at("2026-04-02T01:00:00Z");
        let listed = |day: &Day| day.today(now).map(|entry| (entry.seq.0, entry.is_withdrawn)).collect::<Vec<_>>();
        assert_eq!(listed(&day), [(6, false), (5, false)]);
        day.record(Seq(9), now, EntryWithdrawn { life: Life(Uuid::nil()), seq: Seq(5) }.into());
        assert_eq!(listed(&day), [(6, false), (5, true)]);
        assert_eq!([3, 5, 6, 7].map(|seq| day.can_withdraw(Seq(seq))), [true, false, true, false]);
        day.record(Seq(10), at("2026-04-04T00:00:00Z"), FaceReaderRestarted { restarted_at: now }.into());
        assert!(!day.can_withdraw(Seq(6)), "an old entry is forgotten");
    }
}
