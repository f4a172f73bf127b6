//! What the closed schema rejects, field by field, and what it accepts from newer versions.

use proptest::strategy::{Strategy as _, ValueTree as _};
use prost::Message;
use yomitori_proto::decode::{self, DecodeError};
use yomitori_proto::event::{Event, ReaderAttached, TapObserved, UnknownKind};
use yomitori_proto::id::ReaderKey;
use yomitori_proto::vocabulary::{Medium, ReaderRole};
use yomitori_proto::wire::{self, event::Kind};
use yomitori_proto::{encode, table};

const FILE: &str = "OQSsiquc01res_face_1319999015000001_20260401093005.xml";

fn refused(kind: Kind) -> DecodeError {
    decode::event(wire::Event { kind: Some(kind) }).expect_err("this must be rejected")
}

fn reader(model: &str) -> wire::ReaderAttached {
    wire::ReaderAttached { reader: 7, model: model.into(), vid: Some(0x054c), pid: Some(0x0dc9), role: 1 }
}

fn versions(text: &str) -> Kind {
    Kind::SoftwareVersionsObserved(wire::SoftwareVersionsObserved { os_build: Some(text.into()), ..Default::default() })
}

fn result(error_code: &str) -> Kind {
    Kind::LinkageResultObserved(wire::LinkageResultObserved {
        error_code: Some(error_code.into()),
        ..Default::default()
    })
}

#[test]
fn a_terminal_has_no_field_for_free_text() {
    for text in ["山田太郎", "a b", "a/b", "a\\b", "a\0b", "a\nb", "ID=1;", &"x".repeat(65)] {
        assert!(
            matches!(refused(Kind::ReaderAttached(reader(text))), DecodeError::Text { field: "model", .. }),
            "{text}"
        );
        assert!(matches!(refused(versions(text)), DecodeError::Text { field: "os_build", .. }), "{text}");
        assert!(matches!(refused(result(text)), DecodeError::Text { field: "error_code", .. }), "{text}");
        let failed = wire::SmartphoneReadFailed { cause: text.into(), read_at_us: 0 };
        assert!(
            matches!(refused(Kind::SmartphoneReadFailed(failed)), DecodeError::Text { field: "cause", .. }),
            "{text}"
        );
    }
    assert!(matches!(refused(result("12345678901234567")), DecodeError::Text { .. }));
    assert!(matches!(refused(result(FILE)), DecodeError::Text { .. }));
}

#[test]
fn a_pattern_is_no_word_and_no_version() {
    let decoded = |kind| decode::event(wire::Event { kind: Some(kind) }).unwrap();
    for text in [FILE, "3B888001000000003381810049", "1319999015000001", "later-model", "Later.Cause"] {
        let Event::ReaderAttached(attached) = decoded(Kind::ReaderAttached(reader(text))) else { panic!() };
        assert_eq!(attached.model, None, "{text}");
        let failed = wire::SmartphoneReadFailed { cause: text.into(), read_at_us: 0 };
        let Event::SmartphoneReadFailed(failed) = decoded(Kind::SmartphoneReadFailed(failed)) else { panic!() };
        assert_eq!(failed.cause, table::OTHER_CAUSE);
        let used = wire::FallbackUsed { fallback: text.into(), used_at_us: 0 };
        let Event::FallbackUsed(used) = decoded(Kind::FallbackUsed(used)) else { panic!() };
        assert_eq!(used.fallback, table::OTHER_FALLBACK);
        let set = wire::FaceReaderModelSet { model: text.into(), phone_native: 0 };
        let Event::FaceReaderModelSet(set) = decoded(Kind::FaceReaderModelSet(set)) else { panic!() };
        assert_eq!(set.model, table::OTHER_MODEL);
        assert!(matches!(refused(versions(text)), DecodeError::Text { .. }), "{text}");
    }
    for text in ["0.1.0", "3.01", "10.0.19045.5737", "2026.4.1"] {
        assert!(matches!(decoded(versions(text)), Event::SoftwareVersionsObserved(_)), "{text}");
    }
    for text in ["1", "1.", ".1", "1.2.3.4.5", "1234567.1", "1.0-rc1", "1.0+20260401"] {
        assert!(matches!(refused(versions(text)), DecodeError::Text { .. }), "{text}");
    }
    for (text, code) in [
        ("OQS00012", Some("OQS00012")),
        ("E0017", Some("E0017")),
        ("006", Some("006")),
        ("1319999015", None),
        ("3B88800100000000", None),
        ("7A3F09C1D2E4", None),
        ("0236798", None),
        ("ABCDE1", None),
        ("E0017B", None),
    ] {
        let Event::LinkageResultObserved(seen) = decoded(result(text)) else { panic!() };
        assert_eq!(seen.error_code.as_deref(), code, "{text}");
    }
}

