//! The static page: all buttons, with the texts of one language large and the other small beside them. The script fills
//! in what changes from `state`.

use std::fmt::Write as _;

use super::choices::{self, Choice};
use super::text::Text;

pub(super) const STYLE: &str = include_str!("assets/desk.css");
pub(super) const SCRIPT: &str = include_str!("assets/desk.js");
pub(super) const ICON: &str = include_str!("assets/icon.svg");

/// The main language of the page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lang {
    Ja,
    En,
}

impl Lang {
    /// The language in the query string; Japanese if there is none.
    pub(super) fn from_query(query: &str) -> Self {
        if query.split('&').any(|pair| pair == "lang=en") { Self::En } else { Self::Ja }
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Ja => "ja",
            Self::En => "en",
        }
    }

    const fn other(self) -> Self {
        match self {
            Self::Ja => Self::En,
            Self::En => Self::Ja,
        }
    }

    fn pick(self, text: &Text) -> &str {
        match self {
            Self::Ja => &text.ja,
            Self::En => &text.en,
        }
    }

    /// A text with the other language beside it. The texts are constants without characters that are special in HTML.
    fn both(self, text: &Text) -> String {
        let other = self.other();
        format!("<span>{}</span> <small lang={}>{}</small>", self.pick(text), other.key(), other.pick(text))
    }
}

/// A button on the page itself.
struct Button {
    class: &'static str,
    key: u8,
    does: ButtonAction,
    text: Text,
}

