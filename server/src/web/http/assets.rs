//! Style, script and icon, compiled in. Their path contains a digest, so that browsers can cache them without limit and
//! still fetch a new version at once.

use std::sync::LazyLock;

use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

const FILES: [(&str, &str, &str); 3] = [
    ("style.css", "text/css; charset=utf-8", include_str!("assets/style.css")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("assets/live.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// The digest of all files together, because a page and its files change together.
pub(in crate::web) static FINGERPRINT: LazyLock<String> = LazyLock::new(|| {
    let mut digest = Sha256::new();
    for (_, _, body) in FILES {
        digest.update(body);
    }
    let mut text = hex::encode(digest.finalize());
    text.truncate(12);
    text
});

/// The path of a file.
pub(in crate::web) fn path(name: &str) -> String {
    format!("/assets/{}/{name}", *FINGERPRINT)
}

/// The response with a file; `None` if there is no such file.
pub(in crate::web) fn file(fingerprint: &str, name: &str) -> Option<Response> {
    let (_, media, body) = FILES.into_iter().find(|file| file.0 == name)?;
    // A page of another version still gets the file, but the browser must not cache it.
    let keep = if fingerprint == *FINGERPRINT { "public, max-age=31536000, immutable" } else { "no-store" };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media)),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
    ];
    Some((headers, body).into_response())
}
