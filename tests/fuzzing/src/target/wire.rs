//! What comes over the line and out of the log.

use chrono::{DateTime, Utc};
use prost::Message as _;
use uuid::Uuid;
use yomitori_proto::id::{FacilityId, Session, TerminalId};
use yomitori_proto::uplink::{Answer, Effect, Peer, Receiver, ReceiverSettings};
use yomitori_proto::{decode, encode, wire};

/// An observation, as a terminal sends it. What is accepted comes back from its own encoding.
pub(super) fn event(bytes: &[u8]) {
    let Ok(sent) = wire::Observation::decode(bytes) else { return };
    let Ok(observation) = decode::from_terminal(sent) else { return };
    let again = decode::observation(encode::observation(&observation)).expect("what was accepted is accepted again");
    assert_eq!(again, observation);
}

/// The messages of a stream, each with its length before it.
pub(super) fn uplink(mut bytes: &[u8]) {
    let peer = Peer { facility: FacilityId(Uuid::from_u128(1)), terminal: TerminalId(Uuid::from_u128(2)) };
    let settings = ReceiverSettings { keep_alive_s: 30, batch_limit: 100 };
    let mut receiver = Receiver::new(peer, Session(Uuid::from_u128(3)), settings);
    let mut highest = 0;
    while let Ok(message) = wire::Up::decode_length_delimited(&mut bytes) {
        match receiver.handle(message) {
            Ok(Some(Effect::Append { observations, through, .. })) => {
                assert!(observations.len() <= 100 && !observations.is_empty());
                assert!(observations.iter().all(|observation| observation.seq.0 > highest));
                highest = observations.iter().map(|observation| observation.seq.0).max().unwrap_or(highest);
                receiver.appended(through);
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// What a server answers, at the terminal.
pub(super) fn answer(bytes: &[u8]) {
    if let Ok(down) = wire::Down::decode(bytes) {
        Answer::read(down).ok();
    }
}

/// A record of the log. What is accepted comes back from its own encoding, and becomes facts.
pub(super) fn record(bytes: &[u8]) {
    let Ok(record) = decode::log_record(bytes) else { return };
    let again = decode::log_record(&encode::log_record_bytes(&record)).expect("what was accepted is accepted again");
    assert_eq!(again, record);
    for fact in record.into_facts() {
        let at: DateTime<Utc> = fact.occurred_at();
        assert!(at >= DateTime::UNIX_EPOCH);
    }
}
