//! Identifies a reader by its PC/SC name.
//!
//! The name itself is not passed on: only a catalogue identifier and a key leave this module. The key is salted with
//! the terminal, so that it means nothing elsewhere. Neither contains a serial number.

use std::sync::LazyLock;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use yomitori_proto::id::{ReaderKey, TerminalId};
use yomitori_proto::vocabulary::PhoneNative;

use crate::pattern::Pattern;

/// A parsed reader name, in lower case, because drivers use different cases.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Name {
    base: String,
    index: String,
}

impl Name {
    /// Removes the index (` 0` on Windows, ` 00 00` with pcsc-lite) and a serial number in parentheses before it.
    #[must_use]
    pub fn parse(raw: &str) -> Self {
        let lower = raw.trim().to_lowercase();
        let mut words: Vec<&str> = lower.split_whitespace().collect();
        let index_words = match words.as_slice() {
            [_, .., slot, reader] if is_hex_pair(slot) && is_hex_pair(reader) => 2,
            [_, .., index] if index.len() <= 3 && index.bytes().all(|byte| byte.is_ascii_digit()) => 1,
            _ => 0,
        };
        let index = words.split_off(words.len() - index_words).join(" ");
        let base = words.join(" ");
        let base = match base.strip_suffix(')').and_then(|open| open.rsplit_once('(')) {
            Some((before, _serial)) => before.trim_end().to_owned(),
            None => base,
        };
        Self { base, index }
    }

    /// The name without index and serial number, the same for every reader of a model.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// The key of this reader on `terminal`.
    #[must_use]
    pub fn key(&self, terminal: TerminalId) -> ReaderKey {
        let digest = Sha256::new()
            .chain_update(terminal.0.as_bytes())
            .chain_update(self.base.as_bytes())
            .chain_update([0])
            .chain_update(self.index.as_bytes())
            .finalize();
        let first = digest.first_chunk().expect("a SHA-256 digest has 32 bytes");
        ReaderKey(u64::from_be_bytes(*first))
    }
}

fn is_hex_pair(word: &str) -> bool {
    word.len() == 2 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// What a reader can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Contactless,
    Contact,
    /// A face reader (顔認証付きカードリーダー).
    Face,
    /// Part of the system that is shown as a reader, such as Windows Hello.
    Virtual,
}

/// An entry of the catalogue.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    pub id: String,
    /// The name for people.
    pub name: String,
    pub kind: Kind,
    #[serde(default)]
    windows: Vec<Pattern>,
    #[serde(default)]
    pcsc_lite: Vec<Pattern>,
    #[serde(default)]
    usb: Vec<UsbId>,
    /// Whether a face reader reads phones by itself.
    #[serde(default)]
    pub phone_native: PhoneNative,
}

/// Vendor and product of a USB device, written `054c:0dc8`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Deserialize)]
#[serde(try_from = "String")]
pub struct UsbId {
    pub vid: u16,
    pub pid: u16,
}

impl TryFrom<String> for UsbId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let hex = |part| u16::from_str_radix(part, 16).ok();
        text.split_once(':')
            .and_then(|(vid, pid)| Some(Self { vid: hex(vid)?, pid: hex(pid)? }))
            .ok_or("a USB identifier looks like 054c:0dc8")
    }
}

impl Model {
    /// The USB vendor, if all variants of the model share one.
    #[must_use]
    pub fn vid(&self) -> Option<u16> {
        common(self.usb.iter().map(|usb| usb.vid))
    }

    /// Whether a device with this identifier is of this model.
    #[must_use]
    pub fn has(&self, device: UsbId) -> bool {
        self.usb.contains(&device)
    }

    /// The USB product, if the model has no variants.
    #[must_use]
    pub fn pid(&self) -> Option<u16> {
        common(self.usb.iter().map(|usb| usb.pid))
    }
}

fn common(mut ids: impl Iterator<Item = u16>) -> Option<u16> {
    let first = ids.next()?;
    ids.all(|id| id == first).then_some(first)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    reader: Vec<Model>,
}

static CATALOGUE: LazyLock<Vec<Model>> = LazyLock::new(|| {
    let text = include_str!("../catalogue.toml");
    toml::from_str::<Catalogue>(text).expect("the shipped catalogue parses: a test reads it").reader
});

/// Every known model.
#[must_use]
pub fn catalogue() -> &'static [Model] {
    &CATALOGUE
}

/// The model of a reader with this name, if it is in the catalogue.
#[must_use]
pub fn model(name: &Name) -> Option<&'static Model> {
    catalogue()
        .iter()
        .find(|model| model.windows.iter().chain(&model.pcsc_lite).any(|pattern| pattern.matches(name.base())))
}

