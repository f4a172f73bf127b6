//! Inputs of people, typing errors and hostile programs.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use uuid::Uuid;
use yomitori_facility::Calendar;
use yomitori_proto::event::{Event, FaceReaderModelSet, LogBody, LogRecord, Origin};
use yomitori_proto::id::FacilityId;
use yomitori_proto::vocabulary::PhoneNative;
use yomitori_proto::{decode, encode};

use super::*;

fn now() -> DateTime<Utc> {
    "2026-04-01T01:30:00Z".parse().unwrap()
}

fn typed(fields: &[(&str, &str)]) -> RawValues {
    fields.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

/// The rejected fields of a statement, except who and why.
fn refused(key: &str, fields: &[(&str, &str)]) -> Vec<&'static str> {
    let fields: Vec<_> = fields.iter().copied().chain([(BY, "a"), (WHY, "b")]).collect();
    let problems = find(key).unwrap().check(&typed(&fields), now(), &Calendar::bundled());
    problems.err().unwrap_or_default().into_iter().map(|problem| problem.field).collect()
}

#[test]
fn every_statement_has_its_own_address_and_command_and_asks_for_nothing_twice() {
    let keys: BTreeSet<&str> = all().map(|statement| statement.key).collect();
    let commands: BTreeSet<_> = all().map(|statement| statement.command).collect();
    assert_eq!((keys.len(), commands.len()), (all().count(), all().count()));
    for statement in all() {
        assert!(find(statement.key).is_some());
        let names: BTreeSet<&str> =
            statement.fields.iter().map(|field| field.name).chain([BY, WHY, ID, SURE, "facility", "format"]).collect();
        assert_eq!(names.len(), statement.fields.len() + 6, "{}", statement.key);
    }
}

#[test]
fn nothing_asks_for_the_invitation_code() {
    let mut fields = all().flat_map(|statement| statement.fields);
    assert!(fields.all(|field| !field.label.ja.contains("招待") && !field.name.contains("invit")));
    let note = find("purchased").and_then(|statement| statement.note.clone()).unwrap();
    assert!(note.ja.contains("他に渡さないで") && note.en.contains("must not be passed on"));
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let long = "x".repeat(101);
    let reader = ("reader", "00000000000000aa");
    let terminal = ("terminal", "00000000-0000-4000-8000-000000000001");
    type Row<'a> = (&'a str, Vec<(&'a str, &'a str)>, Vec<&'a str>);
    let table: Vec<Row<'_>> = vec![
        ("intent", vec![], vec!["intent"]),
        ("intent", vec![("intent", "do_not_want")], vec![]),
        ("intent", vec![("intent", "perhaps")], vec!["intent"]),
        ("called", vec![("at", "2026-04-01T10:30")], vec![]),
        ("called", vec![("at", "2026-04-01T10:30:00+09:00")], vec![]),
        ("called", vec![("at", "2026-04-01T10:31:59"), ("reference", "A-1")], vec![]),
        ("called", vec![("at", "2026-04-01T10:40")], vec!["at"]),
        ("called", vec![("at", "2099-01-01T10:00")], vec!["at"]),
        ("called", vec![("at", "0206-04-01T10:30")], vec!["at"]),
        ("called", vec![("at", "yesterday")], vec!["at"]),
        ("called", vec![("at", "2026-02-30T10:30")], vec!["at"]),
        ("called", vec![("at", "2026-04-01T10:30"), ("reference", &long)], vec!["reference"]),
        ("called", vec![("at", "2026-03-29T10:30")], vec![SURE]),
        ("called", vec![("at", "2026-03-29T10:30"), (SURE, "yes")], vec![]),
        ("call-planned", vec![("at", "2026-04-01T10:00")], vec!["at"]),
        ("call-planned", vec![("at", "2026-04-02T10:00")], vec![]),
        ("call-planned", vec![("at", "2036-04-02T10:00")], vec!["at"]),
        ("read", vec![("os", "ios"), ("at", "2026-04-01T10:00"), ("test", "no")], vec!["test"]),
        ("failed", vec![("cause", "PinWrong"), ("at", "2026-04-01T10:00")], vec!["cause"]),
        ("failed", vec![("cause", "PatientDevice.PinWrong"), ("at", "2026-04-01T10:00")], vec![]),
        ("flag-seen", vec![("flag", "nonsense")], vec!["flag"]),
        ("reader-role", vec![("terminal", "x"), reader, ("role", "phone")], vec!["terminal"]),
        ("reader-role", vec![terminal, ("reader", "aa"), ("role", "phone")], vec!["reader"]),
        ("reader-role", vec![terminal, reader, ("role", "phone")], vec![]),
        ("flag-snoozed", vec![("flag", "opt_out_needed"), ("days", "365")], vec!["days"]),
        ("maintenance", vec![("from", "2026-05-02"), ("to", "2026-05-01")], vec!["to"]),
        ("maintenance", vec![("from", "2026-05-02"), ("to", "2026-05-02")], vec!["to"]),
        ("maintenance", vec![("from", "2026-05-02"), ("to", "2026-05-07")], vec![]),
        ("closure", vec![("closes", "clinics"), ("from", "2026-05-02"), ("to", "2036-05-07")], vec!["to"]),
        ("code", vec![], vec!["new"]),
        ("code", vec![("new", "13-1-99-9901-5")], vec![]),
        ("code", vec![("old", "4899999015")], vec!["old"]),
        ("register", vec![("code", "1319999015")], vec!["name"]),
        ("register", vec![("name", "さくら医院")], vec!["code"]),
        ("register", vec![("code", " , "), ("name", "さくら医院")], vec!["code"]),
        ("register", vec![("code", "1319999015,131999902"), ("name", "さくら医院")], vec!["code"]),
        ("register", vec![("code", "13-1-99-9901-5、1319999023"), ("name", "さくら医院")], vec![]),
        ("register", vec![("code", "1319999015"), ("name", "x"), ("prefecture", "99")], vec!["prefecture"]),
        ("register", vec![("code", "1319999015"), ("name", "x"), ("moved_at", "2026-05-01")], vec!["moved_at"]),
        (
            "register",
            vec![("code", "1319999015"), ("name", "x"), ("moved_at", "2026-03-01"), ("correction", "yes")],
            vec!["correction"],
        ),
        ("withdraw", vec![("statement", "7")], vec!["statement"]),
        ("entry-withdraw", vec![("entry", "00000000-0000-4000-8000-000000000001/0")], vec!["entry"]),
        ("entry-withdraw", vec![("entry", "00000000-0000-4000-8000-000000000001/7")], vec![]),
    ];
    for (key, fields, expected) in table {
        assert_eq!(refused(key, &fields), expected, "{key}: {fields:?}");
    }
}

