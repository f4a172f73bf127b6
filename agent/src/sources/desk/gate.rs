//! Decides which requests are accepted. Every page in the terminal's browser can send requests to loopback, by a link,
//! a form, an image or a script of any site, or from a name that was rebound to 127.0.0.1. None of them may read or
//! enter anything.
//!
//! * The host must be one of the three names of this machine, with the port; a rebound name is none of them.
//! * Everything but the page itself must be requested by the page, and the page must not be in a frame.
//! * An entry is JSON with a token in a header. Forms and "simple" requests can send neither, and any other request of
//!   another origin needs a preflight, which is never granted.

use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Uri};

/// The header with the token of the page.
pub(super) const TOKEN: &str = "x-yomitori-desk";

const SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const DESTINATION: HeaderName = HeaderName::from_static("sec-fetch-dest");

/// Why a request is rejected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// For another host, as after DNS rebinding.
    Host,
    /// From a frame in another page.
    Framed,
    /// From another site.
    Elsewhere,
    /// Not JSON.
    NotJson,
    /// Without the right token.
    Token,
}

impl Refusal {
    /// The word for the log.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Framed => "framed",
            Self::Elsewhere => "elsewhere",
            Self::NotJson => "not_json",
            Self::Token => "token",
        }
    }
}

/// Accepts a request, or returns why it is rejected.
pub(super) fn admit(method: &Method, uri: &Uri, headers: &HeaderMap, port: u16, token: &str) -> Result<(), Refusal> {
    let host = one(headers, &header::HOST).filter(|host| is_here(host, port)).ok_or(Refusal::Host)?;
    if uri.authority().is_some_and(|authority| authority.as_str() != host) {
        return Err(Refusal::Host);
    }
    if headers.get(DESTINATION).is_some_and(|to| is_one_of(to, &["iframe", "frame", "embed", "object", "fencedframe"]))
    {
        return Err(Refusal::Framed);
    }
    // Old browsers do not send this header; the other rules apply to them.
    let from_here = headers.get(SITE).is_none_or(|site| is_one_of(site, &["same-origin", "none"]));
    // A link from another site may open the page itself.
    let opens_page = *method == Method::GET
        && uri.path() == "/"
        && headers.get(DESTINATION).is_some_and(|to| is_one_of(to, &["document"]));
    if !(from_here || opens_page) {
        return Err(Refusal::Elsewhere);
    }
    // Our own page never sends another origin.
    let origin = headers.get(header::ORIGIN);
    let origin_is_here = origin.is_some_and(|origin| origin.as_bytes() == [b"http://", host.as_bytes()].concat());
    if origin.is_some() && !origin_is_here {
        return Err(Refusal::Elsewhere);
    }
    if *method == Method::GET || *method == Method::HEAD {
        return Ok(());
    }
    if !origin_is_here {
        return Err(Refusal::Elsewhere);
    }
    if one(headers, &header::CONTENT_TYPE) != Some("application/json") {
        return Err(Refusal::NotJson);
    }
    if one(headers, &HeaderName::from_static(TOKEN)) != Some(token) {
        return Err(Refusal::Token);
    }
    Ok(())
}

fn is_here(host: &str, port: u16) -> bool {
    let name = host.strip_suffix(&format!(":{port}"));
    name.is_some_and(|name| ["127.0.0.1", "localhost", "[::1]"].iter().any(|here| name.eq_ignore_ascii_case(here)))
}

/// The value of a header that occurs exactly once and is text.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    values.next().is_none().then_some(value)?.to_str().ok()
}

