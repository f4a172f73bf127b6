//! The frame of every page: brand, "data as of", live state, language, warnings.

use axum::http::Uri;
use maud::{DOCTYPE, Markup, html};
use yomitori_facility::Text;

use crate::web::http::assets;
use crate::web::http::lang::{LANG, Lang};
use crate::web::page::as_of::AsOf;
use crate::web::page::text;

/// A page without its frame.
pub(in crate::web) struct Page<'a> {
    pub(in crate::web) lang: Lang,
    pub(in crate::web) title: String,
    /// The path and query of this page without the language, for the link to the other language.
    pub(in crate::web) here: &'a str,
    pub(in crate::web) as_of: &'a AsOf,
    /// The announcements that concern the page: `fleet`, or the identifier of a facility.
    pub(in crate::web) topic: String,
    pub(in crate::web) main: Markup,
}

impl Page<'_> {
    pub(in crate::web) fn draw(self) -> Markup {
        let Page { lang, title, here, as_of, topic, main } = self;
        html! {
            (DOCTYPE)
            html lang=(lang.key()) data-topic=(topic) data-version=(assets::FINGERPRINT.as_str())
                data-now=(as_of.now.timestamp_millis()) {
                (head(lang, &title, false))
                body {
                    a.skip href="#main" { (lang.one(&text::SKIP)) }
                    header.top {
                        (brand(lang))
                        (places(lang, here))
                        div.state {
                            p #as-of data-region { (as_of.line(lang)) }
                            (pill(lang))
                        }
                        (languages(lang, here))
                    }
                    div #notices {
                        p #broken.notice.warn role="alert" hidden
                            data-broken=(lang.one(&text::BROKEN_NOTICE)) data-away=(lang.one(&text::AWAY_NOTICE)) {}
                        div #behind data-region aria-live="polite" {
                            @if let Some(warning) = as_of.warning(lang) { p.notice.warn { (warning) } }
                            @if as_of.parked_facilities > 0 {
                                p.notice.warn { a href="/parked" { (lang.one(&text::PARKED_COUNT).replace("{n}", &grouped(as_of.parked_facilities))) } }
                            }
                        }
                    }
                    main #main tabindex="-1" { (main) }
                    p #announce.unseen role="status" data-updated=(lang.one(&text::UPDATED)) {}
                }
            }
        }
    }
}

fn head(lang: Lang, title: &str, again: bool) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            @if again { meta http-equiv="refresh" content="5"; }
            title { (title) " · " (lang.one(&text::BRAND)) @if lang == Lang::Ja { " Yomitori" } }
            link rel="stylesheet" href=(assets::path("style.css"));
            link rel="icon" type="image/svg+xml" href=(assets::path("icon.svg"));
            @if !again { script defer src=(assets::path("live.js")) {} }
        }
    }
}

fn brand(lang: Lang) -> Markup {
    html! {
        a.brand href="/" {
            img src=(assets::path("icon.svg")) alt="" width="32" height="32";
            span {
                strong { (lang.one(&text::BRAND)) @if lang == Lang::Ja { " " small lang="en" { "Yomitori" } } }
                span.tagline { (lang.one(&text::TAGLINE)) }
            }
        }
    }
}

/// The pages of the main navigation.
fn places(lang: Lang, here: &str) -> Markup {
    let path = here.split('?').next().unwrap_or_default();
    html! {
        nav.places aria-label=(lang.one(&text::NAVIGATION)) {
            @for (to, label) in [("/", &text::FLEET), ("/calls", &text::CALLS), ("/listing", &text::LISTING), ("/rules", &text::RULES)] {
                a href=(to) aria-current=[(path == to).then_some("page")] { (lang.one(label)) }
            }
        }
    }
}

/// Formats a number with commas between thousands.
pub(in crate::web) fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The path and query of a page without the language.
pub(in crate::web) fn here(uri: &Uri) -> String {
    let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).filter(|(name, _)| name != LANG);
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { uri.path().to_owned() } else { format!("{}?{query}", uri.path()) }
}

/// The live state, filled in by the script: a page without script does not claim to be live.
fn pill(lang: Lang) -> Markup {
    let both = |text: &Text| match lang {
        Lang::Ja => format!("{} {}", text.ja, text.en),
        Lang::En => text.en.to_string(),
    };
    html! {
        p #live.pill role="status" hidden data-state="connecting" data-connecting=(both(&text::CONNECTING))
            data-live=(both(&text::LIVE)) data-broken=(both(&text::BROKEN)) data-away=(both(&text::AWAY)) {}
    }
}

fn languages(lang: Lang, here: &str) -> Markup {
    let link = |to: Lang| format!("{here}{}{LANG}={}", if here.contains('?') { '&' } else { '?' }, to.key());
    html! {
        nav.languages aria-label=(lang.one(&text::LANGUAGE)) {
            @for (to, name) in [(Lang::Ja, "日本語"), (Lang::En, "English")] {
                a href=(link(to)) lang=(to.key()) hreflang=(to.key()) aria-current=[(to == lang).then_some("true")] { (name) }
            }
        }
    }
}

/// Why a request failed.
pub(in crate::web) struct Refusal {
    pub(in crate::web) status: u16,
    pub(in crate::web) title: Text,
    pub(in crate::web) detail: Text,
    /// Whether a retry soon may succeed.
    pub(in crate::web) passing: bool,
    /// Whether the list of facilities can be shown.
    pub(in crate::web) has_fleet: bool,
}

/// Draws an error page, which needs no database.
pub(in crate::web) fn failure(lang: Lang, refusal: &Refusal) -> Markup {
    let Refusal { status, title, detail, passing, has_fleet } = refusal;
    html! {
        (DOCTYPE)
        html lang=(lang.key()) {
            (head(lang, lang.one(title), *passing))
            body {
                header.top { (brand(lang)) }
                main #main.failure {
                    p.status { (status) }
                    h1 { (lang.both(title)) }
                    p { (lang.one(detail)) }
                    @if lang == Lang::Ja && detail.ja != detail.en { p.en lang="en" { (detail.en) } }
                    @if *has_fleet { p { a.button href="/" { (lang.one(&text::BACK_TO_FLEET)) } } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1000, 230_000].map(grouped), ["0", "999", "1,000", "230,000"]);
    }
}
