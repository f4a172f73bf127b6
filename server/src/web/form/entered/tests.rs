//! What a person, a slip of the hand or a hostile program may send as a form.

use axum::http::Request;
use proptest::prelude::*;

use super::super::acts::{all, find};
use super::*;

fn now() -> DateTime<Utc> {
    "2026-04-01T01:30:00Z".parse().unwrap()
}

fn parse(act: &Act, body: &[u8]) -> Result<Entered, Failure> {
    let names: Vec<&str> = act.fields.iter().map(|field| field.name).chain([BY, WHY, SURE, FORM, BACK]).collect();
    Entered::parse(body, &names)
}

/// The fields of `act` that are not accepted in `body`.
fn mistakes(act: &str, body: &str) -> Vec<&'static str> {
    let act = find(act).unwrap();
    let mut entered = parse(act, body.as_bytes()).unwrap();
    let (values, stamp) = (entered.values(act, now()), entered.stamp());
    assert_eq!(values.is_some() && stamp.is_some(), entered.mistakes.is_empty(), "{body}");
    entered.mistakes.into_keys().collect()
}

#[test]
fn what_is_missing_or_wrong_is_told_beside_its_field() {
    let long = "x".repeat(101);
    for (act, body, expected) in [
        ("intent", "", vec!["by", "intent", "why"]),
        ("intent", "intent=do_not_want&by=%E9%88%B4%E6%9C%A8&why=x", vec![]),
        ("intent", "intent=perhaps&by=a&why=b", vec!["intent"]),
        ("intent", "intent=do_not_want&by=+&why=%09", vec!["by", "why"]),
        ("intent", "intent=do_not_want&by=a%00b&why=a%0D%0Ab", vec!["by", "why"]),
        ("intent", "intent=do_not_want&by=%E2%80%AEa&why=b", vec!["by"]),
        ("intent", &format!("intent=do_not_want&by={long}&why=b"), vec!["by"]),
        ("called", "at=2026-04-01T10:30&by=a&why=b", vec![]),
        ("called", "at=2026-04-01T10:31:59&by=a&why=b&reference=A-1", vec![]),
        ("called", "at=2026-04-01T10:40&by=a&why=b", vec!["at"]),
        ("called", "at=0206-04-01T10:30&by=a&why=b", vec!["at"]),
        ("called", "at=yesterday&by=a&why=b", vec!["at"]),
        ("called", "at=2026-02-30T10:30&by=a&why=b", vec!["at"]),
        ("called", &format!("at=2026-04-01T10:30&by=a&why=b&reference={long}"), vec!["reference"]),
        ("call-planned", "at=2026-04-01T10:00&by=a&why=b", vec!["at"]),
        ("call-planned", "at=2026-04-02T10:00&by=a&why=b", vec![]),
        ("call-planned", "at=2036-04-02T10:00&by=a&why=b", vec!["at"]),
        ("read", "os=ios&at=2026-04-01T10:00&test=no&by=a&why=b", vec!["test"]),
        ("flag-seen", "flag=nonsense&by=a&why=b", vec!["flag"]),
        ("reader-role", "terminal=x&reader=00000000000000aa&role=phone&by=a&why=b", vec!["terminal"]),
        (
            "reader-role",
            "terminal=00000000-0000-4000-8000-000000000001&reader=00000000000000aa&role=phone&by=a&why=b",
            vec![],
        ),
        ("flag-snoozed", "flag=opt_out_needed&days=365&by=a&why=b", vec!["days"]),
    ] {
        assert_eq!(mistakes(act, body), expected, "{act}: {body}");
    }
}

#[test]
fn what_is_no_form_of_the_page_is_refused_as_a_whole() {
    let act = find("intent").unwrap();
    for body in [&b"intent=do_not_want&by=%FF&why=b"[..], b"by=\xFF", b"colour=red", b"by=a&by=b", b"=x", b"%00=1"] {
        assert!(matches!(parse(act, body), Err(Failure::Form(_))), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn the_form_becomes_the_fact_that_was_meant() {
    let act = find("called").unwrap();
    let body =
        "at=2026-04-01T10%3A30&reference=+A-12+&by=%E9%88%B4%E6%9C%A8&why=b&form=00000000-0000-0000-0000-000000000007";
    let mut entered = parse(act, body.as_bytes()).unwrap();
    let values = entered.values(act, now()).unwrap();
    let event = serde_json::to_value(act.event(&values).unwrap()).unwrap();
    let expected =
        serde_json::json!({ "opt_out_call_made": { "called_at": "2026-04-01T01:30:00Z", "reference": "A-12" } });
    assert_eq!(event, expected);
    assert_eq!(act.call_at(&values), Some(now()));
    let stamp = entered.stamp().unwrap();
    assert_eq!((stamp.by.as_str(), stamp.form), ("鈴木", Uuid::from_u128(7)));
}

#[tokio::test]
async fn a_body_has_a_limit_and_a_kind() {
    let request = |media: &str| Request::builder().header("content-type", media).body(()).unwrap().into_parts().0;
    let form = request("application/x-www-form-urlencoded; charset=utf-8");
    let large = vec![b'a'; BODY_LIMIT + 1];
    assert!(matches!(read(&form, Body::from(large), &["a"]).await, Err(Failure::TooLarge)));
    assert!(matches!(read(&request("text/plain"), Body::from("by=a"), &["by"]).await, Err(Failure::Media)));
    assert!(read(&form, Body::from("by=a"), &["by"]).await.is_ok());
}

proptest! {
    #[test]
    fn no_body_panics_and_what_is_accepted_fits_the_log(
        place in 0..all().count(), noise in prop::collection::vec(any::<u8>(), 0..200), by in "\\PC{0,120}", why in ".{0,40}",
        at in "(2026-0[1-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9])|.{0,20}", word in "[a-z_]{0,12}",
    ) {
        let act = all().nth(place).unwrap();
        parse(act, &noise).ok();
        let mut body = form_urlencoded::Serializer::new(String::new());
        for field in act.fields {
            let typed = match &field.input {
                Input::Minute(_) => at.clone(),
                Input::Radio(choices) => choices[0].0.to_owned(),
                Input::Select(choices) => choices()[0].0.to_owned(),
                Input::Line(_) => why.clone(),
                Input::Tick | Input::Given(_) => word.clone(),
            };
            body.append_pair(field.name, &typed);
        }
        let body = body.append_pair(BY, &by).append_pair(WHY, &why).finish();
        let mut entered = parse(act, body.as_bytes()).unwrap();
        let values = entered.values(act, now());
        if let (Some(values), Some(stamp)) = (values, entered.stamp()) {
            prop_assert!(stamp.by.chars().all(|letter| !letter.is_control()) && !stamp.by.is_empty());
            let origin = yomitori_proto::event::Origin::Person(stamp.stated(now()));
            let body = yomitori_proto::event::LogBody::Statement { origin, event: act.event(&values).unwrap() };
            let facility = yomitori_proto::id::FacilityId(Uuid::nil());
            let record = yomitori_proto::event::LogRecord { facility, received_at: now(), body };
            let bytes = yomitori_proto::encode::log_record_bytes(&record);
            prop_assert_eq!(yomitori_proto::decode::log_record(&bytes).unwrap(), record);
        }
    }
}
