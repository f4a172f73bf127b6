//! Records a statement, and prints the facility and what now holds.

use std::collections::BTreeMap;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use serde_json::Value;
use yomitori_facility::withdrawable;
use yomitori_proto::event::{Event, Origin, Recorded, Stated};
use yomitori_proto::id::{FacilityId, StatementId};

use crate::cli::output::{note, say};
use crate::cli::{Context, UsageError};
use crate::ingest::operator::{StatementError, StatementOutcome};
use crate::statement::known::{self, Standing};
use crate::statement::{self, BY, ID, Problem, SURE, WHY};
use crate::store::fact;
use crate::store::fleet::{self, Axis, Detail};
use crate::{clock, when};

/// Lists every problem with its option.
pub(in crate::cli) fn refused(problems: &[Problem]) -> UsageError {
    let lines = problems.iter().map(|Problem { field, text }| {
        let (ja, en) = if *field == SURE {
            ("（確かめた場合は --sure）", " (if you are certain, add --sure)")
        } else {
            ("", "")
        };
        format!("--{}: {}{ja} / {}{en}", field.replace('_', "-"), text.ja, text.en)
    });
    UsageError(lines.collect::<Vec<_>>().join("\n"))
}

/// The recorded statement and the resulting status.
#[derive(Serialize)]
struct RecordedDocument<'a> {
    statement: Option<StatementId>,
    facility: FacilityId,
    name: Option<String>,
    code: Option<String>,
    /// Whether `now` includes the statement already.
    shown: bool,
    /// Whether the same was recorded before under this identifier.
    again: bool,
    /// Whether it was withdrawn since.
    withdrawn: bool,
    /// Absent for the fleet, and until the facility's first fact is folded.
    now: Option<Now<'a>>,
}

/// What holds now: the codes, and the word of each axis.
#[derive(Serialize)]
struct Now<'a> {
    codes: &'a [String],
    #[serde(flatten)]
    axes: BTreeMap<&'static str, Value>,
}

/// Every axis of a status.
fn axes(status: &Value) -> impl Iterator<Item = (&'static str, &Value)> {
    Axis::ALL.iter().map(|axis| axis.column()).filter_map(|axis| Some((axis, status.get(axis)?)))
}

/// What became of a statement.
pub(in crate::cli) struct Answer {
    pub(in crate::cli) facility: FacilityId,
    pub(in crate::cli) statement: Option<StatementId>,
    pub(in crate::cli) done: Done,
    /// Whether it can be withdrawn.
    pub(in crate::cli) can_withdraw: bool,
    /// The facility before: a withdrawn registration, or the end of the last code, leaves neither name nor code.
    before: Option<Detail>,
    /// What it withdraws.
    withdraws: Option<Recorded>,
}

/// Whether a statement was recorded, and is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::cli) enum Done {
    Shown,
    /// The log contains it; the projection will follow.
    Accepted,
    /// The same was recorded before.
    Again {
        /// And was withdrawn since.
        withdrawn: bool,
    },
}

impl From<StatementOutcome> for Done {
    fn from(outcome: StatementOutcome) -> Self {
        match outcome {
            StatementOutcome::Shown => Self::Shown,
            StatementOutcome::Accepted => Self::Accepted,
        }
    }
}

impl Answer {
    pub(in crate::cli) const fn new(facility: FacilityId, statement: Option<StatementId>, done: Done) -> Self {
        Self { facility, statement, done, can_withdraw: true, before: None, withdraws: None }
    }
}

/// Records an event about a facility or the fleet, and prints the facility, what was stated (`content`, one line a field),
/// and its status.
pub(in crate::cli) async fn state(
    context: &Context,
    facility: FacilityId,
    stated: Stated,
    event: Event,
    content: &[String],
    (sure, json): (bool, bool),
) -> anyhow::Result<()> {
    let withdraws = match &event {
        Event::StatementWithdrawn(event) => fact::statement(&context.store, facility, event.statement).await?,
        _ => None,
    };
    let (statement, can_withdraw) = (stated.id, withdrawable(&event));
    let again = match known::standing(&context.store, facility, &stated, &event, sure).await? {
        Standing::New => None,
        Standing::Recorded { withdrawn } => Some(Done::Again { withdrawn }),
        Standing::Refused(problem) => return Err(refused(&[problem]).into()),
    };
    let before = fleet::detail(&context.store, facility).await?;
    let done = match again {
        Some(again) => again,
        None => record(context, facility, stated, event).await?.into(),
    };
    let withdraws = withdraws.map(|stored| stored.recorded);
    answer(context, Answer { can_withdraw, before, withdraws, ..Answer::new(facility, statement, done) }, content, json)
        .await
}

