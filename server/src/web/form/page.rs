//! The page around a form: what it is about, why it was not recorded, and, on the page after it, what came of it.

use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use yomitori_facility::{Calendar, Text};

use super::{Drawn, Entered, draw};
use crate::clock;
use crate::ingest::operator::StatementOutcome;
use crate::statement::{BY, ID, SURE, Statement, WHY};
use crate::store::{StoreError, fleet};
use crate::web::as_of::AsOf;
use crate::web::error::Failure;
use crate::web::lang::Lang;
use crate::web::layout::{self, Page};
use crate::web::query::QueryParameters;
use crate::web::{Web, call_centre, text, who};

/// What every form has beside its own fields.
const COMMON: [&str; 5] = [BY, WHY, SURE, ID, "back"];
/// The parameter by which the next page says what came of a form.
pub(in crate::web) const RECORDED: &str = "recorded";

/// The names of the fields of a form.
pub(in crate::web) fn names(statement: &Statement) -> Vec<&'static str> {
    statement.fields.iter().map(|field| field.name).chain(COMMON).collect()
}

/// Leads to `path`, whose page says what came of the form.
pub(in crate::web) fn recorded(path: &str, by: &str, outcome: StatementOutcome) -> Response {
    let said = match outcome {
        StatementOutcome::Shown => "shown",
        StatementOutcome::Accepted => "accepted",
    };
    let mut response = Redirect::to(&format!("{path}?{RECORDED}={said}")).into_response();
    response.headers_mut().append(header::SET_COOKIE, who::cookie(by));
    response
}

/// What came of the form that led here.
pub(in crate::web) fn outcome(lang: Lang, given: &QueryParameters) -> Result<Markup, Failure> {
    let said = given.one_of(RECORDED, &["shown", "accepted"])?;
    let said = said.map(|said| if said == "shown" { (&text::RECORDED, "good") } else { (&text::ACCEPTED, "warn") });
    Ok(html! {
        @if let Some((said, class)) = said { p.outcome.(class) role="status" { (lang.both(said)) } }
    })
}

/// Why a form was not accepted: it has mistakes, and how many, or the person should think.
pub(in crate::web) fn refused(entered: &Entered) -> Text {
    if entered.doubt().is_some() {
        return text::THINK.clone();
    }
    let count = entered.mistakes().to_string();
    Text::new(text::MEND.ja.replace("{n}", &count), text::MEND.en.replace("{n}", &count))
}

/// A form and what stands around it.
pub(in crate::web) struct FormPage<'a> {
    pub(in crate::web) lang: Lang,
    pub(in crate::web) statement: &'static Statement,
    pub(in crate::web) title: String,
    /// Where it is sent.
    pub(in crate::web) action: String,
    /// Where a person goes who records nothing.
    pub(in crate::web) cancel: String,
    /// Who filled in the last one on this machine.
    pub(in crate::web) who: Option<&'a str>,
    /// Of the call centre, for those who are about to call.
    pub(in crate::web) calendar: Option<Calendar>,
    /// Why it was not recorded.
    pub(in crate::web) trouble: Option<Text>,
}

impl FormPage<'_> {
    /// The form once more, with what was typed and why it was not recorded.
    pub(in crate::web) async fn refuse(
        mut self,
        web: &Web,
        uri: &Uri,
        entered: &Entered,
        head: Markup,
        (status, trouble): (StatusCode, Text),
    ) -> Result<Response, Failure> {
        self.trouble = Some(trouble);
        Ok((status, self.draw(web, uri, entered, head).await?).into_response())
    }

    /// The page; `head` says what the form is about.
    pub(in crate::web) async fn draw(
        self,
        web: &Web,
        uri: &Uri,
        entered: &Entered,
        head: Markup,
    ) -> Result<Markup, StoreError> {
        let Self { lang, statement, title, action, cancel, who, calendar, trouble } = self;
        let as_of = AsOf::of(&fleet::progress(&web.store).await?);
        let now = clock::now();
        let next = calendar.as_ref().and_then(|calendar| calendar.next_opening(now));
        let drawn = Drawn { lang, action: &action, entered, who, now, next };
        let main = html! {
            (head)
            @if let Some(trouble) = &trouble { p.outcome.bad role="alert" { (lang.both(trouble)) } }
            @if let Some(calendar) = &calendar { (call_centre::draw(lang, calendar, now)) }
            (draw(statement, &drawn))
            p.cancel { a href=(cancel) { (lang.one(&text::CANCEL)) } }
        };
        let here = layout::here(uri);
        // A form that is being filled in is never redrawn.
        Ok(Page { lang, title, here: &here, as_of: &as_of, topic: "form".to_owned(), main }.draw())
    }
}
