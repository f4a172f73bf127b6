//! Everything that is encoded can be decoded; broken bytes are rejected without a panic.

use chrono::{DateTime, TimeDelta};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{collection, prop_assert, prop_assert_eq, sample};
use prost::Message;
use uuid::Uuid;
use yomitori_proto::event::{Event, LogBody, LogRecord, Recorded};
use yomitori_proto::id::{FacilityId, Session, TerminalId};
use yomitori_proto::uplink::{Answer, Hello, Peer, Receiver, ReceiverSettings};
use yomitori_proto::vocabulary::Way;
use yomitori_proto::{decode, encode, time, wire};

proptest! {
    #[test]
    fn a_record_comes_back_as_it_was(record in yomitori_arbitrary::log_record()) {
        prop_assert_eq!(decode::log_record(&encode::log_record_bytes(&record)).unwrap(), record);
    }

    #[test]
    fn an_event_comes_back_as_it_was(event in yomitori_arbitrary::event()) {
        let known = !matches!(event, Event::UnknownKind(_));
        prop_assert_eq!(decode::event(encode::event(&event)).ok(), known.then_some(event));
    }

    /// The observation of a newer version: its bytes pass through every message of this version unchanged.
    #[test]
    fn a_kind_of_a_newer_version_is_carried_byte_for_byte(observation in newer(), sent_at_us in 0..1_i64 << 50) {
        let decoded = decode::from_terminal(observation.clone()).unwrap();
        prop_assert!(matches!(decoded.event, Event::UnknownKind(_)));
        prop_assert_eq!(&encode::observation(&decoded), &observation);
        let (terminal, facility, received_at) = (PEER.terminal, PEER.facility, DateTime::UNIX_EPOCH);
        let life = yomitori_proto::id::Life(Uuid::from_u128(4));
        let body = LogBody::Terminal { terminal, life, sent_at: received_at, observations: vec![decoded] };
        let stored = encode::log_record_bytes(&LogRecord { facility, received_at, body });
        let Ok(wire::LogRecord { body: Some(wire::log_record::Body::Terminal(batch)), .. }) =
            wire::LogRecord::decode(stored.as_slice())
        else {
            panic!("a batch")
        };
        prop_assert_eq!(&batch.observations[0], &observation);
        // Among others it is taken like any other.
        let batch = wire::Batch { after: observation.seq - 1, sent_at_us, observations: vec![observation] };
        let mut receiver = Receiver::new(PEER, SESSION, ReceiverSettings { keep_alive_s: 60, batch_limit: 100 });
        receiver.handle(hello_after(batch.after)).unwrap();
        let effect = receiver.handle(wire::Up { message: Some(wire::up::Message::Batch(batch)) });
        prop_assert!(matches!(effect, Ok(Some(yomitori_proto::uplink::Effect::Append { .. }))), "{effect:?}");
    }

    #[test]
    fn an_observation_comes_back_as_it_was(observation in yomitori_arbitrary::observation()) {
        let message = encode::observation(&observation);
        prop_assert_eq!(decode::from_terminal(message.clone()).unwrap(), observation.clone());
        prop_assert_eq!(decode::observation(message).unwrap(), observation);
    }

    #[test]
    fn a_fact_comes_back_from_json_as_it_was(fact in yomitori_arbitrary::recorded()) {
        let json = serde_json::to_string(&fact).unwrap();
        prop_assert_eq!(serde_json::from_str::<Recorded>(&json).unwrap(), fact);
    }

    #[test]
    fn an_instant_loses_only_what_is_finer_than_a_microsecond(seconds in 0..253_402_300_800_i64, nanos in 0..1_000_000_000_u32) {
        let at = DateTime::from_timestamp(seconds, nanos).unwrap();
        let back = time::from_micros(time::to_micros(at)).unwrap();
        prop_assert_eq!(back, time::truncate(at));
        prop_assert!(at - back < TimeDelta::microseconds(1));
    }

    #[test]
    fn random_bytes_are_refused_or_mean_what_they_say(bytes in collection::vec(any::<u8>(), 0..200)) {
        try_everything(&bytes);
    }

    #[test]
    fn a_broken_record_is_refused_or_means_what_it_says(bytes in broken(yomitori_arbitrary::log_record().prop_map(|record| encode::log_record_bytes(&record)))) {
        try_everything(&bytes);
    }

    #[test]
    fn a_broken_message_is_refused_or_means_what_it_says(bytes in broken(up().prop_map(|up| up.encode_to_vec()))) {
        try_everything(&bytes);
    }
}

