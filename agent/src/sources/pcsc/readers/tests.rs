//! Listings as Windows and pcsc-lite give them.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use chrono::{DateTime, TimeDelta};
use uuid::Uuid;
use yomitori_observation::pattern::Pattern;
use yomitori_proto::event::Event;
use yomitori_proto::vocabulary::ReaderRole;

use super::*;
use crate::outlet::Signal;

struct Terminal {
    readers: Readers,
    outlet: Outlet,
    signals: Receiver<Signal>,
    began: Moment,
}

impl Terminal {
    fn new() -> Self {
        let (sender, signals) = sync_channel(256);
        let readers = Readers::new(TerminalId(Uuid::from_u128(1)), RoleRules::default());
        let began = Moment { wall: DateTime::UNIX_EPOCH, steady: crate::clock::moment().steady };
        Self { readers, outlet: Outlet::new(sender, Arc::default()), signals, began }
    }

    /// What is reported when these readers are listed after this many milliseconds.
    fn list(&mut self, after_ms: u64, names: &[&str]) -> Vec<Event> {
        let after = Duration::from_millis(after_ms);
        let wall = self.began.wall + TimeDelta::from_std(after).unwrap();
        let now = Moment { wall, steady: self.began.steady + after };
        let names: Vec<CString> = names.iter().map(|name| CString::new(*name).unwrap()).collect();
        self.readers.update(&names, now, &self.outlet).unwrap();
        let seen = self.signals.try_iter().map(|signal| match signal {
            Signal::Seen { sighting, .. } => sighting.event,
            other => panic!("{other:?}"),
        });
        seen.collect()
    }
}

#[test]
fn what_the_system_shows_as_a_reader_and_is_none_is_not_watched() {
    let mut terminal = Terminal::new();
    let names = ["Windows Hello for Business 1", "SONY FeliCa Port/PaSoRi 4.0 0", "Microsoft Virtual Smart Card 0"];
    let seen = terminal.list(0, &names);
    assert!(matches!(seen.as_slice(), [Event::ReaderAttached(one)] if one.model.as_deref() == Some("sony-pasori-4")));
    // The card in them is not even asked for: only the reader and the notification about others are waited on.
    assert_eq!(terminal.readers.states().len(), 2);
    assert!(terminal.list(1_000, &names[..2]).is_empty() && terminal.list(2_000, &names).is_empty());

    terminal.readers.roles = RoleRules(vec![(Pattern::new("windows hello*"), ReaderRole::Other)]);
    let seen = terminal.list(3_000, &names);
    assert!(matches!(seen.as_slice(), [Event::ReaderAttached(one)] if one.role == ReaderRole::Other), "{seen:?}");
}

#[test]
fn a_hub_that_goes_off_and_on_three_times_lists_both_readers_and_flaps_once() {
    let mut terminal = Terminal::new();
    let both = ["SONY FeliCa Port/PaSoRi 4.0 0", "SONY FeliCa Port/PaSoRi 4.0 1"];
    assert_eq!(terminal.list(0, &both).len(), 2);
    let (mut attached, mut detached, mut flapping) = (0, 0, 0);
    for round in 0..3 {
        let off_at = 10_000 * (round + 1);
        // The hub comes back one reader after the other.
        for (at, names) in [(off_at, &both[..0]), (off_at + 300, &both[..1]), (off_at + 1_300, &both[..])] {
            for event in terminal.list(at, names) {
                match event {
                    Event::ReaderAttached(_) => attached += 1,
                    Event::ReaderDetached(_) => detached += 1,
                    Event::ReaderFlapping(flaps) => {
                        assert_eq!(flaps.count, 3);
                        flapping += 1;
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(terminal.readers.attached.len(), 2, "both are back");
    }
    assert_eq!((attached, detached, flapping), (6, 6, 2), "each reader flaps once");
}
