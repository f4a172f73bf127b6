//! The cookies of the pages: the language, and the name that was typed last. Neither identifies or authorises a person.

use axum::http::{HeaderMap, HeaderValue, header};
use cookie::time::Duration;
use cookie::{Cookie, SameSite};

const KEPT_FOR: Duration = Duration::days(365);

/// The value of a cookie.
pub(in crate::web) fn read(headers: &HeaderMap, name: &str) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut cookies = texts.flat_map(Cookie::split_parse_encoded).filter_map(Result::ok);
    cookies.find(|cookie| cookie.name() == name).map(|cookie| cookie.value().to_owned())
}

/// The header that stores a cookie.
pub(in crate::web) fn store(name: &'static str, value: &str) -> HeaderValue {
    let cookie = Cookie::build((name, value)).path("/").max_age(KEPT_FOR).same_site(SameSite::Lax).http_only(true);
    HeaderValue::from_str(&cookie.build().encoded().to_string()).expect("an encoded value is ASCII")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_comes_back_from_its_cookie(value in "\\PC{0,100}") {
            let stored = store("who", &value);
            let pair = stored.to_str().unwrap().split(';').next().unwrap().to_owned();
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(&format!("lang=en; {pair}")).unwrap());
            prop_assert_eq!(read(&headers, "who"), Some(value));
            prop_assert_eq!(read(&headers, "lang"), Some("en".to_owned()));
        }
    }
}