enum ButtonAction {
    Enter(&'static str),
    Open(&'static str),
}

const BUTTONS: [Button; 7] = [
    button("good", 1, ButtonAction::Enter(r#"{"entry":"read","os":"ios"}"#), "iPhoneで読めた", "Read with iPhone"),
    button(
        "good",
        2,
        ButtonAction::Enter(r#"{"entry":"read","os":"android"}"#),
        "Androidで読めた",
        "Read with Android",
    ),
    button("bad", 3, ButtonAction::Open("causes"), "読めなかった…", "Could not be read"),
    button("", 4, ButtonAction::Open("fallbacks"), "代わりの方法で受付…", "Used a fallback"),
    button("third", 5, ButtonAction::Enter(r#"{"entry":"restarted"}"#), "顔認証機を再起動", "Face reader restarted"),
    button(
        "third",
        6,
        ButtonAction::Enter(r#"{"entry":"notice","notice":"not_supported_poster"}"#),
        "未対応ポスター掲示",
        "Poster: phones not read",
    ),
    button(
        "third",
        7,
        ButtonAction::Enter(r#"{"entry":"notice","notice":"supported_sticker"}"#),
        "対応ステッカー掲示",
        "Sticker: phones are read",
    ),
];

const fn button(class: &'static str, key: u8, does: ButtonAction, ja: &'static str, en: &'static str) -> Button {
    Button { class, key, does, text: Text::fixed(ja, en) }
}

const TITLE: Text = Text::fixed("受付の記録", "Reception desk");
const TODAY: Text = Text::fixed("今日の記録", "Today");
const WHY: Text = Text::fixed("なぜ読めませんでしたか", "Why could it not be read?");
const INSTEAD: Text = Text::fixed("代わりに何で受付しましたか", "What was used instead?");
const BACK: Text = Text::fixed("戻る", "Back");
const NO_SCRIPT: Text = Text::fixed("このページにはJavaScriptが必要です。", "This page needs JavaScript.");

/// The whole page.
pub(super) fn page(lang: Lang) -> String {
    let other = lang.other();
    let mut html = format!(
        "<!doctype html>\n<html lang={key}>\n<head>\n<meta charset=utf-8>\n\
         <meta name=viewport content=\"width=device-width, initial-scale=1\">\n<title>{title} | Yomitori</title>\n\
         <link rel=icon href=/icon.svg type=\"image/svg+xml\">\n<link rel=stylesheet href=/desk.css>\n\
         <script src=/desk.js defer></script>\n</head>\n<body>\n\
         <header><h1>{heading}</h1><time id=clock></time>\
         <a href=\"/?lang={other_key}\" lang={other_key}>{other_name}</a></header>\n\
         <section id=lines aria-label=\"{state}\"></section>\n<noscript><p>{no_script}</p></noscript>\n<main>\n<div id=buttons>\n",
        key = lang.key(),
        title = lang.pick(&TITLE),
        heading = lang.both(&TITLE),
        other_key = other.key(),
        other_name = if lang == Lang::Ja { "English" } else { "日本語" },
        state = lang.pick(&Text::fixed("端末の状態", "State of the terminal")),
        no_script = lang.both(&NO_SCRIPT),
    );
    let mut put = |arguments: std::fmt::Arguments<'_>| html.write_fmt(arguments).expect("a string takes all");
    for Button { class, key, does, text } in &BUTTONS {
        let does = match does {
            ButtonAction::Enter(entry) => format!("data-entry='{entry}'"),
            ButtonAction::Open(dialog) => format!("data-open={dialog} aria-haspopup=dialog"),
        };
        let words = lang.both(text);
        put(format_args!("<button class=\"{class}\" data-key={key} {does}><kbd>{key}</kbd>{words}</button>\n"));
    }
    put(format_args!(
        "</div>\n<aside><h2>{}</h2><ol id=entries tabindex=0></ol></aside>\n</main>\n\
         <p id=said role=status aria-live=polite></p>\n",
        lang.both(&TODAY)
    ));
    put(format_args!(
        "<dialog id=causes aria-label=\"{}\"><h2>{}</h2><div class=groups>\n",
        lang.pick(&WHY),
        lang.both(&WHY)
    ));
    for group in choices::GROUPS {
        put(format_args!("<section><h3>{}</h3>\n", lang.both(&group.title)));
        for cause in group.causes {
            put(format_args!("{}\n", choice(lang, "failed", "cause", cause)));
        }
        put(format_args!("</section>\n"));
    }
    let back = format!("<button class=back data-close>{}</button></dialog>\n", lang.both(&BACK));
    put(format_args!("</div>{back}"));
    put(format_args!(
        "<dialog id=fallbacks aria-label=\"{}\"><h2>{}</h2><div class=steps>\n",
        lang.pick(&INSTEAD),
        lang.both(&INSTEAD)
    ));
    for fallback in choices::FALLBACKS {
        put(format_args!("{}\n", choice(lang, "fallback", "fallback", fallback)));
    }
    put(format_args!("</div>{back}</body>\n</html>\n"));
    html
}

fn choice(lang: Lang, entry: &str, field: &str, choice: &Choice) -> String {
    let (id, words) = (choice.id, lang.both(&choice.text));
    format!("<button data-entry='{{\"entry\":\"{entry}\",\"{field}\":\"{id}\"}}'>{words}</button>")
}

#[cfg(test)]
mod tests {
    use super::super::entry::EntryRequest;
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_button_enters_something_that_can_be_entered() {
        for lang in [Lang::Ja, Lang::En] {
            let page = page(lang);
            let entries: Vec<_> =
                page.split("data-entry='").skip(1).filter_map(|rest| rest.split('\'').next()).collect();
            for entry in &entries {
                let asked: EntryRequest = serde_json::from_str(entry).unwrap();
                assert!(asked.event(chrono::DateTime::UNIX_EPOCH).is_some(), "{entry}");
            }
            let known = choices::causes().count() + choices::fallbacks().count();
            assert_eq!(entries.iter().collect::<BTreeSet<_>>().len(), 5 + known);
        }
    }

    #[test]
    fn there_is_no_field_to_fill_in_and_nothing_inline() {
        let page = page(Lang::Ja);
        for field in
            ["<input", "<textarea", "<select", "<form", "contenteditable", "style=", "onclick", "http:", "https:"]
        {
            assert!(!page.contains(field), "{field}");
        }
        let all = choices::causes().chain(choices::fallbacks());
        assert!(
            all.map(|choice| &choice.text)
                .all(|text| ![&text.ja, &text.en].iter().any(|text| text.contains(['<', '&', '"', '\''])))
        );
    }
}
