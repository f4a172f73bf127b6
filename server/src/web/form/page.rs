//! The page around a form: its subject, and why it was rejected.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};
use uuid::Uuid;
use yomitori_facility::{Calendar, Text};

use super::{Drawn, Entered, draw};
use crate::clock;
use crate::ingest::operator::StatementOutcome;
use crate::statement::{BY, ID, SURE, Statement, WHY};
use crate::store::{StoreError, fleet};
use crate::web::Web;
use crate::web::http::error::Failure;
use crate::web::http::who;
use crate::web::page::as_of::AsOf;
use crate::web::page::call_centre;
use crate::web::page::request::{PageRequest, RECORDED};
use crate::web::page::text;

/// The fields that every form has beside its own.
const COMMON: [&str; 5] = [BY, WHY, SURE, ID, "back"];

/// The names of the fields of a form.
pub(in crate::web) fn names(statement: &Statement) -> Vec<&'static str> {
    statement.fields.iter().map(|field| field.name).chain(COMMON).collect()
}

/// Redirects to `path`, whose page shows the outcome of the form.
pub(in crate::web) fn recorded(path: &str, by: &str, outcome: StatementOutcome) -> Response {
    let word = match outcome {
        StatementOutcome::Shown => "shown",
        StatementOutcome::Accepted => "accepted",
    };
    let mut response = Redirect::to(&format!("{path}?{RECORDED}={word}")).into_response();
    response.headers_mut().append(header::SET_COOKIE, who::cookie(by));
    response
}

/// Why a form was not accepted: it has mistakes, or a doubt to confirm.
pub(in crate::web) fn refused(entered: &Entered) -> Text {
    if entered.doubt().is_some() {
        return text::THINK.clone();
    }
    let count = entered.mistakes().to_string();
    Text::new(text::NOT_SAVED.ja.replace("{n}", &count), text::NOT_SAVED.en.replace("{n}", &count))
}

/// A form and the page around it.
pub(in crate::web) struct FormPage {
    pub(in crate::web) statement: &'static Statement,
    pub(in crate::web) title: String,
    /// The address to which it is sent.
    pub(in crate::web) action: String,
    /// The address of the cancel link.
    pub(in crate::web) cancel: String,
    /// Whether it belongs to one facility.
    pub(in crate::web) of_facility: bool,
    /// The calendar of the call centre, for statements about a call.
    pub(in crate::web) calendar: Option<Calendar>,
    /// Why it was not recorded, or why that is unknown.
    pub(in crate::web) trouble: Option<(StatusCode, Text)>,
}

impl FormPage {
    /// Draws the form again, with the typed values and why it was not recorded.
    pub(in crate::web) async fn refuse(
        mut self,
        web: &Web,
        request: &PageRequest,
        entered: &Entered,
        head: Markup,
        (status, trouble): (StatusCode, Text),
    ) -> Result<Response, Failure> {
        self.trouble = Some((status, trouble));
        Ok((status, self.draw(web, request, entered, head).await?).into_response())
    }

    /// Draws the page; `head` shows the subject of the form.
    pub(in crate::web) async fn draw(
        self,
        web: &Web,
        request: &PageRequest,
        entered: &Entered,
        head: Markup,
    ) -> Result<Markup, StoreError> {
        let Self { statement, title, action, cancel, of_facility, calendar, trouble } = self;
        let lang = request.lang;
        let as_of = AsOf::of(&fleet::progress(&web.store).await?);
        let now = clock::now();
        let next = calendar.as_ref().and_then(|calendar| calendar.next_opening(now));
        // Where the outcome is unknown, the same statement is sent again under its identifier, and counts once.
        let unknown = matches!(trouble, Some((StatusCode::SERVICE_UNAVAILABLE, _)));
        let id = entered.typed(ID).filter(|_| unknown).map_or_else(|| Uuid::new_v4().to_string(), str::to_owned);
        let drawn = Drawn { id, lang, action: &action, entered, who: request.who.as_deref(), now, next, of_facility };
        let main = html! {
            (head)
            @if let Some((_, trouble)) = &trouble { p.outcome.bad role="alert" { (lang.both(trouble)) } }
            @if let Some(calendar) = &calendar { (call_centre::draw(lang, calendar, now)) }
            (draw(statement, &drawn))
            p.cancel { a href=(cancel) { (lang.one(&text::CANCEL)) } }
        };
        // Outside every region: a live update never redraws a form that a person fills in.
        Ok(request.page(title, &as_of, "form", main))
    }
}
