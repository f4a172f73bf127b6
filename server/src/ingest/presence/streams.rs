//! The streams that are open at this instance: pure bookkeeping, without I/O.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use yomitori_proto::event::TerminalConnected;
use yomitori_proto::id::{FacilityId, Session, TerminalId};
use yomitori_proto::vocabulary::DisconnectReason;

use crate::log::Position;

/// A stream is compared with the database this long after it was recorded.
const COMPARED_AFTER: Duration = Duration::from_secs(5);
/// The longest interval between two corrections of one stream: a blocked facility, for example, shows none of them.
const CORRECTED_AT_MOST_EVERY: Duration = Duration::from_secs(3600);

/// The open streams, by the session with which each began.
#[derive(Default, Debug)]
pub(super) struct LiveStreams {
    streams: HashMap<Session, LiveStream>,
    /// Ends of streams that are not recorded yet, the oldest first.
    ended: VecDeque<Disconnect>,
    /// How many of them are being recorded.
    in_flight: usize,
}

/// The end of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Disconnect {
    pub(super) facility: FacilityId,
    pub(super) terminal: TerminalId,
    pub(super) session: Session,
    pub(super) reason: DisconnectReason,
}

/// At most this many ends wait. Beyond that the oldest is dropped: while the log is away, a terminal that tries again and
/// again leaves an end each time, of which only the last can matter.
const ENDED_AT_MOST: usize = 1_000_000;

/// An open stream.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct LiveStream {
    pub(super) facility: FacilityId,
    /// As it was last recorded: the session is a new one after a correction.
    pub(super) connected: TerminalConnected,
    /// Where the log has it; `None` until the log has confirmed.
    position: Option<Position>,
    compare_from: Instant,
    compared_after: Duration,
}

/// A stream that is due for comparison.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Compared {
    pub(super) began: Session,
    pub(super) facility: FacilityId,
    pub(super) connected: TerminalConnected,
    pub(super) position: Position,
}

impl LiveStreams {
    pub(super) fn open(&mut self, facility: FacilityId, connected: TerminalConnected) {
        let stream = LiveStream {
            facility,
            position: None,
            compare_from: Instant::now(),
            compared_after: COMPARED_AFTER,
            connected,
        };
        self.streams.insert(stream.connected.session, stream);
    }

    /// The log has the stream that began with this session.
    pub(super) fn recorded(&mut self, began: Session, position: Position, now: Instant) {
        if let Some(stream) = self.streams.get_mut(&began) {
            stream.position = Some(position);
            stream.compare_from = now + stream.compared_after;
        }
    }

    /// Removes a stream.
    pub(super) fn close(&mut self, began: Session) -> Option<LiveStream> {
        self.streams.remove(&began)
    }

    /// The end of a stream has to be recorded.
    pub(super) fn ended(&mut self, disconnect: Disconnect) {
        if self.ended.len() >= ENDED_AT_MOST {
            self.ended.pop_front();
        }
        self.ended.push_back(disconnect);
    }

    /// Takes up to `count` ends to record them; each has to be followed by [`Self::was_recorded`].
    pub(super) fn take_ended(&mut self, count: usize) -> Vec<Disconnect> {
        let some: Vec<Disconnect> = self.ended.drain(..self.ended.len().min(count)).collect();
        self.in_flight += some.len();
        some
    }

    /// What became of one that was taken: what the log did not confirm is taken again.
    pub(super) fn was_recorded(&mut self, disconnect: Disconnect, confirmed: bool) {
        self.in_flight -= 1;
        if !confirmed {
            self.ended(disconnect);
        }
    }

    pub(super) fn all_recorded(&self) -> bool {
        self.ended.is_empty() && self.in_flight == 0
    }

    /// The streams that the database should show as connected by `now`, if it has folded them: the newest of each
    /// terminal, since an older one may be dead already.
    pub(super) fn to_compare(&self, now: Instant) -> Vec<Compared> {
        let mut newest: HashMap<TerminalId, Session> = HashMap::new();
        for (began, stream) in &self.streams {
            newest
                .entry(stream.connected.terminal)
                .and_modify(|session| *session = (*session).max(*began))
                .or_insert(*began);
        }
        let due = |began: Session| {
            let stream = self.streams.get(&began)?;
            let position = stream.position.filter(|_| stream.compare_from <= now)?;
            let (facility, connected) = (stream.facility, stream.connected.clone());
            Some(Compared { began, facility, connected, position })
        };
        newest.into_values().filter_map(due).collect()
    }

