//! `/facilities/{code}/record/{key}` and `/record/{key}`: a form by which a person states something about a facility, or
//! about all of them.
//!
//! An accepted form is answered by a redirect, so that a reload sends nothing again. A rejected form comes back as
//! typed, with the reason beside each field. It works without a script.

use std::collections::BTreeMap;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use yomitori_facility::{Calendar, Text};
use yomitori_proto::event::Event;
use yomitori_proto::id::FacilityId;

use crate::clock;
use crate::ingest::operator::{StatementError, StatementOutcome};
use crate::statement::known::{self, Standing};
use crate::statement::{self, Statement, Subject, ValidStatement};
use crate::store::fleet::{self, Axis, Detail, TimelineEntry};
use crate::store::{Store, StoreError, fact};
use crate::telemetry;
use crate::web::Web;
use crate::web::form::{self, Entered, FormPage, names, recorded, refused};
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::page::call_centre;
use crate::web::page::facility::timeline;
use crate::web::page::path::{FacilityPath, RULES, facility_path};
use crate::web::page::request::PageRequest;
use crate::web::page::text;
use crate::web::page::word;

/// `GET /facilities/{code}/record/{key}`; the address may prefill fields.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    request: PageRequest,
    Path((code, key)): Path<(String, String)>,
) -> Result<Markup, Failure> {
    draw(&web, &request, Form::of_facility(&web, &code, &key).await?).await
}

/// `GET /record/{key}`, of all facilities or of one that the form names.
pub(in crate::web) async fn show_of_all(
    State(web): State<Web>,
    request: PageRequest,
    Path(key): Path<String>,
) -> Result<Markup, Failure> {
    draw(&web, &request, Form::of_all(&key)?).await
}

