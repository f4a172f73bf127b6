//! Long stories without corrections: reads, and all other events of a year.

use chrono::{DateTime, Duration, Utc};
use uuid::Uuid;
use yomitori_proto::event::{self, Event, Observed, Origin, Recorded, Stated};
use yomitori_proto::id::{Boot, Life, ReaderKey, Seq, SnapshotId};
use yomitori_proto::vocabulary::{
    Closes, CollectionLevel, Intent, LinkageFolder, LinkageKind, Medium, Notice, ReadOutcome, ReaderRole, RebootKind,
    StartReason,
};

use super::story::{FACILITY, PHONE, begin, terminal};

/// A pseudo-random number, determined by the arguments.
fn drawn(seed: u64, day: u32, salt: u64) -> u64 {
    let mixed = (seed ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15))
        .wrapping_add(u64::from(day).wrapping_mul(0xD1B5_4A32_D192_ED03));
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed ^ (mixed >> 32)
}

/// The number of phones read on a day.
fn reads_of(seed: u64, day: u32) -> u32 {
    if day == 0 { 3 } else { u32::try_from(drawn(seed, day, 1) % 3).unwrap_or_default() }
}

/// The number of reads in a story.
pub(crate) fn reads(days: u32, seed: u64) -> usize {
    (0..days).map(|day| reads_of(seed, day) as usize).sum()
}

struct StoryBuilder {
    facts: Vec<Recorded>,
    life: u64,
    seq: u64,
}

impl StoryBuilder {
    fn observe(&mut self, at: DateTime<Utc>, event: impl Into<Event>) {
        self.seq += 1;
        let observed = Observed {
            terminal: terminal(0),
            life: Life(Uuid::from_u128(0xb000 + u128::from(self.life))),
            seq: Seq(self.seq),
            occurred_at: at,
            observed_at: at,
            sent_at: at,
        };
        let received_at = at + Duration::milliseconds(200);
        self.facts.push(Recorded {
            facility: FACILITY,
            received_at,
            origin: Origin::Terminal(observed),
            event: event.into(),
        });
    }

    fn say(&mut self, at: DateTime<Utc>, event: impl Into<Event>) {
        let origin = Origin::Person(Stated { by: "Sato".to_owned(), why: None, stated_at: at, id: None });
        self.facts.push(Recorded { facility: FACILITY, received_at: at, origin, event: event.into() });
    }

    fn attach(&mut self, at: DateTime<Utc>, reader: ReaderKey, role: ReaderRole) {
        self.observe(at, event::ReaderAttached { reader, model: None, vid: None, pid: None, role });
    }

    fn result(&mut self, at: DateTime<Utc>) {
        self.observe(
            at,
            event::LinkageResultObserved {
                folder: LinkageFolder::Face,
                kind: LinkageKind::FaceResult,
                file_at: Some(at),
                seen_for_ms: 200,
                outcome: ReadOutcome::NotRead,
                error_code: None,
                name_tag: None,
            },
        );
    }
}

/// `days` of boots, re-plugs, other readers, new spools, cards, lists, statements, notices and closures, with `busy`
/// results of cards a day.
pub(crate) fn story(days: u32, busy: u32, seed: u64) -> Vec<Recorded> {
    let mut story = StoryBuilder { facts: Vec::new(), life: 0, seq: 0 };
    for day in 0..days {
        let morning = begin() + Duration::days(day.into());
        if drawn(seed, day, 2).is_multiple_of(9) {
            (story.life, story.seq) = (u64::from(day) + 1, 0);
        }
        story.observe(
            morning,
            event::AgentStarted {
                boot: Boot(Uuid::from_u128(u128::from(day))),
                agent_version: "0.1.0".to_owned(),
                reason: StartReason::Boot,
                config_hash: 0,
                collection: CollectionLevel::Names,
            },
        );
        for again in 0..=drawn(seed, day, 3) % 7 {
            let at = morning + Duration::seconds(20 + 4 * again.cast_signed());
            story.attach(at, PHONE, ReaderRole::Phone);
            if again > 0 {
                story.observe(at + Duration::seconds(1), event::ReaderDetached { reader: PHONE });
                story.attach(at + Duration::seconds(2), PHONE, ReaderRole::Phone);
            }
        }
        let other = ReaderKey(100 + drawn(seed, day, 4) % 40);
        story.attach(morning + Duration::minutes(1), other, ReaderRole::Other);
        story.observe(morning + Duration::minutes(2), event::ReaderDetached { reader: other });
        for number in 0..reads_of(seed, day) {
            let at = morning + Duration::minutes(60 + 90 * i64::from(number));
            story.observe(
                at,
                event::TapObserved {
                    reader: PHONE,
                    present_ms: 1500,
                    transitions: 1,
                    in_use: true,
                    exclusive: false,
                    mute: false,
                    medium: Medium::OtherTypeB,
                    ruleset: 1,
                },
            );
            story.result(at + Duration::seconds(10));
        }
        for number in 0..busy {
            story.result(morning + Duration::minutes(400 + 15 * i64::from(number)));
        }
        let evening = morning + Duration::hours(11);
        match drawn(seed, day, 5) % 8 {
            0 => story.say(evening, event::ListingIntentSet { intent: Intent::DoNotWant }),
            1 => story.say(evening, event::OptOutCallMade { called_at: evening, reference: None }),
            2 => story.say(
                evening,
                event::ClosureSet { from: evening, to: evening + Duration::days(1), closes: Closes::Clinics },
            ),
            3 => story.say(evening, event::NoticeHung { notice: Notice::SupportedSticker, hung_at: evening }),
            4 => {
                let snapshot = SnapshotId(Uuid::from_u128(u128::from(day)));
                let listed = drawn(seed, day, 6).is_multiple_of(2);
                let observed =
                    event::ListingObserved { as_of: morning, coverage: "full".to_owned(), listed, code: None };
                let origin = Origin::List { snapshot, stated_at: evening };
                story.facts.push(Recorded { facility: FACILITY, received_at: evening, origin, event: observed.into() });
            }
            5 => story.say(evening, event::MaintenanceWindowSet { from: evening, to: evening + Duration::hours(9) }),
            6 => story.say(evening, event::AlertAcknowledged { flag: "reader_missing".to_owned() }),
            _ => {}
        }
        story.observe(evening + Duration::hours(1), event::TerminalRebooted { kind: RebootKind::Clean });
    }
    story.facts
}
