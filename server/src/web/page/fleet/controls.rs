//! Search and filters: a form that works without a script.

use maud::{Markup, html};
use yomitori_facility::{Flag, Text, Word as _};
use yomitori_proto::code::Prefecture;

use crate::store::fleet::Axis;
use crate::web::http::lang::Lang;
use crate::web::http::query::{ANY_STAGE, FleetQuery, parameter};
use crate::web::page::csv::prefecture;
use crate::web::page::text;
use crate::web::page::word;
use crate::web::page::word::SEVERITIES;

/// The axes that the form shows; other parameters are kept as hidden fields.
const SHOWN: [(Axis, &Text); 8] = [
    (Axis::Eligible, &text::ELIGIBLE),
    (Axis::Evidence, &text::EVIDENCE),
    (Axis::Level, &text::LEVEL),
    (Axis::Intent, &text::INTENT),
    (Axis::OptOut, &text::OPT_OUT_STAGE),
    (Axis::Listing, &text::LISTING),
    (Axis::Equipment, &text::EQUIPMENT),
    (Axis::Freshness, &text::FRESHNESS),
];

pub(super) fn form(lang: Lang, asked: &FleetQuery) -> Markup {
    let given = &asked.given;
    let named: Vec<&str> =
        SHOWN.iter().map(|(axis, _)| parameter(*axis)).chain(["q", "prefecture", "flag", "severity", "page"]).collect();
    let chosen = given.others(&["q", "sort", "dir", "page"]).count();
    html! {
        search {
            form.controls method="get" action="/" {
                div.search {
                    label.unseen for="q" { (lang.one(&text::SEARCH)) }
                    input #q type="search" name="q" value=[given.get("q")] maxlength="200" autocomplete="off"
                        placeholder=(lang.one(&text::SEARCH_HINT)) enterkeyhint="search";
                    button.button.primary { (lang.one(&text::SEARCH)) }
                    @if chosen > 0 || given.get("q").is_some() { a.clear href="/" { (lang.one(&text::CLEAR)) } }
                }
                details.filters open[chosen > 0] {
                    summary {
                        (lang.both(&text::FILTERS))
                        @if chosen > 0 { span.badge { (chosen) } }
                    }
                    div.fields {
                        @for (axis, label) in SHOWN {
                            (select(lang, label, parameter(axis), given.get(parameter(axis)), options(lang, axis)))
                        }
                        (select(lang, &text::PREFECTURE, "prefecture", asked.filter.prefecture.map(|p| p.to_string()).as_deref(), prefectures(lang)))
                        (select(lang, &text::FLAGS, "flag", given.get("flag"), flags(lang)))
                        (select(lang, &text::SEVERITY, "severity", given.get("severity"), severities(lang)))
                        button.button { (lang.one(&text::APPLY)) }
                    }
                }
                @for (name, value) in given.others(&named) { input type="hidden" name=(name) value=(value); }
            }
        }
    }
}

fn select(lang: Lang, label: &Text, name: &str, chosen: Option<&str>, options: Vec<(String, String)>) -> Markup {
    html! {
        label.field.chosen[chosen.is_some()] {
            span { (lang.both(label)) }
            select name=(name) {
                option value="" { (lang.one(&text::ANY)) }
                @for (value, label) in &options {
                    option value=(value) selected[chosen == Some(value.as_str())] { (label) }
                }
            }
        }
    }
}

fn options(lang: Lang, axis: Axis) -> Vec<(String, String)> {
    let any_stage = (axis == Axis::OptOut).then(|| (ANY_STAGE.to_owned(), lang.one(&text::ANY_OPT_OUT).to_owned()));
    let words = word::of(axis).iter().map(|word| (word.key.to_owned(), lang.one(&word.label).to_owned()));
    any_stage.into_iter().chain(words).collect()
}

fn prefectures(lang: Lang) -> Vec<(String, String)> {
    let option = |one: Prefecture| (one.to_string(), format!("{one} {}", prefecture(lang, &one.to_string())));
    Prefecture::all().map(option).collect()
}

fn flags(lang: Lang) -> Vec<(String, String)> {
    Flag::ALL.iter().map(|flag| (flag.key().to_owned(), word::flag_label(lang, flag.key()))).collect()
}

fn severities(lang: Lang) -> Vec<(String, String)> {
    SEVERITIES.iter().map(|severity| (severity.key().to_owned(), word::severity(lang, *severity))).collect()
}