/// `POST /facilities/{code}/record/{key}`.
pub(in crate::web) async fn state(
    State(web): State<Web>,
    Path((code, key)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let form = Form::of_facility(&web, &code, &key).await?;
    submit(&web, form, request).await
}

/// `POST /record/{key}`.
pub(in crate::web) async fn state_of_all(
    State(web): State<Web>,
    Path(key): Path<String>,
    request: Request,
) -> Result<Response, Failure> {
    let form = Form::of_all(&key)?;
    submit(&web, form, request).await
}

/// A statement and the facility whose page has its form.
struct Form {
    statement: &'static Statement,
    about: Option<About>,
}

struct About {
    facility: FacilityId,
    /// The canonical form of the path.
    written: String,
    detail: Detail,
}

impl Form {
    async fn of_facility(web: &Web, code: &str, key: &str) -> Result<Self, Failure> {
        let statement = statement::find(key).filter(|statement| statement.about != Subject::Registered);
        let statement = statement.ok_or(Failure::NoPage)?;
        let FacilityPath { facility, written } = facility_path(&web.store, code).await?;
        let detail = fleet::detail(&web.store, facility).await?;
        let detail = detail.ok_or(Failure::Unwatched { asked: written.clone() })?;
        Ok(Self { statement, about: Some(About { facility, written, detail }) })
    }

    fn of_all(key: &str) -> Result<Self, Failure> {
        let all = [Subject::FacilityOrFleet, Subject::Registered];
        let statement = statement::find(key).filter(|statement| all.contains(&statement.about));
        Ok(Self { statement: statement.ok_or(Failure::NoPage)?, about: None })
    }

    /// The path of the page that the form belongs to.
    fn origin(&self) -> String {
        self.about.as_ref().map_or_else(|| RULES.to_owned(), |about| format!("/facilities/{}", about.written))
    }

    /// The page that linked to the form.
    fn back(&self, entered: &Entered) -> String {
        if entered.back() == "calls" { "/calls".to_owned() } else { self.origin() }
    }

    /// The page that shows what a recorded form says.
    fn next(&self, entered: &Entered, facility: FacilityId, outcome: StatementOutcome) -> String {
        // A facility that is not folded yet has no page. By its identifier: the statement may have ended the code of the path.
        let registered = self.statement.about == Subject::Registered && outcome == StatementOutcome::Shown;
        if registered || (self.about.is_some() && entered.back() != "calls") {
            format!("/facilities/{facility}")
        } else {
            self.back(entered)
        }
    }

    fn page(&self, lang: Lang, entered: &Entered, calendar: Option<Calendar>) -> FormPage {
        let statement = self.statement;
        let title = lang.one(&statement.title);
        let (title, action) = match &self.about {
            Some(About { written, detail, .. }) => {
                (format!("{title} · {}", detail.line.name), format!("/facilities/{written}/record/{}", statement.key))
            }
            None => (title.to_owned(), format!("/record/{}", statement.key)),
        };
        let (cancel, of_facility) = (self.back(entered), self.about.is_some());
        FormPage { statement, title, action, cancel, of_facility, calendar, trouble: None }
    }

    /// Draws the facility of the form and its status, and what a withdrawal withdraws.
    async fn head(&self, web: &Web, lang: Lang, entered: &Entered) -> Result<Markup, StoreError> {
        let title = &self.statement.title;
        let withdrawn = self.withdrawn(&web.store, entered).await?;
        Ok(html! {
            nav.trail aria-label=(lang.one(&text::NAVIGATION)) {
                @match &self.about {
                    Some(about) => a href=(self.origin()) lang="ja" { "← " (about.detail.line.name) },
                    None => a href=(RULES) { "← " (lang.one(&text::RULES_TITLE)) },
                }
            }
            div.who {
                h1 { (lang.both(title)) }
                @if let Some(About { detail: Detail { line, .. }, .. }) = &self.about {
                    p.sub {
                        span lang="ja" { (line.name) } " " code { (line.code.as_deref().unwrap_or_default()) } " "
                        (word::chip(lang, Axis::Intent, &line.intent)) " " (word::chip(lang, Axis::OptOut, &line.opt_out)) " "
                        (word::chip(lang, Axis::Listing, &line.listing))
                    }
                }
            }
            @if let Some(entry) = &withdrawn { ol.facts { (timeline::fact(lang, entry, &[], clock::now(), None)) } }
        })
    }

    /// The entry of the timeline that the form would withdraw.
    async fn withdrawn(&self, store: &Store, entered: &Entered) -> Result<Option<TimelineEntry>, StoreError> {
        let facility = self.about.as_ref().map_or(FacilityId::FLEET, |about| about.facility);
        let id = entered.typed("statement").and_then(|id| id.parse().ok());
        let entry = entered.typed("entry").and_then(statement::entry);
        let found = match (id, entry) {
            (Some(id), _) => fact::statement(store, facility, id).await?,
            (None, Some((life, seq))) => fact::observed(store, facility, life, seq).await?,
            (None, None) => None,
        };
        Ok(found.map(TimelineEntry::from))
    }
}

async fn draw(web: &Web, request: &PageRequest, form: Form) -> Result<Markup, Failure> {
    let known = names(form.statement);
    let given = request.parameters(&known)?;
    let typed: BTreeMap<String, String> =
        known.iter().filter_map(|name| Some(((*name).to_owned(), given.get(name)?.to_owned()))).collect();
    let entered = Entered::prefilled(typed);
    let calendar = shown_calendar(web, form.statement).await?;
    let page = form.page(request.lang, &entered, calendar);
    Ok(page.draw(web, request, &entered, form.head(web, request.lang, &entered).await?).await?)
}

async fn submit(web: &Web, form: Form, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let mut entered = form::read(&parts, body, &names(form.statement)).await?;
    let request = PageRequest::of(&parts);
    let calendar = shown_calendar(web, form.statement).await?;
    let page = form.page(request.lang, &entered, calendar.clone());
    let head = form.head(web, request.lang, &entered).await?;

    let calendar = calendar.unwrap_or_else(Calendar::bundled);
    let Some(checked) = entered.checked(form.statement, clock::now(), &calendar) else {
        let refusal = (StatusCode::UNPROCESSABLE_ENTITY, refused(&entered));
        return page.refuse(web, &request, &entered, head, refusal).await;
    };
    let event = checked.event.clone().ok_or(Failure::NoPage)?;
    let named = form.about.as_ref().map(|about| about.facility);
    let standing = match known::subject(&web.store, named, &event).await? {
        Ok(facility) => {
            let standing = known::standing(&web.store, facility, &checked.stated, &event, checked.sure).await?;
            (facility, standing)
        }
        Err(problem) => (FacilityId::FLEET, Standing::Refused(problem)),
    };
    let done = |facility, outcome| recorded(&form.next(&entered, facility, outcome), &checked.stated.by, outcome);
    match standing {
        (_, Standing::Refused(problem)) => {
            // No field of the form shows the problem with its identifier.
            let about_form = (problem.field == statement::ID).then(|| problem.text.clone());
            entered.refuse(problem);
            let refusal = (StatusCode::UNPROCESSABLE_ENTITY, about_form.unwrap_or_else(|| refused(&entered)));
            page.refuse(web, &request, &entered, head, refusal).await
        }
        (_, Standing::Recorded { withdrawn: true }) => {
            let refusal = (StatusCode::UNPROCESSABLE_ENTITY, known::WITHDRAWN_SINCE);
            page.refuse(web, &request, &entered, head, refusal).await
        }
        (facility, Standing::Recorded { withdrawn: false }) => Ok(done(facility, StatementOutcome::Shown)),
        (facility, Standing::New) => match record(web, facility, &entered, &checked, event).await {
            Ok(None) => {
                let refusal = (StatusCode::UNPROCESSABLE_ENTITY, known::OTHER_CONTENT);
                page.refuse(web, &request, &entered, head, refusal).await
            }
            Ok(Some(outcome)) => Ok(done(facility, outcome)),
            Err(StatementError::Invalid(error)) => Err(Failure::Form(Text::new(error.to_string(), error.to_string()))),
            Err(StatementError::Append(error)) => {
                telemetry::append_failed(&error);
                let refusal = (StatusCode::SERVICE_UNAVAILABLE, text::NOT_TAKEN.clone());
                page.refuse(web, &request, &entered, head, refusal).await
            }
        },
    }
}

/// Records the statement once, however often the form is sent; `None` if the form was sent with other contents.
async fn record(
    web: &Web,
    facility: FacilityId,
    entered: &Entered,
    checked: &ValidStatement,
    event: Event,
) -> Result<Option<StatementOutcome>, StatementError> {
    let stating = async {
        let recorded = web.operator.record(facility, checked.stated.clone(), event).await?;
        // The log contains it; if the database is away, it is shown later.
        Ok(web.operator.wait_until_projected(recorded).await.unwrap_or(StatementOutcome::Accepted))
    };
    web.stated.state(checked.stated.id, entered.fields(), stating).await
}

/// The calendar by which a call is checked, and whose hours the form shows.
async fn shown_calendar(web: &Web, statement: &Statement) -> Result<Option<Calendar>, StoreError> {
    Ok(if statement.telephones { Some(call_centre::calendar(&web.store).await?) } else { None })
}