/// Whether a reader with this name is no device.
#[must_use]
pub fn is_virtual(name: &Name) -> bool {
    model(name).is_some_and(|model| model.kind == Kind::Virtual)
}

/// Whether the device is a card reader that PC/SC should list.
#[must_use]
pub fn is_card_reader(device: UsbId) -> bool {
    catalogue().iter().any(|model| model.kind != Kind::Face && model.has(device))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use uuid::Uuid;

    const HERE: TerminalId = TerminalId(Uuid::from_u128(1));
    const THERE: TerminalId = TerminalId(Uuid::from_u128(2));

    #[test]
    fn readers_are_known_by_the_names_that_drivers_give_them() {
        for (raw, base, id) in [
            ("SONY FeliCa Port/PaSoRi 4.0 0", "sony felica port/pasori 4.0", Some("sony-pasori-4")),
            ("SONY FeliCa Port/PaSoRi 4.0 1", "sony felica port/pasori 4.0", Some("sony-pasori-4")),
            ("Sony FeliCa Port/PaSoRi 4.0 00 00", "sony felica port/pasori 4.0", Some("sony-pasori-4")),
            ("SONY FeliCa RC-S300/P (0000001) 00 00", "sony felica rc-s300/p", Some("sony-rc-s300")),
            ("CIR315 CL 0", "cir315 cl", Some("io-data-usb-nfc4")),
            (
                "Circle CIR315 CL [CIR315 CL] (000A000000M0) 00 00",
                "circle cir315 cl [cir315 cl]",
                Some("io-data-usb-nfc4"),
            ),
            ("ACS ACR1252 1S CL Reader PICC 0", "acs acr1252 1s cl reader picc", Some("acs-acr1252u")),
            ("ACS ACR122U PICC Interface 00 00", "acs acr122u picc interface", Some("acs-acr122u")),
            ("Virtual PCD 00 01", "virtual pcd", Some("virtual-pcd")),
            ("Windows Hello for Business 1", "windows hello for business", Some("windows-hello")),
            ("Microsoft Virtual Smart Card 0", "microsoft virtual smart card", Some("microsoft-virtual-smart-card")),
            ("Microsoft UICC ISO Reader 12ab 0", "microsoft uicc iso reader 12ab", Some("microsoft-uicc")),
            ("Acme Reader 9000", "acme reader 9000", None),
            ("", "", None),
            ("カードリーダー 0", "カードリーダー", None),
        ] {
            let name = Name::parse(raw);
            assert_eq!(name.base(), base, "{raw}");
            assert_eq!(model(&name).map(|model| model.id.as_str()), id, "{raw}");
            assert_eq!(is_virtual(&name), raw.starts_with("Windows") || raw.starts_with("Microsoft"), "{raw}");
        }
    }

    #[test]
    fn a_key_knows_the_index_but_neither_serial_nor_case_and_differs_between_terminals() {
        let key = |raw: &str, terminal| Name::parse(raw).key(terminal);
        let one = key("SONY FeliCa RC-S300/P (0000001) 00 00", HERE);
        assert_eq!(one, key("Sony FeliCa RC-S300/P (7654321) 00 00", HERE));
        assert_ne!(one, key("SONY FeliCa RC-S300/P (0000001) 01 00", HERE));
        assert_ne!(one, key("SONY FeliCa RC-S300/P (0000001) 00 00", THERE));
    }

    #[test]
    fn usb_numbers_are_known_if_the_name_determines_them() {
        let numbers = |raw: &str| model(&Name::parse(raw)).map(|model| (model.vid(), model.pid()));
        assert_eq!(numbers("CIR315 CL 0"), Some((Some(0x31aa), Some(0x3002))));
        assert_eq!(numbers("SONY FeliCa Port/PaSoRi 4.0 0"), Some((Some(0x054c), None)));
    }

    #[test]
    fn every_entry_of_the_catalogue_is_whole() {
        let ids: BTreeSet<_> = catalogue().iter().map(|model| &model.id).collect();
        assert_eq!(ids.len(), catalogue().len(), "an identifier occurs twice");
        for model in catalogue() {
            assert!(model.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'));
            assert_eq!(model.kind == Kind::Face, model.phone_native != PhoneNative::Unknown, "{}", model.id);
            assert_eq!(
                model.kind == Kind::Face,
                model.windows.is_empty() && model.pcsc_lite.is_empty(),
                "{}",
                model.id
            );
        }
    }
}
