//! Secrets in every encoding in which a program could leak them, and a search for all of them at once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};
use encoding_rs::SHIFT_JIS;
use sha2::{Digest as _, Sha256};

/// Shorter byte strings occur by chance.
const SHORTEST: usize = 5;
/// This number of consecutive characters of a longer secret is a leak, too.
const PART: usize = 10;

/// Data that must not leak.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) what: &'static str,
    guises: Vec<(&'static str, Vec<u8>)>,
}

impl Secret {
    /// A text: a name, a number, a part of a file's name.
    pub(crate) fn text(what: &'static str, text: &str) -> Self {
        let mut guises = Vec::new();
        for text in BTreeSet::from([text.to_owned(), text.to_lowercase(), text.to_uppercase()]) {
            of_text(&text, &mut guises);
        }
        let characters: Vec<char> = text.chars().collect();
        for part in characters.windows(PART).filter(|_| characters.len() > PART) {
            guises.push(("a part of it", part.iter().collect::<String>().into_bytes()));
        }
        if let Ok(number) = text.parse::<u64>() {
            of_number(number, text, &mut guises);
        }
        Self::new(what, guises)
    }

    /// Bytes, such as an ATR.
    pub(crate) fn bytes(what: &'static str, bytes: &[u8]) -> Self {
        let mut guises = vec![("bytes", bytes.to_vec()), ("bytes backwards", bytes.iter().rev().copied().collect())];
        of_bytes(bytes, &mut guises);
        Self::new(what, guises)
    }

    fn new(what: &'static str, guises: Vec<(&'static str, Vec<u8>)>) -> Self {
        let mut seen = BTreeSet::new();
        let guises = guises.into_iter().filter(|(_, bytes)| bytes.len() >= SHORTEST && seen.insert(bytes.clone()));
        Self { what, guises: guises.collect() }
    }

    /// Every encoding with its name.
    pub(crate) fn guises(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        self.guises.iter().map(|(guise, bytes)| (*guise, bytes.as_slice()))
    }
}

fn of_text(text: &str, guises: &mut Vec<(&'static str, Vec<u8>)>) {
    let utf_16: Vec<u16> = text.encode_utf16().collect();
    let (shift_jis, _, lost) = SHIFT_JIS.encode(text);
    guises.push(("UTF-8", text.as_bytes().to_vec()));
    guises.push(("backwards", text.chars().rev().collect::<String>().into_bytes()));
    guises.push(("UTF-16 LE", utf_16.iter().flat_map(|unit| unit.to_le_bytes()).collect()));
    guises.push(("UTF-16 BE", utf_16.iter().flat_map(|unit| unit.to_be_bytes()).collect()));
    guises.push(("wide", text.chars().map(wide).collect::<String>().into_bytes()));
    of_bytes(text.as_bytes(), guises);
    if !lost && shift_jis != text.as_bytes() {
        guises.push(("Shift_JIS", shift_jis.to_vec()));
        of_bytes(&shift_jis, guises);
    }
    if !text.is_ascii() {
        guises.push(("JSON escapes", escaped(&utf_16).into_bytes()));
        guises.push(("JSON escapes in capitals", escaped(&utf_16).to_uppercase().replace("\\U", "\\u").into_bytes()));
    }
}

/// Textual encodings of bytes.
fn of_bytes(bytes: &[u8], guises: &mut Vec<(&'static str, Vec<u8>)>) {
    guises.push(("hex", HEXLOWER.encode(bytes).into_bytes()));
    guises.push(("HEX", HEXUPPER.encode(bytes).into_bytes()));
    for (guise, between) in [("hex with spaces", " "), ("hex with colons", ":"), ("a list in hex", ", ")] {
        let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        guises.push((guise, pairs.join(between).into_bytes()));
        guises.push((guise, pairs.join(between).to_uppercase().into_bytes()));
    }
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    guises.push(("a list", numbers.join(", ").into_bytes()));
    guises.push(("a short list", numbers.join(",").into_bytes()));
    let percent = bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "%{byte:02X}").ok();
        text
    });
    guises.push(("percent escapes", percent.into_bytes()));
    for encoding in [&BASE64, &BASE64URL] {
        for before in 0..3 {
            // Within a longer text it may begin at any of three offsets; the characters at its ends then contain other
            // bits.
            let all = encoding.encode(&[vec![0; before], bytes.to_vec()].concat());
            let from = (before * 8).div_ceil(6);
            let to = (before + bytes.len()) * 8 / 6;
            guises.push(("base64", all.as_bytes().get(from..to).unwrap_or_default().to_vec()));
        }
    }
    let digest = Sha256::digest(bytes);
    guises.push(("its digest", digest.split_at(8).0.to_vec()));
    guises.push(("its digest in hex", HEXLOWER.encode(digest.split_at(8).0).into_bytes()));
}

fn of_number(number: u64, digits: &str, guises: &mut Vec<(&'static str, Vec<u8>)>) {
    guises.push(("a number LE", number.to_le_bytes().to_vec()));
    guises.push(("a number BE", number.to_be_bytes().to_vec()));
    let mut varint = Vec::new();
    let mut rest = number;
    while rest >= 0x80 {
        varint.push(u8::try_from(rest & 0x7F).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    varint.push(u8::try_from(rest).unwrap_or(0));
    guises.push(("a varint", varint));
    guises.push(("BCD", HEXLOWER.decode(digits.as_bytes()).unwrap_or_default()));
}

fn wide(character: char) -> char {
    match character {
        '!'..='~' => char::from_u32(u32::from(character) + 0xFEE0).unwrap_or(character),
        _ => character,
    }
}

fn escaped(utf_16: &[u16]) -> String {
    utf_16.iter().fold(String::new(), |mut text, unit| {
        match u8::try_from(*unit) {
            Ok(byte) if byte.is_ascii() => text.push(char::from(byte)),
            Ok(_) | Err(_) => {
                write!(text, "\\u{unit:04x}").ok();
            }
        }
        text
    })
}

/// A secret, the name of one encoding, and the encoded bytes.
type Needle<'a> = (&'a Secret, &'static str, &'a [u8]);

/// Searches for many secrets in one pass.
pub(crate) struct Search<'a> {
    by_start: HashMap<[u8; 4], Vec<Needle<'a>>>,
}

impl<'a> Search<'a> {
    pub(crate) fn new(secrets: &'a [Secret]) -> Self {
        let mut by_start: HashMap<_, Vec<_>> = HashMap::new();
        for secret in secrets {
            for (guise, bytes) in secret.guises() {
                let start = *bytes.first_chunk().expect("a guise has five bytes at least");
                by_start.entry(start).or_default().push((secret, guise, bytes));
            }
        }
        Self { by_start }
    }

    /// The secrets in `hay`, each with the encodings in which it was found.
    pub(crate) fn found(&self, hay: &[u8]) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
        let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for at in 0..hay.len().saturating_sub(3) {
            let rest = &hay[at..];
            let Some(start) = rest.first_chunk() else { continue };
            for (secret, guise, bytes) in self.by_start.get(start).into_iter().flatten() {
                if rest.starts_with(bytes) {
                    found.entry(secret.what).or_default().insert(*guise);
                }
            }
        }
        found
    }
}
