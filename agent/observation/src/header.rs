//! Reads the outcome from the header of a result file, in front of the patient's data, for clinics that have opted in.
//!
//! * Bytes are passed in one by one, and reading ends at the first element that is not known to be harmless, so that
//!   the caller never reads a byte of a patient's data from the file.
//! * Only the name of the present element and four short values are stored; all other contents are discarded.
//! * Files are UTF-8 or Shift_JIS. In both, the markup of XML and the values of interest are ASCII.

use yomitori_proto::table;
use yomitori_proto::vocabulary::ReadOutcome;

/// No header is longer; a longer file is something else.
pub const LONGEST: usize = 16 * 1024;
const LONGEST_NAME: usize = 40;
const LONGEST_VALUE: usize = 16;

/// The contents of a header.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    pub outcome: ReadOutcome,
    pub error_code: Option<String>,
}

/// The present element.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Element {
    Document,
    Message,
    Header,
    Body,
    /// An element of the header whose content is ignored.
    Passed,
    SegmentOfResult,
    ErrorCode,
    ProcessingResultStatus,
    ProcessingResultCode,
}

/// The elements of the header that are ignored. `ArbitraryFileIdentifier` may be a patient's number and is not stored
/// either.
const PASSED: [&[u8]; 7] = [
    b"ProcessExecutionTime",
    b"QualificationConfirmationDate",
    b"MedicalInstitutionCode",
    b"ArbitraryFileIdentifier",
    b"ReferenceClassification",
    b"ErrorMessage",
    b"CharacterCodeIdentifier",
];

impl Element {
    /// The element of that name inside this one; `None` ends reading.
    fn inner(self, name: &[u8]) -> Option<Self> {
        Some(match (self, name) {
            (Self::Document, b"XmlMsg") => Self::Message,
            (Self::Message, b"MessageHeader") => Self::Header,
            (Self::Message, b"MessageBody") => Self::Body,
            (Self::Header, b"SegmentOfResult") => Self::SegmentOfResult,
            (Self::Header, b"ErrorCode") => Self::ErrorCode,
            (Self::Header, name) if PASSED.contains(&name) => Self::Passed,
            (Self::Body, b"ProcessingResultStatus") => Self::ProcessingResultStatus,
            (Self::Body, b"ProcessingResultCode") => Self::ProcessingResultCode,
            _ => return None,
        })
    }

    const fn outer(self) -> Self {
        match self {
            Self::Document | Self::Message => Self::Document,
            Self::Header | Self::Body => Self::Message,
            Self::Passed | Self::SegmentOfResult | Self::ErrorCode => Self::Header,
            Self::ProcessingResultStatus | Self::ProcessingResultCode => Self::Body,
        }
    }
}

/// What the next byte belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    /// The byte order mark of UTF-8 at the start; the number of mark bytes that were read.
    Mark(u8),
    Text,
    /// Behind `<`.
    Tag,
    Name,
    Closing,
    /// After the name; in a quoted value if `quote` is set.
    Attributes {
        quote: Option<u8>,
        slash: bool,
    },
    /// `<?…?>`; whether the last byte was the question mark.
    Instruction {
        question: bool,
    },
}

/// The state of reading one file.
#[derive(Clone, Debug)]
pub struct Reading {
    place: Place,
    element: Element,
    name: Vec<u8>,
    value: Vec<u8>,
    too_long: bool,
    taken: usize,
    segment: Option<u8>,
    status: Option<u8>,
    error_code: Option<String>,
    result_code: Option<String>,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            place: Place::Mark(0),
            element: Element::Document,
            name: Vec::with_capacity(LONGEST_NAME),
            value: Vec::with_capacity(LONGEST_VALUE),
            too_long: false,
            taken: 0,
            segment: None,
            status: None,
            error_code: None,
            result_code: None,
        }
    }
}

/// Reading has to end, because the file contains something unexpected.
struct Over;

impl Reading {
    /// Takes the next byte. Once this returns a header, no further byte may be read.
    pub fn take(&mut self, byte: u8) -> Option<Header> {
        self.taken += 1;
        match self.step(byte) {
            Ok(()) if self.taken < LONGEST => self.decided(),
            Ok(()) | Err(Over) => Some(self.end()),
        }
    }

    /// The header according to the bytes so far, if no more follow.
    #[must_use]
    pub fn end(&self) -> Header {
        let header = |outcome, code: &Option<String>| Header { outcome, error_code: code.clone() };
        match (self.segment, self.status) {
            (Some(b'2'), _) => header(ReadOutcome::InProgress, &None),
            (Some(b'9'), _) => header(ReadOutcome::Error, &self.error_code),
            (Some(b'1'), Some(b'2')) => header(ReadOutcome::Error, &self.result_code),
            // A code can also accompany a success, for example that a certificate is about to expire.
            (Some(b'1'), Some(b'1') | None) => header(ReadOutcome::Ok, &None),
            _ => header(ReadOutcome::Unreadable, &None),
        }
    }