    /// The log has this stream under a new session; returns whether the stream is still open. Corrections of one stream
    /// become rarer.
    pub(super) fn corrected(
        &mut self,
        began: Session,
        connected: TerminalConnected,
        at: Position,
        now: Instant,
    ) -> bool {
        let Some(stream) = self.streams.get_mut(&began) else { return false };
        stream.connected = connected;
        stream.position = Some(at);
        stream.compared_after = CORRECTED_AT_MOST_EVERY.min(stream.compared_after * 2);
        stream.compare_from = now + stream.compared_after;
        true
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use yomitori_proto::vocabulary::Way;

    use super::*;

    const AT: Position = Position { partition: 3, offset: 7 };

    fn connected(number: u128) -> TerminalConnected {
        TerminalConnected {
            terminal: TerminalId(Uuid::from_u128(1)),
            session: Session(Uuid::from_u128(number)),
            agent_version: "0.1.0".to_owned(),
            clock_offset_ms: 0,
            way: Way::Direct,
        }
    }

    #[test]
    fn a_stream_is_compared_once_the_log_has_it_and_some_time_has_passed() {
        let (mut streams, began) = (LiveStreams::default(), connected(1).session);
        streams.open(FacilityId(Uuid::nil()), connected(1));
        let now = Instant::now();
        assert!(streams.to_compare(now + COMPARED_AFTER * 2).is_empty());
        streams.recorded(began, AT, now);
        assert!(streams.to_compare(now).is_empty());
        assert_eq!(streams.to_compare(now + COMPARED_AFTER).len(), 1);
    }

    #[test]
    fn an_end_waits_until_the_log_has_it() {
        let mut streams = LiveStreams::default();
        let ends: Vec<Disconnect> = (1..=3)
            .map(|number| Disconnect {
                facility: FacilityId(Uuid::nil()),
                terminal: connected(number).terminal,
                session: connected(number).session,
                reason: DisconnectReason::Lost,
            })
            .collect();
        ends.iter().for_each(|end| streams.ended(*end));
        assert_eq!(streams.take_ended(2), ends[..2]);
        streams.was_recorded(ends[0], false);
        streams.was_recorded(ends[1], true);
        assert!(!streams.all_recorded());
        assert_eq!(streams.take_ended(9), [ends[2], ends[0]]);
        streams.was_recorded(ends[2], true);
        assert!(!streams.all_recorded());
        streams.was_recorded(ends[0], true);
        assert!(streams.all_recorded());
    }

    #[test]
    fn only_the_newest_stream_of_a_terminal_is_compared() {
        let mut streams = LiveStreams::default();
        let now = Instant::now();
        for number in [5, 9, 7] {
            streams.open(FacilityId(Uuid::nil()), connected(number));
            streams.recorded(connected(number).session, AT, now);
        }
        let compared = streams.to_compare(now + COMPARED_AFTER);
        assert_eq!(compared.iter().map(|stream| stream.began).collect::<Vec<_>>(), [connected(9).session]);
    }

    #[test]
    fn corrections_become_rarer_and_never_stop() {
        let (mut streams, began) = (LiveStreams::default(), connected(1).session);
        streams.open(FacilityId(Uuid::nil()), connected(1));
        let mut now = Instant::now();
        streams.recorded(began, AT, now);
        let mut waited = COMPARED_AFTER;
        for number in 2..40 {
            now += waited;
            assert_eq!(streams.to_compare(now).len(), 1, "{number}");
            assert!(streams.corrected(began, connected(number), AT, now));
            waited = CORRECTED_AT_MOST_EVERY.min(waited * 2);
            assert!(streams.to_compare(now + waited - Duration::from_millis(1)).is_empty());
        }
        assert_eq!(waited, CORRECTED_AT_MOST_EVERY);
        // The end is recorded for the session that the log knows.
        assert_eq!(streams.close(began).map(|stream| stream.connected.session), Some(connected(39).session));
        assert!(!streams.corrected(began, connected(40), AT, now));
    }
}
