//! The format is documented as it is parsed. Any other input is rejected with a reason and never panics.

use proptest::prelude::{Strategy, any, proptest};
use proptest::{collection, prop_assert, prop_assert_eq, sample};

use yomitori_proto::vocabulary::{
    CollectionLevel, Component, ComponentState, DisconnectReason, GapSource, Intent, LinkageFolder, LinkageKind,
    Medium, Notice, PhoneNative, PhoneOs, Purchase, PurchaseRoute, ReadOutcome, ReaderRole, RebootKind,
    SettingsOutcome, StartReason, StopReason, Way,
};

use super::*;
use crate::explain::EXAMPLE;

fn example() -> Vec<EventLine> {
    read(EXAMPLE.as_bytes()).unwrap()
}

fn mistakes(text: &str) -> Vec<String> {
    read(text.as_bytes()).unwrap_err().iter().map(ToString::to_string).collect()
}

fn first() -> &'static str {
    EXAMPLE.lines().next().unwrap()
}

/// The documentation of a kind: from its name to the next one.
fn documented(kind: &str) -> String {
    let begins = |line: &&str| line.split_whitespace().next() == Some(kind);
    let mut lines = FORM.lines().skip_while(|line| !begins(line));
    let first = lines.next().unwrap_or_else(|| panic!("the form lacks `{kind}`"));
    let rest = lines.take_while(|line| line.starts_with("      "));
    std::iter::once(first).chain(rest).collect::<Vec<_>>().join("\n")
}

#[test]
fn mistakes_are_reported_in_the_terms_of_the_format() {
    let change = |from: &str, to: &str| {
        assert!(EXAMPLE.contains(from), "{from}");
        let line = EXAMPLE.lines().find(|line| line.contains(from)).unwrap();
        mistakes(&line.replacen(from, to, 1)).join("\n")
    };
    assert!(mistakes("[]")[0].contains("a fact is an object with `facility`"));
    assert!(mistakes("7")[0].contains("a fact is an object with `facility`"));
    assert!(change("\"seq\": 1,", "\"seq\": -1,").contains("expected a whole number that is not negative"));
    assert!(change("\"in_use\": true", "\"in_use\": 1").contains("expected true or false"));
    assert!(change("\"codes\": [", "\"codes\": 7, \"x\": [").contains("expected a list"));
    assert!(
        change("\"by\": \"sato\"", "\"by\": \"sato\", \"id\": \"nonsense\"")
            .contains("`id` is `nonsense`: write a UUID")
    );
    assert!(change("\"reader\": \"", "\"reader\": \"c1\", \"x\": \"").contains("16 hexadecimal digits"));
}

#[test]
fn a_period_that_ends_before_it_begins_is_rejected() {
    for kind in ["closure_set", "maintenance_window_set"] {
        let line = EXAMPLE.lines().find(|line| line.contains(&format!("\"{kind}\""))).unwrap();
        let mut fact: Value = serde_json::from_str(line).unwrap();
        let event = &mut fact["event"][kind];
        let (from, to) = (event["from"].clone(), event["to"].clone());
        (event["from"], event["to"]) = (to, from);
        assert!(mistakes(&fact.to_string())[0].contains("ends before it begins"), "{kind}");
    }
}

#[test]
fn a_registration_is_a_move_or_a_correction() {
    let line = EXAMPLE.lines().find(|line| line.contains("\"facility_registered\"")).unwrap();
    let mut fact: Value = serde_json::from_str(line).unwrap();
    fact["event"]["facility_registered"]["moved_at"] = "2026-04-01T00:00:00+09:00".into();
    fact["event"]["facility_registered"]["correction"] = false.into();
    assert!(read(fact.to_string().as_bytes()).is_ok());
    fact["event"]["facility_registered"]["correction"] = true.into();
    assert!(mistakes(&fact.to_string())[0].contains("exclude each other"));
}

#[test]
fn every_kind_and_every_field_is_documented() {
    let all = example();
    for kind in Event::KINDS {
        let text = documented(kind);
        let recorded = &all.iter().find(|line| line.recorded.event.kind() == *kind).unwrap().recorded;
        let Value::Object(fields) = &serde_json::to_value(&recorded.event).unwrap()[*kind] else { panic!("{kind}") };
        for field in fields.keys() {
            let word = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric() && c != '_') == field;
            assert!(text.split_whitespace().any(word), "`{kind}` lacks `{field}`:\n{text}");
        }
    }
}

#[test]
fn every_word_is_documented() {
    macro_rules! words {
        ($($list:ident),* $(,)?) => { [$($list::ALL.iter().map(|word| serde_json::to_value(word).unwrap()).collect::<Vec<_>>()),*] };
    }
    let lists = words![
        CollectionLevel,
        Component,
        ComponentState,
        DisconnectReason,
        GapSource,
        Intent,
        LinkageFolder,
        LinkageKind,
        Medium,
        Notice,
        PhoneNative,
        PhoneOs,
        Purchase,
        PurchaseRoute,
        ReadOutcome,
        ReaderRole,
        RebootKind,
        SettingsOutcome,
        StartReason,
        StopReason,
        Way,
    ];
    let known: BTreeSet<&str> = FORM.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    for word in lists.iter().flatten() {
        assert!(known.contains(word.as_str().unwrap()), "the form lacks {word}");
    }
}

#[test]
fn the_examples_are_read() {
    assert_eq!(example().len(), EXAMPLE.lines().count());
    let short: Vec<&str> = FORM.lines().filter(|line| line.starts_with("{\"facility\":\"")).collect();
    assert_eq!(read(short.join("\n").as_bytes()).unwrap().len(), 5);
}

