//! Hostile texts in each text field of each message that a terminal can send. The fields are those of the contract's
//! description, so that a new one is among them by itself.

use anyhow::{Context, Result, ensure};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use prost::Message as _;
use prost::encoding::bytes;
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};
use uuid::Uuid;
use yomitori_proto::event::{LogBody, LogRecord, Speaker};
use yomitori_proto::id::{FacilityId, Life, Session, TerminalId};
use yomitori_proto::uplink::{Effect, Peer, Receiver, ReceiverSettings};
use yomitori_proto::{decode, encode, time, wire};
use yomitori_simulation::clock;

/// What must not leave a terminal, as it would look in a text field.
const HOSTILE: [&str; 12] = [
    "OQSsiquc01res_face_1319999015000001_20260401093005.xml",
    "OQSsiquc01res_face_13199990150a1b2c3d4e5f60718293_20261130093005.xml",
    "1319999015000001",
    "00012345",
    "3B888001000000003381810049",
    "3b8880010000",
    "SONY FeliCa RC-S300/P (0236798)",
    "0236798",
    "7A3F09C1D2E4",
    "山田太郎",
    "ﾔﾏﾀﾞ ﾀﾛｳ",
    "C:\\OQS\\face\\1319999015.xml",
];

/// The contract's description, from the files that the programs are built from.
fn contract() -> Result<FileDescriptorSet> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let files = ["yomitori/v1/event.proto", "yomitori/v1/uplink.proto", "yomitori/v1/enrol.proto"];
    let compiled = protox::compile(files.map(|file| format!("{folder}/{file}")), [folder]);
    compiled.context("compile the contract")
}

struct Messages(Vec<DescriptorProto>);

impl Messages {
    fn read() -> Result<Self> {
        Ok(Self(contract()?.file.into_iter().flat_map(|file| file.message_type).collect()))
    }

    fn of(&self, name: &str) -> Result<&DescriptorProto> {
        let name = name.rsplit('.').next().unwrap_or(name);
        self.0.iter().find(|message| message.name() == name).with_context(|| format!("no message {name}"))
    }

