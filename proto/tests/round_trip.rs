//! Everything that is encoded can be decoded; broken bytes are rejected without a panic.

use chrono::{DateTime, TimeDelta};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use proptest::{collection, prop_assert, prop_assert_eq, sample};
use prost::Message;
use uuid::Uuid;
use yomitori_proto::event::Recorded;
use yomitori_proto::id::{FacilityId, Session, TerminalId};
use yomitori_proto::uplink::{Answer, Hello, Peer, Receiver, ReceiverSettings};
use yomitori_proto::vocabulary::Way;
use yomitori_proto::{arbitrary, decode, encode, time, wire};

proptest! {
    #[test]
    fn a_record_comes_back_as_it_was(record in arbitrary::log_record()) {
        prop_assert_eq!(decode::log_record(&encode::log_record_bytes(&record)).unwrap(), record);
    }

    #[test]
    fn an_event_comes_back_as_it_was(event in arbitrary::event()) {
        prop_assert_eq!(decode::event(encode::event(&event)).unwrap(), event);
    }

    #[test]
    fn an_observation_comes_back_as_it_was(observation in arbitrary::observation()) {
        let message = encode::observation(&observation);
        prop_assert_eq!(decode::from_terminal(message.clone()).unwrap(), observation.clone());
        prop_assert_eq!(decode::observation(message).unwrap(), observation);
    }

    #[test]
    fn a_fact_comes_back_from_json_as_it_was(fact in arbitrary::recorded()) {
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
    fn a_broken_record_is_refused_or_means_what_it_says(bytes in broken(arbitrary::log_record().prop_map(|record| encode::log_record_bytes(&record)))) {
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
    if let Ok(answer) = wire::Down::decode(bytes).map_err(drop).and_then(|down| Answer::try_from(down).map_err(drop)) {
        assert_eq!(Answer::try_from(wire::Down::from(answer)), Ok(answer));
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
    wire::Up::from(Hello {
        terminal: PEER.terminal,
        facility: PEER.facility,
        life: yomitori_proto::id::Life(Uuid::from_u128(4)),
        first_unacknowledged: yomitori_proto::id::Seq(1),
        agent_version: "0.1.0".into(),
        sent_at: DateTime::UNIX_EPOCH,
        way: Way::Relay,
        takes_settings: true,
    })
}

fn up() -> impl Strategy<Value = wire::Up> {
    let batch = (any::<u64>(), any::<i64>(), collection::vec(arbitrary::observation(), 0..5)).prop_map(
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
