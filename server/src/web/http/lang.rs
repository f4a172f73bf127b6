//! The language of a reader: their choice (`?lang=`, then a cookie), else the preference of the browser.
//!
//! Japanese pages show English beside short texts, so that two people can read one screen together.

use axum::http::{HeaderMap, header};
use maud::{Markup, html};
use yomitori_facility::Text;

use crate::web::http::cookie;

/// The language of a page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::web) enum Lang {
    Ja,
    En,
}

/// The name of the parameter and of the cookie.
pub(in crate::web) const LANG: &str = "lang";

impl Lang {
    pub(in crate::web) const fn key(self) -> &'static str {
        match self {
            Self::Ja => "ja",
            Self::En => "en",
        }
    }

    pub(in crate::web) fn from_key(key: &str) -> Option<Self> {
        [Self::Ja, Self::En].into_iter().find(|lang| lang.key() == key)
    }

    /// The preference of the browser; Japanese if it has none.
    pub(in crate::web) fn of(headers: &HeaderMap) -> Self {
        let kept = cookie::read(headers, LANG).and_then(|key| Self::from_key(&key));
        let accepted = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        kept.unwrap_or_else(|| Self::accepted(accepted))
    }

    fn accepted<'h>(values: impl Iterator<Item = &'h str>) -> Self {
        let mut best = (0.0, Self::Ja);
        for range in values.flat_map(|value| value.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let tag = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
            let lang = Self::from_key(tag.split('-').next().unwrap_or_default());
            if let (Some(lang), Some(weight)) = (lang, weight)
                && weight > best.0
            {
                best = (weight, lang);
            }
        }
        best.1
    }

    /// The text in this language.
    pub(in crate::web) fn one(self, text: &Text) -> &str {
        match self {
            Self::Ja => &text.ja,
            Self::En => &text.en,
        }
    }

    /// The text, with English beside Japanese.
    pub(in crate::web) fn both(self, text: &Text) -> Markup {
        match self {
            Self::Ja if text.ja != text.en => html! { (text.ja) " " small.en lang="en" { (text.en) } },
            Self::Ja | Self::En => html! { (self.one(text)) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: header::HeaderName, value: &'static str) -> Lang {
        let mut headers = HeaderMap::new();
        headers.insert(name, header::HeaderValue::from_static(value));
        Lang::of(&headers)
    }

    #[test]
    fn japanese_unless_english_is_preferred() {
        for (accepted, expected) in [
            ("", Lang::Ja),
            ("ja,en;q=0.9", Lang::Ja),
            ("en-US,en;q=0.9,ja;q=0.8", Lang::En),
            ("fr, en;q=0.5", Lang::En),
            ("de", Lang::Ja),
            ("en;q=nonsense", Lang::Ja),
            ("*", Lang::Ja),
        ] {
            assert_eq!(of(header::ACCEPT_LANGUAGE, accepted), expected, "{accepted}");
        }
    }

    #[test]
    fn what_was_chosen_stays() {
        assert_eq!(of(header::COOKIE, "theme=x; lang=en"), Lang::En);
        assert_eq!(of(header::COOKIE, "lang=tlh"), Lang::Ja);
    }
}
