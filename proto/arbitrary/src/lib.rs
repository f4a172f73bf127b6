//! Strategies for property tests that generate everything that the contract allows. Generated values are valid, have a
//! permitted author, and survive the wire and JSON unchanged.

mod kind;

use chrono::{DateTime, Utc};
use proptest::prelude::{Strategy, any, prop_oneof};
use proptest::strategy::{Just, Union};
use proptest::{collection, option};
use uuid::Uuid;

use yomitori_proto::event::{Event, LogBody, LogRecord, Observation, Observed, Origin, Recorded, Speaker, Stated};
use yomitori_proto::id::{FacilityId, Instance, Life, Seq, SnapshotId, StatementId, TerminalId};
use yomitori_proto::time;

/// An event; every kind is equally frequent.
pub fn event() -> impl Strategy<Value = Event> + Clone {
    Union::new(kind::terminal().into_iter().chain(kind::anyone()).chain(kind::stated()))
}

/// An event that a terminal may send.
pub fn terminal_event() -> impl Strategy<Value = Event> + Clone {
    Union::new(kind::terminal().into_iter().chain(kind::anyone()))
}

/// The highest sequence number.
const LAST_SEQ: u64 = i64::MAX.unsigned_abs();

/// An observation at any position in a life.
pub fn observation() -> impl Strategy<Value = Observation> + Clone {
    (1..=LAST_SEQ, instant(), instant(), terminal_event()).prop_map(|(seq, occurred_at, observed_at, event)| {
        Observation { seq: Seq(seq), occurred_at, observed_at, event }
    })
}

/// A fact of any facility.
pub fn recorded() -> impl Strategy<Value = Recorded> + Clone {
    (id(FacilityId), instant(), event().prop_flat_map(|event| (origin(event.speaker()), Just(event))))
        .prop_map(|(facility, received_at, (origin, event))| Recorded { facility, received_at, origin, event })
}

/// A record of the log: a terminal's batch with rising numbers, or a statement.
pub fn log_record() -> impl Strategy<Value = LogRecord> + Clone {
    (id(FacilityId), instant(), prop_oneof![batch(), statement()]).prop_map(|(facility, received_at, body)| LogRecord {
        facility,
        received_at,
        body,
    })
}

/// Any instant that the wire can represent, more often a recent one.
pub fn instant() -> impl Strategy<Value = DateTime<Utc>> + Clone {
    const LATE_2025: i64 = 1_758_000_000_000_000;
    const YEAR: i64 = 31_557_600_000_000;
    prop_oneof![
        4 => LATE_2025..LATE_2025 + 2 * YEAR,
        1 => 0..253_402_300_800_000_000_i64,
    ]
    .prop_map(|micros| time::from_micros(micros).expect("the range is that of the wire"))
}

fn batch() -> impl Strategy<Value = LogBody> + Clone {
    (id(TerminalId), id(Life), instant(), collection::vec(observation(), 0..6)).prop_map(
        |(terminal, life, sent_at, mut observations)| {
            observations.sort_by_key(|observation| observation.seq);
            observations.dedup_by_key(|observation| observation.seq);
            LogBody::Terminal { terminal, life, sent_at, observations }
        },
    )
}

fn statement() -> impl Strategy<Value = LogBody> + Clone {
    Union::new(kind::anyone().into_iter().chain(kind::stated()))
        .prop_flat_map(|event| {
            // Either a desk or a person who is signed in; here it is the latter.
            let speaker = if event.speaker() == Speaker::Anyone { Speaker::Person } else { event.speaker() };
            (origin(speaker), Just(event))
        })
        .prop_map(|(origin, event)| LogBody::Statement { origin, event })
}

fn origin(speaker: Speaker) -> impl Strategy<Value = Origin> + Clone {
    let terminal = (id(TerminalId), id(Life), 1..=LAST_SEQ, instant(), instant(), instant()).prop_map(
        |(terminal, life, seq, occurred_at, observed_at, sent_at)| {
            Origin::Terminal(Observed { terminal, life, seq: Seq(seq), occurred_at, observed_at, sent_at })
        },
    );
    let person = (line(), option::of(line()), instant(), option::of(id(StatementId)))
        .prop_map(|(by, why, stated_at, id)| Origin::Person(Stated { by, why, stated_at, id }));
    let server = (id(Instance), instant()).prop_map(|(instance, stated_at)| Origin::Server { instance, stated_at });
    let list = (id(SnapshotId), instant()).prop_map(|(snapshot, stated_at)| Origin::List { snapshot, stated_at });
    match speaker {
        Speaker::Terminal => Union::new([terminal.boxed()]),
        Speaker::Anyone => Union::new([terminal.boxed(), person.boxed()]),
        Speaker::Person => Union::new([person.boxed()]),
        Speaker::Server => Union::new([server.boxed()]),
        Speaker::List => Union::new([list.boxed()]),
    }
}

fn id<T: std::fmt::Debug>(of: fn(Uuid) -> T) -> impl Strategy<Value = T> + Clone {
    any::<u128>().prop_map(move |bits| of(Uuid::from_u128(bits)))
}

fn line() -> impl Strategy<Value = String> + Clone {
    "[^\\p{Cc}]{1,20}"
}
