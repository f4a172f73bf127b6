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
use uuid::Uuid;
use yomitori_facility::{Calendar, Text};
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::event::{FacilityCodeChanged, Stated};
use yomitori_proto::id::FacilityId;

use super::{address, kind, state as drawn_state};
use crate::clock;
use crate::ingest::operator::{StatementError, StatementOutcome};
use crate::ingest::snapshot::{ImportError, SnapshotImport};
use crate::statement::known::{self, Standing};
use crate::statement::{self, Statement, Values};
use crate::store::listing::ListSnapshot;
use crate::store::listing::change::{self, RowChange};
use crate::store::{StoreError, fleet};
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
    let stating = decide(&web, statement, snapshot, &checked.values, checked.stated);
    match web.stated.state(id, entered.fields(), stating).await {
        Ok(None) => {
            let refusal = (StatusCode::UNPROCESSABLE_ENTITY, known::OTHER_CONTENT);
            form.refuse(&web, &request, &entered, head, refusal).await
        }
        Ok(Some(outcome)) => Ok(recorded(&address(snapshot), &by, outcome)),
        Err(DecisionError::Unfit(why)) => {
            form.refuse(&web, &request, &entered, head, (StatusCode::UNPROCESSABLE_ENTITY, why)).await
        }
        Err(DecisionError::Store(error)) => Err(error.into()),
        Err(DecisionError::Log(error)) => {
            telemetry::append_failed(&error);
            let refusal = (StatusCode::SERVICE_UNAVAILABLE, text::NOT_TAKEN.clone());
            form.refuse(&web, &request, &entered, head, refusal).await
        }
    }
}

/// Why nothing was decided, or why the outcome is unknown.
enum DecisionError {
    /// The decision does not apply to this snapshot.
    Unfit(Text),
    Store(StoreError),
    Log(ImportError),
}

impl From<StoreError> for DecisionError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<StatementError> for DecisionError {
    fn from(error: StatementError) -> Self {
        match error {
            StatementError::Invalid(error) => Self::Unfit(Text::new(error.to_string(), error.to_string())),
            StatementError::Append(_) => Self::Log(error.into()),
        }
    }
}

impl From<ImportError> for DecisionError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::State(error) => error.into(),
            ImportError::Store(error) => error.into(),
            ImportError::Ahead(ahead) => Self::Unfit(ahead.text()),
            error => Self::Log(error),
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
        _ => release(web, snapshot, &stated).await,
    }
}

/// Releases a quarantined snapshot.
async fn release(web: &Web, snapshot: &ListSnapshot, stated: &Stated) -> Result<StatementOutcome, DecisionError> {
    if !snapshot.quarantined() {
        return Err(DecisionError::Unfit(text::NOT_IN_QUARANTINE.clone()));
    }
    snapshot_import(web).release(snapshot, stated).await?;
    follow(web, snapshot.clone());
    Ok(StatementOutcome::Shown)
}

/// Records that the row belongs to none of our facilities.
async fn dismiss(
    web: &Web,
    snapshot: &ListSnapshot,
    values: &Values,
    stated: Stated,
) -> Result<StatementOutcome, DecisionError> {
    let row = unmatched_row(web, snapshot, values).await?;
    let code = InstitutionCode::parse(&row.code).map_err(|_| DecisionError::Unfit(text::NO_ROWS.clone()))?;
    let recorded = snapshot_import(web).dismiss(snapshot.snapshot, code, stated).await?;
    // The log contains it; if the database is away, it is shown later.
    Ok(web.operator.wait_until_projected(recorded).await.unwrap_or(StatementOutcome::Accepted))
}

/// Makes the row's code a code of the facility, from the date of the list.
async fn belongs(
    web: &Web,
    snapshot: &ListSnapshot,
    values: &Values,
    stated: Stated,
) -> Result<StatementOutcome, DecisionError> {
    let row = unmatched_row(web, snapshot, values).await?;
    let facility = Uuid::parse_str(values.word("facility")).map(FacilityId).ok();
    let detail = match facility {
        Some(facility) => fleet::detail(&web.store, facility).await?,
        None => None,
    };
    let detail = detail.ok_or(DecisionError::Unfit(text::NO_SUCH_FACILITY.clone()))?;
    let facility = detail.line.facility_id;
    let changed = FacilityCodeChanged { old: None, new: Some(row.code), effective_at: snapshot.as_of }.into();
    match known::standing(&web.store, facility, &stated, &changed, true).await? {
        Standing::New => {}
        Standing::Recorded => return Ok(StatementOutcome::Shown),
        Standing::Refused(problem) => return Err(DecisionError::Unfit(problem.text)),
    }
    let recorded = web.operator.record(facility, stated, changed).await?;
    let answered = web.operator.wait_until_projected(recorded).await.unwrap_or(StatementOutcome::Accepted);
    // A quarantined snapshot is not applied before its release.
    if !snapshot.quarantined() {
        follow(web, snapshot.clone());
    }
    Ok(answered)
}

/// The row of the decision, if it belongs to no facility yet.
async fn unmatched_row(web: &Web, snapshot: &ListSnapshot, values: &Values) -> Result<RowChange, DecisionError> {
    let row = row(web, snapshot, values.word("code")).await?.ok_or(DecisionError::Unfit(text::NO_ROWS.clone()))?;
    if row.facility.is_some() { Err(DecisionError::Unfit(text::ROW_IS_OURS.clone())) } else { Ok(row) }
}

const fn snapshot_import(web: &Web) -> SnapshotImport<'_> {
    SnapshotImport { store: &web.store, operator: &web.operator }
}

/// The row that a form is about.
async fn row(web: &Web, snapshot: &ListSnapshot, code: &str) -> Result<Option<RowChange>, StoreError> {
    match InstitutionCode::parse(code) {
        Ok(code) => change::with_code(&web.store, snapshot.snapshot, code.as_str()).await,
        Err(_) => Ok(None),
    }
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
    FormPage { statement, title, action, cancel, calendar: None, trouble: None }
}

/// Draws the snapshot, the row and the facility of the decision.
async fn head(
    web: &Web,
    lang: Lang,
    statement: &Statement,
    snapshot: &ListSnapshot,
    entered: &Entered,
) -> Result<Markup, StoreError> {
    let row = row(web, snapshot, entered.typed("code").unwrap_or_default()).await?;
    let facility = entered.typed("facility").and_then(|text| Uuid::parse_str(text).ok()).map(FacilityId);
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
