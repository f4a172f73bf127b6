//! Stories that shrink to a readable form: the events at a clinic, some seconds or minutes apart.

use chrono::{DateTime, Duration, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;
use yomitori_proto::event::{self, Event, Observed, Origin, Recorded, Stated};
use yomitori_proto::id::{Boot, FacilityId, Instance, Life, ReaderKey, Seq, Session, SnapshotId, TerminalId};
use yomitori_proto::vocabulary::{
    CollectionLevel, Component, ComponentState, DisconnectReason, GapSource, Intent, LinkageFolder, LinkageKind,
    Medium, Notice, PhoneNative, PhoneOs, Purchase, PurchaseRoute, ReadOutcome, ReaderRole, RebootKind, StartReason,
    Way,
};

pub(crate) const FACILITY: FacilityId = FacilityId(Uuid::from_u128(0xf1));
pub(crate) const PHONE: ReaderKey = ReaderKey(1);
pub(crate) const STAFF: ReaderKey = ReaderKey(2);

/// An observation of a terminal.
#[derive(Clone, Debug)]
pub(crate) enum Sight {
    Tap {
        reader: ReaderKey,
        medium: Medium,
        mute: bool,
    },
    /// A result file, observed `found_after_s` seconds after the time in its name.
    File {
        found_after_s: i64,
        outcome: ReadOutcome,
    },
    Attached(ReaderKey, ReaderRole),
    Detached(ReaderKey),
    AgentStarted,
    Rebooted,
    /// The clock moves, and the rest of the story with it.
    ClockStepped {
        by_s: i64,
    },
    Attested {
        test: bool,
    },
    /// Withdraws the observation with that number.
    Withdrawn(u64),
    Failed,
    Component(ComponentState),
    Gap,
    Hung(Notice),
}

/// A statement of people, of the server or of the list.
#[derive(Clone, Debug)]
pub(crate) enum Word {
    Registered,
    Intent(Intent),
    Planned { in_s: i64 },
    Called { ago_s: i64 },
    Acknowledged { ago_s: i64 },
    Withdrawn,
    Listed { snapshot: u8, ago_s: i64, listed: bool, coverage: &'static str },
    Role(ReaderKey, ReaderRole),
    FaceReader(PhoneNative),
    Connected(u8),
    Disconnected(u8),
    Snoozed,
    Maintenance { for_s: i64 },
    Bought,
    Retired,
    Enrolled,
}

/// Seconds since the previous event, and the event.
pub(crate) type Timed<T> = (i64, T);

pub(crate) fn begin() -> DateTime<Utc> {
    "2026-04-01T00:00:00Z".parse().expect("an instant")
}

pub(crate) const fn terminal(number: u128) -> TerminalId {
    TerminalId(Uuid::from_u128(0xa0 + number))
}

/// The facts of one terminal, in order.
pub(crate) fn observed(number: u128, sights: &[Timed<Sight>]) -> Vec<Recorded> {
    let mut true_at = begin();
    let mut at = true_at;
    let mut facts = Vec::new();
    for (index, (after_s, sight)) in sights.iter().enumerate() {
        true_at += Duration::seconds(*after_s);
        at += Duration::seconds(*after_s);
        if let Sight::ClockStepped { by_s } = sight {
            at += Duration::seconds(*by_s);
        }
        let life = Life(Uuid::from_u128(0xb0 + number));
        let named_at = match sight {
            Sight::File { found_after_s, .. } => at - Duration::seconds(*found_after_s),
            _ => at,
        };
        let observed = Observed {
            terminal: terminal(number),
            life,
            seq: Seq(index as u64 + 1),
            occurred_at: named_at,
            observed_at: at,
            sent_at: at,
        };
        let received_at = true_at + Duration::seconds(1);
        let origin = Origin::Terminal(observed);
        facts.push(Recorded { facility: FACILITY, received_at, origin, event: sight.event(named_at, life) });
    }
    facts
}

/// The statements, in order.
pub(crate) fn said(words: &[Timed<Word>]) -> Vec<Recorded> {
    let mut at = begin();
    let mut facts = Vec::new();
    for (after_s, word) in words {
        at += Duration::seconds(*after_s);
        let origin = match word {
            Word::Connected(_) | Word::Disconnected(_) => {
                Origin::Server { instance: Instance(Uuid::from_u128(0xe)), stated_at: at }
            }
            Word::Listed { snapshot, .. } => {
                Origin::List { snapshot: SnapshotId(Uuid::from_u128((*snapshot).into())), stated_at: at }
            }
            _ => Origin::Person(Stated { by: "Sato".to_owned(), why: None, stated_at: at, id: None }),
        };
        facts.push(Recorded { facility: FACILITY, received_at: at, origin, event: word.event(at) });
    }
    facts
}

impl Sight {
    fn event(&self, at: DateTime<Utc>, life: Life) -> Event {
        match self.clone() {
            Self::Tap { reader, medium, mute } => event::TapObserved {
                reader,
                present_ms: 1500,
                transitions: 1,
                in_use: true,
                exclusive: false,
                mute,
                medium,
                ruleset: 1,
            }
            .into(),
            Self::File { outcome, .. } => event::LinkageResultObserved {
                folder: LinkageFolder::Face,
                kind: LinkageKind::FaceResult,
                file_at: Some(at),
                seen_for_ms: 200,
                outcome,
                error_code: None,
                name_tag: None,
            }
            .into(),
            Self::Attached(reader, role) => {
                event::ReaderAttached { reader, model: Some("sony-rc-s300".to_owned()), vid: None, pid: None, role }
                    .into()
            }
            Self::Detached(reader) => event::ReaderDetached { reader }.into(),
            Self::AgentStarted => event::AgentStarted {
                boot: Boot(Uuid::nil()),
                agent_version: "0.1.0".to_owned(),
                reason: StartReason::Boot,
                config_hash: 0,
                collection: CollectionLevel::Names,
            }
            .into(),
            Self::Rebooted => event::TerminalRebooted { kind: RebootKind::Unexpected }.into(),
            Self::ClockStepped { by_s } => event::ClockStepped { delta_ms: by_s * 1000 }.into(),
            Self::Attested { test } => {
                event::SmartphoneReadAttested { os: PhoneOs::Ios, read_at: at - Duration::seconds(30), test }.into()
            }
            Self::Withdrawn(seq) => event::EntryWithdrawn { life, seq: Seq(seq) }.into(),
            Self::Failed => {
                event::SmartphoneReadFailed { cause: "PatientDevice.PinWrong".to_owned(), read_at: at }.into()
            }
            Self::Component(state) => event::ComponentStateObserved { component: Component::ComApp, state }.into(),
            Self::Gap => {
                let from = at - Duration::seconds(60);
                event::CollectionGap { source: GapSource::Pcsc, from, to: at, lost: None }.into()
            }
            Self::Hung(notice) => event::NoticeHung { notice, hung_at: at }.into(),
        }
    }
}

impl Word {
    fn event(&self, at: DateTime<Utc>) -> Event {
        let before = |seconds: i64| at - Duration::seconds(seconds);
        match *self {
            Self::Registered => event::FacilityRegistered {
                name: "さくら医院".to_owned(),
                prefecture: "13".to_owned(),
                codes: vec!["1319999015".to_owned()],
                address: None,
                moved_at: None,
                correction: false,
            }
            .into(),
            Self::Intent(intent) => event::ListingIntentSet { intent }.into(),
            Self::Planned { in_s } => event::OptOutCallPlanned { planned_at: before(-in_s) }.into(),
            Self::Called { ago_s } => event::OptOutCallMade { called_at: before(ago_s), reference: None }.into(),
            Self::Acknowledged { ago_s } => event::OptOutAcknowledged { acknowledged_at: before(ago_s) }.into(),
            Self::Withdrawn => event::OptOutWithdrawn { withdrawn_at: at }.into(),
            Self::Listed { ago_s, listed, coverage, .. } => event::ListingObserved {
                as_of: before(ago_s),
                coverage: coverage.to_owned(),
                listed,
                code: listed.then(|| "1319999015".to_owned()),
            }
            .into(),
            Self::Role(reader, role) => event::ReaderRoleAssigned { terminal: terminal(0), reader, role }.into(),
            Self::FaceReader(phone_native) => {
                event::FaceReaderModelSet { model: "some-reader".to_owned(), phone_native }.into()
            }
            Self::Connected(session) => event::TerminalConnected {
                terminal: terminal(0),
                session: Session(Uuid::from_u128(session.into())),
                agent_version: "0.1.0".to_owned(),
                clock_offset_ms: 0,
                way: Way::Direct,
            }
            .into(),
            Self::Disconnected(session) => event::TerminalDisconnected {
                terminal: terminal(0),
                session: Session(Uuid::from_u128(session.into())),
                reason: DisconnectReason::Lost,
            }
            .into(),
            Self::Snoozed => {
                event::AlertSnoozed { flag: "capable_but_undecided".to_owned(), until: before(-86_400) }.into()
            }
            Self::Maintenance { for_s } => event::MaintenanceWindowSet { from: at, to: before(-for_s) }.into(),
            Self::Bought => event::ReaderPurchased { item: Purchase::Reader, route: PurchaseRoute::Own }.into(),
            Self::Retired => event::TerminalRetired { terminal: terminal(0) }.into(),
            Self::Enrolled => event::TerminalEnrolled { terminal: terminal(0) }.into(),
        }
    }
}

fn phone_medium() -> impl Strategy<Value = Medium> + Clone {
    prop_oneof![4 => Just(Medium::OtherTypeB), 1 => Just(Medium::MyNumberCard), 1 => Just(Medium::FelicaOnly)]
}

fn outcome() -> impl Strategy<Value = ReadOutcome> + Clone {
    prop_oneof![
        4 => Just(ReadOutcome::NotRead),
        2 => Just(ReadOutcome::Ok),
        1 => Just(ReadOutcome::Error),
        1 => Just(ReadOutcome::InProgress),
    ]
}

fn reader() -> impl Strategy<Value = ReaderKey> + Clone {
    prop_oneof![3 => Just(PHONE), 1 => Just(STAFF)]
}

fn sight() -> impl Strategy<Value = Sight> + Clone {
    prop_oneof![
        6 => (reader(), phone_medium(), prop::bool::weighted(0.1))
            .prop_map(|(reader, medium, mute)| Sight::Tap { reader, medium, mute }),
        6 => (prop_oneof![4 => Just(0), 2 => 0_i64..600, 1 => 0_i64..20_000], outcome())
            .prop_map(|(found_after_s, outcome)| Sight::File { found_after_s, outcome }),
        1 => Just(Sight::Detached(PHONE)),
        1 => Just(Sight::Attached(PHONE, ReaderRole::Phone)),
        1 => Just(Sight::Attached(STAFF, ReaderRole::StaffLogin)),
        1 => Just(Sight::AgentStarted),
        1 => Just(Sight::Rebooted),
        1 => (-7200_i64..7200).prop_map(|by_s| Sight::ClockStepped { by_s }),
        1 => any::<bool>().prop_map(|test| Sight::Attested { test }),
        1 => (1_u64..30).prop_map(Sight::Withdrawn),
        1 => Just(Sight::Failed),
        1 => prop_oneof![Just(ComponentState::Running), Just(ComponentState::Stopped)].prop_map(Sight::Component),
        1 => Just(Sight::Gap),
        1 => Just(Sight::Hung(Notice::SupportedSticker)),
    ]
}

fn word() -> impl Strategy<Value = Word> + Clone {
    let coverage = prop_oneof![Just("full"), Just("prefecture:13"), Just("prefecture:14"), Just("query:x")];
    let role = prop_oneof![Just(ReaderRole::Phone), Just(ReaderRole::StaffLogin), Just(ReaderRole::Unknown)];
    let intent = prop_oneof![3 => Just(Intent::DoNotWant), 1 => Just(Intent::WantListed), 1 => Just(Intent::Undecided)];
    prop_oneof![
        1 => Just(Word::Registered),
        3 => intent.prop_map(Word::Intent),
        1 => (0_i64..100_000).prop_map(|in_s| Word::Planned { in_s }),
        2 => (0_i64..500_000).prop_map(|ago_s| Word::Called { ago_s }),
        1 => (0_i64..500_000).prop_map(|ago_s| Word::Acknowledged { ago_s }),
        1 => Just(Word::Withdrawn),
        4 => (1_u8..9, 0_i64..500_000, any::<bool>(), coverage)
            .prop_map(|(snapshot, ago_s, listed, coverage)| Word::Listed { snapshot, ago_s, listed, coverage }),
        1 => (reader(), role).prop_map(|(reader, role)| Word::Role(reader, role)),
        1 => prop_oneof![Just(PhoneNative::Yes), Just(PhoneNative::No)].prop_map(Word::FaceReader),
        2 => (0_u8..4).prop_map(Word::Connected),
        2 => (0_u8..4).prop_map(Word::Disconnected),
        1 => Just(Word::Snoozed),
        1 => (0_i64..500_000).prop_map(|for_s| Word::Maintenance { for_s }),
        1 => Just(Word::Bought),
        1 => Just(Word::Retired),
        1 => Just(Word::Enrolled),
    ]
}

fn pause() -> impl Strategy<Value = i64> + Clone {
    prop_oneof![4 => 0_i64..130, 2 => 0_i64..2000, 1 => 0_i64..200_000]
}

/// A terminal whose readers are present from the beginning, and up to `most` observations.
pub(crate) fn sights(most: usize) -> impl Strategy<Value = Vec<Timed<Sight>>> + Clone {
    vec((pause(), sight()), 0..most).prop_map(|mut sights| {
        let readers =
            [(0, Sight::Attached(PHONE, ReaderRole::Phone)), (0, Sight::Attached(STAFF, ReaderRole::StaffLogin))];
        sights.splice(0..0, readers);
        sights
    })
}

/// Statements about a facility that is registered.
pub(crate) fn words(most: usize) -> impl Strategy<Value = Vec<Timed<Word>>> + Clone {
    vec((pause(), word()), 0..most).prop_map(|mut words| {
        words.insert(0, (0, Word::Registered));
        words
    })
}

/// `parts` merged as `choices` decide; each part keeps its order.
pub(crate) fn interleave(parts: Vec<Vec<Recorded>>, choices: &[usize]) -> Vec<Recorded> {
    let mut parts: Vec<_> = parts.into_iter().map(Vec::into_iter).collect();
    let mut facts = Vec::new();
    let mut choices = choices.iter().cycle();
    while !parts.is_empty() {
        let part = choices.next().copied().unwrap_or_default() % parts.len();
        match parts[part].next() {
            Some(fact) => facts.push(fact),
            None => drop(parts.remove(part)),
        }
    }
    facts
}