#[test]
fn an_error_names_the_field_and_never_its_content() {
    let message = refused(versions("秘密 secret")).to_string();
    assert!(message.contains("os_build") && !message.contains("secret") && !message.contains("秘密"), "{message}");
}

#[test]
fn an_identifier_has_sixteen_bytes() {
    for length in [0, 15, 17, 32] {
        let withdrawn = wire::EntryWithdrawn { life: vec![1; length], seq: 1 };
        assert_eq!(refused(Kind::EntryWithdrawn(withdrawn)), DecodeError::Identifier { field: "life" });
    }
}

#[test]
fn an_instant_lies_between_1970_and_9999() {
    for micros in [-1, i64::MIN, i64::MAX, 253_402_300_800_000_000] {
        let restarted = wire::FaceReaderRestarted { restarted_at_us: micros };
        assert_eq!(refused(Kind::FaceReaderRestarted(restarted)), DecodeError::Instant { field: "restarted_at_us" });
    }
}

#[test]
fn a_usb_number_has_sixteen_bits() {
    let attached = wire::ReaderAttached { vid: Some(0x1_0000), ..reader("sony-rc-s300") };
    assert!(matches!(refused(Kind::ReaderAttached(attached)), DecodeError::Number { field: "vid", .. }));
    let blocked = wire::ReaderBlocked { vid: 1, pid: u32::MAX };
    assert!(matches!(refused(Kind::ReaderBlocked(blocked)), DecodeError::Number { field: "pid", .. }));
}

#[test]
fn a_person_writes_lines_and_a_document_has_many() {
    let registered = |name: &str, prefecture: &str, code: &str| {
        Kind::FacilityRegistered(wire::FacilityRegistered {
            name: name.into(),
            prefecture: prefecture.into(),
            codes: vec![code.into()],
            address: None,
            moved_at_us: None,
            correction: false,
        })
    };
    let decoded = |kind| decode::event(wire::Event { kind: Some(kind) });
    assert!(decoded(registered("やまだ内科クリニック", "13", "1319999015")).is_ok());
    for (name, prefecture, code) in [
        ("", "13", "1319999015"),
        ("a\nb", "13", "1319999015"),
        ("a", "48", "1319999015"),
        ("a", "+1", "1319999015"),
        ("a", "1", "1319999015"),
        ("a", "13", "131999901"),
    ] {
        assert!(decoded(registered(name, prefecture, code)).is_err(), "{name} {prefecture} {code}");
    }
    let rules = |document: &str| Kind::RulesAdopted(wire::RulesAdopted { version: 1, document: document.into() });
    assert!(decoded(rules("[rules]\n\tlevel = \"correlated\"\n")).is_ok());
    assert!(decoded(rules("\0")).is_err());
    assert!(decoded(rules(&"x".repeat(256 * 1024 + 1))).is_err());
}

#[test]
fn a_word_of_a_newer_version_is_read_as_unknown() {
    let tap = wire::TapObserved { reader: 7, medium: 99, ..Default::default() };
    let Ok(Event::TapObserved(TapObserved { medium, .. })) =
        decode::event(wire::Event { kind: Some(Kind::TapObserved(tap)) })
    else {
        panic!("a tap is read")
    };
    assert_eq!(medium, Medium::Unknown);
}

