//! The server's half of the uplink, one test for each rule.

use chrono::DateTime;
use uuid::Uuid;
use yomitori_proto::decode::DecodeError;
use yomitori_proto::encode;
use yomitori_proto::event::{ClockStepped, Event, ListingIntentSet, Observation};
use yomitori_proto::id::{FacilityId, Life, Seq, Session, TerminalId};
use yomitori_proto::uplink::{Answer, Effect, Hello, Peer, Receiver, ReceiverSettings, Refusal, Welcome};
use yomitori_proto::vocabulary::{Intent, Way};
use yomitori_proto::wire::{self, up};

const PEER: Peer = Peer { terminal: TerminalId(Uuid::from_u128(1)), facility: FacilityId(Uuid::from_u128(2)) };
const SESSION: Session = Session(Uuid::from_u128(3));

fn new() -> Receiver {
    Receiver::new(PEER, SESSION, ReceiverSettings { keep_alive_s: 20, batch_limit: 5 })
}

fn greeted(first_unacknowledged: u64) -> Receiver {
    let mut receiver = new();
    receiver.handle(hello(PEER, first_unacknowledged)).expect("a valid greeting is accepted");
    receiver
}

fn hello(Peer { terminal, facility }: Peer, first_unacknowledged: u64) -> wire::Up {
    wire::Up::from(Hello {
        terminal,
        facility,
        life: Life(Uuid::from_u128(4)),
        first_unacknowledged: Seq(first_unacknowledged),
        agent_version: "0.1.0".into(),
        sent_at: DateTime::UNIX_EPOCH,
        way: Way::Unknown,
        takes_settings: false,
        former: Vec::new(),
    })
}

fn said(seq: u64, event: impl Into<Event>) -> wire::Observation {
    let (occurred_at, observed_at) = (DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH);
    encode::observation(&Observation { seq: Seq(seq), occurred_at, observed_at, event: event.into() })
}

fn batch(after: u64, seqs: &[u64]) -> wire::Up {
    let observations = seqs.iter().map(|seq| said(*seq, ClockStepped { delta_ms: 0 })).collect();
    wire::Up { message: Some(up::Message::Batch(wire::Batch { after, sent_at_us: 0, observations })) }
}

/// The numbers that are to be appended.
fn appends(effect: Result<Option<Effect>, Refusal>) -> Vec<u64> {
    match effect {
        Ok(Some(Effect::Append { observations, through, .. })) => {
            assert_eq!(observations.last().map(|last| last.seq), Some(through));
            observations.iter().map(|observation| observation.seq.0).collect()
        }
        other => panic!("not an append: {other:?}"),
    }
}

fn ack(through: u64) -> Option<Answer> {
    Some(Answer::Ack { through: Seq(through) })
}

#[test]
fn a_terminal_that_is_who_its_certificate_says_is_welcome() {
    let welcome = Answer::Welcome(Welcome { session: SESSION, keep_alive_s: 20, batch_limit: 5 });
    let Ok(Some(Effect::Greet { hello, welcome: said })) = new().handle(hello(PEER, 1)) else {
        panic!("it is greeted")
    };
    assert_eq!((hello.terminal, hello.facility, said), (PEER.terminal, PEER.facility, welcome));
}

#[test]
fn a_terminal_that_claims_to_be_another_is_refused() {
    let other = Uuid::from_u128(9);
    for claimed in [Peer { facility: FacilityId(other), ..PEER }, Peer { terminal: TerminalId(other), ..PEER }] {
        assert_eq!(new().handle(hello(claimed, 1)), Err(Refusal::NotYou));
    }
}

#[test]
fn a_stream_begins_with_hello_and_has_no_second_one() {
    let alive = wire::Up { message: Some(up::Message::KeepAlive(wire::KeepAlive { last_kept: 1, sent_at_us: 0 })) };
    assert_eq!(new().handle(alive), Err(Refusal::HelloFirst));
    assert_eq!(new().handle(batch(0, &[1])), Err(Refusal::HelloFirst));
    assert_eq!(greeted(1).handle(hello(PEER, 1)), Err(Refusal::HelloTwice));
    let nothing = wire::Up { message: None };
    assert_eq!(new().handle(nothing), Err(Refusal::Message(DecodeError::UnknownKind { field: "up" })));
}