    fn texts(&self, name: &str) -> Result<Vec<&FieldDescriptorProto>> {
        Ok(self.of(name)?.field.iter().filter(|field| field.r#type() == Type::String).collect())
    }
}

fn number(field: &FieldDescriptorProto) -> Result<u32> {
    Ok(u32::try_from(field.number())?)
}

/// The message with one more field, which replaces an earlier one of its number or is added to a repeated one.
fn with(message: &[u8], field: u32, text: &str) -> Vec<u8> {
    let mut all = message.to_vec();
    bytes::encode(field, &text.as_bytes().to_vec(), &mut all);
    all
}

fn contains(hay: &[u8], text: &str) -> bool {
    hay.windows(text.len()).any(|window| window == text.as_bytes())
}

const PEER: Peer = Peer { terminal: TerminalId(Uuid::from_u128(1)), facility: FacilityId(Uuid::from_u128(2)) };

fn receiver() -> Receiver {
    let settings = ReceiverSettings { keep_alive_s: 30, batch_limit: 100 };
    Receiver::new(PEER, Session(Uuid::from_u128(3)), settings)
}

fn hello() -> wire::Hello {
    wire::Hello {
        terminal: PEER.terminal.to_bytes(),
        facility: PEER.facility.to_bytes(),
        life: vec![4; 16],
        first_unacknowledged: 1,
        agent_version: "0.1.0".to_owned(),
        sent_at_us: 1,
        way: 0,
        takes_settings: false,
        former: Vec::new(),
    }
}

/// The record of the log that the server would append for this event of a terminal; `None` if it refuses it.
fn stored(event: Vec<u8>) -> Result<Option<Vec<u8>>> {
    let mut receiver = receiver();
    receiver.handle(wire::Up { message: Some(wire::up::Message::Hello(hello())) })?;
    let observation = wire::Observation { seq: 1, occurred_at_us: 1, observed_at_us: 1, event };
    let batch = wire::Batch { after: 0, sent_at_us: 1, observations: vec![observation] };
    let Ok(effect) = receiver.handle(wire::Up { message: Some(wire::up::Message::Batch(batch)) }) else {
        return Ok(None);
    };
    let Some(Effect::Append { observations, sent_at, .. }) = effect else { anyhow::bail!("{effect:?}") };
    let terminal = PEER.terminal;
    let body = LogBody::Terminal { terminal, life: Life(Uuid::from_u128(4)), sent_at, observations };
    let record = LogRecord { facility: PEER.facility, received_at: time::truncate(clock::now()), body };
    let bytes = encode::log_record_bytes(&record);
    ensure!(decode::log_record(&bytes).as_ref() == Ok(&record), "it is stored as something else");
    Ok(Some(bytes))
}

/// An event of each kind that a terminal may send, by the number of the kind, as the bytes of its message.
fn kinds() -> Result<std::collections::BTreeMap<u32, Vec<u8>>> {
    let mut runner = TestRunner::deterministic();
    let mut kinds = std::collections::BTreeMap::new();
    for _ in 0..2_000 {
        let event = yomitori_arbitrary::terminal_event().new_tree(&mut runner).map_err(anyhow::Error::msg)?.current();
        ensure!(matches!(event.speaker(), Speaker::Terminal | Speaker::Anyone));
        let encoded = encode::event(&event).encode_to_vec();
        let mut rest = encoded.as_slice();
        // A kind that this version does not know is bytes by intention, and has no text fields.
        let Ok((number, _)) = prost::encoding::decode_key(&mut rest) else { continue };
        prost::encoding::decode_varint(&mut rest)?;
        kinds.insert(number, rest.to_vec());
    }
    Ok(kinds)
}

#[test]
fn no_text_field_of_an_observation_carries_what_identifies_somebody() -> Result<()> {
    let (messages, kinds) = (Messages::read()?, kinds()?);
    let event = messages.of("Event")?;
    let mut tried = 0;
    for kind in &event.field {
        let number_of_kind = number(kind)?;
        let (from_terminal, message) = match kinds.get(&number_of_kind) {
            Some(message) => (true, message.clone()),
            None => (false, Vec::new()),
        };
        // Each text field, and one that only a newer version has.
        let mut fields: Vec<u32> = messages.texts(kind.type_name())?.into_iter().map(number).collect::<Result<_>>()?;
        fields.push(500);
        for field in fields {
            for text in HOSTILE {
                let mut event = Vec::new();
                bytes::encode(number_of_kind, &with(&message, field, text), &mut event);
                let what = || format!("`{text}` in field {field} of {}", kind.name());
                let stored = stored(event).with_context(what)?;
                ensure!(from_terminal || stored.is_none(), "{}: a terminal must not send this kind", what());
                ensure!(stored.is_none_or(|record| !contains(&record, text)), "{} is in the log", what());
                tried += 1;
            }
        }
    }
    ensure!(kinds.len() >= 20 && tried > 600, "{} kinds, {tried} texts", kinds.len());
    Ok(())
}

#[test]
fn no_text_field_of_the_uplink_carries_what_identifies_somebody() -> Result<()> {
    let messages = Messages::read()?;
    let mut tried = 0;
    for part in &messages.of("Up")?.field {
        let example = match part.name() {
            "hello" => hello().encode_to_vec(),
            "batch" => wire::Batch { after: 0, sent_at_us: 1, observations: Vec::new() }.encode_to_vec(),
            "keep_alive" => wire::KeepAlive { last_kept: 1, sent_at_us: 1 }.encode_to_vec(),
            name => anyhow::bail!("give an example of `{name}`"),
        };
        let mut fields: Vec<u32> = messages.texts(part.type_name())?.into_iter().map(number).collect::<Result<_>>()?;
        fields.push(500);
        for field in fields {
            for text in HOSTILE {
                let mut up = Vec::new();
                bytes::encode(number(part)?, &with(&example, field, text), &mut up);
                let mut receiver = receiver();
                if part.name() != "hello" {
                    receiver.handle(wire::Up { message: Some(wire::up::Message::Hello(hello())) })?;
                }
                let taken = format!("{:?}", receiver.handle(wire::Up::decode(up.as_slice())?));
                ensure!(!taken.contains(text), "`{text}` in field {field} of {}: {taken}", part.name());
                tried += 1;
            }
        }
    }
    ensure!(tried >= 4 * HOSTILE.len(), "{tried}");
    Ok(())
}

#[test]
fn the_description_has_the_fields_that_are_known_to_be_texts() -> Result<()> {
    let messages = Messages::read()?;
    let texts = |name: &str| -> Result<Vec<String>> {
        Ok(messages.texts(name)?.into_iter().map(|field| field.name().to_owned()).collect())
    };
    ensure!(texts("ReaderAttached")? == ["model"]);
    ensure!(texts("SoftwareVersionsObserved")? == ["com_app", "distro_app", "auth", "os_build"]);
    ensure!(texts("Hello")? == ["agent_version"]);
    Ok(())
}
