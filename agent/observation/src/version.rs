//! Reads the version from a `Version.info` file of the official software. The format is not published, so only a number
//! with dots is taken, and everything else is discarded.

/// At most this much of a file is read.
pub const LONGEST: usize = 4 * 1024;

const PARTS: std::ops::RangeInclusive<usize> = 2..=4;
const DIGITS: std::ops::RangeInclusive<usize> = 1..=6;

/// The version in these bytes: on a line that mentions a version, or else the first text that looks like one.
#[must_use]
pub fn read(bytes: &[u8]) -> Option<String> {
    let text = decoded(bytes.get(..LONGEST).unwrap_or(bytes));
    let speaks = |line: &&str| line.to_ascii_lowercase().contains("ver") || line.contains("バージョン");
    text.lines().filter(speaks).find_map(dotted).or_else(|| text.lines().find_map(dotted))
}

/// Windows programs also write UTF-16; in Shift_JIS at least the digits are ASCII.
fn decoded(bytes: &[u8]) -> String {
    match bytes {
        [0xFF, 0xFE, rest @ ..] => {
            let units = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}

fn dotted(line: &str) -> Option<String> {
    let words = line.split(|letter: char| !(letter.is_ascii_digit() || letter == '.'));
    let holds = |word: &&str| {
        PARTS.contains(&word.split('.').count()) && word.split('.').all(|part| DIGITS.contains(&part.len()))
    };
    words.map(|word| word.trim_matches('.')).find(holds).map(str::to_owned)
}

/// The version of an operating system from its kernel release: the numbers at the start.
#[must_use]
pub fn kernel(release: &str) -> Option<String> {
    dotted(release.split(['-', '+', '_']).next()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_version_is_found_in_any_spelling() {
        for (text, version) in [
            ("1.2.3.4", Some("1.2.3.4")),
            ("Version=3.10\r\n", Some("3.10")),
            ("2025.12.01\nver: 4.0.1.", Some("4.0.1")),
            ("[info]\nname=x\nFileVersion = \"10.1\"", Some("10.1")),
            ("バージョン：２ 5.6", Some("5.6")),
            ("\u{feff}1.0", Some("1.0")),
            ("12", None),
            ("1.2.3.4.5", None),
            ("1..2", None),
            ("1234567.1", None),
            ("", None),
        ] {
            assert_eq!(read(text.as_bytes()).as_deref(), version, "{text}");
        }
        let utf16: Vec<u8> =
            [0xFF, 0xFE].into_iter().chain("Ver 1.5".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(read(&utf16).as_deref(), Some("1.5"));
        assert_eq!(kernel("6.1.0-18-amd64").as_deref(), Some("6.1.0"));
        assert_eq!(kernel("x-1.2"), None);
    }

    proptest! {
        #[test]
        fn nothing_but_a_number_with_dots_comes_out(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let plain = |version: &str| version.len() < 32 && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            prop_assert!(read(&bytes).is_none_or(|version| plain(&version)));
        }
    }
}
