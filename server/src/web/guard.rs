//! Whether a form was sent by a page of ours: the browser says so, and no other site can make it say so.
//!
//! The frame around all answers has refused foreign hosts before (DNS rebinding); here a foreign page that sends a form
//! to this machine is refused (CSRF). A program may send forms too, if it says where it belongs.

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use super::error::Failure;

const SITE: &str = "sec-fetch-site";

/// Lets through what comes from this very address.
pub(super) async fn same_origin(request: Request, next: Next) -> Response {
    if ours(request.headers()) { next.run(request).await } else { Failure::Origin.into_response() }
}

fn ours(headers: &HeaderMap) -> bool {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let first = values.next();
        // Said twice is said by somebody who wants to be misunderstood.
        if values.next().is_some() { None } else { Some(first.map(|value| value.to_str().unwrap_or("?"))) }
    };
    let (Some(host), Some(origin), Some(site)) = (one(header::HOST.as_str()), one(header::ORIGIN.as_str()), one(SITE))
    else {
        return false;
    };
    let Some(host) = host else { return false };
    let same = |origin: &str| {
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    };
    match (origin, site) {
        (None, None) => false,
        (origin, site) => origin.is_none_or(same) && site.is_none_or(|site| site == "same-origin"),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_pages_of_this_address_may_send_forms() {
        let table: [(&[(&'static str, &'static str)], bool); 16] = [
            (&[("host", "localhost:8080"), ("origin", "http://localhost:8080")], true),
            (
                &[("host", "localhost:8080"), ("origin", "http://LOCALHOST:8080"), ("sec-fetch-site", "same-origin")],
                true,
            ),
            (&[("host", "127.0.0.1:8080"), ("sec-fetch-site", "same-origin")], true),
            (&[("host", "localhost:8080"), ("origin", "https://localhost:8080")], true),
            (&[("host", "localhost:8080")], false),
            (&[("host", "localhost:8080"), ("origin", "http://evil.example")], false),
            (&[("host", "localhost:8080"), ("origin", "null")], false),
            (&[("host", "localhost:8080"), ("origin", "")], false),
            (&[("host", "localhost:8080"), ("origin", "http://localhost:9999")], false),
            (&[("host", "localhost:8080"), ("origin", "http://localhost:8080.evil.example")], false),
            (&[("host", "localhost:8080"), ("origin", "http://evil.example/localhost:8080")], false),
            (&[("host", "localhost:8080"), ("sec-fetch-site", "cross-site")], false),
            (&[("host", "localhost:8080"), ("sec-fetch-site", "same-site")], false),
            (&[("host", "localhost:8080"), ("sec-fetch-site", "none")], false),
            (
                &[("host", "localhost:8080"), ("origin", "http://localhost:8080"), ("sec-fetch-site", "cross-site")],
                false,
            ),
            (
                &[("host", "localhost:8080"), ("origin", "http://localhost:8080"), ("origin", "http://evil.example")],
                false,
            ),
        ];
        for (said, expected) in table {
            let mut headers = HeaderMap::new();
            for (name, value) in said {
                headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(ours(&headers), expected, "{said:?}");
        }
    }
}