#[test]
fn numbers_that_were_never_assigned_are_not_a_lost_batch() {
    let mut receiver = greeted(5);
    assert_eq!(appends(receiver.handle(batch(4, &[7, 9]))), [7, 9]);
    assert_eq!(appends(receiver.handle(batch(9, &[30]))), [30]);
}

#[test]
fn a_lost_batch_is_requested_once() {
    let mut receiver = greeted(1);
    let resume = Ok(Some(Effect::Answer(Answer::Resume { after: Seq(0) })));
    assert_eq!(receiver.handle(batch(5, &[6, 7])), resume);
    assert_eq!(receiver.handle(batch(7, &[8])), Ok(None));
    assert_eq!(appends(receiver.handle(batch(0, &[1, 2]))), [1, 2]);
    let resume = Ok(Some(Effect::Answer(Answer::Resume { after: Seq(2) })));
    assert_eq!(receiver.handle(batch(5, &[6, 7])), resume);
}

#[test]
fn a_batch_that_comes_twice_is_appended_once_and_acknowledged_again() {
    let mut receiver = greeted(1);
    assert_eq!(appends(receiver.handle(batch(0, &[1, 2, 3]))), [1, 2, 3]);
    assert_eq!(receiver.handle(batch(0, &[1, 2, 3])), Ok(None), "not in the log yet");
    assert_eq!(receiver.appended(Seq(3)), ack(3));
    assert_eq!(receiver.handle(batch(0, &[1, 2, 3])), Ok(ack(3).map(Effect::Answer)));
    assert_eq!(appends(receiver.handle(batch(1, &[2, 3, 4]))), [4]);
}

#[test]
fn only_what_is_in_the_log_without_a_hole_is_acknowledged() {
    let mut receiver = greeted(1);
    for after in 0..4 {
        appends(receiver.handle(batch(after, &[after + 1])));
    }
    assert_eq!(receiver.appended(Seq(3)), None);
    assert_eq!(receiver.appended(Seq(2)), None);
    assert_eq!(receiver.appended(Seq(1)), ack(3));
    assert_eq!(receiver.appended(Seq(1)), None);
    assert_eq!(receiver.appended(Seq(77)), None, "this append was not requested");
    assert_eq!(receiver.appended(Seq(4)), ack(4));
}

#[test]
fn numbers_rise_within_a_batch_and_lie_above_its_after() {
    for (after, seqs) in [(0, &[2, 1][..]), (0, &[1, 1]), (3, &[3]), (3, &[2, 4])] {
        assert_eq!(greeted(4).handle(batch(after, seqs)), Err(Refusal::OutOfOrder), "{after} {seqs:?}");
    }
}

#[test]
fn a_batch_over_the_limit_is_refused() {
    assert_eq!(greeted(1).handle(batch(0, &[1, 2, 3, 4, 5, 6])), Err(Refusal::OverLimit { limit: 5 }));
    assert_eq!(appends(greeted(1).handle(batch(0, &[1, 2, 3, 4, 5]))).len(), 5);
}

#[test]
fn a_terminal_can_not_state_what_only_a_person_may() {
    let observations = vec![said(1, ListingIntentSet { intent: Intent::DoNotWant })];
    let stated = wire::Up { message: Some(up::Message::Batch(wire::Batch { after: 0, sent_at_us: 0, observations })) };
    let refusal = Refusal::Message(DecodeError::NotFromTerminal { kind: "listing_intent_set" });
    assert_eq!(greeted(1).handle(stated), Err(refusal));
}

#[test]
fn a_terminal_that_is_alive_says_how_far_it_is_complete() {
    let alive = wire::Up { message: Some(up::Message::KeepAlive(wire::KeepAlive { last_kept: 9, sent_at_us: 0 })) };
    let present = Effect::Present { last_kept: Seq(9), sent_at: DateTime::UNIX_EPOCH };
    assert_eq!(greeted(10).handle(alive), Ok(Some(present)));
}
