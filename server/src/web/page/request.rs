//! The request for a page: its language, address and query, who sent the last form, and the page that answers it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::Uri;
use axum::http::request::Parts;
use maud::{Markup, html};

use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::http::query::QueryParameters;
use crate::web::http::who;
use crate::web::page::as_of::AsOf;
use crate::web::page::layout::{self, Page};
use crate::web::page::text;

/// The parameter that carries the outcome of a form to the next page.
pub(in crate::web) const RECORDED: &str = "recorded";

/// A request for a page.
pub(in crate::web) struct PageRequest {
    pub(in crate::web) lang: Lang,
    /// The name in the last form that this machine sent.
    pub(in crate::web) who: Option<String>,
    uri: Uri,
}

impl<S: Sync> FromRequestParts<S> for PageRequest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts))
    }
}

impl PageRequest {
    pub(in crate::web) fn of(parts: &Parts) -> Self {
        let lang = parts.extensions.get().copied().unwrap_or_else(|| Lang::of(&parts.headers));
        Self { lang, who: who::of(&parts.headers), uri: parts.uri.clone() }
    }

    /// The query as it was sent.
    pub(in crate::web) fn query(&self) -> Option<&str> {
        self.uri.query()
    }

    /// The parameters of the query, of which only the `known` names are allowed.
    pub(in crate::web) fn parameters(&self, known: &[&str]) -> Result<QueryParameters, Failure> {
        QueryParameters::read(self.query(), known)
    }

    /// The parameters of the query, and the drawn outcome of the form that led here.
    pub(in crate::web) fn parameters_and_outcome(&self, known: &[&str]) -> Result<(QueryParameters, Markup), Failure> {
        let given = self.parameters(&[known, &[RECORDED]].concat())?;
        let shown = given.one_of(RECORDED, &["shown", "accepted"])?;
        let shown =
            shown.map(|word| if word == "shown" { (&text::RECORDED, "good") } else { (&text::ACCEPTED, "warn") });
        let outcome = html! {
            @if let Some((shown, class)) = shown { p.outcome.(class) role="status" { (self.lang.both(shown)) } }
        };
        Ok((given.without(RECORDED), outcome))
    }

    /// The page that answers this request. `topic` are the announcements that concern it: `fleet`, `listing`, or the
    /// identifier of a facility.
    pub(in crate::web) fn page(
        &self,
        title: impl Into<String>,
        as_of: &AsOf,
        topic: impl ToString,
        main: Markup,
    ) -> Markup {
        let here = layout::here(&self.uri);
        let (lang, title, topic) = (self.lang, title.into(), topic.to_string());
        Page { lang, title, here: &here, as_of, topic, main }.draw()
    }
}
