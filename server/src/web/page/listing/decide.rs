//! `/listing/{snapshot}/decide/{what}`: a form by which a person decides to which facility a row belongs, or releases a
//! quarantined snapshot.
//!
//! The log contains the decision when this answers. The facts about facilities are recorded afterwards, because a large
//! list takes a while; after an interruption, `listing reconcile` resumes it.

use std::collections::BTreeMap;

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use maud::{Markup, html};
use yomitori_facility::Calendar;
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::event::Stated;
use yomitori_proto::id::{FacilityId, StatementId};

use super::{address, kind, state as drawn_state};
use crate::clock;
use crate::ingest::decision::{DecisionError, RowDecision};
use crate::ingest::operator::StatementOutcome;
use crate::ingest::snapshot::SnapshotImport;
use crate::statement::known;
use crate::statement::{self, Statement, Values};
use crate::store::listing::ListSnapshot;
use crate::store::listing::row;
use crate::store::{StoreError, fact, fleet};
use crate::telemetry;
use crate::web::Web;
use crate::web::form::{self, Entered, FormPage, names, recorded, refused};
use crate::web::http::error::Failure;
use crate::web::http::lang::Lang;
use crate::web::page::request::PageRequest;
use crate::web::page::text;
use crate::web::page::when;
use crate::web::read::listing::named;

/// `GET /listing/{snapshot}/decide/{what}`.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    request: PageRequest,
    Path((id, what)): Path<(String, String)>,
) -> Result<Markup, Failure> {
    let statement = statement::decision(&what).ok_or(Failure::NoPage)?;
    let known = names(statement);
    let given = request.parameters(&known)?;
    let typed: BTreeMap<String, String> =
        known.iter().filter_map(|name| Some(((*name).to_owned(), given.get(name)?.to_owned()))).collect();
    let (all, place) = named(&web.store, &id).await?;
    let entered = Entered::prefilled(typed);
    let head = head(&web, request.lang, statement, &all[place], &entered).await?;
    Ok(page(request.lang, statement, &all[place]).draw(&web, &request, &entered, head).await?)
}

/// `POST /listing/{snapshot}/decide/{what}`.
pub(in crate::web) async fn state(
    State(web): State<Web>,
    Path((id, what)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let statement = statement::decision(&what).ok_or(Failure::NoPage)?;
    let (all, place) = named(&web.store, &id).await?;
    let snapshot = &all[place];
    let (parts, body) = request.into_parts();
    let mut entered = form::read(&parts, body, &names(statement)).await?;
    let request = PageRequest::of(&parts);
    let form = page(request.lang, statement, snapshot);
    let head = head(&web, request.lang, statement, snapshot, &entered).await?;
    let Some(checked) = entered.checked(statement, clock::now(), &Calendar::bundled()) else {
        let refusal = (StatusCode::UNPROCESSABLE_ENTITY, refused(&entered));
        return form.refuse(&web, &request, &entered, head, refusal).await;
    };
    let (by, id) = (checked.stated.by.clone(), checked.stated.id);
    if is_withdrawn(&web, statement, &checked.values, id).await? {
        let refusal = (StatusCode::UNPROCESSABLE_ENTITY, known::WITHDRAWN_SINCE);
        return form.refuse(&web, &request, &entered, head, refusal).await;
    }
    let stating = decide(&web, statement, snapshot, &checked.values, checked.stated);
    match web.stated.state(id, entered.fields(), stating).await {
        Ok(None) => {
            let refusal = (StatusCode::UNPROCESSABLE_ENTITY, known::OTHER_CONTENT);
            form.refuse(&web, &request, &entered, head, refusal).await
        }
        Ok(Some(outcome)) => Ok(recorded(&address(snapshot), &by, outcome)),
        Err(DecisionError::Refused(problem)) => {
            form.refuse(&web, &request, &entered, head, (StatusCode::UNPROCESSABLE_ENTITY, problem.text)).await
        }
        Err(DecisionError::Store(error)) => Err(error.into()),
        Err(DecisionError::Log(error)) => {
            telemetry::append_failed(&error);
            let refusal = (StatusCode::SERVICE_UNAVAILABLE, text::NOT_TAKEN.clone());
            form.refuse(&web, &request, &entered, head, refusal).await
        }
    }
}

/// Records the decision, and starts to apply it.
async fn decide(
    web: &Web,
    statement: &Statement,
    snapshot: &ListSnapshot,
    values: &Values,
    stated: Stated,
) -> Result<StatementOutcome, DecisionError> {
    match statement.key {
        "match" => belongs(web, snapshot, values, stated).await,
        "dismiss" => dismiss(web, snapshot, values, stated).await,
        _ => release(web, snapshot, stated).await,
    }
}

/// Releases a quarantined snapshot.
async fn release(web: &Web, snapshot: &ListSnapshot, stated: Stated) -> Result<StatementOutcome, DecisionError> {
    let released = snapshot_import(web).release(snapshot, stated).await?;
    follow(web, released);
    Ok(StatementOutcome::Shown)
}

/// Records that the row belongs to none of our facilities.
async fn dismiss(
    web: &Web,
    snapshot: &ListSnapshot,
    values: &Values,
    stated: Stated,
) -> Result<StatementOutcome, DecisionError> {
    let decided = snapshot_import(web).dismiss(snapshot, values.word("code"), stated).await?;
    Ok(outcome(web, decided).await)
}

/// Makes the row's code a code of the facility, from the date of the list.
async fn belongs(
    web: &Web,
    snapshot: &ListSnapshot,
    values: &Values,
    stated: Stated,
) -> Result<StatementOutcome, DecisionError> {
    let decided =
        snapshot_import(web).match_row(snapshot, values.word("code"), values.word("facility"), stated).await?;
    let outcome = outcome(web, decided).await;
    snapshot_import(web).to_apply(snapshot).await?.into_iter().for_each(|one| follow(web, one));
    Ok(outcome)
}

/// The log contains the decision; if the database is away, it is shown later.
async fn outcome(web: &Web, decided: RowDecision) -> StatementOutcome {
    match decided.recorded {
        Some(recorded) => web.operator.wait_until_projected(recorded).await.unwrap_or(StatementOutcome::Accepted),
        None => StatementOutcome::Shown,
    }
}

/// Whether the decision of this form was recorded and has been withdrawn since: what is remembered of the form does not hold then.
async fn is_withdrawn(
    web: &Web,
    statement: &Statement,
    values: &Values,
    id: Option<StatementId>,
) -> Result<bool, StoreError> {
    let facility = match statement.key {
        "match" => known::facility(&web.store, values.word("facility")).await?.ok(),
        _ => Some(FacilityId::FLEET),
    };
    match facility.zip(id) {
        Some((facility, id)) => fact::is_withdrawn(&web.store, facility, id).await,
        None => Ok(false),
    }
}

const fn snapshot_import(web: &Web) -> SnapshotImport<'_> {
    SnapshotImport { store: &web.store, operator: &web.operator }
}

