//! Readers that the operating system sees and PC/SC does not list: blocked by a policy (USB機器の制限), or without a driver.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use yomitori_proto::event::ReaderBlocked;

use crate::reader::{self, UsbId};
use crate::{Moment, Sighting};

/// How long PC/SC may take to list a reader that was plugged in.
const GRACE: Duration = Duration::from_secs(20);
/// The report is repeated at this interval, so that the server knows that the reader is still blocked.
const AGAIN: Duration = Duration::from_secs(6 * 3_600);

/// What PC/SC lists.
#[derive(Clone, Debug)]
pub enum Shown {
    /// PC/SC does not answer, so nothing is known.
    Nothing,
    /// Readers of these models; `None` is a reader whose name is not in the catalogue.
    Models(Vec<Option<String>>),
}

/// The readers that PC/SC does not list.
#[derive(Clone, Debug, Default)]
pub struct Blocked(BTreeMap<UsbId, Missed>);

#[derive(Clone, Copy, Debug)]
struct Missed {
    since: Instant,
    reported_at: Option<Instant>,
}

impl Blocked {
    /// Compares the devices on the bus with the readers that PC/SC lists.
    pub fn observe(&mut self, devices: &[UsbId], shown: &Shown, now: Moment) -> Vec<Sighting> {
        let Shown::Models(models) = shown else {
            self.0.clear();
            return Vec::new();
        };
        let missed = |device: &UsbId| reader::is_card_reader(*device) && !is_shown(*device, models);
        self.0.retain(|device, _| devices.contains(device) && missed(device));
        let mut reports = Vec::new();
        for device in devices.iter().filter(|device| missed(device)) {
            let state = self.0.entry(*device).or_insert(Missed { since: now.steady, reported_at: None });
            let due = state.reported_at.map_or(state.since + GRACE, |reported_at| reported_at + AGAIN);
            if now.steady >= due {
                state.reported_at = Some(now.steady);
                reports.push(Sighting::now(now.wall, ReaderBlocked { vid: device.vid, pid: device.pid }));
            }
        }
        reports
    }
}

/// A reader with an unknown name may be any device.
fn is_shown(device: UsbId, models: &[Option<String>]) -> bool {
    models.iter().any(|model| {
        let model = model.as_ref().and_then(|id| reader::catalogue().iter().find(|model| model.id == *id));
        model.is_none_or(|model| model.has(device))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use yomitori_proto::event::Event;

    const RC_S300: UsbId = UsbId { vid: 0x054c, pid: 0x0dc8 };
    const USB_NFC4: UsbId = UsbId { vid: 0x31aa, pid: 0x3002 };
    const MOUSE: UsbId = UsbId { vid: 0x046d, pid: 0xc077 };

    fn models(ids: &[Option<&str>]) -> Shown {
        Shown::Models(ids.iter().map(|id| id.map(str::to_owned)).collect())
    }

    #[test]
    fn a_reader_that_pcsc_does_not_list_is_reported_after_a_while_and_at_intervals() {
        #[expect(clippy::disallowed_methods, reason = "a test begins somewhere; it reads the clock once")]
        let began = Instant::now();
        let mut blocked = Blocked::default();
        let mut look = |seconds: u64, devices: &[UsbId], shown: &Shown| {
            let now = Moment { wall: DateTime::UNIX_EPOCH, steady: began + Duration::from_secs(seconds) };
            let reports = blocked.observe(devices, shown, now).into_iter().map(|sighting| match sighting.event {
                Event::ReaderBlocked(blocked) => (blocked.vid, blocked.pid),
                other => panic!("{other:?}"),
            });
            reports.collect::<Vec<_>>()
        };
        let none = models(&[]);
        let all = [RC_S300, MOUSE];
        assert_eq!(look(0, &all, &none), []);
        assert_eq!(look(19, &all, &none), []);
        assert_eq!(look(20, &all, &none), [(0x054c, 0x0dc8)]);
        assert_eq!(look(3_600, &all, &none), []);
        assert_eq!(look(20 + 6 * 3_600, &all, &none), [(0x054c, 0x0dc8)]);
        // A name that this device can have, an unknown name, no answer, or unplugged: the wait starts again.
        for (shown, devices) in [
            (models(&[Some("sony-pasori-4")]), &all[..]),
            (models(&[None]), &all[..]),
            (Shown::Nothing, &all[..]),
            (none.clone(), &[MOUSE]),
        ] {
            assert_eq!(look(50_000, devices, &shown), []);
            assert_eq!(look(50_100, &all, &none), []);
        }
        assert_eq!(look(60_000, &[USB_NFC4, RC_S300], &models(&[Some("io-data-usb-nfc4")])), [(0x054c, 0x0dc8)]);
    }
}
