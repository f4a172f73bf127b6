//! Draws a form: every field with its label, its hint and, after a rejection, the reason beside it.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use yomitori_facility::Text;

use super::Entered;
use super::entered::BACK;
use crate::statement::{
    BY, BY_LIMIT, CALL_CENTRE, CODES_LIMIT, Field, ID, Input, Moment, SURE, Statement, WHY, WHY_LIMIT,
};
use crate::web::http::lang::Lang;
use crate::web::page::text;
use crate::web::page::when;

/// The inputs of a drawn form.
pub(in crate::web) struct Drawn<'a> {
    /// The identifier of the statement.
    pub(in crate::web) id: String,
    pub(in crate::web) lang: Lang,
    /// The address to which it is sent.
    pub(in crate::web) action: &'a str,
    pub(in crate::web) entered: &'a Entered,
    /// The name in the last form on this machine.
    pub(in crate::web) who: Option<&'a str>,
    pub(in crate::web) now: DateTime<Utc>,
    /// The default of a field for a future instant.
    pub(in crate::web) next: Option<DateTime<Utc>>,
    /// Whether the form belongs to one facility.
    pub(in crate::web) of_facility: bool,
}

/// Draws the form of a statement. A doubt is shown at the end, where the person has to confirm it.
pub(in crate::web) fn draw(statement: &Statement, drawn: &Drawn<'_>) -> Markup {
    let Drawn { lang, action, entered, who, .. } = drawn;
    let doubt = entered.doubt();
    let why = match lang {
        Lang::Ja => &statement.why.ja,
        Lang::En => &statement.why.en,
    };
    html! {
        form.entry method="post" action=(action) {
            input type="hidden" name=(ID) value=(drawn.id);
            @if !entered.back().is_empty() { input type="hidden" name=(BACK) value=(entered.back()); }
            @if let Some(note) = &statement.note {
                div.note {
                    p { (lang.both(note)) }
                    @if let Some(address) = statement.material() { p { a href=(address) rel="noreferrer" { (address) } } }
                }
            }
            @if let Some(mistake) = entered.mistake(ID) { p.outcome.bad role="alert" { (lang.both(mistake)) } }
            @for field in statement.fields { (self::field(field, drawn)) }
            (written(*lang, entered, FormRow { name: WHY, label: &text::WHY_SAID, hint: None, limit: WHY_LIMIT, initial: why, placeholder: None, required: true, autocomplete: "off" }))
            (written(*lang, entered, FormRow { name: BY, label: &text::WHO, hint: Some(&text::WHO_HINT), limit: BY_LIMIT, initial: who.unwrap_or_default(), placeholder: None, required: true, autocomplete: "name" }))
            @if let Some(doubt) = doubt {
                div.doubt role="alert" {
                    p { (lang.both(doubt)) }
                    label { input type="checkbox" name=(SURE) value="yes" required; " " (lang.both(&text::MEANT)) }
                }
            }
            p.send { button.button.primary { (lang.both(&text::RECORD)) } }
        }
    }
}

