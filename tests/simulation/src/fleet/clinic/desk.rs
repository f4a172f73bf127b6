//! The patients at the desk, and the agent's observations: taps, result files, desk entries.

use std::time::Duration;

use chrono::FixedOffset;
use rand::Rng as _;
use rand::seq::IndexedRandom as _;
use yomitori_observation::{linkage, medium, tap};
use yomitori_proto::event::{FallbackUsed, SmartphoneReadAttested, SmartphoneReadFailed, TapObserved};
use yomitori_proto::id::ReaderKey;
use yomitori_proto::vocabulary::{LinkageFolder, Medium, PhoneOs};

use super::Clinic;
use super::day::Plan;
use crate::fleet::character::Character;

const JAPAN: FixedOffset = FixedOffset::east_opt(9 * 3600).expect("nine hours are less than a day");
/// On the first day these clinics show their character.
const SHOWCASE: usize = 5;

/// Identifiers of the cause table.
const CAUSES: &[&str] = &[
    "PatientDevice.PinWrong",
    "PatientDevice.NotSetUp",
    "PatientDevice.BiometricsFailed",
    "PatientDevice.Position",
    "PatientDevice.Case",
];
/// Identifiers of the fallback table.
const FALLBACKS: &[&str] = &["PhysicalCard", "PhysicalCard", "MynaPortalScreen", "EligibilityCertificate"];

/// A medium on a reader.
struct Touch {
    reader: ReaderKey,
    medium: Medium,
    in_use: bool,
    present: Duration,
}

impl Clinic {
    pub(super) fn patients(&mut self, plan: &mut Plan, begin: Duration) {
        if let Some(reader) = self.staff_reader.as_ref().map(|reader| reader.key).filter(|_| self.busy()) {
            let at = begin + self.day.mul_f64(0.06);
            let present = self.some_ms(400..900);
            self.tap(plan, at, Touch { reader, medium: Medium::FelicaOnly, in_use: false, present });
        }
        for _ in 0..self.rng.random_range(self.pace.cards.clone()) {
            let at = self.open_at(begin);
            self.card(plan, at);
        }
        for _ in 0..self.phones() {
            let at = self.open_at(begin);
            self.phone(plan, at);
        }
    }

    const fn busy(&self) -> bool {
        *self.pace.phones.end() > 0
    }

    /// The number of phones on this day.
    fn phones(&mut self) -> u32 {
        let phones = self.rng.random_range(self.pace.phones.clone());
        let shows = self.days == 0 && (self.who.index < SHOWCASE || self.character != Character::Usual);
        match self.character {
            Character::NoPhoneYet | Character::NoReader | Character::NeverEnrolled | Character::Unplugged => 0,
            Character::Failing if self.busy() => phones + 2,
            _ if self.busy() && shows => phones.max(1),
            _ => phones,
        }
    }

    /// A patient with a card, at the face reader or, by mistake, at the reader for phones first.
    fn card(&mut self, plan: &mut Plan, at: Duration) {
        let mut at = at;
        if self.character == Character::CardsOnPhoneReader && self.rng.random_bool(0.4) {
            let reader = self.reader.as_ref().map(|reader| reader.key);
            let present = self.some_ms(1_000..4_000);
            if let Some(reader) = reader {
                self.tap(plan, at, Touch { reader, medium: Medium::MyNumberCard, in_use: false, present });
            }
            at += present + self.some_ms(2_000..5_000);
        }
        self.result(plan, at);
    }

    fn phone(&mut self, plan: &mut Plan, at: Duration) {
        if self.character.phone_native() {
            self.result(plan, at);
            if self.character == Character::PhoneNativeAttested {
                let os = self.phone_os();
                let seen = at + self.some_ms(1_500..4_000);
                self.see(plan, seen, SmartphoneReadAttested { os, read_at: self.wall(at), test: false });
            }
            return;
        }
        let Some(reader) = self.reader.as_ref().map(|reader| reader.key) else { return };
        let fails = match self.character {
            Character::Failing => self.rng.random_bool(0.6),
            Character::OnlyTaps => true,
            _ => self.rng.random_bool(0.08) && self.days > 0,
        };
        let medium = *[Medium::OtherTypeB, Medium::OtherTypeB, Medium::Unknown].choose(&mut self.rng).expect("three");
        let present = if fails { self.some_ms(120..400) } else { self.some_ms(900..2_500) };
        self.tap(plan, at, Touch { reader, medium, in_use: !fails, present });
        if fails {
            self.failed(plan, at);
        } else {
            let after = self.some_ms(500..5_000);
            self.result(plan, at + after);
        }
    }

    /// The desk enters the cause and the fallback.
    fn failed(&mut self, plan: &mut Plan, at: Duration) {
        // A clinic that shares its readers only doesn't use the desk page either.
        if self.character == Character::OnlyTaps {
            return;
        }
        let cause = (*CAUSES.choose(&mut self.rng).expect("a cause")).to_owned();
        let fallback = (*FALLBACKS.choose(&mut self.rng).expect("a fallback")).to_owned();
        let said = at + self.some_ms(1_500..4_000);
        let done = said + self.some_ms(1_000..3_000);
        self.see(plan, said, SmartphoneReadFailed { cause, read_at: self.wall(at) });
        self.see(plan, done, FallbackUsed { fallback, used_at: self.wall(done) });
    }

    /// The agent reports a tap once the reader has been empty for a while.
    fn tap(&mut self, plan: &mut Plan, at: Duration, touch: Touch) {
        let Touch { reader, medium, in_use, present } = touch;
        let event = TapObserved {
            reader,
            present_ms: u32::try_from(present.as_millis()).unwrap_or(u32::MAX),
            transitions: if self.rng.random_bool(0.2) { 2 } else { 1 },
            in_use,
            exclusive: false,
            mute: false,
            medium,
            ruleset: medium::ruleset(),
        };
        self.see_late(plan, at + present + tap::DEBOUNCE, at, event);
    }

    /// The face reader completes a transaction: a file appears, and the permitted part of the name is reported.
    fn result(&mut self, plan: &mut Plan, at: Duration) {
        if self.character == Character::OnlyTaps {
            return;
        }
        let seen_for = self.some_ms(150..2_000);
        let known = at + Duration::from_millis(100);
        let name = {
            let time = self.wall(at).with_timezone(&JAPAN).format("%Y%m%d%H%M%S");
            format!("OQSsiquc01res_face_{}{:06}_{time}.xml", self.who.code, self.files)
        };
        self.files = (self.files + 1) % 1_000_000;
        let seen_for_ms = u32::try_from(seen_for.as_millis()).unwrap_or(u32::MAX);
        let seen = linkage::observe(LinkageFolder::Face, &name, seen_for_ms, self.wall(known));
        self.see_late(plan, known, at, seen);
    }

    fn phone_os(&mut self) -> PhoneOs {
        if self.rng.random_bool(0.8) { PhoneOs::Ios } else { PhoneOs::Android }
    }
}
