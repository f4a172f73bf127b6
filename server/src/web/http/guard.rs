//! Whether a form was sent from a page of this server: the browser states the origin, and no other site can forge it.
//!
//! The layer around all answers has already refused foreign hosts (DNS rebinding); this check refuses a foreign page
//! that sends a form to this machine (CSRF). A program may send forms too if it states the Origin.

use axum::extract::Request;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::web::http::error::Failure;

const SITE: &str = "sec-fetch-site";

/// Accepts requests that come from this address.
pub(in crate::web) async fn same_origin(request: Request, next: Next) -> Response {
    if ours(request.headers()) { next.run(request).await } else { Failure::Origin.into_response() }
}

fn ours(headers: &HeaderMap) -> bool {
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let first = values.next();
        // A repeated header is ambiguous, and no browser sends it.
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