    /// The header, if everything that matters is known.
    fn decided(&self) -> Option<Header> {
        let in_header = matches!(self.element, Element::Header | Element::ErrorCode | Element::Passed);
        let known = match (self.segment, self.status) {
            (Some(b'2'), _) | (Some(b'1'), Some(b'1')) => true,
            (Some(b'9'), _) => !in_header || self.error_code.is_some(),
            (Some(b'1'), Some(b'2')) => self.result_code.is_some(),
            (Some(b'1'), None) => false,
            (Some(_), _) => true,
            (None, _) => false,
        };
        known.then(|| self.end())
    }

    fn step(&mut self, byte: u8) -> Result<(), Over> {
        self.place = match (self.place, byte) {
            (Place::Mark(0), 0xEF) => Place::Mark(1),
            (Place::Mark(1), 0xBB) => Place::Mark(2),
            (Place::Mark(2), 0xBF) => Place::Text,
            (Place::Mark(1..), _) => return Err(Over),
            (Place::Mark(_) | Place::Text, b'<') => Place::Tag,
            (Place::Mark(_) | Place::Text, byte) => {
                self.text(byte)?;
                Place::Text
            }
            (Place::Tag, b'?') if self.element == Element::Document => Place::Instruction { question: false },
            (Place::Tag, b'/') => {
                self.name.clear();
                Place::Closing
            }
            // Comments, CDATA and DOCTYPE do not occur in a header.
            (Place::Tag, byte) if byte.is_ascii_alphabetic() => {
                self.name.clear();
                self.name.push(byte);
                Place::Name
            }
            (Place::Tag, _) => return Err(Over),
            (Place::Name, b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n') => {
                self.open()?;
                match byte {
                    b'>' => Place::Text,
                    b'/' => Place::Attributes { quote: None, slash: true },
                    _ => Place::Attributes { quote: None, slash: false },
                }
            }
            (Place::Name, byte) => {
                self.more_of_name(byte)?;
                Place::Name
            }
            (Place::Closing, b'>') => {
                self.close();
                Place::Text
            }
            (Place::Closing, byte) => {
                self.more_of_name(byte)?;
                Place::Closing
            }
            (Place::Attributes { quote: Some(quote), .. }, byte) => {
                Place::Attributes { quote: (byte != quote).then_some(quote), slash: false }
            }
            (Place::Attributes { slash, .. }, b'>') => {
                if slash {
                    self.close();
                }
                Place::Text
            }
            (Place::Attributes { .. }, b'"' | b'\'') => Place::Attributes { quote: Some(byte), slash: false },
            (Place::Attributes { .. }, b'<') => return Err(Over),
            (Place::Attributes { .. }, byte) => Place::Attributes { quote: None, slash: byte == b'/' },
            (Place::Instruction { question: true }, b'>') => Place::Text,
            (Place::Instruction { .. }, byte) => Place::Instruction { question: byte == b'?' },
        };
        Ok(())
    }

    fn more_of_name(&mut self, byte: u8) -> Result<(), Over> {
        if self.name.len() == LONGEST_NAME {
            return Err(Over);
        }
        self.name.push(byte);
        Ok(())
    }

    /// Text outside of the values of interest is not stored; outside of all elements only white space is allowed.
    fn text(&mut self, byte: u8) -> Result<(), Over> {
        match self.element {
            Element::Document | Element::Message | Element::Header | Element::Body if !byte.is_ascii_whitespace() => {
                Err(Over)
            }
            Element::Document | Element::Message | Element::Header | Element::Body | Element::Passed => Ok(()),
            _ if self.value.len() == LONGEST_VALUE => {
                self.too_long = true;
                Ok(())
            }
            _ => {
                self.value.push(byte);
                Ok(())
            }
        }
    }

    fn open(&mut self) -> Result<(), Over> {
        let local = self.name.rsplit(|byte| *byte == b':').next().unwrap_or_default();
        self.element = self.element.inner(local).ok_or(Over)?;
        self.value.clear();
        self.too_long = false;
        Ok(())
    }

    /// An element ends. Its name need not be compared with the opening tag, because nothing is read deeper than that.
    fn close(&mut self) {
        let value = self.value.trim_ascii();
        let number = if let [digit] = value { Some(*digit) } else { None };
        match self.element {
            // A value that is not a single digit counts as an unknown value.
            Element::SegmentOfResult => self.segment = number.or(Some(0)),
            Element::ProcessingResultStatus => self.status = number.or(Some(0)),
            Element::ErrorCode if !self.too_long => self.error_code = code(value),
            Element::ProcessingResultCode if !self.too_long => self.result_code = code(value),
            _ => {}
        }
        self.element = self.element.outer();
    }
}

/// An error code; any other text is none.
fn code(value: &[u8]) -> Option<String> {
    std::str::from_utf8(value).ok().filter(|text| table::is_error_code(text)).map(str::to_owned)
}
