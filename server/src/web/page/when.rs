//! Instants for people: how long ago, and in Japan's time.

use chrono::{DateTime, Duration, Utc};
use maud::{Markup, html};
use yomitori_proto::time::JAPAN;

use crate::web::http::lang::Lang;
pub(in crate::web) use crate::when::{day, minute, second};

/// A minute in the format of a browser's control, in Japan's time.
pub(in crate::web) fn control_value(at: DateTime<Utc>) -> String {
    at.with_timezone(&JAPAN).format("%Y-%m-%dT%H:%M").to_string()
}

/// A span in its largest fitting unit. `live.js` has the same words, so that it can update them.
pub(in crate::web) fn span(lang: Lang, span: Duration) -> String {
    let seconds = span.num_seconds().abs();
    let (count, ja, en) = match seconds {
        0..60 => (seconds, "秒", "s"),
        60..3600 => (seconds / 60, "分", "min"),
        3600..172_800 => (seconds / 3600, "時間", "h"),
        _ => (seconds / 86_400, "日", "d"),
    };
    match lang {
        Lang::Ja => format!("{count}{ja}"),
        Lang::En => format!("{count} {en}"),
    }
}

/// The time since or until an instant.
pub(in crate::web) fn relative(lang: Lang, at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let ago = now - at;
    let span = span(lang, ago);
    match (lang, ago < Duration::zero()) {
        (Lang::Ja, false) => format!("{span}前"),
        (Lang::Ja, true) => format!("{span}後"),
        (Lang::En, false) => format!("{span} ago"),
        (Lang::En, true) => format!("in {span}"),
    }
}

/// How long ago; the page keeps it current.
pub(in crate::web) fn ago(lang: Lang, at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! {
        time.ago datetime=(at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)) data-ago title=(format!("{} JST", second(at))) {
            (relative(lang, at, now))
        }
    }
}

/// How long ago, and below it the instant.
pub(in crate::web) fn ago_and_clock(lang: Lang, at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! { (ago(lang, at, now)) " " small.clock { (minute(at)) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_naturally() {
        let now = "2026-04-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap();
        for (at, ja, en) in [
            ("2026-03-31T23:59:57Z", "3秒前", "3 s ago"),
            ("2026-03-31T23:00:01Z", "59分前", "59 min ago"),
            ("2026-03-30T01:00:00Z", "47時間前", "47 h ago"),
            ("2026-03-29T23:00:00Z", "2日前", "2 d ago"),
            ("2026-04-01T00:05:00Z", "5分後", "in 5 min"),
        ] {
            let at = at.parse().unwrap();
            assert_eq!((relative(Lang::Ja, at, now), relative(Lang::En, at, now)), (ja.to_owned(), en.to_owned()));
        }
        assert_eq!(second(now), "2026-04-01 09:00:00");
    }
}