/// Applies the snapshot in the background, one at a time.
fn follow(web: &Web, snapshot: ListSnapshot) {
    let web = web.clone();
    tokio::spawn(async move {
        let _turn = web.applying.acquire().await;
        if let Err(error) = snapshot_import(&web).apply(&snapshot, |_, _| {}).await {
            telemetry::apply_failed(&error);
        }
    });
}

fn page(lang: Lang, statement: &'static Statement, snapshot: &ListSnapshot) -> FormPage {
    let cancel = address(snapshot);
    let action = format!("{cancel}/decide/{}", statement.key);
    let title = lang.one(&statement.title).to_owned();
    FormPage { statement, title, action, cancel, of_facility: false, calendar: None, trouble: None }
}

/// Draws the snapshot, the row and the facility of the decision.
async fn head(
    web: &Web,
    lang: Lang,
    statement: &Statement,
    snapshot: &ListSnapshot,
    entered: &Entered,
) -> Result<Markup, StoreError> {
    let row = match InstitutionCode::parse(entered.typed("code").unwrap_or_default()) {
        Ok(code) => row::with_code(&web.store, snapshot.snapshot, code.as_str()).await?,
        Err(_) => None,
    };
    let facility = match entered.typed("facility") {
        Some(text) => known::facility(&web.store, text).await?.ok(),
        None => None,
    };
    let facility = match facility {
        Some(facility) => fleet::detail(&web.store, facility).await?,
        None => None,
    };
    Ok(html! {
        nav.trail aria-label=(lang.one(&text::NAVIGATION)) {
            a href=(address(snapshot)) { "← " (kind(lang, snapshot)) " " (when::day(snapshot.as_of)) }
        }
        h1 { (lang.both(&statement.title)) }
        p.sub {
            (drawn_state(lang, snapshot)) " "
            @if let Some(row) = &row { code { (row.code) } " " span lang="ja" { (row.name) } " " }
            @if let Some(facility) = &facility {
                "→ " a href={ "/facilities/" (facility.line.facility_id) } lang="ja" { (facility.line.name) } " "
                @for code in &facility.codes { code { (code) } " " }
            }
        }
    })
}