/// A decoded value must be the same after it is encoded and decoded again.
fn try_everything(bytes: &[u8]) {
    if let Ok(record) = decode::log_record(bytes) {
        let again = decode::log_record(&encode::log_record_bytes(&record));
        assert_eq!(again, Ok(record));
    }
    let down = wire::Down::decode(bytes).ok().and_then(|down| Answer::read(down).ok().flatten());
    if let Some(answer) = down {
        assert_eq!(Answer::read(wire::Down::from(answer)), Ok(Some(answer)));
    }
    if let Ok(message) = wire::Up::decode(bytes) {
        let mut receiver = Receiver::new(PEER, SESSION, ReceiverSettings { keep_alive_s: 60, batch_limit: 100 });
        if receiver.handle(message.clone()).is_err() {
            receiver.handle(hello()).expect("a valid greeting is accepted");
            drop(receiver.handle(message));
        }
    }
}

const PEER: Peer = Peer { terminal: TerminalId(Uuid::from_u128(1)), facility: FacilityId(Uuid::from_u128(2)) };
const SESSION: Session = Session(Uuid::from_u128(3));

fn hello() -> wire::Up {
    hello_after(0)
}

/// An observation of a kind that this version does not know, as a newer agent encodes it.
fn newer() -> impl Strategy<Value = wire::Observation> {
    let number = prop_oneof![40..50_u32, 200..1_u32 << 29];
    (number, collection::vec(any::<u8>(), 0..1_000), 1..1_u64 << 60, 0..1_i64 << 50).prop_map(
        |(number, content, seq, at)| {
            let mut event = Vec::new();
            prost::encoding::bytes::encode(number, &content, &mut event);
            wire::Observation { seq, occurred_at_us: at, observed_at_us: at, event }
        },
    )
}

fn hello_after(after: u64) -> wire::Up {
    wire::Up::from(Hello {
        terminal: PEER.terminal,
        facility: PEER.facility,
        life: yomitori_proto::id::Life(Uuid::from_u128(4)),
        first_unacknowledged: yomitori_proto::id::Seq(after + 1),
        agent_version: "0.1.0".into(),
        sent_at: DateTime::UNIX_EPOCH,
        way: Way::Relay,
        takes_settings: true,
        former: Vec::new(),
    })
}

fn up() -> impl Strategy<Value = wire::Up> {
    let batch = (any::<u64>(), any::<i64>(), collection::vec(yomitori_arbitrary::observation(), 0..5)).prop_map(
        |(after, sent_at_us, observations)| {
            let observations = observations.iter().map(encode::observation).collect();
            wire::up::Message::Batch(wire::Batch { after, sent_at_us, observations })
        },
    );
    let keep_alive = (any::<u64>(), any::<i64>())
        .prop_map(|(last_kept, sent_at_us)| wire::up::Message::KeepAlive(wire::KeepAlive { last_kept, sent_at_us }));
    prop_oneof![
        batch.prop_map(|batch| wire::Up { message: Some(batch) }),
        keep_alive.prop_map(|alive| wire::Up { message: Some(alive) }),
        Just(hello())
    ]
}

/// Some bytes are changed, removed or repeated.
fn broken(whole: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let faults = collection::vec((any::<sample::Index>(), any::<u8>(), 0..4_u8), 1..4);
    (whole, faults).prop_map(|(mut bytes, faults)| {
        for (place, byte, fault) in faults {
            if bytes.is_empty() {
                break;
            }
            let place = place.index(bytes.len());
            match fault {
                0 => bytes.truncate(place),
                1 => bytes.insert(place, byte),
                2 => bytes.extend_from_within(place..),
                _ => bytes[place] = byte,
            }
        }
        bytes
    })
}
