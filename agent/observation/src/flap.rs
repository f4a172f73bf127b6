//! Readers that disconnect repeatedly: a loose cable, or a hub without power.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use yomitori_proto::event::ReaderFlapping;
use yomitori_proto::id::ReaderKey;

use crate::{Moment, Sighting};

/// This many times within [`WINDOW`] is more than a person who moves the plug.
const OFTEN: usize = 3;
const WINDOW: Duration = Duration::from_secs(10 * 60);

/// When the readers were detached.
#[derive(Clone, Debug, Default)]
pub struct Flaps(BTreeMap<ReaderKey, VecDeque<Instant>>);

impl Flaps {
    /// Records that `reader` was detached while PC/SC itself was working. The report is repeated while it lasts, so
    /// that the server sees that it continues.
    pub fn detached(&mut self, reader: ReaderKey, now: Moment) -> Option<Sighting> {
        let recent = |at: &Instant| now.steady.saturating_duration_since(*at) < WINDOW;
        self.0.retain(|_, times| times.iter().any(recent));
        let times = self.0.entry(reader).or_default();
        times.retain(recent);
        times.push_back(now.steady);
        if times.len() < OFTEN {
            return None;
        }
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
        // The next report comes after as many more.
        times.clear();
        let window_s = u32::try_from(WINDOW.as_secs()).unwrap_or(u32::MAX);
        Some(Sighting::now(now.wall, ReaderFlapping { reader, count, window_s }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use yomitori_proto::event::Event;

    #[test]
    fn a_reader_that_went_three_times_in_ten_minutes_flaps() {
        #[expect(clippy::disallowed_methods, reason = "a test begins somewhere; it reads the clock once")]
        let began = Instant::now();
        let mut flaps = Flaps::default();
        let mut at = |reader, seconds| {
            let now = Moment { wall: DateTime::UNIX_EPOCH, steady: began + Duration::from_secs(seconds) };
            flaps.detached(ReaderKey(reader), now).map(|sighting| match sighting.event {
                Event::ReaderFlapping(flaps) => (flaps.reader.0, flaps.count, flaps.window_s),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!([at(1, 0), at(2, 1), at(1, 300)], [None, None, None]);
        assert_eq!(at(1, 601), None, "the first is forgotten");
        assert_eq!(at(1, 700), Some((1, 3, 600)));
        assert_eq!([at(1, 701), at(1, 702)], [None, None]);
        assert_eq!(at(1, 703), Some((1, 3, 600)));
        assert_eq!(at(2, 704), None);
    }
}
