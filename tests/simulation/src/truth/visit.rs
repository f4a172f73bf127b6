//! One patient at the desk, with a phone that is read or not, or with a card on the wrong reader; and accidental
//! touches of the reader.

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use yomitori_observation::{medium, tap};
use yomitori_proto::event::{FallbackUsed, SmartphoneReadAttested, SmartphoneReadFailed, TapObserved};
use yomitori_proto::vocabulary::{Medium, PhoneOs};

use super::day::{Day, Living, Mark};
use super::draw;
use super::ledger::{Failure, Read};

/// Identifiers of the cause table that a desk would choose from.
const CAUSES: &[&str] = &[
    "PatientDevice.PinWrong",
    "PatientDevice.NotSetUp",
    "PatientDevice.BiometricsFailed",
    "PatientDevice.Position",
    "Unknown",
];
/// Identifiers of the fallback table, for patients who don't use the card.
const FALLBACKS: &[&str] = &["MynaPortalScreen", "EligibilityCertificate", "SavedPdf"];
const CARD: &str = "PhysicalCard";

impl Living {
    /// A patient lays a phone on the reader.
    pub(super) fn phone(&mut self, day: &mut Day, station: usize, began: DateTime<Utc>) {
        let recorded = self.rng.random_bool(self.site.records);
        let terminal = self.site.stations[station].terminal;
        let first = day.failures.len();
        let mut at = began;
        loop {
            let again = at > began;
            let succeeds = if again { self.assumptions.retry_succeeds } else { 1.0 - self.site.fails };
            let read = self.site.phones_work && self.rng.random_bool(succeeds);
            let (least, most) = self.assumptions.present_ms;
            let present = self.rng.random_range(least..=most);
            let in_use =
                self.site.phones_work && self.site.in_use_shown && self.rng.random_bool(self.assumptions.in_use);
            self.tap(day, station, at, present, in_use, Medium::OtherTypeB);
            if read {
                let after = draw::duration(&mut self.rng, self.assumptions.phone_result);
                let result_at = at + after.max(TimeDelta::seconds(1));
                self.result(day, station, result_at);
                if let Some(seen) = day.seen.last_mut() {
                    seen.mark = Some(Mark::Result(day.reads.len()));
                }
                let attested_at = recorded.then(|| self.attest(day, station, at, result_at));
                let (heard_at, attestation_heard_at) = (None, None);
                day.reads.push(Read { at, result_at, terminal, heard_at, attested_at, attestation_heard_at });
                self.has_it_alone(day, station, began, result_at);
                return;
            }
            day.failures.push(Failure { at, terminal, recorded, card_at: None });
            if !self.rng.random_bool(self.assumptions.retries) {
                break;
            }
            at += draw::seconds(draw::between(&mut self.rng, self.assumptions.retry_after_s));
        }
        let card_at = self.card_instead(day, station, at);
        self.has_it_alone(day, station, began, card_at.unwrap_or(at));
        for failure in &mut day.failures[first..] {
            failure.card_at = card_at;
        }
        if recorded {
            self.enter_failure(day, station, at, card_at);
        }
    }

    fn card_instead(&mut self, day: &mut Day, station: usize, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if !self.rng.random_bool(self.assumptions.card_after_failure) {
            return None;
        }
        let after = draw::duration(&mut self.rng, self.assumptions.card_result);
        let card_at = at + after.max(draw::seconds(self.assumptions.card_not_before_s));
        self.result(day, station, card_at);
        Some(card_at)
    }

    /// The desk saw the read, and enters it some time later: as of now, or with the minute.
    fn attest(
        &mut self,
        day: &mut Day,
        station: usize,
        read_at: DateTime<Utc>,
        result_at: DateTime<Utc>,
    ) -> DateTime<Utc> {
        let entered = result_at + draw::seconds(draw::between(&mut self.rng, (3.0, 90.0)));
        let said = if self.rng.random_bool(0.5) { entered } else { minute(read_at) };
        let os = if self.rng.random_bool(0.85) { PhoneOs::Ios } else { PhoneOs::Android };
        let event = SmartphoneReadAttested { os, read_at: self.wall(station, said), test: false };
        self.see(day, station, entered, event);
        if let Some(seen) = day.seen.last_mut() {
            seen.mark = Some(Mark::Attested(day.reads.len()));
        }
        entered
    }

    /// One entry for a visit with any number of attempts, and one for the fallback.
    fn enter_failure(&mut self, day: &mut Day, station: usize, at: DateTime<Utc>, card_at: Option<DateTime<Utc>>) {
        let entered = at + draw::seconds(draw::between(&mut self.rng, (8.0, 45.0)));
        let said = if self.rng.random_bool(0.5) { entered } else { minute(at) };
        let cause = (*CAUSES.choose(&mut self.rng).expect("a cause")).to_owned();
        self.see(day, station, entered, SmartphoneReadFailed { cause, read_at: self.wall(station, said) });
        let other = *FALLBACKS.choose(&mut self.rng).expect("a fallback");
        let (fallback, done) = card_at.map_or((other, entered), |card_at| (CARD, card_at.max(entered)));
        let done = done + draw::seconds(draw::between(&mut self.rng, (4.0, 40.0)));
        let event = FallbackUsed { fallback: fallback.to_owned(), used_at: self.wall(station, done) };
        self.see(day, station, done, event);
    }

    fn has_it_alone(&mut self, day: &mut Day, station: usize, from: DateTime<Utc>, to: DateTime<Utc>) {
        if self.assumptions.one_at_a_time && !self.rng.random_bool(self.assumptions.two_at_once) {
            day.alone.push((station, from, to));
        }
    }

    /// A card is laid on the reader for phones first, and then on the face reader.
    pub(super) fn card_on_reader(&mut self, day: &mut Day, station: usize, at: DateTime<Utc>) {
        let present = self.rng.random_range(800..5_000);
        self.tap(day, station, at, present, false, Medium::MyNumberCard);
        let after = draw::seconds(draw::between(&mut self.rng, (10.0, 45.0)));
        self.result(day, station, at + after);
    }

    /// A sleeve, a purse, a passing phone.
    pub(super) fn noise(&mut self, day: &mut Day, station: usize) {
        for _ in 0..draw::count(&mut self.rng, self.site.noise_a_day) {
            let at = self.open_at(day.date);
            let (least, most) = self.assumptions.noise_ms;
            let present = self.rng.random_range(least..=most);
            let medium =
                *[Medium::OtherTypeB, Medium::Unknown, Medium::FelicaOnly].choose(&mut self.rng).expect("three");
            self.tap(day, station, at, present, false, medium);
        }
    }

    /// The agent reports a tap once the reader has been empty for a while.
    fn tap(&mut self, day: &mut Day, station: usize, at: DateTime<Utc>, present_ms: u32, in_use: bool, medium: Medium) {
        let event = TapObserved {
            reader: self.site.stations[station].reader,
            present_ms,
            transitions: 1,
            in_use,
            exclusive: false,
            mute: false,
            medium,
            ruleset: medium::ruleset(),
        };
        let debounce = TimeDelta::from_std(tap::DEBOUNCE).unwrap_or_default();
        let known = at + TimeDelta::milliseconds(i64::from(present_ms)) + debounce;
        self.see_late(day, station, (at, known), event);
    }
}

fn minute(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(at)
}
