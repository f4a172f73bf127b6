//! Small parts that several pages draw.

use maud::{Markup, html};
use yomitori_facility::Text;

use crate::web::http::lang::Lang;

/// A label and its value.
pub(in crate::web) fn fact(lang: Lang, label: &Text, value: Markup) -> Markup {
    html! { div { dt { (lang.both(label)) } dd { (value) } } }
}