/// Prints the facility, what was stated (`content`), and what holds now.
pub(in crate::cli) async fn answer(
    context: &Context,
    answer: Answer,
    content: &[String],
    json: bool,
) -> anyhow::Result<()> {
    let Answer { facility, statement, done, can_withdraw, before, withdraws } = answer;
    let shown = done != Done::Accepted;
    let detail = fleet::detail(&context.store, facility).await?;
    let lines = || detail.iter().chain(&before).map(|detail| &detail.line);
    let name = lines().map(|line| line.name.clone()).find(|name| !name.is_empty());
    let code = lines().find_map(|line| line.code.clone());
    if json {
        let now = detail.as_ref().map(|detail| Now {
            codes: &detail.codes,
            axes: axes(&detail.status).map(|(axis, value)| (axis, value["key"].clone())).collect(),
        });
        let again = matches!(done, Done::Again { .. });
        let withdrawn = done == Done::Again { withdrawn: true };
        let recorded = RecordedDocument { statement, facility, name, code, shown, again, withdrawn, now };
        say(&serde_json::to_string_pretty(&recorded).context("failed to write JSON")?);
        return Ok(());
    }
    let code = code.unwrap_or_else(|| facility.to_string());
    let known_by = detail.as_ref().and_then(|detail| detail.line.code.clone()).unwrap_or_else(|| facility.to_string());
    let (whom, of) = if facility == FacilityId::FLEET {
        ("全施設 / all facilities".to_owned(), String::new())
    } else {
        (format!("{} {code}", name.unwrap_or_default()), format!(" --facility {known_by}"))
    };
    let done_as = match done {
        Done::Shown => "記録しました / recorded",
        Done::Accepted => {
            "受け付けました。反映は少し後です / accepted, not yet shown (is the server's projector running?)"
        }
        Done::Again { withdrawn: false } => "すでに記録されています / recorded already",
        Done::Again { withdrawn: true } => {
            "記録され、取り消されています。もう一度記録するには --id を付けずに実行してください / recorded and withdrawn already; to \
             record it once more, run it without --id"
        }
    };
    say(&format!("{}: {done_as}", whom.trim()));
    // What was recorded before may have had another instant.
    for line in content.iter().filter(|_| !matches!(done, Done::Again { .. })) {
        say(&format!("  {line}"));
    }
    if let Some(recorded) = &withdraws
        && let Origin::Person(stated) = &recorded.origin
    {
        let (kind, at) = (recorded.event.kind(), when::minute(stated.stated_at));
        say(&format!("  取り消した記録 / the withdrawn statement: {kind}, {at}"));
    }
    if let Some(detail) = &detail {
        say(if shown { "  現在 / now:" } else { "  反映前の状態 / until it is shown:" });
        for (axis, value) in axes(&detail.status) {
            let label = |lang: &str| value["label"][lang].as_str().unwrap_or("—").to_owned();
            say(&format!("    {axis:<10} {} / {}", label("ja"), label("en")));
        }
        say(&format!("    {:<10} {}", "codes", detail.codes.join(" ")));
    }
    let is_withdrawn = done == Done::Again { withdrawn: true };
    if let Some(id) = statement.filter(|_| can_withdraw && !is_withdrawn) {
        say(&format!(
            "  取り消すには / to withdraw it: yomitori-server statement withdraw --statement {id}{of} --why REASON"
        ));
    }
    // Another facility may have the row by now.
    let of_codes = |recorded: &Recorded| {
        matches!(
            recorded.event,
            Event::FacilityCodeChanged(_) | Event::FacilityRegistered(_) | Event::ListRowDismissed(_)
        )
    };
    if withdraws.as_ref().is_some_and(of_codes) {
        note("リストを照合し直すには / to compare the imported lists again: yomitori-server listing reconcile");
    }
    Ok(())
}

/// Records an event, and waits until it is shown.
async fn record(
    context: &Context,
    facility: FacilityId,
    stated: Stated,
    event: Event,
) -> anyhow::Result<StatementOutcome> {
    let id = stated.id.map(|id| id.to_string()).unwrap_or_default();
    match context.operator.record(facility, stated, event).await {
        Ok(recorded) => Ok(context.operator.wait_until_projected(recorded).await?),
        Err(error @ StatementError::Invalid(_)) => Err(error.into()),
        Err(error) => Err(unknown(error, &id)),
    }
}

/// Adds to an unknown outcome what to do.
pub(in crate::cli) fn unknown(error: StatementError, id: &str) -> anyhow::Error {
    anyhow::Error::new(error).context(format!(
        "記録できたか分かりません。--id {id} を付けて再実行してください / it may or may not have been recorded: run it again with \
         --id {id}"
    ))
}

/// The arguments for who states something and why.
#[derive(Args)]
pub(in crate::cli) struct Attribution {
    /// Who states it; the default is the user who is logged in.
    #[arg(long)]
    by: Option<String>,
    /// The reason, in a few words.
    #[arg(long)]
    why: Option<String>,
}

impl Attribution {
    /// A statement made now; `why` is the default reason.
    pub(in crate::cli) fn stated(self, why: &str) -> Result<Stated, UsageError> {
        self.under(None, why)
    }

    fn under(self, id: Option<String>, why: &str) -> Result<Stated, UsageError> {
        let Self { by, why: reason } = self;
        let reason = reason.or_else(|| Some(why.to_owned()).filter(|why| !why.is_empty()));
        let typed = [(BY, Some(by.unwrap_or_else(logged_in))), (WHY, reason), (ID, id)];
        let typed = typed.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?))).collect();
        statement::stated(&typed, clock::now()).map_err(|problems| refused(&problems))
    }
}

/// The same, for a statement that can be repeated.
#[derive(Args)]
pub(in crate::cli) struct Repeatable {
    #[command(flatten)]
    attribution: Attribution,
    /// An identifier; a statement of a facility repeated with it counts once.
    #[arg(long)]
    id: Option<String>,
}

impl Repeatable {
    /// A statement made now.
    pub(in crate::cli) fn stated(self) -> Result<Stated, UsageError> {
        self.attribution.under(self.id, "")
    }
}

/// The user who is logged in.
pub(super) fn logged_in() -> String {
    let user = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER")).ok();
    user.filter(|user| !user.is_empty()).unwrap_or_else(|| "console".to_owned())
}
