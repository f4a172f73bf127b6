//! The header of result files: what is read, where reading stops, and that no patient data is returned.

use proptest::prelude::*;
use yomitori_observation::header::{Header, LONGEST, Reading};
use yomitori_proto::table::is_error_code;
use yomitori_proto::vocabulary::ReadOutcome;

/// The header of a file, and how many bytes were read.
fn read(file: &[u8]) -> (Header, usize) {
    let mut reading = Reading::default();
    for (at, byte) in file.iter().enumerate() {
        if let Some(header) = reading.take(*byte) {
            return (header, at + 1);
        }
    }
    (reading.end(), file.len())
}

fn file(header: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"Shift_JIS\" standalone=\"no\"?>\r\n<XmlMsg xmlns:x='http://a/\"<'>\r\n\t<MessageHeader>\
         <ProcessExecutionTime>20260401093005</ProcessExecutionTime><MedicalInstitutionCode>1319999015</MedicalInstitutionCode>\
         <ArbitraryFileIdentifier>P0000123</ArbitraryFileIdentifier>{header}</MessageHeader>\r\n<MessageBody>{body}\
         <ResultList><ResultOfQualificationConfirmation><Name>山田太郎</Name></ResultOfQualificationConfirmation></ResultList>\
         </MessageBody></XmlMsg>"
    )
}

#[test]
fn outcomes_are_read_and_nothing_behind_them() {
    use ReadOutcome::{Error, InProgress, Ok, Unreadable};
    let status = |code: u8| format!("<ProcessingResultStatus>{code}</ProcessingResultStatus>");
    for (header, body, outcome, code) in [
        ("<SegmentOfResult>1</SegmentOfResult><ErrorCode/>", status(1), Ok, None),
        ("<SegmentOfResult> 1 </SegmentOfResult><ErrorCode></ErrorCode>", String::new(), Ok, None),
        ("<SegmentOfResult>2</SegmentOfResult>", status(1), InProgress, None),
        ("<SegmentOfResult>9</SegmentOfResult><ErrorCode>OQS00012</ErrorCode>", status(2), Error, Some("OQS00012")),
        ("<ErrorCode a='>'>006</ErrorCode><SegmentOfResult>9</SegmentOfResult>", String::new(), Error, Some("006")),
        ("<SegmentOfResult>9</SegmentOfResult><ErrorMessage>患者</ErrorMessage>", String::new(), Error, None),
        ("<SegmentOfResult>9</SegmentOfResult><ErrorCode>12345678</ErrorCode>", String::new(), Error, None),
        (
            "<SegmentOfResult>1</SegmentOfResult>",
            status(2) + "<ProcessingResultCode>E0017</ProcessingResultCode>",
            Error,
            Some("E0017"),
        ),
        (
            "<SegmentOfResult>1</SegmentOfResult>",
            status(1) + "<ProcessingResultCode>W1</ProcessingResultCode>",
            Ok,
            None,
        ),
        ("<SegmentOfResult>7</SegmentOfResult>", status(1), Unreadable, None),
        ("", status(1), Unreadable, None),
        ("<Name>山田太郎</Name><SegmentOfResult>1</SegmentOfResult>", status(1), Unreadable, None),
        ("<SegmentOfResult><Name>山</Name>1</SegmentOfResult>", status(1), Unreadable, None),
        ("<!-- 山田 --><SegmentOfResult>1</SegmentOfResult>", status(1), Unreadable, None),
    ] {
        let text = file(header, &body);
        let (read, bytes) = read(text.as_bytes());
        assert_eq!((read.outcome, read.error_code.as_deref()), (outcome, code), "{text}");
        let seen = &text.as_bytes()[..bytes];
        for secret in ["山田", "山"] {
            let leaks = seen.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!leaks, "{secret} was read in {text}");
        }
    }
}

#[test]
fn what_is_no_result_is_unreadable_and_left_at_once() {
    let endless = "<XmlMsg><MessageHeader><ErrorMessage>".to_owned() + &"あ".repeat(LONGEST);
    for (text, at_most) in [
        ("", 0),
        ("encrypted", 1),
        ("\u{feff}\u{feff}", 4),
        ("<html><body>", 6),
        ("<!DOCTYPE XmlMsg [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>", 2),
        ("<XmlMsg><MessageBody><ResultList>", 33),
        (&endless, LONGEST),
    ] {
        let (header, bytes) = read(text.as_bytes());
        assert_eq!((header.outcome, header.error_code), (ReadOutcome::Unreadable, None));
        assert!(bytes <= at_most, "{bytes} of {text:.40}");
    }
    let utf16: Vec<u8> = file("", "").encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&utf16).1, 2);
    let marked = format!("\u{feff}{}", file("<SegmentOfResult>2</SegmentOfResult>", ""));
    assert_eq!(read(marked.as_bytes()).0.outcome, ReadOutcome::InProgress);
}

proptest! {
    #[test]
    fn any_bytes_are_read_within_the_limit(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let (header, read) = read(&bytes);
        prop_assert!(read <= LONGEST);
        prop_assert!(header.error_code.is_none_or(|code| is_error_code(&code)));
    }

    #[test]
    fn a_patient_anywhere_in_the_file_does_not_come_along(
        patient in "[0-9]{6,12}|[A-Z][0-9]{7,9}|[ぁ-ん]{2,6}",
        element in prop_oneof![
            "ErrorCode", "ProcessingResultCode", "SegmentOfResult", "ProcessingResultStatus", "ErrorMessage", "Name", "InsuredCardSymbol",
        ],
        in_header in any::<bool>(),
        attribute in any::<bool>(),
    ) {
        let hostile = if attribute {
            format!("<{element} id=\"{patient}\">{patient}</{element}>")
        } else {
            format!("<{element}>{patient}</{element}>")
        };
        let plain = "<SegmentOfResult>9</SegmentOfResult>";
        let text = if in_header { file(&format!("{hostile}{plain}"), "") } else { file("<SegmentOfResult>1</SegmentOfResult>", &hostile) };
        let (header, _) = read(text.as_bytes());
        prop_assert!(header.error_code.is_none(), "{header:?}");
    }
}
