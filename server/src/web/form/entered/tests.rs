//! Forms as people, typing errors and hostile programs may send them.

use axum::http::Request;
use proptest::prelude::*;

use super::*;
use crate::statement::{BY, ID, WHY, all, find};

fn now() -> DateTime<Utc> {
    "2026-04-01T01:30:00Z".parse().unwrap()
}

fn parse(statement: &Statement, body: &[u8]) -> Result<Entered, Failure> {
    let names: Vec<&str> = statement.fields.iter().map(|field| field.name).chain([BY, WHY, SURE, ID, BACK]).collect();
    Entered::parse(body, &names)
}

#[test]
fn what_is_no_form_of_the_page_is_refused_as_a_whole() {
    let statement = find("intent").unwrap();
    for body in [&b"intent=do_not_want&by=%FF&why=b"[..], b"by=\xFF", b"colour=red", b"by=a&by=b", b"=x", b"%00=1"] {
        assert!(matches!(parse(statement, body), Err(Failure::Form(_))), "{}", String::from_utf8_lossy(body));
    }
}

#[test]
fn what_was_refused_stands_beside_its_field() {
    let statement = find("called").unwrap();
    let check = |body: &str| {
        let mut entered = parse(statement, body.as_bytes()).unwrap();
        let checked = entered.checked(statement, now(), &Calendar::bundled());
        assert_eq!(checked.is_some(), entered.mistakes() == 0, "{body}");
        let named = ["at", "by", SURE].map(|field| entered.mistake(field).is_some());
        (named, entered.doubt().is_some())
    };
    assert_eq!(check("at=2026-04-01T10%3A30&reference=+A-12+&by=%E9%88%B4%E6%9C%A8&why=b"), ([false; 3], false));
    assert_eq!(check("at=2026-04-01T11:30&by=&why=b"), ([true, true, false], false));
    assert_eq!(check("at=2026-03-29T10:30&by=a&why=b"), ([false, false, true], true));
    assert_eq!(check("at=2026-03-29T10:30&by=a&why=b&sure=yes"), ([false; 3], false));
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
    fn no_body_panics(place in 0..all().count(), noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let statement = all().nth(place).unwrap();
        if let Ok(mut entered) = parse(statement, &noise) {
            entered.checked(statement, now(), &Calendar::bundled());
        }
    }
}