#[test]
fn a_kind_of_a_newer_version_is_reported_as_one() {
    // Field 999 of `Event`, an empty message. In a statement it has no meaning that could be folded.
    let newer = wire::Event::decode(&[0xba, 0x3e, 0x00][..]).unwrap();
    assert_eq!(decode::event(newer), Err(DecodeError::UnknownKind { field: "event" }));
}

#[test]
fn an_observation_of_a_newer_kind_is_bounded_and_from_a_terminal() {
    let said = |event: Vec<u8>| {
        decode::from_terminal(wire::Observation { seq: 1, occurred_at_us: 1, observed_at_us: 1, event })
    };
    let field = |number, length: usize| {
        let mut event = Vec::new();
        prost::encoding::bytes::encode(number, &vec![7; length], &mut event);
        event
    };
    let fits = field(200, 1024 - 4);
    assert_eq!(fits.len(), UnknownKind::LONGEST);
    assert!(matches!(said(fits).map(|it| it.event), Ok(Event::UnknownKind(UnknownKind { number: 200, .. }))));
    let (two, mut cut) = ([field(200, 3), field(201, 3)].concat(), field(200, 30));
    cut.truncate(20);
    let number = vec![0xc0, 0x0c, 0x01];
    for wrong in [field(200, 1021), two, cut, number, vec![], vec![0xff; 20]] {
        assert!(said(wrong.clone()).is_err(), "{wrong:02x?}");
    }
    // These numbers are for people, servers and lists of later versions: a rebuild must never find them in a batch.
    for number in [72, 82, 91, 105, 199] {
        assert!(matches!(said(field(number, 3)), Err(DecodeError::NotFromTerminal { .. })), "{number}");
    }
}

#[test]
fn every_kind_that_a_terminal_may_send_has_a_number_for_terminals_and_fits() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..500 {
        let observation = yomitori_arbitrary::observation().new_tree(&mut runner).unwrap().current();
        let event = encode::observation(&observation).event;
        assert!(event.len() <= UnknownKind::LONGEST, "{}", observation.event.kind());
        let (number, _) = prost::encoding::decode_key(&mut event.as_slice()).unwrap();
        assert!(matches!(number, 1..50 | 200..), "{} has number {number}", observation.event.kind());
    }
}

#[test]
fn a_reader_that_the_catalogue_does_not_know_has_no_model() {
    let attached = decode::event(wire::Event { kind: Some(Kind::ReaderAttached(reader(""))) }).unwrap();
    let (vid, pid) = (Some(0x054c), Some(0x0dc9));
    assert_eq!(
        attached,
        Event::from(ReaderAttached { reader: ReaderKey(7), model: None, vid, pid, role: ReaderRole::Phone })
    );
}

#[test]
fn a_terminal_can_not_speak_for_a_person_the_server_or_the_list() {
    let said = |kind| wire::Observation {
        seq: 1,
        occurred_at_us: 1,
        observed_at_us: 1,
        event: wire::Event { kind: Some(kind) }.encode_to_vec(),
    };
    let intent = said(Kind::ListingIntentSet(wire::ListingIntentSet { intent: 2 }));
    assert_eq!(decode::from_terminal(intent.clone()), Err(DecodeError::NotFromTerminal { kind: "listing_intent_set" }));
    assert!(decode::observation(intent).is_ok());
    let list = said(Kind::ListingObserved(wire::ListingObserved { coverage: "full".into(), ..Default::default() }));
    assert_eq!(decode::from_terminal(list), Err(DecodeError::NotFromTerminal { kind: "listing_observed" }));
    let hung = said(Kind::NoticeHung(wire::NoticeHung { notice: 1, hung_at_us: 1 }));
    assert!(decode::from_terminal(hung).is_ok());
}

#[test]
fn a_life_begins_at_one() {
    let zeroth = wire::Observation { seq: 0, ..Default::default() };
    assert!(matches!(decode::observation(zeroth), Err(DecodeError::Number { field: "seq", .. })));
}
