//! P10: no bytes of reader names, ATRs or file names are in an encoded observation.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use uuid::Uuid;
use yomitori_observation::tap::{Snapshot, Taps};
use yomitori_observation::{Moment, linkage, reader};
use yomitori_proto::encode;
use yomitori_proto::event::{Event, Observation, ReaderAttached};
use yomitori_proto::id::{Seq, TerminalId};
use yomitori_proto::vocabulary::{LinkageFolder, ReaderRole};

#[expect(clippy::disallowed_methods, reason = "a test begins somewhere; it reads the clock once")]
fn moment() -> Moment {
    let wall: DateTime<Utc> = "2026-04-01T00:30:10Z".parse().expect("an instant");
    Moment { wall, steady: Instant::now() }
}

fn encoded(event: Event) -> Vec<u8> {
    let at = moment().wall;
    prost::Message::encode_to_vec(&encode::observation(&Observation {
        seq: Seq(1),
        occurred_at: at,
        observed_at: at,
        event,
    }))
}

/// Whether four consecutive bytes of `secret` occur in `sent`; fewer may be chance.
fn leaks(secret: &[u8], sent: &[u8]) -> bool {
    secret.windows(4).any(|run| run.iter().any(|byte| *byte != 0) && sent.windows(4).any(|window| window == run))
}

proptest! {
    #[test]
    fn a_file_name_does_not_leave(
        prefix in prop_oneof!["OQSsiquc01res_face_", "OQSsiquc01res_", "TKKsiquc01req_", "del", ""],
        patient in "[A-Z]{2}[0-9]{6,12}",
        tail in prop_oneof!["_20260401093005", "_2026040193005", "_19530401093005", ""],
        suffix in prop_oneof![".xml", ".XML", ".txt", ""],
    ) {
        let name = format!("{prefix}{patient}{tail}{suffix}");
        let sent = encoded(linkage::observe(LinkageFolder::Face, &name, 0, moment().wall).into());
        prop_assert!(!leaks(name.as_bytes(), &sent), "{name} in {sent:?}");
    }

    #[test]
    fn a_reader_name_and_its_serial_number_do_not_leave(
        base in prop_oneof!["SONY FeliCa RC-S300/P", "Circle CIR315 CL [CIR315 CL]", "Clinic Taro Reader", "診察室の読取機"],
        serial in "[0-9A-F]{6,14}",
    ) {
        let raw = format!("{base} ({serial}) 00 00");
        let name = reader::Name::parse(&raw);
        let model = reader::model(&name);
        let sent = encoded(Event::ReaderAttached(ReaderAttached {
            reader: name.key(TerminalId(Uuid::from_u128(1))),
            model: model.map(|model| model.id.clone()),
            vid: model.and_then(reader::Model::vid),
            pid: model.and_then(reader::Model::pid),
            role: ReaderRole::Phone,
        }));
        prop_assert!(!leaks(serial.as_bytes(), &sent));
        prop_assert!(!leaks(raw.as_bytes(), &sent), "{raw} in {sent:?}");
    }

    #[test]
    fn an_atr_does_not_leave(mut atr in proptest::collection::vec(any::<u8>(), 0..40), whole in any::<bool>()) {
        if whole && atr.len() > 4 {
            // An ATR in the form of contactless cards, with the secret in its historical bytes.
            atr.truncate(15);
            let mut framed = vec![0x3B, 0x80 | atr.len() as u8, 0x80, 0x01];
            framed.extend(&atr);
            framed.push(framed.iter().skip(1).fold(0, |sum, byte| sum ^ byte));
            atr = framed;
        }
        let now = moment();
        let later = Moment { steady: now.steady + Duration::from_secs(5), ..now };
        let mut taps = Taps::default();
        let key = reader::Name::parse("any 0").key(TerminalId(Uuid::from_u128(1)));
        taps.observe(key, &Snapshot { present: true, atr: atr.clone(), ..Snapshot::default() }, now);
        taps.detached(key, now);
        for sighting in taps.ended(later) {
            let sent = encoded(sighting.event);
            prop_assert!(!leaks(&atr, &sent), "{atr:?} in {sent:?}");
        }
    }
}