#[test]
fn changes_by_an_editor_are_accepted() {
    let text = format!("\u{feff}\r\n  {}  \r\n\r\n{}\r\n\n", first(), first());
    let lines = read(text.as_bytes()).unwrap();
    assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(lines[0].recorded, example()[0].recorded);
    assert_eq!(read(b"").unwrap(), []);
}

#[test]
fn any_notation_of_a_code_is_accepted() {
    for written in ["13-1-99-9901-5", "１３１９９９９０１５", "13 19999015"] {
        assert_eq!(read(first().replace("1319999015", written).as_bytes()).unwrap()[0].recorded, example()[0].recorded);
    }
}

#[test]
fn a_typing_error_is_reported_with_its_line() {
    let table = [
        (first().replace("\"by\"", "\"bye\""), "line 2: unknown field `bye`"),
        (first().replace("received_at", "recieved_at"), "line 2: unknown field `recieved_at`"),
        (first().replace("2026-04-01T00:00:00Z\", \"origin", "2026-04-01T09:00\", \"origin"), "`received_at` is `2026-04-01T09:00`"),
        (first().replace("2026-04-01T00:00:00Z\", \"origin", "1969-04-01T00:00:00Z\", \"origin"), "`received_at` is not an instant"),
        (first().replace("\"2026-04-01T00:00:00Z\", \"origin", "5, \"origin"), "`received_at` is 5: write an instant"),
        (EXAMPLE.lines().nth(4).unwrap().replace("\"seq\": 1,", "\"seq\": 1, \"sex\": 2,"), "unknown field `sex`"),
        (first().replace("facility_registered", "facility_registred"), "unknown variant `facility_registred`"),
        (first().replace("1319999015", "131999901"), "`codes`: an institution code has 10 digits, not 9"),
        (first().replace("\"prefecture\": \"13\"", "\"prefecture\": \"東京都\""), "`prefecture` is not a prefecture: 01 to 47"),
        (first().replace("00000000f001", "f001"), "write a UUID"),
        (first().replace("018f0000-0000-7000-8000-00000000f001", "00000000-0000-0000-0000-000000000000"), "needs the facility"),
        (first().replace("{\"person\": {\"by\": \"sato\", \"stated_at\": \"2026-04-01T00:00:00Z\"}}", "{\"list\": {\"snapshot\": \"018f0000-0000-7000-8000-00000000f001\", \"stated_at\": \"2026-04-01T00:00:00Z\"}}"), "has the origin `person`"),
        (first().replace('}', ""), "not a JSON object on one line"),
        (format!("{} {}", first(), first()), "trailing characters"),
        ("# a comment".to_owned(), "not a JSON object"),
        ("{}".to_owned(), "missing field `facility`"),
        ("[]".to_owned(), "line 2: "),
        (EXAMPLE.lines().last().unwrap().replace("correlation_to_s = 120", "correlation_to_s = -1"), "correlation_to_s"),
        (EXAMPLE.lines().nth(4).unwrap().replace("\"seq\": 1,", "\"seq\": 0,"), "`seq` is out of its range: 1 to 2^63 - 1"),
    ];
    for (line, expected) in table {
        let found = mistakes(&format!("\n{line}\n"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(expected), "{expected}: {found:?}");
    }
    assert_eq!(read(b"\xff\xfe{\0}\0").unwrap_err().len(), 1);
}

#[test]
fn every_invalid_line_is_reported_at_once() {
    assert_eq!(mistakes(&format!("x\n{}\ny\n", first())).len(), 2);
}

proptest! {
    #[test]
    fn a_written_fact_is_read_unchanged(mut recorded in yomitori_arbitrary::recorded()) {
        recorded.facility = if of_the_fleet(&recorded.event) { FacilityId::FLEET } else { example()[0].recorded.facility };
        let text = serde_json::to_string(&recorded).unwrap();
        match read(text.as_bytes()) {
            Ok(lines) => prop_assert_eq!(&lines[0].recorded, &recorded),
            // Invented rules are invalid, and not every invented code lies in a prefecture. Time never decreases.
            Err(mistakes) => {
                let mistake = mistakes[0].to_string();
                let reasons = ["the rules in", "doesn't exist", "ends before it begins", "exclude each other"];
                prop_assert!(reasons.iter().any(|reason| mistake.contains(reason)), "{}: {}", mistake, text);
            }
        }
    }

    #[test]
    fn any_bytes_are_accepted_or_rejected(bytes in collection::vec(any::<u8>(), 0..300)) {
        drop(read(&bytes));
    }

    #[test]
    fn an_invalid_file_is_parsed_or_rejected(text in broken()) {
        let lines = text.split(|byte| *byte == b'\n').count();
        match read(&text) {
            Ok(read) => prop_assert!(read.iter().all(|line| (1..=lines).contains(&line.number))),
            Err(mistakes) => {
                prop_assert!(!mistakes.is_empty());
                prop_assert!(mistakes.iter().all(|mistake| (1..=lines).contains(&mistake.number) && !mistake.mistake.is_empty()));
            }
        }
    }
}

/// Lines of the example with bytes changed, cut off or repeated.
fn broken() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let faults = collection::vec((any::<sample::Index>(), any::<u8>(), 0..4_u8), 1..4);
    (collection::vec(sample::select(lines), 1..4), faults).prop_map(|(lines, faults)| {
        let mut bytes = lines.join("\n").into_bytes();
        for (place, byte, fault) in faults {
            let place = place.index(bytes.len().max(1));
            match fault {
                0 => bytes.truncate(place.max(1)),
                1 => bytes.insert(place, byte),
                2 => bytes.extend_from_within(place..),
                _ => bytes[place] = byte,
            }
        }
        bytes
    })
}
