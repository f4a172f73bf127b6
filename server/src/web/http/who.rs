//! The name of the person who fills in forms on this machine: typed once and offered again. It saves typing and proves
//! nothing.

use axum::http::{HeaderMap, HeaderValue};

use crate::web::http::cookie;

const WHO: &str = "who";

/// The last typed name.
pub(in crate::web) fn of(headers: &HeaderMap) -> Option<String> {
    let name = cookie::read(headers, WHO)?;
    let plain = name.chars().count() <= 100 && !name.chars().any(char::is_control);
    (plain && !name.is_empty()).then_some(name)
}

/// The cookie that stores a name.
pub(in crate::web) fn cookie(name: &str) -> HeaderValue {
    cookie::store(WHO, name)
}