fn field(field: &Field, drawn: &Drawn<'_>) -> Markup {
    let Drawn { lang, entered, now, next, .. } = drawn;
    let (lang, name) = (*lang, field.name);
    let typed = entered.typed(name);
    let hint = field.hint.as_ref();
    match &field.input {
        Input::Line(limit) => written(lang, entered, FormRow::of(field, *limit, false)),
        Input::Required(limit) => written(lang, entered, FormRow::of(field, *limit, true)),
        Input::Codes => written(lang, entered, FormRow::of(field, CODES_LIMIT, true)),
        Input::Minute(moment) => {
            let required = !matches!(moment, Moment::Optional | Moment::OptionalPast);
            let local = match moment {
                Moment::Past => when::control_value(*now),
                Moment::Ahead => when::control_value(next.unwrap_or(*now)),
                Moment::Any | Moment::Optional | Moment::OptionalPast => String::new(),
            };
            around(
                lang,
                entered,
                name,
                &field.label,
                hint,
                html! {
                    input id=(name) type="datetime-local" name=(name) value=(typed.unwrap_or(&local)) required[required]
                        aria-invalid=[wrong(entered, name)] autofocus[wrong(entered, name).is_some()] aria-describedby=(described(name));
                },
            )
        }
        Input::Radio(choices) => html! {
            fieldset.field.wrong[entered.mistake(name).is_some()] {
                legend { (lang.both(&field.label)) }
                div.choice {
                    @for (key, label) in choices.iter().filter(|(key, _)| !(drawn.of_facility && *key == CALL_CENTRE)) {
                        label {
                            input type="radio" name=(name) value=(key) required checked[typed == Some(*key)]
                                aria-describedby=(described(name));
                            span { (lang.both(label)) }
                        }
                    }
                }
                (beside(lang, entered, name, hint))
            }
        },
        Input::Select(choices) => around(
            lang,
            entered,
            name,
            &field.label,
            hint,
            html! {
                select id=(name) name=(name) required aria-invalid=[wrong(entered, name)] autofocus[wrong(entered, name).is_some()] aria-describedby=(described(name)) {
                    option value="" { (lang.one(&text::CHOOSE)) }
                    @for (key, label) in choices() { option value=(key) selected[typed == Some(key)] { (lang.one(&label)) } }
                }
            },
        ),
        // A form that a link opened shows what the link names; opened by itself, it asks for it.
        Input::Given(example, _) => match typed.filter(|_| entered.mistake(name).is_none()) {
            Some(typed) => html! {
                p.given {
                    (lang.both(&field.label)) ": " code { (typed) }
                    input type="hidden" name=(name) value=(typed);
                    " " (beside(lang, entered, name, hint))
                }
            },
            None => {
                written(lang, entered, FormRow { placeholder: Some(example), ..FormRow::of(field, GIVEN_LIMIT, true) })
            }
        },
        Input::Tick => html! {
            div.field {
                label.tick { input type="checkbox" name=(name) value="yes" checked[typed.is_some()]; " " (lang.both(&field.label)) }
                (beside(lang, entered, name, hint))
            }
        },
    }
}

/// More characters than an identifier has that a link supplies.
const GIVEN_LIMIT: usize = 100;

/// Draws a field of one line.
struct FormRow<'a> {
    name: &'static str,
    label: &'a Text,
    hint: Option<&'a Text>,
    limit: usize,
    initial: &'a str,
    placeholder: Option<&'a str>,
    required: bool,
    autocomplete: &'static str,
}

impl<'a> FormRow<'a> {
    const fn of(field: &'a Field, limit: usize, required: bool) -> Self {
        let Field { name, label, hint, .. } = field;
        Self { name, label, hint: hint.as_ref(), limit, initial: "", placeholder: None, required, autocomplete: "off" }
    }
}

fn written(lang: Lang, entered: &Entered, line: FormRow<'_>) -> Markup {
    let FormRow { name, label, hint, limit, initial, placeholder, required, autocomplete } = line;
    around(
        lang,
        entered,
        name,
        label,
        hint,
        html! {
            input id=(name) type="text" name=(name) value=(entered.typed(name).unwrap_or(if entered.mistake(name).is_some() { "" } else { initial })) maxlength=(limit) placeholder=[placeholder] required[required]
                autocomplete=(autocomplete) aria-invalid=[wrong(entered, name)] autofocus[wrong(entered, name).is_some()] aria-describedby=(described(name));
        },
    )
}

fn around(lang: Lang, entered: &Entered, name: &str, label: &Text, hint: Option<&Text>, input: Markup) -> Markup {
    html! {
        div.field.wrong[entered.mistake(name).is_some()] {
            label for=(name) { (lang.both(label)) }
            (input)
            (beside(lang, entered, name, hint))
        }
    }
}

/// Draws the hint and the problem of a field.
fn beside(lang: Lang, entered: &Entered, name: &str, hint: Option<&Text>) -> Markup {
    html! {
        span.beside id=(described(name)) {
            @if let Some(hint) = hint { small { (lang.both(hint)) } }
            @if let Some(mistake) = entered.mistake(name) { strong.mistake { (lang.both(mistake)) } }
        }
    }
}

fn described(name: &str) -> String {
    format!("{name}-beside")
}

fn wrong(entered: &Entered, name: &str) -> Option<&'static str> {
    entered.mistake(name).map(|_| "true")
}