fn is_one_of(value: &HeaderValue, words: &[&str]) -> bool {
    words.iter().any(|word| value.as_bytes().eq_ignore_ascii_case(word.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HERE: &str = "127.0.0.1:7480";
    const PAGE: &[(&str, &str)] = &[
        ("host", HERE),
        ("origin", "http://127.0.0.1:7480"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-dest", "empty"),
        ("content-type", "application/json"),
        (TOKEN, "secret"),
    ];

    fn ask(method: Method, target: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        admit(&method, &target.parse().unwrap(), &map, 7480, "secret")
    }

    /// The page's own request with one header changed, or left out if there is no value.
    fn but(name: &str, value: Option<&str>) -> Result<(), Refusal> {
        let kept = PAGE.iter().copied().filter(|(other, _)| *other != name);
        ask(Method::POST, "/entries", &kept.chain(value.map(|value| (name, value))).collect::<Vec<_>>())
    }

    #[test]
    fn the_page_and_its_own_requests_are_accepted() {
        for host in [HERE, "localhost:7480", "LocalHost:7480", "[::1]:7480"] {
            assert_eq!(ask(Method::GET, "/", &[("host", host)]), Ok(()), "{host}");
            assert_eq!(ask(Method::GET, "/", &[("host", host), ("sec-fetch-site", "none")]), Ok(()));
        }
        assert_eq!(ask(Method::POST, "/entries", PAGE), Ok(()));
        let link = [("host", HERE), ("sec-fetch-site", "cross-site"), ("sec-fetch-dest", "document")];
        assert_eq!(ask(Method::GET, "/", &link), Ok(()), "a link to the page");
    }

    #[test]
    fn a_rebound_name_is_another_host() {
        for host in ["clinic.example:7480", "127.0.0.1", "127.0.0.1:80", "127.0.0.2:7480", "localhost.example:7480", ""]
        {
            assert_eq!(but("host", Some(host)), Err(Refusal::Host), "{host}");
            assert_eq!(ask(Method::GET, "/", &[("host", host)]), Err(Refusal::Host), "{host}");
        }
        assert_eq!(ask(Method::GET, "/", &[("host", HERE), ("host", HERE)]), Err(Refusal::Host));
        assert_eq!(ask(Method::GET, "http://clinic.example/", &[("host", HERE)]), Err(Refusal::Host));
    }

    #[test]
    fn pages_of_other_sites_enter_nothing_and_read_nothing() {
        for origin in [
            None,
            Some("null"),
            Some("http://clinic.example"),
            Some("http://127.0.0.1:8080"),
            Some("https://127.0.0.1:7480"),
        ] {
            assert_eq!(but("origin", origin), Err(Refusal::Elsewhere), "{origin:?}");
        }
        for site in ["cross-site", "same-site"] {
            assert_eq!(but("sec-fetch-site", Some(site)), Err(Refusal::Elsewhere), "{site}");
            assert_eq!(
                ask(Method::GET, "/state", &[("host", HERE), ("sec-fetch-site", site)]),
                Err(Refusal::Elsewhere)
            );
        }
        let read = [("host", HERE), ("origin", "http://clinic.example")];
        assert_eq!(ask(Method::GET, "/state", &read), Err(Refusal::Elsewhere));
    }

    #[test]
    fn what_a_form_or_a_simple_request_can_send_is_not_enough() {
        for kind in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=x"),
            Some("text/plain; application/json"),
        ] {
            assert_eq!(but("content-type", kind), Err(Refusal::NotJson), "{kind:?}");
        }
        assert_eq!(but(TOKEN, None), Err(Refusal::Token));
        assert_eq!(but(TOKEN, Some("guess")), Err(Refusal::Token));
    }

    #[test]
    fn the_page_is_rejected_in_a_frame() {
        for place in ["iframe", "frame", "embed", "object"] {
            let framed = [("host", HERE), ("sec-fetch-dest", place)];
            assert_eq!(ask(Method::GET, "/", &framed), Err(Refusal::Framed), "{place}");
        }
    }

    proptest! {
        #[test]
        fn no_other_header_value_enters_anything_without_the_token(
            name in prop_oneof!["host", "origin", "content-type", "x-yomitori-desk"],
            value in "[ -~]{0,40}",
        ) {
            let own = PAGE.iter().any(|(other, own)| *other == name && own.eq_ignore_ascii_case(&value));
            let local = name == "host" && is_here(&value, 7480);
            prop_assume!(!own && !local);
            prop_assert!(but(&name, Some(&value)).is_err());
        }
    }
}
