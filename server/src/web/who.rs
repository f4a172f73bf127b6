//! The name of the person who fills in forms on this machine: typed once and offered again. It saves typing and proves
//! nothing.

use axum::http::{HeaderMap, HeaderValue, header};

const WHO: &str = "who";

/// The last typed name.
pub(super) fn of(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let value = cookies
        .flat_map(|cookies| cookies.split(';'))
        .filter_map(|cookie| cookie.trim().split_once('='))
        .find_map(|(name, value)| (name == WHO).then_some(value))?;
    let decoded = form_urlencoded::parse(value.as_bytes()).next()?.0;
    let plain = decoded.chars().count() <= 100 && !decoded.chars().any(char::is_control);
    (plain && !decoded.is_empty()).then(|| decoded.into_owned())
}

/// The cookie that stores a name.
pub(super) fn cookie(name: &str) -> HeaderValue {
    let encoded: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let cookie = format!("{WHO}={encoded}; Path=/; Max-Age=31536000; SameSite=Lax; HttpOnly");
    HeaderValue::from_str(&cookie).expect("an encoded name is ASCII")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_name_comes_back_from_its_cookie(name in "[^\\p{Cc}]{1,100}") {
            let kept = cookie(&name);
            let pair = kept.to_str().unwrap().split(';').next().unwrap().to_owned();
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, HeaderValue::from_str(&format!("lang=en; {pair}")).unwrap());
            prop_assert_eq!(of(&headers), Some(name));
        }
    }
}
