//! `/listing/{snapshot}/decide/{what}`: a form by which a person decides something about a snapshot, whose a row is, or that a doubtful one is right.
//!
//! The decision is in the log when this answers. What follows for the facilities is told afterwards, as that may take a
//! while with a large list; should it be interrupted, `list reconcile` goes on.

use std::collections::BTreeMap;

use axum::Extension;
use axum::extract::{Path, RawQuery, Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use maud::{Markup, html};
use uuid::Uuid;
use yomitori_facility::{Calendar, Text};
use yomitori_proto::code::InstitutionCode;
use yomitori_proto::event::{FacilityCodeChanged, Stated};
use yomitori_proto::id::FacilityId;

use super::snapshot::named;
use super::{address, date, kind, state as drawn_state};
use crate::clock;
use crate::ingest::listing::import::{ImportError, SnapshotImport};
use crate::ingest::operator::{StatementError, StatementOutcome};
use crate::statement::{self, Statement, Values};
use crate::store::listing::ListSnapshot;
use crate::store::listing::change::{self, RowChange};
use crate::store::{StoreError, fleet};
use crate::telemetry;
use crate::web::as_of::AsOf;
use crate::web::error::Failure;
use crate::web::form::{self, Drawn, Entered};
use crate::web::lang::Lang;
use crate::web::layout::{self, Page};
use crate::web::pages::record::{names, refused, went_well};
use crate::web::query::QueryParameters;
use crate::web::{Web, text, who};

/// `GET /listing/{snapshot}/decide/{what}`.
pub(in crate::web) async fn show(
    State(web): State<Web>,
    Extension(lang): Extension<Lang>,
    uri: Uri,
    headers: HeaderMap,
    Path((id, what)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Markup, Failure> {
    let statement = statement::decision(&what).ok_or(Failure::NoPage)?;
    let known = names(statement);
    let given = QueryParameters::read(query.as_deref(), &known)?;
    let typed: BTreeMap<String, String> =
        known.iter().filter_map(|name| Some(((*name).to_owned(), given.get(name)?.to_owned()))).collect();
    let (all, place) = named(&web.store, &id).await?;
    let who = who::of(&headers);
    let sheet = DecisionForm { lang, statement, snapshot: &all[place], who: who.as_deref(), trouble: None };
    Ok(sheet.draw(&web, &uri, &Entered::prefilled(typed)).await?)
}

/// `POST /listing/{snapshot}/decide/{what}`.
pub(in crate::web) async fn state(
    State(web): State<Web>,
    Extension(lang): Extension<Lang>,
    Path((id, what)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let statement = statement::decision(&what).ok_or(Failure::NoPage)?;
    let (all, place) = named(&web.store, &id).await?;
    let snapshot = &all[place];
    let (parts, body) = request.into_parts();
    let mut entered = form::read(&parts, body, &names(statement)).await?;
    let who = who::of(&parts.headers);
    let mut sheet = DecisionForm { lang, statement, snapshot, who: who.as_deref(), trouble: None };
    let Some(checked) = entered.checked(statement, clock::now(), &Calendar::bundled()) else {
        sheet.trouble = Some(refused(&entered));
        return sheet.again(&web, &parts.uri, &entered, StatusCode::UNPROCESSABLE_ENTITY).await;
    };
    let (by, id) = (checked.stated.by.clone(), checked.stated.id);
    let stating = decide(&web, statement, snapshot, &checked.values, checked.stated);
    match web.stated.state(id, stating).await {
        Ok(answered) => Ok(went_well(&address(snapshot), &by, answered)),
        Err(DecisionError::Unfit(why)) => {
            sheet.trouble = Some(why);
            sheet.again(&web, &parts.uri, &entered, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Err(DecisionError::Store(error)) => Err(error.into()),
        Err(DecisionError::Log(error)) => {
            telemetry::append_failed(&error);
            sheet.trouble = Some(text::NOT_TAKEN.clone());
            sheet.again(&web, &parts.uri, &entered, StatusCode::SERVICE_UNAVAILABLE).await
        }
    }
}

/// Why nothing was decided, or nobody knows.
enum DecisionError {
    /// It makes no sense for this snapshot.
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

/// Records the decision, and lets follow what follows.
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

/// A doubtful snapshot is believed from now on.
async fn release(web: &Web, snapshot: &ListSnapshot, stated: &Stated) -> Result<StatementOutcome, DecisionError> {
    if !snapshot.quarantined() {
        return Err(DecisionError::Unfit(text::NOT_IN_QUARANTINE.clone()));
    }
    door(web).release(snapshot, stated).await?;
    follow(web, snapshot.clone());
    Ok(StatementOutcome::Shown)
}

/// The row is none of ours, whatever it resembles.
async fn dismiss(
    web: &Web,
    snapshot: &ListSnapshot,
    values: &Values,
    stated: Stated,
) -> Result<StatementOutcome, DecisionError> {
    let row = nobodys(web, snapshot, values).await?;
    let code = InstitutionCode::parse(&row.code).map_err(|_| DecisionError::Unfit(text::NO_ROWS.clone()))?;
    let position = door(web).dismiss(snapshot.snapshot, code, stated).await?;
    // It is in the log; where the database is away, it will be shown later.
    Ok(web.operator.wait_until_projected(position).await.unwrap_or(StatementOutcome::Accepted))
}

/// The row's code becomes one of the facility's, from the date of the list.
async fn belongs(
    web: &Web,
    snapshot: &ListSnapshot,
    values: &Values,
    stated: Stated,
) -> Result<StatementOutcome, DecisionError> {
    let row = nobodys(web, snapshot, values).await?;
    let facility = Uuid::parse_str(values.word("facility")).map(FacilityId).ok();
    let known = match facility {
        Some(facility) => fleet::detail(&web.store, facility).await?,
        None => None,
    };
    let known = known.ok_or(DecisionError::Unfit(text::NO_SUCH_FACILITY.clone()))?;
    let changed = FacilityCodeChanged { old: None, new: Some(row.code), effective_at: snapshot.as_of };
    let position = web.operator.record(known.line.facility_id, stated, changed.into()).await?;
    let answered = web.operator.wait_until_projected(position).await.unwrap_or(StatementOutcome::Accepted);
    // What is doubtful is told to nobody before it is released.
    if !snapshot.quarantined() {
        follow(web, snapshot.clone());
    }
    Ok(answered)
}

/// The row that is decided about, as long as it is nobody's.
async fn nobodys(web: &Web, snapshot: &ListSnapshot, values: &Values) -> Result<RowChange, DecisionError> {
    let row = row(web, snapshot, values.word("code")).await?.ok_or(DecisionError::Unfit(text::NO_ROWS.clone()))?;
    if row.facility.is_some() { Err(DecisionError::Unfit(text::ROW_IS_OURS.clone())) } else { Ok(row) }
}

const fn door(web: &Web) -> SnapshotImport<'_> {
    SnapshotImport { store: &web.store, operator: &web.operator }
}

/// The row that a form is about.
async fn row(web: &Web, snapshot: &ListSnapshot, code: &str) -> Result<Option<RowChange>, StoreError> {
    match InstitutionCode::parse(code) {
        Ok(code) => change::with_code(&web.store, snapshot.snapshot, code.as_str()).await,
        Err(_) => Ok(None),
    }
}

/// Tells the facilities what follows, one snapshot at a time, while people go on.
fn follow(web: &Web, snapshot: ListSnapshot) {
    let web = web.clone();
    tokio::spawn(async move {
        let _turn = web.applying.acquire().await;
        if let Err(error) = door(&web).apply(&snapshot, |_, _| {}).await {
            telemetry::apply_failed(&error);
        }
    });
}

/// A form with its surroundings.
struct DecisionForm<'a> {
    lang: Lang,
    statement: &'static Statement,
    snapshot: &'a ListSnapshot,
    who: Option<&'a str>,
    trouble: Option<Text>,
}

impl DecisionForm<'_> {
    async fn again(self, web: &Web, uri: &Uri, entered: &Entered, status: StatusCode) -> Result<Response, Failure> {
        Ok((status, self.draw(web, uri, entered).await?).into_response())
    }

    async fn draw(self, web: &Web, uri: &Uri, entered: &Entered) -> Result<Markup, StoreError> {
        let Self { lang, statement, snapshot, who, trouble } = self;
        let as_of = AsOf::of(&fleet::progress(&web.store).await?);
        let row = row(web, snapshot, entered.typed("code").unwrap_or_default()).await?;
        let facility = entered.typed("facility").and_then(|text| Uuid::parse_str(text).ok()).map(FacilityId);
        let facility = match facility {
            Some(facility) => fleet::detail(&web.store, facility).await?,
            None => None,
        };
        let page = address(snapshot);
        let action = format!("{page}/decide/{}", statement.key);
        let drawn = Drawn { lang, action: &action, entered, who, now: clock::now(), next: None };
        let main = html! {
            nav.trail aria-label=(lang.one(&text::NAVIGATION)) { a href=(page) { "← " (kind(lang, snapshot)) " " (date(snapshot.as_of)) } }
            h1 { (lang.both(&statement.title)) }
            p.sub {
                (drawn_state(lang, snapshot)) " "
                @if let Some(row) = &row { code { (row.code) } " " span lang="ja" { (row.name) } " " }
                @if let Some(facility) = &facility {
                    "→ " a href={ "/facilities/" (facility.line.facility_id) } lang="ja" { (facility.line.name) } " "
                    @for code in &facility.codes { code { (code) } " " }
                }
            }
            @if let Some(trouble) = &trouble { p.outcome.bad role="alert" { (lang.both(trouble)) } }
            (form::draw(statement, &drawn))
            p.cancel { a href=(page) { (lang.one(&text::CANCEL)) } }
        };
        let title = lang.one(&statement.title).to_owned();
        let here = layout::here(uri);
        Ok(Page { lang, title, here: &here, as_of: &as_of, topic: "form".to_owned(), main }.draw())
    }
}