#[test]
fn who_and_why_have_to_be_said() {
    let problems = |fields: &[(&str, &str)]| -> Vec<_> {
        let problems = stated(&typed(fields), now()).err().unwrap_or_default();
        problems.into_iter().map(|problem| problem.field).collect()
    };
    let long = "x".repeat(101);
    assert_eq!(problems(&[]), [BY, WHY]);
    assert_eq!(problems(&[(BY, " "), (WHY, "\t")]), [BY, WHY]);
    assert_eq!(problems(&[(BY, "a\0b"), (WHY, "a\r\nb")]), [BY, WHY]);
    assert_eq!(problems(&[(BY, "\u{202E}a"), (WHY, "b")]), [BY]);
    assert_eq!(problems(&[(BY, &long), (WHY, "b")]), [BY]);
    assert_eq!(problems(&[(BY, "a"), (WHY, "b"), (ID, "7")]), [ID]);
    let id = "3a6c2f70-8e15-4f0b-9a44-0c5d2e71b9d3";
    let said = stated(&typed(&[(BY, "鈴木"), (WHY, "b"), (ID, id)]), now()).unwrap();
    assert_eq!((said.by.as_str(), said.id.unwrap().to_string().as_str()), ("鈴木", id));
}

#[test]
fn what_was_typed_becomes_the_fact_that_was_meant() {
    let fields = [("at", "2026-04-01T10:30"), ("reference", " A-12 "), (BY, "鈴木"), (WHY, "b")];
    let checked = find("called").unwrap().check(&typed(&fields), now(), &Calendar::bundled()).unwrap();
    let event = serde_json::to_value(checked.event).unwrap();
    let expected =
        serde_json::json!({ "opt_out_call_made": { "called_at": "2026-04-01T01:30:00Z", "reference": "A-12" } });
    assert_eq!(event, expected);
}

#[test]
fn values_default_to_what_claims_least() {
    let event = find("face-reader").unwrap().event.unwrap()(&Values::new(now()));
    let unknown = FaceReaderModelSet { model: String::new(), phone_native: PhoneNative::Unknown };
    assert_eq!(event, Ok(Event::from(unknown)));
}

proptest! {
    #[test]
    fn what_is_accepted_fits_the_log(
        place in 0..all().count(), by in "\\PC{0,120}", why in ".{0,40}", word in "[a-z_]{0,12}", choice in any::<bool>(),
        at in "(2026-0[1-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9])|.{0,20}", to in "(2026-0[1-9]-[0-3][0-9])|.{0,20}",
    ) {
        let statement = all().nth(place).unwrap();
        let mut fields = typed(&[(BY, &by), (WHY, &why), (SURE, "yes")]);
        for field in statement.fields {
            let text = match &field.input {
                Input::Minute(_) if field.name == "to" => to.clone(),
                Input::Minute(_) => at.clone(),
                Input::Radio(choices) => choices[usize::from(choice)].0.to_owned(),
                Input::Select(choices) => choices()[usize::from(choice)].0.to_owned(),
                Input::Line(_) | Input::Required(_) => why.clone(),
                Input::Codes => if choice { "1319999015、13-1-99-9902-3".to_owned() } else { word.clone() },
                Input::Tick => word.clone(),
                Input::Given(example, _) => if choice { (*example).to_owned() } else { word.clone() },
            };
            fields.insert(field.name.to_owned(), text);
        }
        if let Ok(checked) = statement.check(&fields, now(), &Calendar::bundled()) {
            prop_assert!(checked.stated.by.chars().all(|letter| !letter.is_control()) && !checked.stated.by.is_empty());
            let body = LogBody::Statement { origin: Origin::Person(checked.stated), event: checked.event.unwrap() };
            let record = LogRecord { facility: FacilityId(Uuid::nil()), received_at: now(), body };
            let bytes = encode::log_record_bytes(&record);
            prop_assert_eq!(decode::log_record(&bytes).unwrap(), record);
        }
    }
}
